// What attempts printed: GET /v1/logs/TASK and /v1/logs/SHOW/SHOT.
#include <algorithm>
#include <map>

#include "scheduler/core/report/attempts.h"
#include "scheduler/gateway/handlers.h"

namespace rushes::scheduler {
namespace {

constexpr std::size_t kMaxLogs = 1 << 20;  // bytes of an answer, about
constexpr std::size_t kRowBytes = 256;     // of a task or an attempt without its lines, about

using Lines = std::vector<std::pair<std::uint32_t, std::string>>;  // by attempt, ascending

// Attempts that the farm remembers, with their lines; and those of which only the lines are left.
Json attempts_with_lines(const view::TaskAttempts& task, const Lines& lines) {
  std::map<std::uint32_t, Json> attempts;
  for (const auto& attempt : task.attempts) {
    Json& row = attempts[attempt.attempt] = attempt_json(attempt);
    row["log"] = nullptr;
  }
  for (const auto& [number, text] : lines) {
    const auto [row, only_lines] =
        attempts.try_emplace(number, attempt_json({number, "", "unknown", {}, 0, 0, {}, ""}));
    row->second["log"] = text;
  }
  Json rows = Json::array();
  for (auto& [number, row] : attempts) rows.push_back(std::move(row));
  return rows;
}

}  // namespace

void Handlers::send_logs(Call& call, const std::vector<view::TaskAttempts>& tasks) {
  Json rows = Json::array();
  std::size_t bytes = 0, left_off = 0;
  for (const auto& task : tasks) {
    // The first task is answered whatever it has.
    if (bytes >= kMaxLogs) {
      ++left_off;
      continue;
    }
    const auto lines = parts_.ledger->logs(task.task.number());
    if (!lines) return refuse(call.response, lines.error());
    bytes += kRowBytes + task.attempts.size() * kRowBytes;
    for (const auto& [attempt, text] : *lines) bytes += text.size();
    rows.push_back({{"task", task.task.number()},
                    {"name", task.name},
                    {"shot", task.shot},
                    {"state", to_string(task.state)},
                    {"attempts", attempts_with_lines(task, *lines)}});
  }
  send(call.response, {{"tasks", std::move(rows)}, {"left_off", left_off}});
}

void Handlers::task_logs(Call& call) {
  const auto task = parts_.loop->query(
      [id = call.task()](const State& state, Now now) { return view::attempts_of(state, id, now); });
  if (!task) return refuse(call.response, task.error());
  if (!*task) return refuse(call.response, {ErrorKind::kNotFound, "task " + call.at(1) + ": there is none"});
  send_logs(call, {**task});
}

void Handlers::shot_logs(Call& call) {
  const auto tasks = parts_.loop->query(
      [key = call.shot()](const State& state, Now now) { return view::attempts_of(state, key, now); });
  if (!tasks) return refuse(call.response, tasks.error());
  if (!*tasks)
    return refuse(call.response, {ErrorKind::kNotFound, "shot " + call.shot() + ": there is none"});
  send_logs(call, **tasks);
}

}  // namespace rushes::scheduler
