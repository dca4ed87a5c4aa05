// How full the disk under a folder is, and what it can do.
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

// Whether its file system takes writes that bypass the page cache (O_DIRECT; tmpfs does not). Tries it with a file
// that it removes.
bool takes_direct_io(const std::filesystem::path& folder);

}  // namespace rushes::storage
