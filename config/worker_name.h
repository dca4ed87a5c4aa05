// The one rule for a worker's name. Names of hosts are such names, with their domain too.
//
// Thread contract: pure functions.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace rushes::config {

constexpr std::size_t kMaxWorkerName = 128;
constexpr const char* kWorkerNameRule =
    "a name of at most 128 letters, digits, '.', '_' and '-' that starts with a letter or digit";

constexpr bool is_worker_name(std::string_view text) {
  const auto alphanumeric = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
  };
  return !text.empty() && text.size() <= kMaxWorkerName && alphanumeric(text.front()) &&
         std::all_of(text.begin(), text.end(),
                     [&](char c) { return alphanumeric(c) || c == '.' || c == '_' || c == '-'; });
}

}  // namespace rushes::config
