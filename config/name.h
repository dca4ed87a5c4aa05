// The one rule for names that travel between scheduler and worker: builds, models, numeric classes.
//
// Thread contract: pure functions.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace rushes::config {

constexpr std::size_t kMaxNameBytes = 64;
constexpr const char* kNameRule =
    "1 to 64 letters, digits, '.', '_', '-' or '+'";  // the first a letter or digit

constexpr bool is_name(std::string_view text) {
  const auto letter = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  return !text.empty() && text.size() <= kMaxNameBytes && letter(text.front()) &&
         std::all_of(text.begin(), text.end(),
                     [&](char c) { return letter(c) || c == '.' || c == '_' || c == '-' || c == '+'; });
}

}  // namespace rushes::config
