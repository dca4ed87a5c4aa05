// One folder, many names: the same shared disk is /mnt/farm on render hosts and /studio/farm on desks.
//
// The farm itself keeps paths relative to `deliveries:`, which every host mounts where it likes; a map is needed only
// for what people read.
//
// Thread contract: plain values and pure functions.
#pragma once

#include <filesystem>
#include <vector>

namespace rushes::config {

struct PathRule {
  std::filesystem::path from, to;  // absolute, without a slash at the end
  bool operator==(const PathRule&) const = default;
};
using PathMap = std::vector<PathRule>;

// The path as its reader has it: by the rule with the longest `from` that the path lies below, whole names only
// (/mnt/farm is not above /mnt/farm2); unchanged where none is.
std::filesystem::path mapped(const PathMap& map, const std::filesystem::path& path);

}  // namespace rushes::config
