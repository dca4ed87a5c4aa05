// The table that `rushes watch`, `submit --wait` and the demo redraw while a batch renders.
//
// One block per shot: state, elapsed, estimate and device seconds; one line per take with a progress bar per
// window and, while critics judge, what they look at or found. On a terminal it redraws in place, with as many shots as
// the screen has room for; otherwise it prints one line whenever something has changed, so that logs stay readable.
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
  explicit LiveTable(std::FILE* out);  // `out` outlives the table
  void draw(const Json& shots);

  // The lines of one picture, for tests.
  static std::string render(const Json& shots, const Style& style, std::size_t width);
  // The same in so many lines: a summary, and the shots that changed last, when not all have room.
  std::string picture(const Json& shots, std::size_t width, std::size_t height);

 private:
  void draw_changes(const Json& shots);

  struct Seen {
    std::string block;
    int turn = 0;  // when it changed
  };
  std::FILE* out_;
  bool live_;
  Style style_;
  int turn_ = 0;
  std::map<std::string, Seen> seen_;         // by shot
  int lines_ = 0;                            // drawn last time
  std::map<std::string, std::string> last_;  // what was last printed about each take
};

}  // namespace rushes::tools
