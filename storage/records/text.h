// Text from elsewhere: what may be shown, logged and put into JSON.
//
// Thread contract: pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace rushes {

constexpr std::size_t kMaxTextBytes = 1024;  // of a message or reason for people

// Text that any reader can show: invalid UTF-8 and control characters (newline and tab excepted) become '?',
// cut to the last whole character within `at_most` bytes. keep_end keeps the end instead (log tails).
std::string clean_text(std::string_view text, std::size_t at_most = kMaxTextBytes, bool keep_end = false);
std::string one_line(std::string_view text, std::size_t at_most);  // clean, newlines and tabs become spaces
bool is_clean_text(std::string_view text);

}  // namespace rushes
