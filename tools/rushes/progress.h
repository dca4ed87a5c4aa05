// One line at the foot of a terminal that says how far something is; nothing where there is no terminal.
//
// Thread contract: one thread.
#pragma once

#include <chrono>
#include <cstdio>
#include <string>

namespace rushes::tools {

class ProgressLine {
 public:
  // `out` outlives the line.
  ProgressLine(std::FILE* out, bool terminal) : out_(out), terminal_(terminal) {}
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  ~ProgressLine();  // clears it

  // done: 0..1
  void show(double done, const std::string& words);

 private:
  std::FILE* out_;
  bool terminal_;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point last_{};
};

}  // namespace rushes::tools
