// A new folder for what a bench writes.
//
// Thread contract: plain value.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>

#include "config/result.h"

namespace rushes::bench {

// A folder that goes away with its owner.
class Folder {
 public:
  static Result<Folder> make(const std::filesystem::path& parent) {
    std::string name = (parent / "rushes-bench-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr)
      return fail(ErrorKind::kDenied, parent.string() + ": no folder can be made there; choose --data");
    return Folder(name);
  }
  Folder(Folder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  ~Folder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  explicit Folder(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

}  // namespace rushes::bench
