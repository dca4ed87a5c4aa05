#include "storage/records/noise.h"

#include <algorithm>

#include "storage/records/lineage.h"

namespace rushes {
namespace {

bool is_renewed(std::span<const Range> windows, std::span<const std::uint32_t> chosen, int t) {
  for (std::size_t window = 0; window < windows.size(); ++window) {
    const bool stays =
        std::find(chosen.begin(), chosen.end(), static_cast<std::uint32_t>(window)) == chosen.end();
    if (stays && windows[window].contains(t)) return false;
  }
  return true;
}

int length_of(std::span<const Range> windows) { return windows.empty() ? 0 : windows.back().end; }

}  // namespace

std::vector<int> renewed_frames(std::span<const Range> windows, std::span<const std::uint32_t> chosen) {
  std::vector<int> frames;
  for (int t = 0; t < length_of(windows); ++t)
    if (is_renewed(windows, chosen, t)) frames.push_back(t);
  return frames;
}

std::uint64_t noise_seed(const Recipe& recipe, int t) {
  std::uint64_t seed = recipe.seed;
  for (const Revision& revision : recipe.revisions)
    if (is_renewed(recipe.windows, revision.windows, t)) seed = revision.seed;
  return seed;
}

bool renders_otherwise(const Recipe& a, const Recipe& b) {
  const auto same_prompt = [](const WindowMade& one, const WindowMade& other) {
    return one.prompt == other.prompt;
  };
  const std::vector<WindowMade> made_a = windows_made(a), made_b = windows_made(b);
  if (!std::equal(made_a.begin(), made_a.end(), made_b.begin(), made_b.end(), same_prompt)) return true;
  for (int t = 0; t < length_of(a.windows); ++t)
    if (noise_seed(a, t) != noise_seed(b, t)) return true;
  return false;
}

}  // namespace rushes
