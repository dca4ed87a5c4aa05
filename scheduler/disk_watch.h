// What the disks under the farm's folders hold, and when they are full: for the metrics.
//
// Free bytes and the sizes of ledger and vault are read when they are asked for. The deliveries folder may hold
// millions of files on a slow disk: a thread counts it at the start and then four times an hour, and looks at the free
// bytes once a minute, whether anybody asks or not. The destructor cuts a count short.
//
// Thread contract: figures() from any thread.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "scheduler/gateway/disk_forecast.h"
#include "scheduler/gateway/metrics.h"

namespace rushes::scheduler {

struct WatchedFolders {
  std::filesystem::path data, deliveries, backups;  // backups may be empty
  std::uint64_t reserve = 0;                        // limits.disk_reserve
};

class DiskWatch {
 public:
  explicit DiskWatch(WatchedFolders folders);
  ~DiskWatch();
  DiskWatch(const DiskWatch&) = delete;
  DiskWatch& operator=(const DiskWatch&) = delete;

  // All but the newest backup.
  DiskFigures figures() const;

 private:
  void run();
  void look(double at);

  const WatchedFolders folders_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::map<std::string, DiskForecast>
      forecasts_;  // guarded by mutex_, as all below; by the folder's key in farm.yaml
  std::optional<std::uint64_t> delivered_;  // bytes
  std::atomic<bool> stopping_ = false;      // ends a count too; set under mutex_
  std::thread thread_;
};

}  // namespace rushes::scheduler
