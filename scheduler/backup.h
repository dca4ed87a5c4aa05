// Backups of a running farm, and a stopped farm made of one.
//
// A backup is a folder BACKUPS/NAME: `ledger` and `vault` as they are opened, and `backup.yaml`, which says what they
// hold. The ledger is copied before the vault, and nothing is swept between the two: every artifact that the
// ledger's copy names is in the vault's. Both are hard links in the data folder first, which takes no time and no
// disk; backups on another file system are then copied file by file while the farm goes on. A backup appears whole,
// under its name, or not at all.
//
// Thread contract: make() and newest() from any thread, one backup at a time; restore() while no farm runs.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <string_view>

#include "config/result.h"
#include "scheduler/vault_janitor.h"
#include "storage/ledger.h"
#include "storage/vault.h"

namespace rushes::scheduler {

struct BackupPlace {
  std::filesystem::path data;     // of the farm: ledger, vault
  std::filesystem::path backups;  // empty: this farm makes none
  std::uint64_t reserve = 0;      // bytes left free where the backups lie
  std::string farm, build;        // for people who look at a backup later
};

struct BackupMade {
  std::filesystem::path folder;
  std::uint64_t bytes = 0, files = 0;
  std::uint64_t records = 0;  // the last one that is certainly in it
  double seconds = 0;
};

class Backups {
 public:
  // The ledger, the vault and the janitor outlive it.
  Backups(storage::Ledger& ledger, storage::Vault& vault, VaultJanitor& janitor, BackupPlace place);

  // Errors: kInvalid (the name is no word, or `backups:` is not set), kConflict (the name is taken, or another backup is
  // being made), kExhausted (disk full), kDenied.
  Result<BackupMade> make(std::string_view name);

  // When the newest backup was made: seconds since 1970, 0 when there is none.
  std::int64_t newest() const { return newest_; }

 private:
  Status checkpoint(const std::filesystem::path& folder) const;
  Status describe(const std::filesystem::path& folder, BackupMade& made) const;
  Status move_to(const std::filesystem::path& from, const std::filesystem::path& to) const;

  storage::Ledger& ledger_;
  storage::Vault& vault_;
  VaultJanitor& janitor_;
  const BackupPlace place_;
  std::mutex making_;
  std::atomic<std::int64_t> newest_{0};
};

struct Restored {
  std::string farm, made_at, build;
  std::uint64_t shots = 0, tasks = 0, artifacts = 0, bytes = 0;
};

// Makes the ledger and the vault of a data folder that has neither from a backup. Both are opened and read before they
// get their names, the artifacts against their digests (a second or two per GB): what does not recover, or lacks an
// artifact that its ledger names, leaves the folder as it was.
// Errors: kNotFound, kCorrupt (the backup is not whole), kConflict (a farm runs there, or one's data are there),
// kExhausted.
Result<Restored> restore(const std::filesystem::path& backup, const std::filesystem::path& data);

// kConflict when a restore() into this data folder was cut short: what lies there is part of a farm.
Status check_restored(const std::filesystem::path& data);

}  // namespace rushes::scheduler
