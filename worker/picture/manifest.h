// The manifest of a delivery, NAME_VERSION.json: which files it has, each with its length and BLAKE2b-256, and how they
// were made. A reader finds any changed bit of the delivery with it, in the manifest too.
//
// {"version": 2, "id": TEXT, "files": [{"file": NAME, "bytes": N, "blake2b_256": HEX}, ...], ..., "seal": HEX}
// Files are named relative to the manifest's folder, frames in frame order. "seal" is the BLAKE2b-256 of the manifest's
// own bytes with 64 zeros in its place. "id" tells the delivery from all others: it is made once, however often its task
// runs. Manifests of version 1 have neither.
//
// Thread contract: functions of their arguments.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "config/result.h"

namespace rushes::worker {

inline constexpr std::size_t kMaxManifestBytes = std::size_t{256} << 20;

struct FileSeal {
  std::string digest;  // BLAKE2b-256, 64 hex digits
  std::uint64_t bytes = 0;
};

// Of a file, read piece by piece. Error: kNotFound or kCorrupt with the path.
Result<FileSeal> seal_of(const std::string& path);

// The text of a manifest. `manifest` is an object without "seal".
std::string sealed(const nlohmann::json& manifest);

struct ManifestFile {
  std::string name;
  FileSeal seal;
};
struct Manifest {
  int version = 1;
  std::string id;  // empty: none
  std::vector<ManifestFile> files;
};

// Whether a JSON file of this text means to be a manifest; others may lie beside it.
bool is_manifest(const std::string& text);
// Error: kCorrupt, says what was expected: a seal that fits (from version 2 on), plain names, digests.
Result<Manifest> read_manifest(const std::string& text);

}  // namespace rushes::worker
