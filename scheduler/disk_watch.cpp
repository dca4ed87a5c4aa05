#include "scheduler/disk_watch.h"

#include <pthread.h>

#include "storage/disk.h"

namespace rushes::scheduler {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::minutes kLook{1}, kCount{15};

std::vector<std::pair<const char*, std::filesystem::path>> named(const WatchedFolders& folders) {
  return {{"data", folders.data}, {"deliveries", folders.deliveries}, {"backups", folders.backups}};
}

}  // namespace

DiskWatch::DiskWatch(WatchedFolders folders) : folders_(std::move(folders)), thread_([this] { run(); }) {}

DiskWatch::~DiskWatch() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

DiskFigures DiskWatch::figures() const {
  DiskFigures figures;
  for (const auto& [name, folder] : named(folders_))
    if (const auto free = storage::free_bytes(folder)) figures.free.push_back({name, *free});
  for (const char* part : {"ledger", "vault"})
    if (const auto size = storage::size_of(folders_.data / part)) figures.used.push_back({part, size->bytes});
  figures.reserve = folders_.reserve;
  const std::lock_guard lock(mutex_);
  if (delivered_) figures.used.push_back({"deliveries", *delivered_});
  for (const auto& [name, forecast] : forecasts_)
    if (const auto seconds = forecast.seconds_until_full()) figures.full_in.emplace_back(name, *seconds);
  return figures;
}

void DiskWatch::run() {
  pthread_setname_np(pthread_self(), "disks");
  const auto began = Clock::now();
  auto next_count = began;
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    const auto now = Clock::now();
    look(std::chrono::duration<double>(now - began).count());
    if (now >= next_count) {
      const auto size = storage::size_of(folders_.deliveries, &stopping_);
      next_count = Clock::now() + kCount;
      const std::lock_guard counted(mutex_);
      delivered_ = size ? std::optional(size->bytes) : std::nullopt;
    }
    lock.lock();
    wake_.wait_until(lock, now + kLook, [&] { return stopping_.load(); });
  }
}

void DiskWatch::look(double at) {
  for (const auto& [name, folder] : named(folders_)) {
    const auto free = storage::free_bytes(folder);
    const std::lock_guard lock(mutex_);
    if (free) forecasts_[name].see(at, *free);
  }
}

}  // namespace rushes::scheduler
