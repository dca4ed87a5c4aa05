// Keys, values and options of the vault's families (vault.h lists them): private to storage/.
//
// Thread contract: pure functions.
#pragma once

#include <rocksdb/options.h>
#include <rocksdb/slice.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "config/digest.h"
#include "config/result.h"

namespace rushes::storage {

inline constexpr std::string_view kUploadPrefix = "upload";

// An artifact as its family has it.
struct StoredArtifact {
  std::uint64_t bytes, upload;
  std::int64_t wall;  // microseconds since 1970
};

rocksdb::ColumnFamilyOptions chunk_options();

inline rocksdb::Slice slice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }
std::string chunk_key(std::uint64_t upload, std::uint32_t index);
std::string upload_key(std::uint64_t upload);
std::string owner_prefix(std::string_view owner);  // of what an owner holds
std::string digest_prefix(const Digest& digest);   // of who holds an artifact
std::uint32_t chunk_count(std::uint64_t bytes);

std::string encode(const StoredArtifact& stored);
Result<StoredArtifact> decode(std::string_view value, const Digest& digest);  // kCorrupt

}  // namespace rushes::storage
