// How both databases are opened and how their errors are worded: private to storage/.
//
// Thread contract: a Database may be used from many threads, as RocksDB allows; open and close from one.
#pragma once

#include <rocksdb/db.h>
#include <rocksdb/options.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/result.h"

namespace rushes::storage {

// A layout on disk, kept under the key `format` of the default column family as "NAME VERSION".
struct Format {
  std::string name;
  int version = 1;
};

// An open database and its column families, closed in the right order.
struct Database {
  std::unique_ptr<rocksdb::DB> db;
  std::vector<rocksdb::ColumnFamilyHandle*> families;  // [0] is the default family, then as asked for

  Database() = default;
  Database(Database&&) = default;
  Database& operator=(Database&&) = delete;
  ~Database();
};

// Opens or creates the database in `folder`. Errors: kConflict (locked by another process), kDenied
// (read-only), kExhausted (disk full), kCorrupt (damaged, or not ours), kInvalid (another format).
Result<Database> open_database(const std::filesystem::path& folder, const Format& format,
                               rocksdb::DBOptions options,
                               std::vector<rocksdb::ColumnFamilyDescriptor> families);

// Options that both databases share; `env` null: the machine's own.
rocksdb::DBOptions common_options(rocksdb::Env* env);

// The database as it is now, in a new folder that opens by itself: hard links where both lie on one file system, else
// copies. Everything written before the call is in it.
Status checkpoint(rocksdb::DB& db, const std::filesystem::path& folder, const std::string& what);

// Reads every table (not the blob files) against its checksums. kCorrupt: damaged.
Status verify_tables(rocksdb::DB& db, const std::string& what);

// Gives the disk back what deleted values of a family with blob files took. Short where whole files became garbage;
// where much of the family is written anew it takes hours. Reads and writes go on meanwhile. It ends early, without an
// error, when `canceled` becomes true; null: never.
Status reclaim_blobs(const Database& database, std::size_t family, const std::string& what,
                     std::atomic<bool>* canceled);

// A RocksDB status in words: "ledger in /data/ledger: disk full: free some space and start again (...)".
Error to_error(const rocksdb::Status& status, const std::string& what);

// Big-endian integers, so that keys sort by number.
void put_be64(std::string& out, std::uint64_t value);
void put_be32(std::string& out, std::uint32_t value);
std::uint64_t get_be64(std::string_view bytes);  // the first 8 bytes; the caller checked the length
std::uint32_t get_be32(std::string_view bytes);

std::int64_t wall_microseconds();  // since 1970, for display and retention only

}  // namespace rushes::storage
