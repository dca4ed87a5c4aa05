// The kinds of device that compute tensors, in the words of worker.yaml, the command lines and the kernels.
//
// Thread contract: plain values.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "config/word.h"

namespace rushes::config {

enum class Backend : std::uint8_t { kReference, kCpu, kCuda };

inline constexpr std::array<std::string_view, 3> kBackendNames{"reference", "cpu", "cuda"};

constexpr std::string_view to_string(Backend backend) {
  return kBackendNames[static_cast<std::size_t>(backend)];
}

}  // namespace rushes::config

template <>
inline constexpr int rushes::kCount<rushes::config::Backend> = 3;
