#include "config/path_map.h"

#include <algorithm>

namespace rushes::config {

std::filesystem::path without_slash(const std::filesystem::path& folder) {
  return folder.has_filename() ? folder : folder.parent_path();
}

bool lies_below(const std::filesystem::path& path, const std::filesystem::path& folder) {
  const auto plain = without_slash(folder);
  return std::mismatch(plain.begin(), plain.end(), path.begin(), path.end()).first == plain.end();
}

std::filesystem::path mapped(const PathMap& map, const std::filesystem::path& path) {
  const auto plain = path.lexically_normal();
  const PathRule* best = nullptr;
  for (const PathRule& rule : map)
    if (lies_below(plain, rule.from) &&
        (best == nullptr || best->from.native().size() < rule.from.native().size()))
      best = &rule;
  if (best == nullptr) return path;
  return plain == best->from ? best->to : best->to / plain.lexically_relative(best->from);
}

}  // namespace rushes::config
