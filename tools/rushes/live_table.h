// The table that `rushes watch`, `submit --wait` and the demo redraw while a batch renders.
//
// One block per shot: state, elapsed, estimate and device seconds; one line per take with a progress bar per
// window and, while critics judge, what they look at or found. On a terminal it redraws in place; otherwise
// it prints one line whenever something has changed, so that logs stay readable.
//
// Thread contract: one thread at a time.
#pragma once

#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "tools/rushes/text.h"

namespace rushes::tools {

class LiveTable {
 public:
  // `out` outlives the table. `terminal`: redraw in place and use colours.
  LiveTable(std::FILE* out, bool terminal);
  void draw(const Json& shots);

  // The lines of one picture, for tests.
  static std::string render(const Json& shots, const Style& style, std::size_t width);

 private:
  void draw_changes(const Json& shots);

  std::FILE* out_;
  bool terminal_;
  int lines_ = 0;                            // drawn last time
  std::map<std::string, std::string> last_;  // what was last printed about each take
};

}  // namespace rushes::tools
