// A lock on a folder, held by whoever works in it, so that nobody takes it for what a crashed program left.
//
// The kernel ends it with the process. File systems that lock no folders (some of a network): a holder is not protected
// there, and nobody else gets the folder either.
//
// Thread contract: one FolderLock belongs to one thread.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "config/result.h"

namespace rushes::worker {

class FolderLock {
 public:
  // Of one who works in the folder, beside others. Nothing when the folder is gone or being removed.
  static std::optional<FolderLock> hold(const std::filesystem::path& folder);

  FolderLock(FolderLock&& other) noexcept;
  FolderLock& operator=(FolderLock&& other) noexcept;
  ~FolderLock();

 private:
  explicit FolderLock(int file) : file_(file) {}
  friend bool remove_unheld(const std::filesystem::path& folder);
  int file_ = -1;
};

// Removes the folder with all that lies in it, unless somebody holds it. Whether it is gone.
bool remove_unheld(const std::filesystem::path& folder);

// ---- what folders that appear whole are made of (atomic_folder.h, version_folder.h)

bool is_taken(const std::filesystem::path& path);  // a link to nothing takes its name too
// Renames a folder to a name that nothing has; file_exists or directory_not_empty where something has it.
std::error_code rename_new(const std::filesystem::path& from, const std::filesystem::path& to);
Status sync_folder(const std::filesystem::path& folder);
tl::unexpected<Error> not_created(const std::filesystem::path& path, std::error_code code);
// Part of the names of what is being written: only its own host can tell whether a process lives.
const std::string& host_name();

}  // namespace rushes::worker
