// Files that appear whole or not at all.
//
// Everything that leaves the farm is written under a temporary name in its own folder (".NAME.part-PID-N",
// hidden, so that no sequence reader picks it up), synced, renamed to its final name, and the folder is
// synced. Whatever goes wrong before the rename, the temporary file is removed and an older file of that name
// is untouched.
//
// Thread contract: one AtomicFile belongs to one thread; different files may be written at the same time.
#pragma once

#include <string>
#include <string_view>

#include "config/result.h"

namespace rushes::worker {

class AtomicFile {
 public:
  // Creates the temporary file beside `path`; its folder must exist. kNotFound, kDenied or kExhausted with
  // the path.
  static Result<AtomicFile> create(const std::string& path);

  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile();  // removes the temporary file unless committed

  // For libraries that open by name. The name must not be renamed or removed by them.
  const std::string& temporary_path() const { return temporary_; }

  Status write(std::string_view bytes);
  // fsync, rename over `path`, fsync of the folder. The object is done afterwards.
  Status commit();

 private:
  AtomicFile(int descriptor, std::string path, std::string temporary)
      : descriptor_(descriptor), path_(std::move(path)), temporary_(std::move(temporary)) {}
  int descriptor_ = -1;
  std::string path_;
  std::string temporary_;
};

// One whole file.
Status write_file(const std::string& path, std::string_view bytes);

// A whole file into memory. kExhausted when it is larger than `limit` bytes (the input is hostile until
// read).
Result<std::string> read_file(const std::string& path, std::size_t limit);

}  // namespace rushes::worker
