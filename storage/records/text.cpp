#include "storage/records/text.h"

#include <algorithm>

#include "config/utf8.h"

namespace rushes {
namespace {

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7F;
}

bool is_plain(char c) { return c >= 0x20 && c < 0x7F; }

}  // namespace

bool is_clean_text(std::string_view text) {
  for (;;) {
    // Nearly all text is ASCII throughout.
    text.remove_prefix(
        static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), is_plain) - text.begin()));
    if (text.empty()) return true;
    const std::size_t length = config::utf8_character(text);
    if (length == 0 || is_control(text.front())) return false;
    text.remove_prefix(length);
  }
}

std::string clean_text(std::string_view text, std::size_t at_most, bool keep_end) {
  if (keep_end && text.size() > at_most) {
    text.remove_prefix(text.size() - at_most);
    while (!text.empty() && (static_cast<unsigned char>(text.front()) & 0xC0) == 0x80) text.remove_prefix(1);
  }
  std::string clean;
  while (!text.empty()) {
    const std::size_t length = config::utf8_character(text);
    const std::string_view piece = text.substr(0, std::max<std::size_t>(length, 1));
    if (clean.size() + piece.size() > at_most) break;
    if (length == 0 || is_control(text.front()))
      clean += '?';
    else
      clean += piece;
    text.remove_prefix(piece.size());
  }
  return clean;
}

std::string one_line(std::string_view text, std::size_t at_most) {
  std::string line = clean_text(text, at_most);
  std::replace_if(
      line.begin(), line.end(), [](char c) { return c == '\n' || c == '\t'; }, ' ');
  return line;
}

}  // namespace rushes
