// A folder that appears whole or not at all, and never replaces one that exists.
//
// Its files are written into PARENT/.NAME.part-HOST-PID-N, which publish() renames. Whatever goes wrong before, the
// folder is removed with all that lies in it, and so are the parents that were made for it. What a process of this host
// left there that was killed is removed when the next one writes into PARENT.
//
// Thread contract: one AtomicFolder belongs to one thread; processes may make different ones, or try to make the
// same one, at the same time.
#pragma once

#include <filesystem>
#include <string>

#include "config/result.h"
#include "worker/picture/folder_lock.h"

namespace rushes::worker {

class AtomicFolder {
 public:
  // PARENT is created where it is missing. Error: kConflict (PARENT/NAME exists), kDenied or kExhausted with the path.
  static Result<AtomicFolder> create(const std::filesystem::path& parent, const std::string& name);
  // Removes what killed processes of this host left in PARENT; create() does it too.
  static void sweep(const std::filesystem::path& parent);

  AtomicFolder(AtomicFolder&& other) noexcept;
  AtomicFolder& operator=(AtomicFolder&&) = delete;
  ~AtomicFolder();

  const std::filesystem::path& path() const { return temporary_; }  // where to write
  const std::filesystem::path& final_path() const { return final_; }
  // Error: kConflict when a folder of that name appeared meanwhile, kExhausted.
  Status publish();

 private:
  AtomicFolder(std::filesystem::path temporary, std::filesystem::path final_path,
               std::filesystem::path first_made, FolderLock lock)
      : temporary_(std::move(temporary)),
        final_(std::move(final_path)),
        first_made_(std::move(first_made)),
        lock_(std::move(lock)) {}
  std::filesystem::path temporary_;  // empty: published, or moved from
  std::filesystem::path final_;
  std::filesystem::path first_made_;  // the uppermost parent that did not exist; empty: all did
  FolderLock lock_;
};

}  // namespace rushes::worker
