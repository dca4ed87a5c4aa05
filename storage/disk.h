// How full the disk under a folder is, and what it can do.
//
// Thread contract: pure functions of the file system; call from any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>

#include "config/result.h"

namespace rushes::storage {

// Bytes that a process without privileges may still write there. Error: kNotFound.
Result<std::uint64_t> free_bytes(const std::filesystem::path& folder);

// kExhausted when less than `reserve` bytes are free: "/data: 12 MiB free, 1024 MiB are kept in reserve;
// ...".
Status check_reserve(const std::filesystem::path& folder, std::uint64_t reserve);

// Bytes and number of the files in a folder and below it; what vanishes meanwhile counts as nothing. Errors: kNotFound;
// kUnreachable when `canceled` became true before the end.
struct FolderSize {
  std::uint64_t bytes = 0, files = 0;
  bool operator==(const FolderSize&) const = default;
};
Result<FolderSize> size_of(const std::filesystem::path& folder, const std::atomic<bool>* canceled = nullptr);

// Copies a folder of files and folders to a new place, every file synced. Error: kExhausted (disk full), kInvalid
// (something that is neither file nor folder), kDenied.
Status copy_folder(const std::filesystem::path& from, const std::filesystem::path& to);
// What is in a file; the names in a folder, after files were made or renamed.
Status sync_path(const std::filesystem::path& path);

// Whether another process has the database in this folder open.
bool is_open(const std::filesystem::path& folder);

}  // namespace rushes::storage
