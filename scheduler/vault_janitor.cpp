#include "scheduler/vault_janitor.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "config/log.h"

namespace rushes::scheduler {
namespace {

// No reply waits for a reference, so many of them share a write.
constexpr std::chrono::milliseconds kGather{50};
// The references of a recovered farm come all at once, and only to be sure: first the farm goes to work.
constexpr std::chrono::milliseconds kSettle{2'000};

}  // namespace

VaultJanitor::VaultJanitor(storage::Vault& vault, std::chrono::milliseconds sweep_age,
                           std::chrono::milliseconds sweep_every, std::chrono::milliseconds release_every)
    : vault_(vault),
      sweep_age_(sweep_age),
      sweep_every_(sweep_every),
      release_every_(release_every),
      thread_([this] { run(); }) {}

VaultJanitor::~VaultJanitor() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void VaultJanitor::retain(std::string owner, std::vector<Digest> digests) {
  if (!digests.empty()) add({std::move(owner), std::move(digests)});
}

void VaultJanitor::release(std::vector<Digest> digests) {
  if (!digests.empty()) add({std::string(), std::move(digests)});
}

void VaultJanitor::add(Job job) {
  bool first = false;
  {
    std::lock_guard lock(mutex_);
    first = jobs_.empty();
    released_ = released_ || job.owner.empty();
    jobs_.push_back(std::move(job));
  }
  if (first) wake_.notify_one();
}

storage::Swept VaultJanitor::swept() const {
  std::lock_guard lock(mutex_);
  return swept_;
}

Result<storage::Swept> VaultJanitor::sweep_now() {
  flush();
  return sweep();
}

void VaultJanitor::flush() {
  const std::lock_guard writing(writing_);
  std::vector<Job> jobs;
  {
    const std::lock_guard lock(mutex_);
    jobs.swap(jobs_);
  }
  wake_.notify_all();  // the thread has nothing to gather for
  write(jobs);
}

void VaultJanitor::run() {
  using Clock = std::chrono::steady_clock;
  pthread_setname_np(pthread_self(), "janitor");
  // The first sweep waits a little too, so that the references of the recovered state are in before it.
  auto next_sweep = Clock::now() + std::min(sweep_every_, std::chrono::milliseconds(60'000));
  auto next_for_release = Clock::now();
  auto gather = kSettle;
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait_until(lock, next_sweep,
                     [&] { return stopping_ || !jobs_.empty() || released_ || reclaim_due_; });
    if (stopping_ && jobs_.empty()) return;
    if (!jobs_.empty()) wake_.wait_for(lock, gather, [&] { return stopping_ || jobs_.empty(); });
    gather = kGather;
    if (std::exchange(released_, false)) next_sweep = std::min(next_sweep, next_for_release);
    lock.unlock();
    flush();
    if (!stopping_ && Clock::now() >= next_sweep) {
      (void)sweep();  // an error is in the log
      next_sweep = Clock::now() + sweep_every_;
      next_for_release = Clock::now() + release_every_;
    }
    reclaim_if_due();
    lock.lock();
  }
}

void VaultJanitor::write(std::span<const Job> jobs) {
  constexpr std::size_t kOneWrite = 1024;
  while (!jobs.empty()) {
    const auto is_release = [](const Job& job) { return job.owner.empty(); };
    const auto references = std::find_if(jobs.begin(), jobs.end(), is_release) - jobs.begin();
    if (references == 0) {
      if (auto released = vault_.release(std::span(jobs.front().digests)); !released)
        log::error("artifacts that nothing needs: {}", released.error().message);
      jobs = jobs.subspan(1);
      continue;
    }
    const auto some = jobs.first(std::min(kOneWrite, static_cast<std::size_t>(references)));
    if (auto kept = vault_.retain(some); !kept)
      log::error("references of {} and others: {}", some.front().owner, kept.error().message);
    jobs = jobs.subspan(some.size());
  }
}

Result<storage::Swept> VaultJanitor::sweep() {
  const std::lock_guard sweeping(sweeping_);
  const auto swept = vault_.sweep(sweep_age_, &stopping_);
  if (!swept)
    log::error("sweep: {}", swept.error().message);
  else if (swept->artifacts > 0)
    log::info("swept {} artifacts without reference, {} MiB", swept->artifacts, swept->bytes >> 20);
  {
    const std::lock_guard lock(mutex_);
    if (swept) {
      swept_.artifacts += swept->artifacts;
      swept_.bytes += swept->bytes;
    }
    unreclaimed_ = unreclaimed_ || !swept || swept->artifacts > 0;
    reclaim_due_ = unreclaimed_;
  }
  wake_.notify_all();
  return swept;
}

// Only here, on the janitor's thread: it may take hours, and neither a backup nor a gc waits for it.
void VaultJanitor::reclaim_if_due() {
  {
    const std::lock_guard lock(mutex_);
    if (!std::exchange(reclaim_due_, false)) return;
    unreclaimed_ = false;
  }
  const auto reclaimed = vault_.reclaim(&stopping_);
  if (reclaimed) return;
  log::error("the disk gets the space of swept artifacts after the next sweep: {}",
             reclaimed.error().message);
  const std::lock_guard lock(mutex_);
  unreclaimed_ = true;
}

}  // namespace rushes::scheduler
