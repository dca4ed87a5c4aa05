// The kinds of device that compute tensors, in the words of worker.yaml, the command lines and the kernels.
//
// Thread contract: plain values.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace rushes::config {

enum class Backend : std::uint8_t { kReference, kCpu, kCuda };

inline constexpr std::array<std::string_view, 3> kBackendNames{"reference", "cpu", "cuda"};

constexpr std::string_view to_string(Backend backend) {
  return kBackendNames[static_cast<std::size_t>(backend)];
}

constexpr std::optional<Backend> parse_backend(std::string_view name) {
  for (std::size_t i = 0; i < kBackendNames.size(); ++i)
    if (kBackendNames[i] == name) return static_cast<Backend>(i);
  return std::nullopt;
}

}  // namespace rushes::config
