#include "scheduler/core/report/event_line.h"

#include <algorithm>

#include "scheduler/plan/compose.h"

namespace rushes::scheduler {
namespace {

// What it happened to.
std::string subject_of(const State& state, const FarmEvent& event) {
  if (state.has_task(event.task)) {
    const Task& task = state.task(event.task);
    const ShotSpec& spec = state.shots[task.shot].spec;
    return spec.show + "/" + task_name(spec, task.plan) + " (task " + std::to_string(event.task.number()) +
           ")";
  }
  if (!event.shot.empty())
    return event.shot + (event.take > 0 ? " take " + std::to_string(event.take) : std::string());
  return event.worker.empty() ? "farm" : "worker " + event.worker;
}

// "task.attempt_ended" -> "attempt ended"
std::string happened(const FarmEvent& event) {
  std::string words = event.kind.substr(event.kind.find('.') + 1);
  std::replace(words.begin(), words.end(), '_', ' ');
  return words;
}

}  // namespace

Weight weight_of(const FarmEvent& event) {
  if (event.kind == "task.attempt_ended")
    return event.text.starts_with(to_string(AttemptEnd::kStopped)) ? Weight::kDetail : Weight::kTrouble;
  if (event.kind == "worker.quarantined" || event.kind == "worker.noted") return Weight::kTrouble;
  if (event.kind == "shot.state" && event.text.starts_with(to_string(ShotState::kAttention)))
    return Weight::kTrouble;
  return event.kind.starts_with("task.") ? Weight::kDetail : Weight::kNews;
}

std::string line_of(const State& state, const FarmEvent& event) {
  std::string line = subject_of(state, event) + ": " + happened(event);
  if (!event.text.empty()) line += ": " + event.text;
  const bool of_worker = event.shot.empty() && event.task == kNoId;
  if (!event.worker.empty() && !of_worker) line += " [" + event.worker + "]";
  return line;
}

}  // namespace rushes::scheduler
