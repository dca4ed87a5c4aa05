// Enums and their words: the one way from a word to its value.
//
// An enum has to_string(), the table of its words, beside it, and a kCount.
//
// Thread contract: pure functions.
#pragma once

#include <optional>
#include <string_view>

namespace rushes {

// How many values an enum has, numbered from 0.
template <class Enum>
inline constexpr int kCount = 0;

// The value whose to_string() is `word`; none: there is no such word.
template <class Enum>
constexpr std::optional<Enum> parse_word(std::string_view word) {
  static_assert(kCount<Enum> > 0);
  for (int i = 0; i < kCount<Enum>; ++i)
    if (word == to_string(static_cast<Enum>(i))) return static_cast<Enum>(i);
  return std::nullopt;
}

}  // namespace rushes
