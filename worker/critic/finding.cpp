#include "worker/critic/finding.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <limits>

namespace rushes::worker {

double score_of(double evidence, double limit) {
  const double ratio = evidence / limit;
  return std::isfinite(ratio) ? 1.0 / (1.0 + ratio * ratio) : 0.0;
}

double evidence_of(double score, double limit) {
  if (score <= 0) return std::numeric_limits<double>::infinity();
  return limit * std::sqrt(std::max(0.0, 1.0 / score - 1.0));
}

bool asks_for_motion(std::string_view prompt) {
  constexpr std::array<std::string_view, 40> kWords{
      "moves",   "moving",   "pans",    "panning",  "zooms",   "zooming",    "rolls",   "rolling",
      "slides",  "sliding",  "spins",   "spinning", "turns",   "turning",    "flies",   "flying",
      "runs",    "running",  "walks",   "walking",  "drives",  "driving",    "falls",   "falling",
      "bounces", "bouncing", "drifts",  "drifting", "glides",  "gliding",    "swings",  "swinging",
      "rises",   "rising",   "crosses", "crossing", "travels", "travelling", "rotates", "rotating"};
  std::string word;
  for (std::size_t i = 0; i <= prompt.size(); ++i) {
    const unsigned char c = i < prompt.size() ? static_cast<unsigned char>(prompt[i]) : ' ';
    if (std::isalpha(c) != 0) {
      word += static_cast<char>(std::tolower(c));
      continue;
    }
    if (std::find(kWords.begin(), kWords.end(), word) != kWords.end()) return true;
    word.clear();
  }
  return false;
}

Finding make_finding(const CriticContext& context, Range local, double score) {
  Finding finding;
  finding.severity = 1.0 - score;
  finding.frames = {context.first_frame + local.begin, context.first_frame + local.end};
  finding.window = window_at(context, finding.frames);
  return finding;
}

int window_at(const CriticContext& context, Range frames) {
  int best = 0, largest = 0;
  for (int i = 0; i < static_cast<int>(context.windows.size()); ++i) {
    const Range& window = context.windows[static_cast<std::size_t>(i)];
    const int shared = std::min(window.end, frames.end) - std::max(window.begin, frames.begin);
    if (shared <= 0 || shared < largest) continue;
    largest = shared;
    best = i;
  }
  return best;
}

std::string words_of(const CriticContext& context, Range frames) {
  const std::string first = std::to_string(context.start_frame + frames.begin);
  return frames.size() == 1 ? "frame " + first
                            : "frames " + first + "-" + std::to_string(context.start_frame + frames.end - 1);
}

std::string decimal(double value, int digits) {
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), "%.*f", digits, value);
  return text.data();
}

}  // namespace rushes::worker
