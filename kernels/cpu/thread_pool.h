// A small pool of threads for one backend: runs numbered tasks, whoever is free takes the next.
//
// Which thread runs a task never shows in the result: tasks write disjoint outputs and share no sums.
//
// Thread contract: `run` is called from one thread at a time; the caller works as thread 0.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace rushes::kernels {

class ThreadPool {
 public:
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }
  // Calls body(task, thread) once for each task in [0, tasks), thread in [0, threads()); returns when all are
  // done. `body` must not throw.
  void run(std::int64_t tasks, const std::function<void(std::int64_t task, int thread)>& body);
  // Splits [0, count) into ranges of at least `grain` and calls body(begin, end) for each.
  void run_ranges(std::int64_t count, std::int64_t grain,
                  const std::function<void(std::int64_t begin, std::int64_t end)>& body);

 private:
  void work(int thread);
  void take_tasks(int thread);

  std::mutex mutex_;
  std::condition_variable start_, done_;
  std::atomic<std::uint64_t> round_{0};
  bool stop_ = false;
  int busy_ = 0;
  const std::function<void(std::int64_t, int)>* body_ = nullptr;
  std::int64_t tasks_ = 0;
  std::atomic<std::int64_t> next_{0};
  std::vector<std::thread> workers_;
};

}  // namespace rushes::kernels
