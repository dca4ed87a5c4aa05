// How full the disk under a folder is.
//
// Thread contract: pure functions of the file system; call from any thread.
#pragma once

#include <cstdint>
#include <filesystem>

#include "config/result.h"

namespace rushes::storage {

// Bytes that a process without privileges may still write there. Error: kNotFound.
Result<std::uint64_t> free_bytes(const std::filesystem::path& folder);

// kExhausted when less than `reserve` bytes are free: "/data: 12 MiB free, 1024 MiB are kept in reserve;
// ...".
Status check_reserve(const std::filesystem::path& folder, std::uint64_t reserve);

}  // namespace rushes::storage
