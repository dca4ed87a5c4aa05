// The vault: every artifact of the farm, addressed by the BLAKE2b-256 of its bytes.
//
// An upload is a run of chunks in order; commit() compares the digest and makes all of it durable with one
// sync. Chunks of a large artifact bypass the log, so that frames are written once: its commit flushes them to
// their files first. What was not committed is never seen by a reader and is removed when the vault is opened again.
//
//   family      key                       value
//   artifacts   digest                    ArtifactInfo (vault.capnp)
//   chunks      be64(upload) be32(index)  1 MiB of bytes, the last one shorter (BlobDB)
//   references  "o" owner 0 digest        empty: what an owner holds
//               "d" digest owner          empty: who holds an artifact
//   default     "upload" be64(upload)     empty: an upload that is not committed yet
//
// Thread contract: every call may come from any thread; the chunks of one upload from one thread at a time.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/digest.h"
#include "config/result.h"
#include "storage/limits.h"

namespace rocksdb {
class Env;
}

namespace rushes::storage {

struct VaultOptions {
  std::uint64_t max_artifact_bytes = kMaxArtifactBytes;
  std::size_t max_open_uploads = kMaxOpenUploads;
  std::uint64_t direct_bytes = 32u << 20;  // artifacts from this size on bypass the log
  rocksdb::Env* env = nullptr;             // null: the machine's own; tests plant faults here
};

struct Artifact {
  std::uint64_t bytes = 0;
  std::int64_t wall_microseconds = 0;  // when it was committed; for display and retention
};

// What a sweep removed, or would.
struct Swept {
  std::uint64_t artifacts = 0;
  std::uint64_t bytes = 0;
};

// What an owner holds on to.
struct Reference {
  std::string owner;
  std::vector<Digest> digests;
};

class Vault {
 public:
  using Upload = std::uint64_t;  // handle of an open upload

  // Opens or creates the vault in a folder of its own. Errors: as Ledger::open().
  static Result<std::unique_ptr<Vault>> open(const std::filesystem::path& folder, VaultOptions options = {});
  ~Vault();
  Vault(const Vault&) = delete;
  Vault& operator=(const Vault&) = delete;

  // Begins an upload of `bytes` bytes that must have this digest. kInvalid: larger than max_artifact_bytes.
  // kExhausted: too many open uploads, or disk full. An artifact that is there already may be uploaded again;
  // commit then keeps the first copy, as new for sweep().
  Result<Upload> begin(const Digest& digest, std::uint64_t bytes);
  // Adds bytes at `offset`, which must be what has been received so far; returns what has been received now.
  // kNotFound: no such upload. kInvalid: wrong offset, or more bytes than announced; the upload stays as it
  // was.
  Result<std::uint64_t> add(Upload upload, std::uint64_t offset, std::string_view bytes);
  // Synced when it returns. kCorrupt: the digest is another; kInvalid: bytes are missing. Either ends the
  // upload.
  Status commit(Upload upload);
  void abort(Upload upload);  // forgets the upload; unknown ones are ignored
  std::size_t open_uploads() const;

  // begin + add + commit; nothing is written when the artifact is there already.
  Result<Digest> put(std::string_view bytes);

  Result<std::optional<Artifact>> find(const Digest& digest) const;
  bool contains(const Digest& digest) const;  // false also when the vault cannot be read
  // Bytes [offset, offset + length), cut at the end. kNotFound: no such artifact; kInvalid: offset behind the
  // end.
  Result<std::string> read(const Digest& digest, std::uint64_t offset, std::uint64_t length) const;
  // All of it with its digest verified; kInvalid when larger than `limit`.
  Result<std::string> read_all(const Digest& digest, std::uint64_t limit) const;

  // Reads all of it, a chunk at a time: kCorrupt where its bytes are no longer those of the digest. kNotFound: no such
  // artifact.
  Status verify(const Digest& digest) const;
  // Reads every table of the database, which are not the artifacts' bytes, against its checksums. kCorrupt: damaged.
  Status verify_tables() const;

  // As new for sweep(), as if it was uploaded now. Returns its size. kNotFound: no such artifact.
  Result<std::uint64_t> renew(const Digest& digest);

  // References keep artifacts from sweep(). An owner is a take, "show/shot/take". All calls may be repeated.
  Status retain(std::string_view owner, const std::vector<Digest>& digests);
  Status retain(std::span<const Reference> references);  // all of them in one write, or none
  Status release(std::string_view owner);                // everything that the owner holds
  Status release(std::span<const Digest> digests);       // whoever holds them
  Result<std::vector<std::string>> owners(const Digest& digest) const;
  Result<std::uint64_t> references(const Digest& digest) const;  // how many owners

  // Removes artifacts without a reference that are older than `age`; commits wait for a few of them at a time only.
  // The disk has their space when a compaction has met them: see reclaim(). It ends early when `canceled` becomes true,
  // and says what it removed until then.
  Result<Swept> sweep(std::chrono::milliseconds age, const std::atomic<bool>* canceled = nullptr);
  // Gives the disk the space of what was swept, or of most of it. Takes seconds where whole files became garbage, hours
  // where much of the vault is written anew; everything else goes on meanwhile. It ends early, without an error, when
  // `canceled` becomes true; what it did not reach is left to the next call.
  Status reclaim(std::atomic<bool>* canceled = nullptr);
  Result<Swept> unreferenced(std::chrono::milliseconds age) const;  // what sweep() would remove

  // The vault as it is now in a new folder, which opens as one: every artifact that was committed before the call is in
  // it, whole. Commits wait meanwhile: hours, where the folder lies on another file system.
  Status checkpoint(const std::filesystem::path& folder);

 private:
  class Impl;
  explicit Vault(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace rushes::storage
