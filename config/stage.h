// The stages of a take: what a task does. Values equal those of storage/records/records.capnp, which says what each
// stage reads and makes.
//
// Thread contract: plain values and pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

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

// How many values an enum has, numbered from 0.
template <class Enum>
inline constexpr int kCount = 0;
template <>
inline constexpr int kCount<Stage> = kStages;

// The value whose to_string() is `word`.
template <class Enum>
std::optional<Enum> parse_word(std::string_view word) {
  for (int i = 0; i < kCount<Enum>; ++i)
    if (word == to_string(static_cast<Enum>(i))) return static_cast<Enum>(i);
  return std::nullopt;
}

}  // namespace rushes
