// The next version of something: PARENT/v001, v002, ... The disk decides which is next, two writers never share one,
// and nothing is ever written into a version that exists.
//
// A version grows in PARENT/.vNNN.part, which is claimed by a rename that replaces nothing; its file ".owner" says whose
// it is and which host began it. Writers of one owner, on several hosts too, share it. publish() renames it to vNNN.
// What is neither published nor kept is removed, with parents that are empty then. What a killed writer of this host
// left is removed when the next version is begun there.
//
// Thread contract: one VersionFolder belongs to one thread; any number may work in one PARENT.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "config/result.h"
#include "worker/picture/folder_lock.h"

namespace rushes::worker {

class VersionFolder {
 public:
  // The version that grows for `owner` (one line) in ROOT/BELOW, else a new one: `least` or a later one, above all that
  // are there. ROOT is never made: a share that is not mounted would be a folder of the local disk. Error: kDenied or
  // kExhausted with the path.
  static Result<VersionFolder> open(const std::filesystem::path& root, const std::filesystem::path& below,
                                    unsigned least, const std::string& owner);
  // Removes what grows in ROOT/BELOW, was begun on this host and is held by nobody.
  static void sweep(const std::filesystem::path& root, const std::filesystem::path& below);

  VersionFolder(VersionFolder&& other) noexcept;
  VersionFolder& operator=(VersionFolder&&) = delete;
  ~VersionFolder();

  const std::filesystem::path& path() const { return growing_; }  // where to write
  const std::filesystem::path& final_path() const { return final_; }
  std::string version() const { return final_.filename().string(); }  // "v002"

  void keep() { kept_ = true; }  // for the next writer of this owner
  // Error: kConflict when something else took the name, kExhausted.
  Status publish();

 private:
  VersionFolder(std::filesystem::path root, std::filesystem::path growing, std::filesystem::path final_path,
                FolderLock lock)
      : root_(std::move(root)),
        growing_(std::move(growing)),
        final_(std::move(final_path)),
        lock_(std::move(lock)) {}
  std::filesystem::path root_;
  std::filesystem::path growing_;  // empty: published, or moved from
  std::filesystem::path final_;
  std::optional<FolderLock> lock_;
  bool kept_ = false;
};

// The complete versions in a folder, oldest first.
std::vector<unsigned> versions_in(const std::filesystem::path& parent);

}  // namespace rushes::worker
