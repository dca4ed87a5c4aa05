// CURVE keys: pairs of files, and how one pair takes the place of another.
//
// A key pair is two files: NAME.key (secret, mode 0600) and NAME.pub. Each holds one line: 40 characters of
// Z85 (ZeroMQ RFC 32), the form that ZeroMQ's own tools write. The scheduler has a folder of workers' *.pub
// files (allow_list.h); a worker has the scheduler's .pub.
//
// Rotation needs no moment at which nothing works, because a .pub file that others read may hold the old and
// the new key, a line each:
//   a worker's key     `rushes keygen --rotate keys/worker` on its host; add the line of the new worker.pub
//   to
//                      the scheduler's workers/NAME.pub (it is let in at once); start the worker again; take
//                      the old line out (who still holds the old key is refused at once).
//   the scheduler's    `rushes keygen --rotate keys/scheduler` beside a running scheduler; add the line of
//   the
//                      new scheduler.pub to the scheduler.pub of every worker and start them again, one after
//                      another; start the scheduler again; take the old line out whenever a worker is started
//                      next.
//
// Thread contract: pure functions and values.
#pragma once

#include <filesystem>
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

// `rushes keygen DIR --worker NAME`: a pair for one more worker beside the scheduler's, and its line in the allow-list.
// Returns the files written. Error: kNotFound (no farm's keys in DIR), kInvalid (no name of a worker), kConflict.
Result<std::vector<std::filesystem::path>> add_worker_keys(const std::filesystem::path& folder,
                                                           const std::string& name);

// `rushes keygen --rotate DIR/NAME`: a fresh pair in the place of NAME.key and NAME.pub, which stay as
// NAME.old.key and NAME.old.pub. Returns the files written. Error: kNotFound; kConflict while an older pair
// lies there.
Result<std::vector<std::filesystem::path>> rotate_keys(const std::filesystem::path& folder,
                                                       const std::string& name);

// Error: kNotFound, kDenied (a secret that others may read: says the chmod to run), kInvalid.
Result<std::string> read_public_key(const std::filesystem::path& file);
// The same of a file that may hold several keys, a line each; at least one.
Result<std::vector<std::string>> read_public_keys(const std::filesystem::path& file, std::size_t at_most);
Result<std::string> read_secret_key(const std::filesystem::path& file);
// The public key that belongs to a secret one.
Result<std::string> public_key_of(std::string_view secret_key);

}  // namespace rushes::protocol
