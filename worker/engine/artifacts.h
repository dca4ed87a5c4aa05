// The worker's local artifacts: files named by the BLAKE2b-256 of their bytes, in one folder per worker.
//
// Layout: FOLDER/ab/abcdef... (64 hex digits), FOLDER/incoming/* while being written. A file appears under
// its name only complete: written under a temporary name, synced, renamed. So agent and engine processes
// share the folder without locks, and a crash leaves nothing but files in incoming/, which
// open_folder(kAgent) removes.
//
// Who does what: engines open() inputs and put() outputs. The agent receive()s inputs (their digest is
// checked before the rename), pins what assigned and unacknowledged attempts need, and alone evicts.
//
// Thread contract: all functions may be called from any thread; Mapped, Incoming and Outgoing belong to one thread at a
// time.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "config/result.h"
#include "storage/records/words.h"

namespace rushes::worker {

// Read-only bytes of one artifact, memory-mapped: page aligned, valid as long as this object lives, even when
// the file is evicted meanwhile.
class Mapped {
 public:
  Mapped() = default;
  Mapped(Mapped&& other) noexcept;
  Mapped& operator=(Mapped&& other) noexcept;
  ~Mapped();
  std::span<const std::byte> bytes() const { return {data_, size_}; }
  // Takes the pages that were read out of this process's memory; they are read again where they are touched.
  // For readers that pass through a large artifact once.
  void drop_pages() const;

 private:
  friend class LocalArtifacts;
  Mapped(const std::byte* data, std::size_t size) : data_(data), size_(size) {}
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

// An artifact on its way in, piece by piece. Dropped without finish(): nothing is kept.
class Incoming {
 public:
  Incoming(Incoming&& other) noexcept;
  Incoming& operator=(Incoming&&) = delete;
  ~Incoming();
  std::uint64_t received() const { return received_; }
  // Error: kExhausted (disk full, more bytes than announced).
  Status append(std::span<const std::byte> bytes);
  // Checks length and digest, syncs and renames. Error: kCorrupt names both digests; nothing is kept then.
  Status finish();

 private:
  friend class LocalArtifacts;
  Incoming(std::filesystem::path temporary, std::filesystem::path target, int file, Digest digest,
           std::uint64_t size);
  std::filesystem::path temporary_, target_;
  int file_ = -1;
  Digest digest_{};
  std::uint64_t size_ = 0, received_ = 0;
  std::unique_ptr<DigestStream> stream_;
};

// An artifact that is made here piece by piece; its digest is known when all of it is there. Dropped without
// finish(): nothing is kept.
class Outgoing {
 public:
  Outgoing(Outgoing&& other) noexcept;
  Outgoing& operator=(Outgoing&&) = delete;
  ~Outgoing();
  // Adds bytes at the end. Error: kExhausted (disk full, more than 4 GiB).
  Status append(std::span<const std::byte> bytes);
  // Writes bytes anywhere; a gap reads as zeros until it is written. An artifact with such writes is read once
  // more in finish(), for its digest. Error: as append().
  Status write_at(std::uint64_t offset, std::span<const std::byte> bytes);
  // Syncs, and gives the file its name. Error: kExhausted.
  Result<Output> finish();

 private:
  friend class LocalArtifacts;
  Outgoing(Role role, std::filesystem::path folder, std::filesystem::path temporary, int file);
  Result<Digest> digest();
  Role role_;
  std::filesystem::path folder_, temporary_;
  int file_ = -1;
  std::uint64_t size_ = 0;
  bool in_order_ = true;  // every write came at the end, so that stream_ has seen all of it
  std::unique_ptr<DigestStream> stream_;
};

class LocalArtifacts {
 public:
  enum class Owner { kAgent, kEngine };  // the agent cleans incoming/ at its start; an engine never does

  // Creates the folder if missing. `max_bytes` bounds what evict() leaves, pinned files excepted.
  // Error: kExhausted when the folder cannot be created or written.
  static Result<LocalArtifacts> open_folder(const std::filesystem::path& folder, std::uint64_t max_bytes,
                                            Owner owner = Owner::kEngine);

  // Its bytes are read against the digest first, unless this object did so and the file was not written since: a disk, or
  // a person, may have changed what lies in the folder. Error: kNotFound names the digest; what is damaged is removed,
  // so that it is fetched again.
  Result<Mapped> open(const Digest& digest) const;
  // Without that check, for a sender: who receives it checks.
  Result<Mapped> open_unverified(const Digest& digest) const;
  bool have(const Digest& digest) const;
  Result<std::uint64_t> size(const Digest& digest) const;

  // Stores bytes under their digest. On return they are on the disk.
  // Error: kExhausted (disk full, folder not writable).
  Result<Output> put(Role role, std::span<const std::byte> bytes);

  // Stores what a file holds, read piece by piece. Errors: kNotFound names the file; else as put().
  Result<Output> put_file(Role role, const std::filesystem::path& file);

  // Begins an artifact that is made piece by piece.
  Result<Outgoing> create(Role role);

  // Begins an artifact of known digest and length (at most 4 GiB) that arrives from elsewhere.
  Result<Incoming> receive(const Digest& digest, std::uint64_t bytes);

  // Pins are counted; a pinned artifact is never evicted.
  void pin(const Digest& digest);
  void unpin(const Digest& digest);

  // Removes least recently used, unpinned artifacts until `max_bytes` hold. Files used within `keep` are
  // spared: a running engine may have put or opened them. Returns the bytes that remain.
  std::uint64_t evict(std::chrono::seconds keep = std::chrono::seconds(0));

  // Digests held, most recently used first.
  std::vector<Digest> recent(std::size_t at_most) const;

  const std::filesystem::path& folder() const { return folder_; }

 private:
  LocalArtifacts(std::filesystem::path folder, std::uint64_t max_bytes);
  std::filesystem::path path_of(const Digest& digest) const;
  Status verify(const Digest& digest) const;

  std::filesystem::path folder_;
  std::uint64_t max_bytes_ = 0;
  struct Pins {
    std::mutex mutex;
    std::map<Digest, int> counts;
  };
  std::unique_ptr<Pins> pins_;
  struct Sound {
    std::mutex mutex;
    std::map<Digest, std::int64_t>
        written_ns;  // when the file was last written or touched, as it was found sound
  };
  std::unique_ptr<Sound> sound_;
};

}  // namespace rushes::worker
