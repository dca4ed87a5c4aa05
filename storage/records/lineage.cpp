#include "storage/records/lineage.h"

#include <algorithm>
#include <map>

namespace rushes {

const std::string& current_prompt(const Recipe& recipe) {
  for (auto revision = recipe.revisions.rbegin(); revision != recipe.revisions.rend(); ++revision)
    if (!revision->prompt.empty()) return revision->prompt;
  return recipe.prompt;
}

std::vector<WindowMade> windows_made(std::size_t windows, std::uint64_t seed, const std::string& prompt,
                                     std::span<const Revision> revisions) {
  std::vector<WindowMade> made(windows);
  for (std::size_t w = 0; w < windows; ++w) made[w] = {static_cast<std::uint32_t>(w), 0, seed, prompt};
  const std::string* current = &prompt;
  for (const Revision& revision : revisions) {
    if (!revision.prompt.empty()) current = &revision.prompt;
    for (const std::uint32_t window : revision.windows)
      if (window < windows) made[window] = {window, revision.number, revision.seed, *current};
  }
  return made;
}

std::vector<WindowMade> windows_made(const Recipe& recipe) {
  return windows_made(recipe.windows.size(), recipe.seed, recipe.prompt, recipe.revisions);
}

std::vector<WindowsMade> renewed_windows(std::span<const WindowMade> made) {
  std::map<std::uint32_t, WindowsMade> renewed;
  for (const WindowMade& window : made) {
    if (window.revision == 0) continue;
    WindowsMade& row = renewed[window.revision];
    row.windows.push_back(window.window);
    row.revision = window.revision;
    row.seed = window.seed;
    row.prompt = window.prompt;
  }
  std::vector<WindowsMade> result;
  result.reserve(renewed.size());
  for (auto& [revision, row] : renewed) result.push_back(std::move(row));
  return result;
}

}  // namespace rushes
