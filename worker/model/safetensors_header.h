// The JSON of safetensors files: the header and the index of a sharded checkpoint.
//
// Private to safetensors.cpp. Parsed as a stream of events, so that depth, duplicates and types are checked
// while reading and a hostile header never becomes a tree in memory.
//
// Thread contract: pure functions.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "config/result.h"
#include "worker/model/safetensors.h"

namespace rushes::worker {

inline constexpr std::string_view kMetadataKey = "__metadata__";
inline constexpr std::size_t kMaxRank = 8;

struct HeaderEntry {
  std::string name;
  StoredType type = StoredType::kF32;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0, end = 0;  // bytes from the start of the data section
};

struct Header {
  std::vector<HeaderEntry> entries;
  std::map<std::string, std::string> metadata;
};

// kCorrupt with what was expected and found; offsets are not yet compared with the file.
Result<Header> parse_header(std::string_view text);
// {"weight_map": {tensor: file}}; a file is a plain name beside the index.
Result<std::map<std::string, std::string>> parse_index(std::string_view text);
std::string format_header(const std::vector<HeaderEntry>& entries,
                          const std::map<std::string, std::string>& metadata);

}  // namespace rushes::worker
