#include "tools/rushes/progress.h"

#include "tools/rushes/text.h"

namespace rushes::tools {
namespace {

constexpr std::chrono::milliseconds kBetween{100};  // drawings
constexpr int kBarCells = 16;
constexpr std::size_t kWords = 50;  // characters; a line fits a terminal of 80

}  // namespace

ProgressLine::~ProgressLine() {
  if (drawn_) std::fputs("\r\x1b[K", out_);
  std::fflush(out_);
}

void ProgressLine::show(double done, const std::string& words) {
  const auto now = std::chrono::steady_clock::now();
  if (!terminal_ || (drawn_ && now - last_ < kBetween)) return;
  last_ = now;
  drawn_ = true;
  std::fprintf(out_, "\r[%s] %3.0f %%  %s\x1b[K", bar(done, kBarCells).c_str(), 100 * done,
               (text_width(words) > kWords ? padded(words, kWords) : words).c_str());
  std::fflush(out_);
}

}  // namespace rushes::tools
