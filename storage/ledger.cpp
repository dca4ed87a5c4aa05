#include "storage/ledger.h"

#include <pthread.h>
#include <rocksdb/table.h>
#include <sodium.h>

#include <cassert>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "config/digest.h"
#include "storage/limits.h"
#include "storage/rocks.h"

namespace rushes::storage {
namespace {

const Format kFormat{"rushes-ledger", 2};
constexpr std::size_t kHeaderBytes = 8 + kChecksumBytes;
constexpr std::size_t kKeptBatchBytes = 4u << 20;
constexpr std::size_t kBatchOverhead = 24;  // of one record in a write: key, tag, family, lengths

// Column families in the order of Database::families; [0] is the default one with the format key.
constexpr std::size_t kRecords = 1, kSnapshots = 2, kLogs = 3;
const char* const kFamilyNames[] = {"records", "snapshots", "logs"};

const std::string kThrough(1, '\0');  // the key in `snapshots` that says which records it contains

std::string key_of(std::uint64_t sequence) {
  std::string key;
  put_be64(key, sequence);
  return key;
}

std::string log_key(std::uint64_t task, std::uint32_t attempt) {
  std::string key;
  put_be64(key, task);
  put_be32(key, attempt);
  return key;
}

std::string shortened(const std::string& text) {
  constexpr std::string_view kCut = "\n[...]\n";
  if (text.size() <= kMaxLogBytes) return text;
  // The start says what was run, the end how it died.
  const std::size_t half = (kMaxLogBytes - kCut.size()) / 2;
  return text.substr(0, half) + std::string(kCut) + text.substr(text.size() - half);
}

// Puts a payload behind its header; the batch copies both, so nothing is copied before.
void put(rocksdb::WriteBatch& writes, rocksdb::ColumnFamilyHandle* family, const std::string& key,
         std::int64_t wall, std::string_view payload) {
  std::string header;
  put_be64(header, static_cast<std::uint64_t>(wall));
  header += checksum_of({key, header, payload});
  assert(header.size() == kHeaderBytes);
  const rocksdb::Slice name(key), value[] = {header, {payload.data(), payload.size()}};
  writes.Put(family, rocksdb::SliceParts(&name, 1), rocksdb::SliceParts(value, 2));
}

// The payload behind a sound header, with its time.
struct Kept {
  std::int64_t wall = 0;
  std::string_view payload;
};

Result<Kept> open_value(std::string_view key, std::string_view value, const std::string& name) {
  if (value.size() < kHeaderBytes)
    return fail(ErrorKind::kCorrupt, name + ": expected at least " + std::to_string(kHeaderBytes) +
                                         " bytes, found " + std::to_string(value.size()));
  const std::string_view time = value.substr(0, 8), payload = value.substr(kHeaderBytes);
  if (checksum_of({key, time, payload}) != value.substr(8, kChecksumBytes))
    return fail(ErrorKind::kCorrupt, name + ": its checksum does not match its " +
                                         std::to_string(payload.size()) +
                                         " bytes; restore the ledger from a backup");
  return Kept{static_cast<std::int64_t>(get_be64(time)), payload};
}

Result<Record> decode_record(std::string_view key, std::string_view value) {
  if (key.size() != 8) return fail(ErrorKind::kCorrupt, "record with a key that is no number");
  const std::uint64_t sequence = get_be64(key);
  const auto kept = open_value(key, value, "record " + std::to_string(sequence));
  if (!kept) return tl::unexpected<Error>(kept.error());
  return Record{sequence, kept->wall, std::string(kept->payload)};
}

// One queued write: an append, or a snapshot (then `snapshot_through` is set).
struct Pending {
  Append append;
  std::uint64_t first_sequence = 0;  // of append.records[0]
  std::optional<std::uint64_t> snapshot_through;
  std::vector<SnapshotRow> snapshot;
  std::size_t bytes = 0;
};

rocksdb::ColumnFamilyOptions family_options() {
  rocksdb::ColumnFamilyOptions options;
  options.write_buffer_size = 16u << 20;
  // What is young is soon replaced or removed: packing it would cost more than it saves.
  options.compression_per_level = {rocksdb::kNoCompression, rocksdb::kNoCompression,
                                   rocksdb::kSnappyCompression};
  return options;
}

}  // namespace

class Ledger::Impl {
 public:
  Impl(Database database, LedgerOptions options, std::string what)
      : database_(std::move(database)), options_(options), what_(std::move(what)) {}

  ~Impl() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    if (writer_.joinable()) writer_.join();
  }

  Status start();
  Result<std::uint64_t> append(Append append);
  Status append_snapshot(std::uint64_t through, std::vector<SnapshotRow> rows,
                         std::function<void(const Status&)> done);
  Status flush();
  Status checkpoint(const std::filesystem::path& folder) const {
    return storage::checkpoint(db(), folder, what_);
  }
  Status verify() const { return verify_tables(db(), what_); }
  Result<std::uint64_t> snapshot_through() const;

  rocksdb::ColumnFamilyHandle* family(std::size_t index) const { return database_.families[index]; }
  std::unique_ptr<rocksdb::Iterator> iterate(rocksdb::ColumnFamilyHandle* handle) const {
    return std::unique_ptr<rocksdb::Iterator>(database_.db->NewIterator(rocksdb::ReadOptions(), handle));
  }
  rocksdb::DB& db() const { return *database_.db; }
  Error error(const rocksdb::Status& status) const { return to_error(status, what_); }
  tl::unexpected<Error> with_name(const Error& inner) const { return with_context(inner, what_); }
  std::uint64_t first_sequence() const { return locked(first_); }
  std::uint64_t synced_sequence() const { return locked(synced_); }
  Written written() const {
    std::lock_guard lock(mutex_);
    return written_totals_;
  }

 private:
  std::uint64_t locked(const std::uint64_t& value) const {
    std::lock_guard lock(mutex_);
    return value;
  }
  Status enqueue(std::unique_lock<std::mutex>& lock, Pending pending);
  void run();
  std::deque<Pending> take_batch(std::unique_lock<std::mutex>& lock);
  Status write(const std::deque<Pending>& batch);
  void fill(rocksdb::WriteBatch& writes, const Pending& pending);

  Database database_;
  const LedgerOptions options_;
  const std::string what_;

  mutable std::mutex mutex_;
  std::condition_variable wake_, drained_;
  std::deque<Pending> queue_;                 // guarded by mutex_, as all below
  std::size_t queued_bytes_ = 0;              // in queue_ and in the batch being written
  std::uint64_t last_ = 0;                    // last sequence given out
  std::uint64_t synced_ = 0;                  // last sequence on disk
  std::uint64_t first_ = 1;                   // oldest record kept
  std::uint64_t appended_ = 0, written_ = 0;  // counts of Pending, for flush()
  Written written_totals_;
  std::chrono::steady_clock::time_point written_at_;  // when the last write ended
  std::optional<Error> failure_;
  bool stopping_ = false;
  std::thread writer_;
  rocksdb::WriteBatch writes_;  // the writer's alone
};

Status Ledger::Impl::start() {
  const auto through = snapshot_through();
  if (!through) return tl::unexpected<Error>(through.error());
  last_ = *through;
  auto records = iterate(family(kRecords));
  // Each seek forgets the error of the one before: a last record that cannot be read must not look like none.
  records->SeekToLast();
  if (!records->status().ok()) return tl::unexpected<Error>(error(records->status()));
  if (records->Valid() && records->key().size() == 8)
    last_ = std::max(last_, get_be64(records->key().ToStringView()));
  records->SeekToFirst();
  if (!records->status().ok()) return tl::unexpected<Error>(error(records->status()));
  first_ =
      records->Valid() && records->key().size() == 8 ? get_be64(records->key().ToStringView()) : last_ + 1;
  assert(first_ <= last_ + 1 && !writer_.joinable());
  synced_ = last_;
  writer_ = std::thread([this] { run(); });
  return {};
}

Result<std::uint64_t> Ledger::Impl::append(Append append) {
  Pending pending;
  for (const auto& record : append.records) {
    if (record.size() > kMaxRecordBytes)
      return fail(ErrorKind::kInvalid, what_ + ": a record has " + std::to_string(record.size()) +
                                           " bytes, at most " + std::to_string(kMaxRecordBytes) +
                                           " are kept");
    pending.bytes += record.size() + kHeaderBytes;
  }
  for (const auto& log : append.logs) pending.bytes += log.text.size();
  const std::size_t count = append.records.size();
  pending.append = std::move(append);
  std::unique_lock lock(mutex_);
  drained_.wait(lock, [&] { return queued_bytes_ <= kMaxQueuedBytes || failure_; });
  assert(synced_ <= last_);
  pending.first_sequence = last_ + 1;
  if (auto queued = enqueue(lock, std::move(pending)); !queued) return tl::unexpected<Error>(queued.error());
  last_ += count;
  return last_;
}

Status Ledger::Impl::append_snapshot(std::uint64_t through, std::vector<SnapshotRow> rows,
                                     std::function<void(const Status&)> done) {
  Pending pending;
  for (const SnapshotRow& row : rows) {
    if (row.key.empty() || row.key.front() == '\0' || row.key.size() > kMaxRowKeyBytes ||
        row.value.size() > kMaxRecordBytes)
      return fail(ErrorKind::kInvalid, what_ + ": a snapshot's row has a key of " +
                                           std::to_string(row.key.size()) + " and a value of " +
                                           std::to_string(row.value.size()) + " bytes");
    pending.bytes += row.key.size() + row.value.size() + kHeaderBytes;
  }
  pending.snapshot_through = through;
  pending.snapshot = std::move(rows);
  pending.append.done = std::move(done);
  std::unique_lock lock(mutex_);
  return enqueue(lock, std::move(pending));
}

Status Ledger::Impl::enqueue([[maybe_unused]] std::unique_lock<std::mutex>& lock, Pending pending) {
  assert(lock.mutex() == &mutex_ && lock.owns_lock());
  if (failure_) return tl::unexpected<Error>(*failure_);
  queued_bytes_ += pending.bytes;
  ++appended_;
  queue_.push_back(std::move(pending));
  // The writer waits for a first append; while it gathers, only a full batch is worth waking it for.
  if (queue_.size() == 1 || queued_bytes_ >= kMaxBatchBytes) wake_.notify_one();
  return {};
}

Status Ledger::Impl::flush() {
  std::unique_lock lock(mutex_);
  const std::uint64_t target = appended_;
  drained_.wait(lock, [&] { return written_ >= target || failure_; });
  if (failure_) return tl::unexpected<Error>(*failure_);
  return {};
}

// The writer thread: takes what is queued, writes it with one sync, then tells everyone who waits.
void Ledger::Impl::run() {
  pthread_setname_np(pthread_self(), "ledger");
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    // Gathering pays while writes follow each other; after a pause no other write would come.
    const auto gather = std::chrono::microseconds(options_.gather_microseconds);
    if (std::chrono::steady_clock::now() < written_at_ + gather && !stopping_)
      wake_.wait_for(lock, gather, [&] { return stopping_ || queued_bytes_ >= kMaxBatchBytes; });
    auto batch = take_batch(lock);
    std::optional<Error> failed = failure_;
    lock.unlock();
    Status result;
    if (failed)
      result = tl::unexpected<Error>(*failed);
    else
      result = write(batch);
    lock.lock();
    written_at_ = std::chrono::steady_clock::now();
    std::size_t bytes = 0;
    for (const auto& pending : batch) {
      bytes += pending.bytes;
      if (!result || pending.append.records.empty()) continue;
      assert(pending.first_sequence == synced_ + 1);  // no gap, whatever the writes were gathered from
      synced_ = pending.first_sequence + pending.append.records.size() - 1;
    }
    if (!result && !failure_) failure_ = result.error();
    lock.unlock();
    for (const auto& pending : batch)
      if (pending.append.done) pending.append.done(result);
    lock.lock();
    assert(queued_bytes_ >= bytes);
    queued_bytes_ -= bytes;
    written_ += batch.size();
    assert(written_ <= appended_);
    drained_.notify_all();
  }
}

std::deque<Pending> Ledger::Impl::take_batch([[maybe_unused]] std::unique_lock<std::mutex>& lock) {
  assert(lock.owns_lock() && !queue_.empty());
  std::deque<Pending> batch;
  std::size_t bytes = 0;
  while (!queue_.empty() && (batch.empty() || bytes + queue_.front().bytes <= kMaxBatchBytes)) {
    bytes += queue_.front().bytes;
    batch.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  return batch;
}

Status Ledger::Impl::write(const std::deque<Pending>& batch) {
  std::size_t bytes = 0;
  for (const auto& pending : batch)
    bytes += pending.bytes + kBatchOverhead * (pending.append.records.size() + pending.snapshot.size());
  // Its memory serves the next write too: fresh pages for each would cost as much as the copy into them.
  if (bytes > kKeptBatchBytes || writes_.Data().capacity() > kKeptBatchBytes)
    writes_ = rocksdb::WriteBatch(bytes);
  writes_.Clear();
  for (const auto& pending : batch) fill(writes_, pending);
  if (writes_.Count() == 0) return {};  // an empty append waits for the sync of those before it
  rocksdb::WriteOptions synced;
  synced.sync = true;
  const auto written = db().Write(synced, &writes_);
  if (!written.ok()) return tl::unexpected<Error>(error(written));
  std::lock_guard lock(mutex_);
  ++written_totals_.syncs;
  written_totals_.bytes += writes_.GetDataSize();
  return {};
}

void Ledger::Impl::fill(rocksdb::WriteBatch& writes, const Pending& pending) {
  const std::int64_t now = wall_microseconds();
  std::uint64_t sequence = pending.first_sequence;
  for (const auto& record : pending.append.records) {
    const std::string key = key_of(sequence++);
    put(writes, family(kRecords), key, now, record);
  }
  for (const auto& log : pending.append.logs)
    writes.Put(family(kLogs), log_key(log.task, log.attempt), shortened(log.text));
  if (!pending.snapshot_through) return;
  const std::uint64_t through = *pending.snapshot_through;
  for (const SnapshotRow& row : pending.snapshot) put(writes, family(kSnapshots), row.key, now, row.value);
  put(writes, family(kSnapshots), kThrough, now, key_of(through));
  const std::uint64_t keep_from = through > options_.keep_records ? through - options_.keep_records + 1 : 1;
  std::lock_guard lock(mutex_);
  if (keep_from <= first_ + options_.keep_records / 2) return;  // a removal costs every later read
  assert(keep_from > first_ && keep_from <= through + 1);       // nothing that the snapshot lacks is removed
  writes.DeleteRange(family(kRecords), key_of(0), key_of(keep_from));
  first_ = keep_from;
}

Ledger::Ledger(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Ledger::~Ledger() = default;

Result<std::unique_ptr<Ledger>> Ledger::open(const std::filesystem::path& folder, LedgerOptions options) {
  if (sodium_init() < 0) return fail(ErrorKind::kInternal, "libsodium cannot be initialised");
  rocksdb::DBOptions database_options = common_options(options.env);
  database_options.max_total_wal_size = 64u << 20;  // all of it is read at the next start
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (const char* name : kFamilyNames) families.emplace_back(name, family_options());
  auto database = open_database(folder, kFormat, database_options, std::move(families));
  if (!database) return tl::unexpected<Error>(database.error());
  auto impl = std::make_unique<Impl>(std::move(*database), options, "ledger in " + folder.string());
  if (auto started = impl->start(); !started) return tl::unexpected<Error>(started.error());
  return std::unique_ptr<Ledger>(new Ledger(std::move(impl)));
}

Result<std::uint64_t> Ledger::append(Append append) { return impl_->append(std::move(append)); }

Status Ledger::append_snapshot(std::uint64_t through, std::vector<SnapshotRow> rows,
                               std::function<void(const Status&)> done) {
  return impl_->append_snapshot(through, std::move(rows), std::move(done));
}

Status Ledger::flush() { return impl_->flush(); }
Status Ledger::checkpoint(const std::filesystem::path& folder) const { return impl_->checkpoint(folder); }
Status Ledger::verify() const { return impl_->verify(); }
std::uint64_t Ledger::first_sequence() const { return impl_->first_sequence(); }
std::uint64_t Ledger::synced_sequence() const { return impl_->synced_sequence(); }
Written Ledger::written() const { return impl_->written(); }

Result<std::uint64_t> Ledger::Impl::snapshot_through() const {
  std::string value;
  const auto read = db().Get(rocksdb::ReadOptions(), family(kSnapshots), kThrough, &value);
  if (read.IsNotFound()) return 0;
  if (!read.ok()) return tl::unexpected<Error>(error(read));
  const auto through = open_value(kThrough, value, "snapshot");
  if (!through) return with_name(through.error());
  if (through->payload.size() != 8)
    return with_name({ErrorKind::kCorrupt, "snapshot: its number is cut off"});
  return get_be64(through->payload);
}

Result<std::uint64_t> Ledger::snapshot(const std::function<Status(std::string_view)>& visit) const {
  const auto through = impl_->snapshot_through();
  if (!through || *through == 0) return through;
  const std::string name = "snapshot " + std::to_string(*through) + ": row ";
  auto it = impl_->iterate(impl_->family(kSnapshots));
  std::uint64_t row = 1;
  for (it->Seek(std::string(1, '\1')); it->Valid(); it->Next(), ++row) {
    const auto kept =
        open_value(it->key().ToStringView(), it->value().ToStringView(), name + std::to_string(row));
    if (!kept) return impl_->with_name(kept.error());
    if (auto visited = visit(kept->payload); !visited)
      return with_context(visited.error(), name + std::to_string(row));
  }
  if (!it->status().ok()) return tl::unexpected<Error>(impl_->error(it->status()));
  return through;
}

Status Ledger::replay(std::uint64_t after, const std::function<Status(const Record&)>& visit) const {
  const std::uint64_t last = synced_sequence();
  auto it = impl_->iterate(impl_->family(kRecords));
  std::uint64_t expected = after + 1;
  for (it->Seek(key_of(expected)); it->Valid(); it->Next(), ++expected) {
    auto record = decode_record(it->key().ToStringView(), it->value().ToStringView());
    if (!record) return impl_->with_name(record.error());
    if (record->sequence > last) return {};
    if (record->sequence != expected) break;
    if (auto visited = visit(*record); !visited) return visited;
  }
  if (!it->status().ok()) return tl::unexpected<Error>(impl_->error(it->status()));
  if (expected <= last)
    return impl_->with_name({ErrorKind::kCorrupt, "record " + std::to_string(expected) + " of " +
                                                      std::to_string(last) +
                                                      " is missing; restore the ledger from a backup"});
  return {};
}

Result<std::vector<Record>> Ledger::records(std::uint64_t after, std::size_t limit) const {
  const std::uint64_t last = synced_sequence();
  std::vector<Record> records;
  auto it = impl_->iterate(impl_->family(kRecords));
  for (it->Seek(key_of(after + 1)); it->Valid() && records.size() < limit; it->Next()) {
    auto record = decode_record(it->key().ToStringView(), it->value().ToStringView());
    if (!record) return impl_->with_name(record.error());
    if (record->sequence > last) break;
    records.push_back(std::move(*record));
  }
  if (!it->status().ok()) return tl::unexpected<Error>(impl_->error(it->status()));
  return records;
}

Result<std::vector<std::pair<std::uint32_t, std::string>>> Ledger::logs(std::uint64_t task) const {
  std::vector<std::pair<std::uint32_t, std::string>> logs;
  const std::string first = log_key(task, 0), prefix = first.substr(0, 8);
  auto it = impl_->iterate(impl_->family(kLogs));
  for (it->Seek(first); it->Valid() && it->key().starts_with(prefix) && it->key().size() == 12; it->Next())
    logs.emplace_back(get_be32(it->key().ToStringView().substr(8)), it->value().ToString());
  if (!it->status().ok()) return tl::unexpected<Error>(impl_->error(it->status()));
  return logs;
}

}  // namespace rushes::storage
