// The vault's housekeeping: references of takes to what they made, and the sweep of uploads without a reference.
//
// It has a thread of its own because a vault write may wait for another artifact's sync, and the core must
// not. A reference that a crash swallowed is made again from the state at the next start, long before a sweep
// could matter.
//
// Thread contract: retain() may be called from any thread and returns at once; the destructor finishes the
// queue.
#pragma once

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
  // at the start and then every `sweep_every`. The vault outlives the janitor.
  VaultJanitor(storage::Vault& vault, std::chrono::milliseconds sweep_age,
               std::chrono::milliseconds sweep_every = std::chrono::hours(1));
  ~VaultJanitor();
  VaultJanitor(const VaultJanitor&) = delete;
  VaultJanitor& operator=(const VaultJanitor&) = delete;

  // Owner: "show/shot/take"; take 0 is what belongs to the whole shot.
  void retain(std::string owner, std::vector<Digest> digests);
  void flush();  // returns when everything asked for before is done

  // Nothing is swept while the lock is held; a sweep that was due comes after.
  std::unique_lock<std::mutex> hold_sweeps() { return std::unique_lock(sweeping_); }

 private:
  void run();
  void write(std::span<const storage::Reference> references);
  void sweep();

  storage::Vault& vault_;
  const std::chrono::milliseconds sweep_age_, sweep_every_;
  std::mutex sweeping_;
  std::mutex mutex_;
  std::condition_variable wake_, idle_;
  std::vector<storage::Reference> jobs_;  // guarded by mutex_, as all below
  int flushing_ = 0;                      // callers of flush()
  bool busy_ = false, stopping_ = false;
  std::thread thread_;
};

}  // namespace rushes::scheduler
