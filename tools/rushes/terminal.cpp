#include "tools/rushes/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

namespace rushes::tools {
namespace {

std::string_view environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

}  // namespace

bool is_live(int file) {
  const std::string_view term = environment("TERM");
  return isatty(file) != 0 && !term.empty() && term != "dumb";
}

bool has_colours(int file) { return is_live(file) && environment("NO_COLOR").empty(); }

TerminalSize size_of(int file) {
  winsize size{};
  if (ioctl(file, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {};
  return {std::max<std::size_t>(size.ws_col, 20), std::max<std::size_t>(size.ws_row, 4)};
}

std::string shortened(std::string text) {
  constexpr std::size_t kMost = 80;  // bytes
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  if (text.size() <= kMost) return text;
  std::size_t end = kMost;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;  // never half a character
  return text.substr(0, end) + "...";
}

}  // namespace rushes::tools
