#include "config/path_map.h"

#include <algorithm>

namespace rushes::config {

std::filesystem::path mapped(const PathMap& map, const std::filesystem::path& path) {
  const auto plain = path.lexically_normal();
  const PathRule* best = nullptr;
  std::filesystem::path rest;
  for (const PathRule& rule : map) {
    const auto [of_rule, of_path] =
        std::mismatch(rule.from.begin(), rule.from.end(), plain.begin(), plain.end());
    if (of_rule != rule.from.end()) continue;
    if (best != nullptr && best->from.native().size() >= rule.from.native().size()) continue;
    best = &rule;
    rest.clear();
    for (auto name = of_path; name != plain.end(); ++name) rest /= *name;
  }
  if (best == nullptr) return path;
  return rest.empty() ? best->to : best->to / rest;
}

}  // namespace rushes::config
