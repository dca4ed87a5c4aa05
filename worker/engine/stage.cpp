#include "worker/engine/stage.h"

#include <malloc.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <string>

#include "storage/records/frame_files.h"
#include "worker/engine/stages.h"

namespace rushes::worker {
namespace {

constexpr std::size_t kMaxFindings = 64;

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// Forgets the process's peak, so that the next one read is of one task (proc(5), clear_refs).
void reset_peak() { std::ofstream("/proc/self/clear_refs") << 5; }

// Most resident bytes since reset_peak(); of the whole life of the process where it could not be reset.
std::uint64_t peak_memory() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;)
    if (std::uint64_t kilobytes = 0; word == "VmHWM:" && status >> kilobytes) return kilobytes * 1024;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
}

Result<TaskResult> run_stage(const Task& task, StageContext& context) {
  if (task.stage != Stage::kDenoise && task.stage != Stage::kRefine) context.models.end_steps();
  switch (task.stage) {
    case Stage::kEncode:
      return run_encode(task, context);
    case Stage::kDenoise:
    case Stage::kRefine:
      return run_denoise(task, context);
    case Stage::kCritique:
      return run_critique(task, context);
    case Stage::kDecode:
      return run_decode(task, context);
    case Stage::kEnlarge:
      return run_enlarge(task, context);
    case Stage::kFinish:
      return run_finish(task, context);
    case Stage::kDeliver:
      return run_deliver(task, context);
  }
  return fail(ErrorKind::kInvalid, "stage: unknown");
}

}  // namespace

void shorten(TaskResult& result) {
  result.files = join_frames(result.files);
  auto& findings = result.critique.findings;  // worst first
  findings.resize(std::min(findings.size(), kMaxFindings));
}

Result<TaskResult> run_task(const Task& task, StageContext& context) {
  reset_peak();
  const double cpu_before = cpu_seconds();
  const auto begin = std::chrono::steady_clock::now();
  auto outcome = run_stage(task, context);
  if (!outcome) return outcome;
  outcome->compute_seconds = cpu_seconds() - cpu_before;
  outcome->wall_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  outcome->peak_memory_bytes = peak_memory();
  shorten(*outcome);
  ::malloc_trim(0);  // what this task held must not count as what the next one needs
  return outcome;
}

}  // namespace rushes::worker
