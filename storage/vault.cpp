#include "storage/vault.h"

#include <sodium.h>

#include <atomic>
#include <cassert>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

#include "storage/rocks.h"
#include "storage/vault_rows.h"

namespace rushes::storage {
namespace {

const Format kFormat{"rushes-vault", 1};
constexpr std::size_t kArtifacts = 1, kChunks = 2, kReferences = 3;
// A mutex is not fair: without a pause who waits for it may wait for all of a long job.
constexpr std::chrono::milliseconds kBetweenHolds{1};

// One upload: what was announced, what came, and the digest so far. Locked while a chunk is added.
struct OpenUpload {
  std::mutex mutex;
  Digest digest;
  std::uint64_t bytes = 0, received = 0;
  bool direct = false;  // its chunks bypass the log
  DigestStream stream;
  std::string tail;  // bytes of the chunk that is not full yet
};

}  // namespace

class Vault::Impl {
 public:
  Impl(Database database, VaultOptions options, std::string what)
      : database_(std::move(database)), options_(options), what_(std::move(what)) {}

  Status start();
  Result<Upload> begin(const Digest& digest, std::uint64_t bytes);
  Result<std::uint64_t> add(Upload upload, std::uint64_t offset, std::string_view bytes);
  Status commit(Upload upload);
  void abort(Upload upload);
  std::size_t open_uploads() const;
  Result<std::optional<StoredArtifact>> find(const Digest& digest) const;
  Result<std::string> read(const Digest& digest, std::uint64_t offset, std::uint64_t length) const;
  Status retain(std::span<const Reference> references);
  Status release(std::string_view owner);
  Status release(std::span<const Digest> digests);
  Result<std::uint64_t> renew(const Digest& digest);
  Result<std::vector<std::string>> owners(const Digest& digest) const;
  Result<std::uint64_t> references(const Digest& digest) const;
  Result<Swept> sweep(std::chrono::milliseconds age, const std::atomic<bool>* canceled);
  Status reclaim(std::atomic<bool>* canceled);
  Result<Swept> unreferenced(std::chrono::milliseconds age) const;
  Status checkpoint(const std::filesystem::path& folder);
  Status verify_tables() const { return storage::verify_tables(db(), what_); }

 private:
  rocksdb::DB& db() const { return *database_.db; }
  rocksdb::ColumnFamilyHandle* family(std::size_t index) const { return database_.families[index]; }
  std::unique_ptr<rocksdb::Iterator> iterate(std::size_t index) const {
    return std::unique_ptr<rocksdb::Iterator>(
        database_.db->NewIterator(rocksdb::ReadOptions(), family(index)));
  }
  tl::unexpected<Error> error(const rocksdb::Status& status) const {
    return tl::unexpected<Error>(to_error(status, what_));
  }
  std::shared_ptr<OpenUpload> lookup(Upload upload) const;
  Status write_chunk(Upload upload, const OpenUpload& open, std::string_view bytes, std::uint64_t end);
  Status finish(Upload upload, OpenUpload& open);
  Status drop_chunks(rocksdb::WriteBatch& writes, std::uint64_t upload) const;
  // Whether somebody holds the artifact, as the iterator over references sees it.
  Result<bool> is_held(rocksdb::Iterator& references, const Digest& digest) const;
  Status remove_unreferenced(std::span<const Digest> digests, std::int64_t before, Swept& swept);
  // Calls `each` with every artifact that a sweep of this age removes, until it fails.
  using Each = std::function<Status(const Digest& digest, const StoredArtifact& stored)>;
  Status for_unreferenced(std::chrono::milliseconds age, const Each& each) const;

  Database database_;
  const VaultOptions options_;
  const std::string what_;
  mutable std::mutex mutex_;  // uploads_, next_upload_
  std::map<Upload, std::shared_ptr<OpenUpload>> uploads_;
  Upload next_upload_ = 1;
  std::mutex commit_mutex_;  // commits, retains, sweeps, checkpoints: none of them may see half of another
};

// Removes what a crash left of uploads, and goes on numbering behind the last one.
Status Vault::Impl::start() {
  rocksdb::WriteBatch writes;
  auto marks = iterate(0);
  for (marks->Seek(slice(kUploadPrefix)); marks->Valid() && marks->key().starts_with(slice(kUploadPrefix));
       marks->Next()) {
    const auto key = marks->key().ToStringView();
    if (key.size() != kUploadPrefix.size() + 8) continue;
    const Upload upload = get_be64(key.substr(kUploadPrefix.size()));
    if (auto dropped = drop_chunks(writes, upload); !dropped) return dropped;
    writes.Delete(family(0), slice(key));
    next_upload_ = std::max(next_upload_, upload + 1);
  }
  if (!marks->status().ok()) return error(marks->status());
  auto chunks = iterate(kChunks);
  chunks->SeekToLast();
  if (chunks->Valid() && chunks->key().size() == 12)
    next_upload_ = std::max(next_upload_, get_be64(chunks->key().ToStringView()) + 1);
  if (!chunks->status().ok()) return error(chunks->status());
  const auto written = db().Write(rocksdb::WriteOptions(), &writes);
  if (!written.ok()) return error(written);
  return {};
}

Status Vault::Impl::drop_chunks(rocksdb::WriteBatch& writes, std::uint64_t upload) const {
  rocksdb::ReadOptions keys_only;
  std::unique_ptr<rocksdb::Iterator> it(database_.db->NewIterator(keys_only, family(kChunks)));
  std::string prefix;
  put_be64(prefix, upload);
  for (it->Seek(prefix); it->Valid() && it->key().starts_with(prefix); it->Next())
    writes.Delete(family(kChunks), it->key());
  if (!it->status().ok()) return error(it->status());
  return {};
}

Result<Vault::Upload> Vault::Impl::begin(const Digest& digest, std::uint64_t bytes) {
  if (bytes > options_.max_artifact_bytes)
    return fail(ErrorKind::kInvalid, what_ + ": an artifact of " + std::to_string(bytes) +
                                         " bytes is refused, at most " +
                                         std::to_string(options_.max_artifact_bytes) + " are kept");
  Upload upload = 0;
  auto open = std::make_shared<OpenUpload>();
  open->digest = digest;
  open->bytes = bytes;
  open->direct = bytes >= options_.direct_bytes;
  {
    std::lock_guard lock(mutex_);
    if (uploads_.size() >= options_.max_open_uploads)
      return fail(ErrorKind::kExhausted, what_ + ": " + std::to_string(uploads_.size()) +
                                             " uploads are open already; try again when one has ended");
    upload = next_upload_++;
    [[maybe_unused]] const bool is_new = uploads_.emplace(upload, open).second;
    assert(upload != 0 && is_new);
  }
  // Chunks that bypass the log may survive a crash alone: their mark must be there before them.
  rocksdb::WriteOptions mark;
  mark.sync = open->direct;
  const auto marked = db().Put(mark, family(0), upload_key(upload), "");
  if (marked.ok()) return upload;
  std::lock_guard lock(mutex_);
  uploads_.erase(upload);
  return error(marked);
}

std::shared_ptr<OpenUpload> Vault::Impl::lookup(Upload upload) const {
  std::lock_guard lock(mutex_);
  const auto found = uploads_.find(upload);
  return found == uploads_.end() ? nullptr : found->second;
}

Result<std::uint64_t> Vault::Impl::add(Upload upload, std::uint64_t offset, std::string_view bytes) {
  const auto open = lookup(upload);
  if (!open) return fail(ErrorKind::kNotFound, what_ + ": no open upload " + std::to_string(upload));
  std::lock_guard lock(open->mutex);
  if (offset != open->received || bytes.size() > open->bytes - open->received)
    return fail(ErrorKind::kInvalid, what_ + ": upload " + std::to_string(upload) + " expects offset " +
                                         std::to_string(open->received) + " and at most " +
                                         std::to_string(open->bytes - open->received) +
                                         " bytes more, found offset " + std::to_string(offset) + " and " +
                                         std::to_string(bytes.size()) + " bytes");
  // Stored chunks have one size whatever the size of the pieces that arrive; a whole one is not copied.
  std::string_view rest = bytes;
  std::string tail = open->tail;
  assert(open->received <= open->bytes && open->tail.size() == open->received % kChunkBytes);
  std::uint64_t stored = open->received - open->tail.size();
  while (tail.size() + rest.size() >= kChunkBytes) {
    const auto piece = rest.substr(0, kChunkBytes - tail.size());
    if (!tail.empty()) tail += piece;
    const std::string_view chunk = tail.empty() ? piece : std::string_view(tail);
    if (auto written = write_chunk(upload, *open, chunk, stored + kChunkBytes); !written)
      return tl::unexpected<Error>(written.error());
    rest.remove_prefix(piece.size());
    stored += kChunkBytes;
    tail.clear();
  }
  tail += rest;
  open->stream.update(bytes);
  open->received += bytes.size();
  open->tail = std::move(tail);
  assert(open->received <= open->bytes && stored + open->tail.size() == open->received);
  return open->received;
}

Status Vault::Impl::write_chunk(Upload upload, const OpenUpload& open, std::string_view bytes,
                                std::uint64_t end) {
  assert(bytes.size() == kChunkBytes && end % kChunkBytes == 0);
  const auto index = static_cast<std::uint32_t>((end - bytes.size()) / kChunkBytes);
  rocksdb::WriteOptions once;
  once.disableWAL = open.direct;
  const auto written = db().Put(once, family(kChunks), chunk_key(upload, index), slice(bytes));
  if (!written.ok()) return error(written);
  return {};
}

Status Vault::Impl::commit(Upload upload) {
  const auto open = lookup(upload);
  if (!open) return fail(ErrorKind::kNotFound, what_ + ": no open upload " + std::to_string(upload));
  Status finished;
  {
    std::lock_guard lock(open->mutex);
    finished = finish(upload, *open);
  }
  if (!finished) {
    abort(upload);
    return finished;
  }
  std::lock_guard lock(mutex_);
  uploads_.erase(upload);
  return {};
}

Status Vault::Impl::finish(Upload upload, OpenUpload& open) {
  if (open.received != open.bytes)
    return fail(ErrorKind::kInvalid, what_ + ": upload " + std::to_string(upload) + " announced " +
                                         std::to_string(open.bytes) + " bytes, " +
                                         std::to_string(open.received) + " arrived");
  assert(open.tail.size() == open.received % kChunkBytes);
  const Digest found = open.stream.finish();
  if (found != open.digest)
    return fail(ErrorKind::kCorrupt, what_ + ": upload " + std::to_string(upload) + " was announced as " +
                                         to_hex(open.digest) + ", its bytes have the digest " +
                                         to_hex(found));
  if (open.direct) {
    // Files are synced when a flush makes them.
    const auto flushed = db().Flush(rocksdb::FlushOptions(), family(kChunks));
    if (!flushed.ok()) return error(flushed);
  }
  std::lock_guard lock(commit_mutex_);
  auto present = find(open.digest);
  if (!present) return tl::unexpected<Error>(present.error());
  rocksdb::WriteBatch writes;
  writes.Delete(family(0), upload_key(upload));
  if (*present) {
    if (auto dropped = drop_chunks(writes, upload); !dropped) return dropped;
    // Somebody needs it now: for a sweep it is new.
    writes.Put(family(kArtifacts), slice(bytes_of(open.digest)),
               encode({(*present)->bytes, (*present)->upload, wall_microseconds()}));
  } else {
    if (!open.tail.empty())
      writes.Put(family(kChunks), chunk_key(upload, static_cast<std::uint32_t>(open.received / kChunkBytes)),
                 open.tail);
    writes.Put(family(kArtifacts), slice(bytes_of(open.digest)),
               encode({open.bytes, upload, wall_microseconds()}));
  }
  // The log is one file: syncing this batch makes every chunk in it durable too.
  rocksdb::WriteOptions synced;
  synced.sync = true;
  const auto written = db().Write(synced, &writes);
  if (!written.ok()) return error(written);
  return {};
}

void Vault::Impl::abort(Upload upload) {
  const auto open = lookup(upload);
  if (!open) return;
  std::lock_guard lock(open->mutex);
  rocksdb::WriteBatch writes;
  const Status dropped = drop_chunks(writes, upload);
  writes.Delete(family(0), upload_key(upload));
  // When this fails the mark stays and the next open removes the chunks.
  if (dropped) (void)db().Write(rocksdb::WriteOptions(), &writes);
  std::lock_guard map_lock(mutex_);
  uploads_.erase(upload);
}

std::size_t Vault::Impl::open_uploads() const {
  std::lock_guard lock(mutex_);
  return uploads_.size();
}

Result<std::optional<StoredArtifact>> Vault::Impl::find(const Digest& digest) const {
  std::string value;
  const auto read = db().Get(rocksdb::ReadOptions(), family(kArtifacts), slice(bytes_of(digest)), &value);
  if (read.IsNotFound()) return std::optional<StoredArtifact>();
  if (!read.ok()) return error(read);
  auto stored = decode(value, digest);
  if (!stored) return with_context(stored.error(), what_);
  return std::optional<StoredArtifact>(*stored);
}

Result<std::string> Vault::Impl::read(const Digest& digest, std::uint64_t offset,
                                      std::uint64_t length) const {
  auto stored = find(digest);
  if (!stored) return tl::unexpected<Error>(stored.error());
  if (!*stored) return fail(ErrorKind::kNotFound, what_ + ": no artifact " + to_hex(digest));
  const std::uint64_t size = (*stored)->bytes;
  if (offset > size)
    return fail(ErrorKind::kInvalid, what_ + ": artifact " + to_hex(digest) + " has " + std::to_string(size) +
                                         " bytes, asked for those from " + std::to_string(offset));
  const std::uint64_t end = offset + std::min(length, size - offset);
  // The digest of the whole is checked where it arrives; checksums of chunks would cost as much again.
  rocksdb::ReadOptions unchecked;
  unchecked.verify_checksums = false;
  std::string bytes;
  bytes.reserve(end - offset);
  while (offset < end) {
    const auto index = static_cast<std::uint32_t>(offset / kChunkBytes);
    const std::uint64_t start = index * std::uint64_t{kChunkBytes};
    rocksdb::PinnableSlice chunk;
    const auto got = db().Get(unchecked, family(kChunks), chunk_key((*stored)->upload, index), &chunk);
    if (!got.ok() && !got.IsNotFound()) return error(got);
    const std::uint64_t expected = std::min<std::uint64_t>(kChunkBytes, size - start);
    if (got.IsNotFound() || chunk.size() != expected)
      return fail(ErrorKind::kCorrupt, what_ + ": artifact " + to_hex(digest) + ": chunk " +
                                           std::to_string(index) + " of " +
                                           std::to_string(chunk_count(size)) +
                                           " is missing or short; restore the vault from a backup");
    const std::uint64_t stop = std::min(end, start + expected);
    assert(start <= offset && offset < stop);
    bytes.append(chunk.data() + (offset - start), stop - offset);
    offset = stop;
  }
  assert(bytes.size() <= length);
  return bytes;
}

Status Vault::Impl::retain(std::span<const Reference> references) {
  rocksdb::WriteBatch writes;
  for (const auto& [owner, digests] : references) {
    if (owner.empty() || owner.size() > kMaxOwnerBytes || owner.find('\0') != owner.npos)
      return fail(ErrorKind::kInvalid, what_ + ": an owner of artifacts has 1.." +
                                           std::to_string(kMaxOwnerBytes) + " bytes, none of them zero");
    const std::string prefix = owner_prefix(owner);
    for (const auto& digest : digests) {
      writes.Put(family(kReferences), prefix + std::string(bytes_of(digest)), "");
      writes.Put(family(kReferences), digest_prefix(digest) + owner, "");
    }
  }
  std::lock_guard lock(commit_mutex_);
  const auto written = db().Write(rocksdb::WriteOptions(), &writes);
  if (!written.ok()) return error(written);
  return {};
}

Status Vault::Impl::release(std::string_view owner) {
  std::lock_guard lock(commit_mutex_);
  rocksdb::WriteBatch writes;
  const std::string prefix = owner_prefix(owner);
  auto it = iterate(kReferences);
  for (it->Seek(prefix); it->Valid() && it->key().starts_with(prefix); it->Next()) {
    writes.Delete(family(kReferences), it->key());
    const auto digest = it->key().ToStringView().substr(prefix.size());
    writes.Delete(family(kReferences), "d" + std::string(digest) + std::string(owner));
  }
  if (!it->status().ok()) return error(it->status());
  const auto written = db().Write(rocksdb::WriteOptions(), &writes);
  if (!written.ok()) return error(written);
  return {};
}

Result<std::vector<std::string>> Vault::Impl::owners(const Digest& digest) const {
  std::vector<std::string> owners;
  const std::string prefix = digest_prefix(digest);
  auto it = iterate(kReferences);
  for (it->Seek(prefix); it->Valid() && it->key().starts_with(prefix); it->Next())
    owners.emplace_back(it->key().ToStringView().substr(prefix.size()));
  if (!it->status().ok()) return error(it->status());
  return owners;
}

Result<std::uint64_t> Vault::Impl::references(const Digest& digest) const {
  return owners(digest).map([](const std::vector<std::string>& found) { return found.size(); });
}

Status Vault::Impl::release(std::span<const Digest> digests) {
  constexpr std::size_t kOneHold = 1024;
  for (; !digests.empty(); digests = digests.subspan(std::min(kOneHold, digests.size()))) {
    std::unique_lock lock(commit_mutex_);
    rocksdb::WriteBatch writes;
    auto it = iterate(kReferences);
    for (const Digest& digest : digests.first(std::min(kOneHold, digests.size()))) {
      const std::string prefix = digest_prefix(digest);
      for (it->Seek(prefix); it->Valid() && it->key().starts_with(prefix); it->Next()) {
        writes.Delete(family(kReferences), it->key());
        const std::string owner(it->key().ToStringView().substr(prefix.size()));
        writes.Delete(family(kReferences), owner_prefix(owner) + std::string(bytes_of(digest)));
      }
    }
    if (!it->status().ok()) return error(it->status());
    const auto written = db().Write(rocksdb::WriteOptions(), &writes);
    if (!written.ok()) return error(written);
    lock.unlock();
    if (digests.size() > kOneHold) std::this_thread::sleep_for(kBetweenHolds);
  }
  return {};
}

Result<std::uint64_t> Vault::Impl::renew(const Digest& digest) {
  std::lock_guard lock(commit_mutex_);
  const auto stored = find(digest);
  if (!stored) return tl::unexpected<Error>(stored.error());
  if (!*stored) return fail(ErrorKind::kNotFound, what_ + ": no artifact " + to_hex(digest));
  const auto written = db().Put(rocksdb::WriteOptions(), family(kArtifacts), slice(bytes_of(digest)),
                                encode({(*stored)->bytes, (*stored)->upload, wall_microseconds()}));
  if (!written.ok()) return error(written);
  return (*stored)->bytes;
}

Result<bool> Vault::Impl::is_held(rocksdb::Iterator& references, const Digest& digest) const {
  const std::string prefix = digest_prefix(digest);
  references.Seek(prefix);
  if (!references.status().ok()) return error(references.status());
  return references.Valid() && references.key().starts_with(prefix);
}

Status Vault::Impl::for_unreferenced(std::chrono::milliseconds age, const Each& each) const {
  const std::int64_t before = wall_microseconds() - std::chrono::microseconds(age).count();
  auto it = iterate(kArtifacts), references = iterate(kReferences);
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    const auto digest = digest_from_bytes(it->key().ToStringView());
    if (!digest) return fail(ErrorKind::kCorrupt, what_ + ": an artifact whose key is no digest");
    const auto stored = decode(it->value().ToStringView(), *digest);
    if (!stored) return with_context(stored.error(), what_);
    if (stored->wall > before) continue;
    const auto held = is_held(*references, *digest);
    if (!held) return tl::unexpected<Error>(held.error());
    if (*held) continue;
    if (auto done = each(*digest, *stored); !done) return done;
  }
  if (!it->status().ok()) return error(it->status());
  return {};
}

Result<Swept> Vault::Impl::unreferenced(std::chrono::milliseconds age) const {
  Swept found;
  const auto looked = for_unreferenced(age, [&](const Digest&, const StoredArtifact& stored) -> Status {
    ++found.artifacts;
    found.bytes += stored.bytes;
    return {};
  });
  if (!looked) return tl::unexpected<Error>(looked.error());
  return found;
}

// First it looks, without the lock; then it looks again at what it found, with the lock, and removes it.
Result<Swept> Vault::Impl::sweep(std::chrono::milliseconds age, const std::atomic<bool>* canceled) {
  constexpr std::size_t kOneHold = 32;  // artifacts; each may have thousands of chunks
  const std::int64_t before = wall_microseconds() - std::chrono::microseconds(age).count();
  std::vector<Digest> found;
  const auto looked = for_unreferenced(age, [&](const Digest& digest, const StoredArtifact&) -> Status {
    found.push_back(digest);
    return {};
  });
  if (!looked) return tl::unexpected<Error>(looked.error());
  Swept swept;
  for (std::span<const Digest> rest(found); !rest.empty();) {
    if (canceled != nullptr && *canceled) break;
    const auto some = rest.first(std::min(kOneHold, rest.size()));
    if (auto removed = remove_unreferenced(some, before, swept); !removed)
      return tl::unexpected<Error>(removed.error());
    rest = rest.subspan(some.size());
    if (!rest.empty()) std::this_thread::sleep_for(kBetweenHolds);
  }
  return swept;
}

// Adds what it removed of `digests` to `swept`.
Status Vault::Impl::remove_unreferenced(std::span<const Digest> digests, std::int64_t before, Swept& swept) {
  std::lock_guard lock(commit_mutex_);
  auto references = iterate(kReferences);
  for (const Digest& digest : digests) {
    const auto stored = find(digest);
    if (!stored) return tl::unexpected<Error>(stored.error());
    if (!*stored || (*stored)->wall > before) continue;
    const auto held = is_held(*references, digest);
    if (!held) return tl::unexpected<Error>(held.error());
    if (*held) continue;
    rocksdb::WriteBatch writes;
    writes.Delete(family(kArtifacts), slice(bytes_of(digest)));
    // Keys from the size: an iterator would read every chunk on its way.
    for (std::uint32_t i = 0; i < chunk_count((*stored)->bytes); ++i)
      writes.Delete(family(kChunks), chunk_key((*stored)->upload, i));
    const auto written = db().Write(rocksdb::WriteOptions(), &writes);
    if (!written.ok()) return error(written);
    ++swept.artifacts;
    swept.bytes += (*stored)->bytes;
  }
  return {};
}

Status Vault::Impl::reclaim(std::atomic<bool>* canceled) {
  return reclaim_blobs(database_, kChunks, what_, canceled);
}

// A commit between the copy of the files and that of the log would be there without the chunks that bypass the log; and
// an artifact that is there is never uploaded again.
Status Vault::Impl::checkpoint(const std::filesystem::path& folder) {
  const auto flushed =
      db().Flush(rocksdb::FlushOptions(), family(kChunks));  // most of it, while commits go on
  if (!flushed.ok()) return error(flushed);
  std::lock_guard lock(commit_mutex_);
  return storage::checkpoint(db(), folder, what_);
}

Vault::Vault(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Vault::~Vault() = default;

Result<std::unique_ptr<Vault>> Vault::open(const std::filesystem::path& folder, VaultOptions options) {
  if (sodium_init() < 0) return fail(ErrorKind::kInternal, "libsodium cannot be initialised");
  rocksdb::DBOptions database_options = common_options(options.env);
  database_options.max_total_wal_size = 512u << 20;
  // Through the page cache, not around it: the kernel gathers larger writes than a flush that waits for each of its
  // own, and who wants a frame mostly wants it soon.
  database_options.bytes_per_sync = 8u << 20;
  database_options.max_background_flushes = 2;  // one writes while the other waits for its sync
  database_options.max_background_compactions = 1;
  database_options.advise_random_on_open = false;  // artifacts are read front to back: the kernel reads ahead
  database_options.wal_bytes_per_sync = 8u << 20;  // spreads the cost of the sync at commit
  auto database = open_database(folder, kFormat, database_options,
                                {{"artifacts", rocksdb::ColumnFamilyOptions()},
                                 {"chunks", chunk_options()},
                                 {"references", rocksdb::ColumnFamilyOptions()}});
  if (!database) return tl::unexpected<Error>(database.error());
  auto impl = std::make_unique<Impl>(std::move(*database), options, "vault in " + folder.string());
  if (auto started = impl->start(); !started) return tl::unexpected<Error>(started.error());
  return std::unique_ptr<Vault>(new Vault(std::move(impl)));
}

Result<Vault::Upload> Vault::begin(const Digest& digest, std::uint64_t bytes) {
  return impl_->begin(digest, bytes);
}
Result<std::uint64_t> Vault::add(Upload upload, std::uint64_t offset, std::string_view bytes) {
  return impl_->add(upload, offset, bytes);
}
Status Vault::commit(Upload upload) { return impl_->commit(upload); }
void Vault::abort(Upload upload) { impl_->abort(upload); }
std::size_t Vault::open_uploads() const { return impl_->open_uploads(); }

Result<std::optional<Artifact>> Vault::find(const Digest& digest) const {
  auto stored = impl_->find(digest);
  if (!stored) return tl::unexpected<Error>(stored.error());
  if (!*stored) return std::optional<Artifact>();
  return std::optional<Artifact>(Artifact{(*stored)->bytes, (*stored)->wall});
}

bool Vault::contains(const Digest& digest) const {
  const auto stored = impl_->find(digest);
  return stored && *stored;
}

Result<std::string> Vault::read(const Digest& digest, std::uint64_t offset, std::uint64_t length) const {
  return impl_->read(digest, offset, length);
}

Status Vault::verify_tables() const { return impl_->verify_tables(); }

Status Vault::retain(std::string_view owner, const std::vector<Digest>& digests) {
  const Reference reference{std::string(owner), digests};
  return impl_->retain({&reference, 1});
}
Status Vault::retain(std::span<const Reference> references) { return impl_->retain(references); }
Status Vault::release(std::string_view owner) { return impl_->release(owner); }
Status Vault::release(std::span<const Digest> digests) { return impl_->release(digests); }
Result<std::uint64_t> Vault::renew(const Digest& digest) { return impl_->renew(digest); }
Result<std::vector<std::string>> Vault::owners(const Digest& digest) const { return impl_->owners(digest); }
Result<std::uint64_t> Vault::references(const Digest& digest) const { return impl_->references(digest); }
Result<Swept> Vault::sweep(std::chrono::milliseconds age, const std::atomic<bool>* canceled) {
  return impl_->sweep(age, canceled);
}
Status Vault::reclaim(std::atomic<bool>* canceled) { return impl_->reclaim(canceled); }
Result<Swept> Vault::unreferenced(std::chrono::milliseconds age) const { return impl_->unreferenced(age); }
Status Vault::checkpoint(const std::filesystem::path& folder) { return impl_->checkpoint(folder); }

}  // namespace rushes::storage
