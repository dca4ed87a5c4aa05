// What the tasks of a farm in this process really take, against what was planned for them.
//
// Thread contract: one thread.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <set>

#include "tools/render/local_farm.h"

namespace rushes::tools {

// Watches a farm: what each task holds at most beyond what the process held before it (its code, the scheduler's
// state and the weights, once they are loaded).
class Peaks {
 public:
  // Steps the farm until it has nothing more to do. Every task must stay within `bound` bytes in all, and within
  // its estimate beyond the process.
  void run(LocalFarm& farm, std::uint64_t bound) {
    for (bool more = true; more;) {
      const std::uint64_t before = resident_bytes();
      const auto ran = farm.step({});
      ASSERT_TRUE(ran) << ran.error().message;
      more = *ran;
      for (const scheduler::Task& task : farm.state().tasks) {
        if (task.result.peak_memory_bytes > 0 && known_.insert(task.plan.id.number()).second)
          add(task, before, bound);
      }
    }
    print();
  }

 private:
  static constexpr double kLongSeconds = 20;
  struct Largest {
    int tasks = 0;
    std::uint64_t peak = 0, extra = 0, planned = 0;
  };

  void add(const scheduler::Task& task, std::uint64_t before, std::uint64_t bound) {
    const std::uint64_t planned = task.plan.host_bytes + task.plan.tensor_bytes;
    const std::uint64_t peak = task.result.peak_memory_bytes, extra = peak - std::min(peak, before);
    EXPECT_LE(peak, bound) << to_string(task.plan.stage) << " task " << task.plan.id.number();
    EXPECT_LE(extra, planned) << to_string(task.plan.stage) << " task " << task.plan.id.number();
    Largest& largest = stages_[static_cast<std::size_t>(task.plan.stage)]
                              [std::min<std::size_t>(static_cast<std::size_t>(task.plan.level), 1)];
    ++largest.tasks;
    if (task.result.wall_seconds > kLongSeconds) {  // of a campaign: it is good to see it move
      std::printf("%-8s task %llu: %.0f s, %llu MiB\n", to_string(task.plan.stage),
                  static_cast<unsigned long long>(task.plan.id.number()), task.result.wall_seconds,
                  static_cast<unsigned long long>(peak >> 20));
      std::fflush(stdout);
    }
    if (extra >= largest.extra) largest = {largest.tasks, peak, extra, planned};
  }

  void print() const {
    constexpr double kMiB = 1 << 20;
    for (int stage = 0; stage < kStages; ++stage)
      for (std::size_t level = 0; level < 2; ++level)
        if (const Largest& one = stages_[static_cast<std::size_t>(stage)][level]; one.tasks > 0)
          std::printf(
              "[ measured ] %-8s %s %5d tasks, %5.0f MiB at most in all, %5.0f by the task, planned %5.0f\n",
              to_string(static_cast<Stage>(stage)), level == 0 ? "draft " : "master", one.tasks,
              static_cast<double>(one.peak) / kMiB, static_cast<double>(one.extra) / kMiB,
              static_cast<double>(one.planned) / kMiB);
  }

  static std::uint64_t resident_bytes() {
    unsigned long long pages = 0, resident = 0;
    if (std::FILE* file = std::fopen("/proc/self/statm", "r")) {
      if (std::fscanf(file, "%llu %llu", &pages, &resident) != 2) resident = 0;
      std::fclose(file);
    }
    return resident * 4096;
  }

  std::set<std::uint64_t> known_;                         // finished
  std::array<std::array<Largest, 2>, kStages> stages_{};  // by level
};

}  // namespace rushes::tools
