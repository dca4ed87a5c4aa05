#include "storage/rocks.h"

#include <rocksdb/utilities/checkpoint.h>

#include <cassert>
#include <chrono>
#include <system_error>

#include "storage/disk.h"
#include "storage/log_check.h"

namespace rushes::storage {
namespace {

bool mentions(const std::string& text, std::string_view word) { return text.find(word) != std::string::npos; }

// The folder must be there and a folder before RocksDB is asked, whose own messages name inner files only.
Status make_folder(const std::filesystem::path& folder) {
  std::error_code code;
  std::filesystem::create_directories(folder, code);
  if (!code && std::filesystem::is_directory(folder)) return {};
  const std::string name = folder.string();
  if (code == std::errc::read_only_file_system || code == std::errc::permission_denied)
    return fail(ErrorKind::kDenied, name + ": cannot be written: " + code.message() +
                                        "; make the folder writable or choose another");
  if (code == std::errc::no_space_on_device)
    return fail(ErrorKind::kExhausted, name + ": disk full: free some space and start again");
  return fail(ErrorKind::kInvalid,
              name + ": expected a folder" + (code ? ": " + code.message() : ", found a file"));
}

bool is_empty(const Database& database) {
  for (auto* family : database.families) {
    std::unique_ptr<rocksdb::Iterator> it(database.db->NewIterator(rocksdb::ReadOptions(), family));
    it->SeekToFirst();
    if (it->Valid() || !it->status().ok()) return false;
  }
  return true;
}

// A database without a key in it is new, or its first start was cut short: it gets our format.
Status check_format(Database& database, const Format& format, const std::string& what) {
  const std::string wanted = format.name + " " + std::to_string(format.version);
  std::string found;
  const auto read = database.db->Get(rocksdb::ReadOptions(), "format", &found);
  if (!read.ok() && !read.IsNotFound()) return tl::unexpected<Error>(to_error(read, what));
  if (read.IsNotFound()) {
    if (!is_empty(database))
      return fail(ErrorKind::kInvalid,
                  what +
                      ": a database without a format key, which this program did not write; "
                      "expected '" +
                      wanted + "'");
    rocksdb::WriteOptions synced;
    synced.sync = true;
    const auto written = database.db->Put(synced, "format", wanted);
    if (!written.ok()) return tl::unexpected<Error>(to_error(written, what));
    return {};
  }
  if (found == wanted) return {};
  const bool ours = found.rfind(format.name + " ", 0) == 0;
  return fail(ErrorKind::kInvalid,
              what + ": its format is '" + found + "', this build reads '" + wanted + "'; " +
                  (ours ? "use the build that wrote it" : "point the configuration at the right folder"));
}

}  // namespace

Database::~Database() {
  if (!db) return;
  for (auto* family : families) db->DestroyColumnFamilyHandle(family);
  db->Close();
}

rocksdb::DBOptions common_options(rocksdb::Env* env) {
  rocksdb::DBOptions options;
  if (env != nullptr) options.env = env;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.paranoid_checks = true;
  // A write that was cut by a crash was never acknowledged and is dropped; damage anywhere else refuses to
  // open.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  options.max_background_jobs = 2;
  options.keep_log_file_num = 4;
  options.max_log_file_size = 8u << 20;
  options.info_log_level = rocksdb::WARN_LEVEL;
  return options;
}

Result<Database> open_database(const std::filesystem::path& folder, const Format& format,
                               rocksdb::DBOptions options,
                               std::vector<rocksdb::ColumnFamilyDescriptor> families) {
  const std::string what = format.name + " in " + folder.string();
  if (auto made = make_folder(folder); !made) return tl::unexpected<Error>(made.error());

  rocksdb::ColumnFamilyOptions default_family;
  default_family.write_buffer_size = 16u << 20;  // also decides how much disk a new log file takes in advance
  families.insert(families.begin(), {rocksdb::kDefaultColumnFamilyName, default_family});
  std::error_code code;
  const bool fresh = !std::filesystem::exists(folder / "CURRENT", code);
  if (!fresh) {
    // Another program's or a newer layout's families are refused by name before anything is changed.
    std::vector<std::string> present;
    const auto listed = rocksdb::DB::ListColumnFamilies(options, folder.string(), &present);
    if (!listed.ok()) return tl::unexpected<Error>(to_error(listed, what));
    for (const auto& name : present) {
      bool known = false;
      for (const auto& family : families) known = known || family.name == name;
      if (!known)
        return fail(ErrorKind::kInvalid, what + ": holds the unknown column family '" + name +
                                             "'; it was written by another program or a newer build");
    }
  }
  if (auto checked = check_logs(folder); !checked)
    return fail(ErrorKind::kCorrupt,
                what + ": damaged: restore the folder from a backup (" + checked.error().message + ")");
  Database database;
  rocksdb::DB* db = nullptr;
  const auto opened = rocksdb::DB::Open(options, folder.string(), families, &database.families, &db);
  if (!opened.ok()) return tl::unexpected<Error>(to_error(opened, what));
  database.db.reset(db);
  if (auto checked = check_format(database, format, what); !checked)
    return tl::unexpected<Error>(checked.error());
  return database;
}

Status checkpoint(rocksdb::DB& db, const std::filesystem::path& folder, const std::string& what) {
  rocksdb::Checkpoint* made = nullptr;
  auto status = rocksdb::Checkpoint::Create(&db, &made);
  const std::unique_ptr<rocksdb::Checkpoint> owned(made);
  // Log size 0: tables are flushed first, and with them what was written without the log.
  if (status.ok()) status = made->CreateCheckpoint(folder.string(), 0);
  if (!status.ok()) return tl::unexpected<Error>(to_error(status, what + ": checkpoint " + folder.string()));
  return {};
}

Status verify_tables(rocksdb::DB& db, const std::string& what) {
  const auto sound = db.VerifyChecksum();
  if (!sound.ok()) return tl::unexpected<Error>(to_error(sound, what));
  return {};
}

// Deleted values take their space until a compaction meets them. One of the keys alone is short (some ten bytes a
// value) and removes every blob file of which nothing is left. Files with some left are written anew where that gives
// back at least as much as it writes; else the compactions of every day do it when they come to it.
Status reclaim_blobs(const Database& database, std::size_t family, const std::string& what,
                     std::atomic<bool>* canceled) {
  if (canceled != nullptr && *canceled) return {};
  rocksdb::DB& db = *database.db;
  rocksdb::ColumnFamilyHandle* blobs = database.families[family];
  const auto failed = [&](const rocksdb::Status& status) -> Status {
    if (status.IsManualCompactionPaused()) return {};  // canceled
    return tl::unexpected<Error>(to_error(status, what));
  };
  const auto flushed = db.Flush(rocksdb::FlushOptions(), database.families);  // the log is in the way else
  if (!flushed.ok()) return failed(flushed);
  rocksdb::CompactRangeOptions options;
  options.canceled = canceled;
  options.exclusive_manual_compaction = false;  // those of every day go on: writes would stall without them
  options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForce;
  options.blob_garbage_collection_policy = rocksdb::BlobGarbageCollectionPolicy::kDisable;
  const auto compacted = db.CompactRange(options, blobs, nullptr, nullptr);
  if (!compacted.ok()) return failed(compacted);

  rocksdb::ColumnFamilyMetaData now;
  db.GetColumnFamilyMetaData(blobs, &now);
  std::uint64_t garbage = 0, kept = 0;
  for (const auto& file : now.blob_files) {
    garbage += file.garbage_blob_bytes;
    kept += file.total_blob_bytes - file.garbage_blob_bytes;
  }
  const auto free = free_bytes(db.GetName());
  const bool room = free && *free / 2 > kept;  // both copies lie on the disk for a while
  if (garbage == 0 || garbage < kept || !room) return {};
  options.blob_garbage_collection_policy = rocksdb::BlobGarbageCollectionPolicy::kForce;
  options.blob_garbage_collection_age_cutoff = 1.0;
  const auto rewritten = db.CompactRange(options, blobs, nullptr, nullptr);
  if (!rewritten.ok()) return failed(rewritten);
  return {};
}

Error to_error(const rocksdb::Status& status, const std::string& what) {
  const std::string text = status.ToString();
  const std::string detail = " (" + text + ")";
  if (mentions(text, "lock file") || mentions(text, "lock hold"))
    return {ErrorKind::kConflict,
            what + ": locked by another process; stop that one or use another data folder" + detail};
  if (status.IsNoSpace() || mentions(text, "No space left") || mentions(text, "Disk quota exceeded"))
    return {ErrorKind::kExhausted, what + ": disk full: free some space and start again" + detail};
  if (mentions(text, "Read-only file system") || mentions(text, "Permission denied"))
    return {ErrorKind::kDenied,
            what + ": cannot be written: make the folder writable or choose another" + detail};
  if (status.IsCorruption() || mentions(text, "does not exist"))
    return {ErrorKind::kCorrupt, what + ": damaged: restore the folder from a backup" + detail};
  return {ErrorKind::kInternal, what + ": " + text};
}

void put_be64(std::string& out, std::uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
}

void put_be32(std::string& out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
}

std::uint64_t get_be64(std::string_view bytes) {
  assert(bytes.size() >= 8);
  std::uint64_t value = 0;
  for (int i = 0; i < 8; ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

std::uint32_t get_be32(std::string_view bytes) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

std::int64_t wall_microseconds() {
  using std::chrono::system_clock;
  return std::chrono::duration_cast<std::chrono::microseconds>(system_clock::now().time_since_epoch())
      .count();
}

}  // namespace rushes::storage
