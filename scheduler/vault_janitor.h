// The vault's housekeeping: references of takes to what they made, and the sweep of what has no reference: uploads that
// no result names, and what takes made whose days are over.
//
// It has a thread of its own because a vault write may wait for another artifact's sync, and the core must
// not. A reference that a crash swallowed is made again from the state at the next start, long before a sweep
// could matter.
//
// Thread contract: any thread; retain() and release() return at once and are written in their order. The destructor
// finishes the queue; a sweep or a compaction that runs ends early.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "storage/vault.h"

namespace rushes::scheduler {

class VaultJanitor {
 public:
  // Uploads without a reference are removed when they are older than `sweep_age`; the vault is looked through
  // at the start and then every `sweep_every`; for what is released meanwhile too, but at most every `release_every`.
  // The vault outlives the janitor.
  VaultJanitor(storage::Vault& vault, std::chrono::milliseconds sweep_age,
               std::chrono::milliseconds sweep_every = std::chrono::hours(1),
               std::chrono::milliseconds release_every = std::chrono::minutes(5));
  ~VaultJanitor();
  VaultJanitor(const VaultJanitor&) = delete;
  VaultJanitor& operator=(const VaultJanitor&) = delete;

  // Owner: "show/shot/take"; take 0 is what belongs to the whole shot.
  void retain(std::string owner, std::vector<Digest> digests);
  // Nothing needs these artifacts any more, whoever retained them: they are swept within minutes, but for those that
  // were uploaded within sweep_age; these follow when they are old enough.
  void release(std::vector<Digest> digests);
  void flush();  // writes everything asked for before; waits for no sweep
  // Sweeps now, after everything asked for before; the compaction that gives the disk the space follows on the
  // janitor's own thread. Error: as Vault::sweep().
  Result<storage::Swept> sweep_now();
  storage::Swept swept() const;  // since the start
  std::chrono::milliseconds sweep_age() const { return sweep_age_; }

  // Nothing is swept while the lock is held; a sweep that was due comes after.
  std::unique_lock<std::mutex> hold_sweeps() { return std::unique_lock(sweeping_); }

 private:
  void run();
  // A reference, or without an owner artifacts whose references end.
  using Job = storage::Reference;
  void add(Job job);
  void write(std::span<const Job> jobs);
  Result<storage::Swept> sweep();
  void reclaim_if_due();

  storage::Vault& vault_;
  const std::chrono::milliseconds sweep_age_, sweep_every_, release_every_;
  std::mutex sweeping_;
  std::mutex writing_;  // keeps jobs in their order from the queue to the vault
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Job> jobs_;  // guarded by mutex_, as all below
  storage::Swept swept_;
  bool released_ = false;               // since the last look at it
  bool unreclaimed_ = true;             // something was swept since the last compaction, or before the start
  bool reclaim_due_ = false;            // and a sweep ended since then
  std::atomic<bool> stopping_ = false;  // set under mutex_
  std::thread thread_;
};

}  // namespace rushes::scheduler
