// Lists of files that travel in one message: frames of a sequence that follow each other are one entry.
//
//   "show/sh010/draft/v001/sh010.1001.exr" ... "sh010.1300.exr"  <->  "show/sh010/draft/v001/sh010.[1001-1300].exr"
//
// File names of the farm hold no brackets. Numbers keep their leading zeros.
//
// Thread contract: pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace rushes {

// Joins neighbours of the list whose names differ by one in the number before the extension.
std::vector<std::string> join_frames(const std::vector<std::string>& files);

// The names behind a joined list, in order; at most `most` of them. An entry that does not read as a sequence stays
// as it is.
std::vector<std::string> expand_frames(const std::vector<std::string>& joined, std::size_t most);

}  // namespace rushes
