#include "scheduler/core/report/costs_report.h"

#include <algorithm>
#include <map>

#include "scheduler/core/state/costs.h"

namespace rushes::scheduler::view {
namespace {

// What the attempts that run have cost so far, by shot.
std::map<ShotId, DeviceSeconds> costs_of_running(const State& state, Now now) {
  std::map<ShotId, DeviceSeconds> costs;
  for (const Worker& worker : state.workers)
    for (const TaskId id : all_leases(worker)) {
      const Task& task = state.task(id);
      costs[task.shot].used[task.holding.kind] += slot_seconds(task, now);
    }
  return costs;
}

template <class Row>
void sort_by_cost(std::vector<Row>& rows) {
  std::stable_sort(rows.begin(), rows.end(),
                   [](const Row& a, const Row& b) { return a.cost.total() > b.cost.total(); });
}

template <class Key, class Row>
std::vector<Row> sorted_rows(const std::map<Key, Row>& sums) {
  std::vector<Row> rows;
  rows.reserve(sums.size());
  for (const auto& [key, row] : sums) rows.push_back(row);
  sort_by_cost(rows);
  return rows;
}

}  // namespace

CostsReport costs(const State& state, Now now, const std::function<bool(const Shot&)>& counts) {
  CostsReport report;
  std::map<ShowId, ShowCost> shows;
  std::map<std::uint64_t, BatchCost> batches;
  auto running = costs_of_running(state, now);
  for (const Shot& shot : state.shots) {
    if (!counts(shot)) continue;
    DeviceSeconds cost = sum_of(shot.costs);
    if (const auto more = running.find(state.shots.id_of(shot)); more != running.end()) cost += more->second;
    report.total += cost;
    report.shots.push_back({shot.key, shot.spec.show, shot.batch, shot.state, cost});
    ShowCost& show = shows[shot.show];
    show.show = shot.spec.show;
    ++show.shots;
    show.cost += cost;
    BatchCost& batch = batches[shot.batch];
    batch.batch = shot.batch;
    batch.name = state.batches.has(shot.batch) ? state.batches[shot.batch].name : "";
    batch.show = shot.spec.show;
    ++batch.shots;
    batch.cost += cost;
  }
  report.shows = sorted_rows(shows);
  report.batches = sorted_rows(batches);
  sort_by_cost(report.shots);
  return report;
}

}  // namespace rushes::scheduler::view
