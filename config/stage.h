// The stages of a take: what a task does. Values equal those of storage/records/records.capnp, which says what each
// stage reads and makes.
//
// Thread contract: plain values and pure functions.
#pragma once

#include <cstdint>

#include "config/word.h"

namespace rushes {

enum class Stage : std::uint8_t {
  kEncode,
  kDenoise,
  kCritique,
  kDecode,
  kEnlarge,
  kRefine,
  kFinish,
  kDeliver
};
inline constexpr int kStages = 8;
constexpr const char* to_string(Stage stage) {
  constexpr const char* kWords[kStages] = {"encode",  "denoise", "critique", "decode",
                                           "enlarge", "refine",  "finish",   "deliver"};
  return kWords[static_cast<int>(stage)];
}

template <>
inline constexpr int kCount<Stage> = kStages;

}  // namespace rushes
