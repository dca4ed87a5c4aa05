// CURVE keys: who may speak with whom.
//
// A key pair is two files: NAME.key (secret, mode 0600) and NAME.pub. Each holds one line: 40 characters of
// Z85 (ZeroMQ RFC 32), the form that ZeroMQ's own tools write. The scheduler has an allow-list: a folder of
// worker
// *.pub files; a worker has the scheduler's .pub. The stem of an allowed file is the name of its key, and a
// worker may call itself NAME or NAME-anything (one key for a pool of hosts), but never what another, better
// matching key is named for: with keys "gpu" and "gpu-7", only the second may speak for "gpu-7".
//
// Thread contract: pure functions and values; AllowList may be used from one thread at a time.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/result.h"

namespace rushes::protocol {

struct KeyPair {
  std::string public_key, secret_key;  // Z85, 40 characters each
};

// A fresh pair from the operating system's randomness.
Result<KeyPair> make_keys();

// Writes DIR/NAME.key (0600) and DIR/NAME.pub. Error: kConflict when either exists: keys are never
// overwritten.
Status write_keys(const std::filesystem::path& folder, std::string_view name, const KeyPair& keys);

// `rushes keygen DIR`: scheduler.{key,pub}, worker.{key,pub} and workers/worker.pub, the allow-list. Creates
// DIR (0700). Returns the files written. Nothing is written when any of them exists (kConflict).
Result<std::vector<std::filesystem::path>> write_farm_keys(const std::filesystem::path& folder);

// Error: kNotFound, kDenied (a secret that others may read: says the chmod to run), kInvalid.
Result<std::string> read_public_key(const std::filesystem::path& file);
Result<std::string> read_secret_key(const std::filesystem::path& file);
// The public key that belongs to a secret one.
Result<std::string> public_key_of(std::string_view secret_key);

// A folder of *.pub files, read again when the folder has changed: a new worker needs no restart.
class AllowList {
 public:
  // Error: kNotFound when the folder is missing. Files that hold no key are skipped with a logged line.
  static Result<AllowList> read(std::filesystem::path folder);
  // Name of the key (the file's stem), if it is known.
  std::optional<std::string> name_of(std::string_view public_key);
  // May the holder of key `key_name` call itself `worker`?
  bool may_use(std::string_view key_name, std::string_view worker) const;
  std::size_t size() const { return names_.size(); }

 private:
  explicit AllowList(std::filesystem::path folder) : folder_(std::move(folder)) {}
  void reload();
  std::filesystem::path folder_;
  std::filesystem::file_time_type read_at_{};
  std::map<std::string, std::string, std::less<>> names_;  // public key -> name
};

}  // namespace rushes::protocol
