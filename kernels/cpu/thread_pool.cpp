#include "kernels/cpu/thread_pool.h"

#include <algorithm>

namespace rushes::kernels {

namespace {

// Operations of a small model follow each other within microseconds: look for the next one a while before
// sleeping.
constexpr int kSpins = 2000;

}  // namespace

ThreadPool::ThreadPool(int threads) {
  for (int i = 1; i < threads; ++i) workers_.emplace_back([this, i] { work(i); });
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    ++round_;
  }
  start_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::take_tasks(int thread) {
  for (std::int64_t task = next_++; task < tasks_; task = next_++) (*body_)(task, thread);
}

void ThreadPool::work(int thread) {
  std::uint64_t seen = 0;
  while (true) {
    for (int i = 0; i < kSpins && round_.load(std::memory_order_relaxed) == seen; ++i) __builtin_ia32_pause();
    {
      std::unique_lock lock(mutex_);
      start_.wait(lock, [&] { return round_ != seen; });
      if (stop_) return;
      seen = round_;
    }
    take_tasks(thread);
    const std::lock_guard lock(mutex_);
    if (--busy_ == 0) done_.notify_one();
  }
}

void ThreadPool::run(std::int64_t tasks, const std::function<void(std::int64_t, int)>& body) {
  if (tasks <= 1 || workers_.empty()) {
    for (std::int64_t task = 0; task < tasks; ++task) body(task, 0);
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    body_ = &body;
    tasks_ = tasks;
    next_ = 0;
    busy_ = static_cast<int>(workers_.size());
    ++round_;
  }
  start_.notify_all();
  take_tasks(0);
  std::unique_lock lock(mutex_);
  done_.wait(lock, [&] { return busy_ == 0; });
}

void ThreadPool::run_ranges(std::int64_t count, std::int64_t grain,
                            const std::function<void(std::int64_t, std::int64_t)>& body) {
  const std::int64_t most = std::max<std::int64_t>(1, count / std::max<std::int64_t>(1, grain));
  const std::int64_t tasks = std::min<std::int64_t>(most, 4 * threads());
  run(tasks, [&](std::int64_t task, int) { body(count * task / tasks, count * (task + 1) / tasks); });
}

}  // namespace rushes::kernels
