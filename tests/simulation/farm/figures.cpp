#include "tests/simulation/farm/figures.h"

#include <algorithm>
#include <map>

#include "tests/simulation/farm/offline.h"

namespace rushes::simulation::farm {
namespace {

constexpr double kBacklogged = 0.98;  // of a window: then it counts as backlogged
constexpr double kHourMs = 3'600'000;

double quantile(std::vector<float>& values, double q) {
  if (values.empty()) return 0;
  const auto at = static_cast<std::ptrdiff_t>(q * static_cast<double>(values.size() - 1) + 0.5);
  std::nth_element(values.begin(), values.begin() + at, values.end());
  return values[static_cast<std::size_t>(at)];
}

double ratio(double a, double b) { return b > 0 ? a / b : 0; }

class Table {
 public:
  void add(std::string name, double value, std::string meaning) {
    figures.push_back({std::move(name), value, std::move(meaning)});
  }
  std::vector<Figure> figures;
};

void add_size(const FarmRun& run, Table& table) {
  const auto& counts = run.state().work.counts();
  table.add("size.hosts", static_cast<double>(run.hosts().size()), "");
  table.add("size.shots", static_cast<double>(run.state().shots.size()), "submitted");
  table.add("size.tasks", static_cast<double>(run.state().tasks.size()), "planned");
  table.add("size.succeeded", counts[static_cast<int>(scheduler::TaskState::kSucceeded)], "tasks");
  const auto in_state = [&](scheduler::ShotState s) {
    return static_cast<double>(std::count_if(run.state().shots.begin(), run.state().shots.end(),
                                             [s](const scheduler::Shot& shot) { return shot.state == s; }));
  };
  const double delivered = in_state(scheduler::ShotState::kDelivered),
               attention = in_state(scheduler::ShotState::kAttention);
  table.add("size.delivered", delivered, "shots");
  table.add("size.attention", attention,
            "shots that need a person: every take was rejected, or a task gave up");
  table.add("size.unfinished", static_cast<double>(run.state().shots.size()) - delivered - attention,
            "shots");
  std::vector<float> runs = run.meter().runs();
  table.add("run.mean_s", ratio(run.meter().useful_seconds(), static_cast<double>(runs.size())),
            "seconds of an accepted attempt");
  table.add("run.p50_s", quantile(runs, 0.5), "");
  table.add("run.p95_s", quantile(runs, 0.95), "");
}

void add_use(const FarmRun& run, Table& table) {
  double offered = 0, busy = 0, backlogged_offered = 0, backlogged_busy = 0;
  for (const Window& window : run.meter().windows()) {
    offered += window.offered;
    busy += window.busy;
    const bool backlogged = std::any_of(
        window.waiting_ms.begin(), window.waiting_ms.end(),
        [&run](double ms) { return ms >= kBacklogged * static_cast<double>(run.meter().window_ms()); });
    if (!backlogged) continue;
    backlogged_offered += window.offered;
    backlogged_busy += window.busy;
  }
  const Meter& meter = run.meter();
  double wasted = 0;
  for (const auto& [cause, seconds] : meter.wasted()) wasted += seconds;
  table.add("use.slot_hours", offered / kHourMs, "offered");
  table.add("use.busy", ratio(busy, offered), "share of the slot time offered");
  table.add("use.busy_backlogged", ratio(backlogged_busy, backlogged_offered),
            "the same over the windows in which tasks waited all the time");
  table.add("use.useful", ratio(meter.useful_seconds() * 1000, offered), "share whose results were accepted");
  table.add("use.load_share", ratio(meter.load_seconds() * 1000, busy),
            "share of the busy time spent loading models");
  table.add("waste.share", ratio(wasted * 1000, busy), "share of the busy time whose results were not used");
  for (const auto& [cause, seconds] : meter.wasted()) {
    std::string name = cause;
    std::replace(name.begin(), name.end(), ' ', '_');
    table.add("waste." + name, ratio(seconds * 1000, busy), "of that");
  }
}

void add_waits(const FarmRun& run, Table& table) {
  std::map<int, std::vector<float>> by_priority;
  for (const Wait& wait : run.meter().waits()) by_priority[wait.priority].push_back(wait.seconds);
  for (auto& [priority, waits] : by_priority) {
    const std::string name = "wait.priority_" + std::to_string(priority);
    table.add(name + ".p50_s", quantile(waits, 0.5), "seconds from runnable to running");
    table.add(name + ".p90_s", quantile(waits, 0.9), "");
    table.add(name + ".p99_s", quantile(waits, 0.99), "");
  }
}

// Jain, Chiu, Hawe: A Quantitative Measure of Fairness (1984), over slot time by weight of the shows that had
// work waiting all the window for slots that others had.
void add_fairness(const FarmRun& run, Table& table) {
  const Meter& meter = run.meter();
  double sum = 0, worst = 1;
  int windows = 0;
  for (const Window& window : meter.windows()) {
    double total = 0, squares = 0;
    int shows = 0;
    for (std::size_t show = 0; show < meter.shows().size(); ++show) {
      if (window.contested_ms[show] < kBacklogged * static_cast<double>(meter.window_ms())) continue;
      const double x = window.used[show] / meter.shows()[show].weight;
      total += x;
      squares += x * x;
      ++shows;
    }
    if (shows < 2) continue;
    const double jain = squares > 0 ? total * total / (shows * squares) : 1;
    sum += jain;
    worst = std::min(worst, jain);
    ++windows;
  }
  table.add("fair.windows", windows,
            "windows in which several shows waited for each other's slots all the time");
  table.add("fair.jain_mean", windows > 0 ? sum / windows : 1,
            "Jain's index of slot time by weight in those windows");
  table.add("fair.jain_worst", worst, "the worst of them");
  std::int64_t longest = 0;
  for (std::size_t show = 0; show < meter.shows().size(); ++show)
    longest = std::max(longest, meter.longest_below_floor_ms(show));
  table.add("floor.longest_below_s", static_cast<double>(longest) / 1000,
            "longest time that a show with work waiting had less than its floor");
  std::vector<float> runs = meter.runs();
  table.add("floor.longest_below_tasks", ratio(static_cast<double>(longest) / 1000, quantile(runs, 0.95)),
            "the same in task lengths (run.p95_s)");
}

void add_batches(const FarmRun& run, Table& table) {
  std::vector<float> turnaround;
  double late = 0, with_deadline = 0;
  for (const Submission& submission : run.submissions()) {
    const BatchDescription& batch = run.description().batches[submission.batch];
    for (const scheduler::ShotId id : submission.shots) {
      const scheduler::Shot& shot = run.state().shots[id];
      if (shot.state != scheduler::ShotState::kDelivered) continue;
      const std::int64_t took = shot.finished_wall_ms - kStartWallMs - submission.at_ms;
      turnaround.push_back(static_cast<float>(static_cast<double>(took) / kHourMs));
      if (batch.deadline.count() == 0) continue;
      ++with_deadline;
      if (took > batch.deadline.count()) ++late;
    }
  }
  table.add("shot.turnaround.p50_h", quantile(turnaround, 0.5), "hours from submitted to delivered");
  table.add("shot.turnaround.p90_h", quantile(turnaround, 0.9), "");
  table.add("shot.turnaround.p99_h", quantile(turnaround, 0.99), "");
  table.add("deadline.shots", with_deadline, "delivered shots that had one");
  table.add("deadline.missed", ratio(late, with_deadline), "share of them that came late");
}

// How many of the delivered shots that had a deadline the offline schedule delivers late that does those that
// are due first before all others, and how many no schedule can deliver in time.
void add_offline_deadlines(const FarmRun& run, const std::vector<OfflineTask>& tasks, Table& table) {
  if (std::none_of(tasks.begin(), tasks.end(), [](const OfflineTask& task) { return task.due < kNeverDue; }))
    return;
  double fastest = 0;
  for (const HostGroup& group : run.description().hosts) fastest = std::max(fastest, group.speed);
  std::vector<double> soonest(run.state().shots.size());
  for (const OfflineTask& task : tasks)
    soonest[task.shot] = std::max(soonest[task.shot], task.release + task.path / fastest);
  const OfflineSchedule due = schedule_offline(run.description(), tasks, Order::kEarliestDue);
  double with_deadline = 0, late = 0, impossible = 0;
  for (const scheduler::Shot& shot : run.state().shots) {
    if (shot.state != scheduler::ShotState::kDelivered || shot.spec.deadline_wall_ms <= 0) continue;
    const std::size_t id = run.state().shots.id_of(shot).number();
    const double limit = static_cast<double>(shot.spec.deadline_wall_ms - kStartWallMs) / 1000;
    ++with_deadline;
    if (due.shot_finish[id] > limit) ++late;
    if (soonest[id] > limit) ++impossible;
  }
  table.add("deadline.missed_offline", ratio(late, with_deadline),
            "the same by an offline schedule that does what is due first before all else");
  table.add("deadline.impossible", ratio(impossible, with_deadline),
            "of them that are late even alone on the fastest host");
}

void add_offline(const FarmRun& run, Table& table) {
  const Description& farm = run.description();
  const std::vector<OfflineTask> tasks = offline_tasks(run);
  add_offline_deadlines(run, tasks, table);
  double first = 0;
  if (!run.submissions().empty()) first = static_cast<double>(run.submissions().front().at_ms) / 1000;
  const double makespan = static_cast<double>(run.last_finish_ms()) / 1000 - first;
  const Bounds bounds = bounds_of(farm, tasks);
  const double bound = std::max(bounds.by_work, bounds.by_critical_path);
  table.add("makespan.hours", makespan / 3600, "from the first batch to the last result");
  table.add("makespan.by_work_h", bounds.by_work / 3600,
            "bound: every slot busy at its speed from a release to the end");
  table.add("makespan.by_path_h", bounds.by_critical_path / 3600,
            "bound: the longest chain on the fastest host");
  table.add("makespan.over_bound", ratio(makespan, bound), "makespan over the larger of the two");
  const OfflineSchedule path = schedule_offline(farm, tasks, Order::kLongestPath),
                        keep = schedule_offline(farm, tasks, Order::kKeepTheModel);
  const double offline = std::min(path.finish, keep.finish) - first;
  table.add("makespan.offline_h", offline / 3600,
            "a greedy schedule that knows all run times, the better of two orders");
  table.add("makespan.over_offline", ratio(makespan, offline), "");
  const auto loads = static_cast<double>(std::min(path.loads, keep.loads));
  table.add("reload.count", static_cast<double>(run.meter().loads()), "models loaded into a slot");
  table.add("reload.offline", loads, "by the offline schedule that changes models less often");
  const std::uint64_t forced = run.meter().forced_loads();
  table.add("reload.forced", static_cast<double>(forced),
            "of them because the engine that had it was killed or lost");
  table.add("reload.over_offline", ratio(static_cast<double>(run.meter().loads() - forced), loads),
            "the others, over the offline schedule's, which never loses an engine");
  table.add("offline.unplaced", static_cast<double>(path.unplaced + keep.unplaced),
            "tasks; anything but 0 voids the comparison");
}

}  // namespace

std::vector<Figure> figures_of(const FarmRun& run) {
  Table table;
  add_size(run, table);
  add_use(run, table);
  add_waits(run, table);
  add_fairness(run, table);
  add_batches(run, table);
  add_offline(run, table);
  return std::move(table.figures);
}

std::vector<Outcome> judge(const std::vector<Goal>& goals, const std::vector<Figure>& figures) {
  std::vector<Outcome> outcomes;
  for (const Goal& goal : goals) {
    Outcome outcome{goal, 0, false, false};
    const auto found = std::find_if(figures.begin(), figures.end(),
                                    [&](const Figure& figure) { return figure.name == goal.figure; });
    if (found != figures.end()) {
      outcome.known = true;
      outcome.value = found->value;
      outcome.met = goal.at_most ? outcome.value <= goal.limit : outcome.value >= goal.limit;
    }
    outcomes.push_back(outcome);
  }
  return outcomes;
}

}  // namespace rushes::simulation::farm
