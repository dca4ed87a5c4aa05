// What a stream leads to: a terminal that can be redrawn, colours, and its size.
//
// Thread contract: any thread; it reads the environment and asks the terminal.
#pragma once

#include <cstddef>

namespace rushes::tools {

struct TerminalSize {
  std::size_t width = 80, height = 24;  // characters
};

bool is_live(int file);      // a terminal whose cursor can be moved: TERM is neither empty nor "dumb"
bool has_colours(int file);  // the same, and NO_COLOR is not set (no-color.org)
TerminalSize size_of(int file);

}  // namespace rushes::tools
