// The allow-list: which public keys may connect, and what their holders may call themselves.
//
// A folder of files NAME.pub. Each holds the key of NAME, one to a line; while a key is exchanged for another
// the file holds both (see keys.h). A worker may call itself NAME or NAME-anything (one key for a pool of
// hosts), but never what another, better matching key is named for: with keys "gpu" and "gpu-7", only the
// second may speak for "gpu-7".
//
// refresh() reads what has changed since the last look, so that nothing needs a restart. A file that holds no
// key (half written, for example) keeps its keys of before and is named in one line, as is a folder that cannot be
// read.
//
// Thread contract: one thread at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/result.h"

namespace rushes::protocol {

class AllowList {
 public:
  static constexpr std::size_t kMaxKeys = 4;  // of one file

  // Error: kNotFound when the folder is missing.
  static Result<AllowList> read(std::filesystem::path folder);
  // Looks at the folder again. True when keys came or went; each is logged.
  bool refresh();
  // Name of the key (the file's stem), if it is known.
  std::optional<std::string> name_of(std::string_view public_key) const;
  // May the holder of key `key_name` call itself `worker`?
  bool may_use(std::string_view key_name, std::string_view worker) const;
  std::size_t size() const { return names_.size(); }

 private:
  struct File {
    std::int64_t changed_ns = 0;  // of the content, or of the name
    std::uint64_t bytes = 0, inode = 0;
    bool settled = false;  // old enough to be sure that a later change is seen in its time
    bool complained = false;
    std::vector<std::string> keys;
  };
  explicit AllowList(std::filesystem::path folder) : folder_(std::move(folder)) {}
  void look_at(const std::filesystem::path& path, File& file);

  std::filesystem::path folder_;
  bool complained_ = false, fresh_ = true;
  std::map<std::string, File> files_;                      // by stem
  std::map<std::string, std::string, std::less<>> names_;  // public key -> stem
};

}  // namespace rushes::protocol
