// What a stream leads to: a terminal that can be redrawn, colours, and its size; and what may be printed on it.
//
// Thread contract: any thread; it reads the environment and asks the terminal.
#pragma once

#include <cstddef>
#include <string>

namespace rushes::tools {

struct TerminalSize {
  std::size_t width = 80, height = 24;  // characters
};

bool is_live(int file);      // a terminal whose cursor can be moved: TERM is neither empty nor "dumb"
bool has_colours(int file);  // the same, and NO_COLOR is not set (no-color.org)
TerminalSize size_of(int file);
std::string shortened(std::string text);  // a wrong word as a message shows it: on one line, not too long

}  // namespace rushes::tools
