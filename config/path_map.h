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

// The folder as its name is written, without a slash at its end: parent_path() of "data/" would be "data".
std::filesystem::path without_slash(const std::filesystem::path& folder);

// Whether the path is the folder or lies below it, by whole names as they are written (/mnt/farm is not above /mnt/farm2);
// a slash at the folder's end changes nothing. Links are the caller's: std::filesystem::canonical().
bool lies_below(const std::filesystem::path& path, const std::filesystem::path& folder);

// The path as its reader has it: by the rule with the longest `from` that the path lies below; unchanged where none
// is.
std::filesystem::path mapped(const PathMap& map, const std::filesystem::path& path);

}  // namespace rushes::config
