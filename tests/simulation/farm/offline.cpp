#include "tests/simulation/farm/offline.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <queue>
#include <string>
#include <tuple>
#include <utility>

#include "scheduler/core/policy/fit.h"
#include "scheduler/core/state/needs.h"

namespace rushes::simulation::farm {
namespace {

constexpr double kDay = 24 * 3600, kHour = 3600;
constexpr double kPatience = 200 * kDay;  // hosts are asked to come so long; then what is left fits nowhere

// Ready tasks that any slot would treat alike; the earliest due first where that counts, then the longest
// path, of equal ones the later number.
struct Waiting {
  double urgency, path;
  std::uint32_t task;
  auto operator<=>(const Waiting&) const = default;
};
struct Bucket {
  int model;
  scheduler::policy::Requirements needs;
  std::priority_queue<Waiting> tasks;
};

// Free slots that are alike but for their host: a group's of one kind, with one model loaded.
struct Kind {
  std::size_t group;
  SlotKind slot;
  int model;
  std::vector<std::size_t> hosts;  // one entry for each free slot
  bool idle;                       // nothing that is ready now fits
};

struct Choice {
  double urgency;
  bool keeps;    // its model
  double value;  // the path, less the load of another model
  std::size_t bucket;
  bool operator<(const Choice& other) const {
    return std::tie(urgency, keeps, value, other.bucket) <
           std::tie(other.urgency, other.keeps, other.value, bucket);
  }
};

bool has_model(const HostGroup& group, int model) {
  return model == kNoModel ||
         std::find(group.models.begin(), group.models.end(), model) != group.models.end();
}

// Without digests: has_model() knows models by their index.
scheduler::policy::Requirements needs_of(const OfflineTask& task, const std::string& numeric_class) {
  scheduler::policy::Requirements needs;
  needs.tensors = task.model != kNoModel;
  needs.numeric_class = needs.tensors ? numeric_class : "";
  needs.host_bytes = task.host_bytes;
  needs.tensor_bytes = task.tensor_bytes;
  return needs;
}

std::vector<int> classes_of(const Description& farm) {
  std::map<std::string, int> numbers;
  std::vector<int> classes;
  for (const HostGroup& group : farm.hosts)
    classes.push_back(
        numbers.try_emplace(group.numeric_class, static_cast<int>(numbers.size())).first->second);
  return classes;
}

struct ShotWork {
  double seconds = 0, release = 0, due = kNeverDue;
  OfflineTask largest;  // what tasks with tensors need at most
};

std::vector<ShotWork> work_of_shots(const std::vector<OfflineTask>& tasks) {
  std::vector<ShotWork> shots;
  for (const OfflineTask& task : tasks) {
    if (shots.size() <= task.shot) shots.resize(task.shot + 1u);
    ShotWork& shot = shots[task.shot];
    shot.seconds += task.seconds;
    shot.release = std::max(shot.release, task.release);
    shot.due = task.due;
    if (task.model == kNoModel) continue;
    shot.largest.model = task.model;
    shot.largest.host_bytes = std::max(shot.largest.host_bytes, task.host_bytes);
    shot.largest.tensor_bytes = std::max(shot.largest.tensor_bytes, task.tensor_bytes);
  }
  return shots;
}

// The class of each shot: in the order of their release, the largest first, where it would be done soonest if
// the class's hosts shared its work evenly (longest processing time first, Graham 1969). Where shots that are
// due go first, the others' work does not keep them out of a class.
std::vector<int> choose_classes(const Description& farm, const std::vector<OfflineTask>& tasks,
                                const std::vector<int>& classes, Order rule) {
  const std::vector<ShotWork> shots = work_of_shots(tasks);
  std::vector<std::size_t> order(shots.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::pair(shots[a].release, -shots[a].seconds) < std::pair(shots[b].release, -shots[b].seconds);
  });
  std::vector<double> busy_until(classes.size()), due_until(classes.size());
  std::vector<int> result(shots.size(), 0);
  for (const std::size_t shot : order) {
    std::vector<double> capacity(classes.size());
    for (std::size_t g = 0; g < farm.hosts.size(); ++g) {
      const HostGroup& group = farm.hosts[g];
      const OfflineTask& largest = shots[shot].largest;
      const bool fits = scheduler::policy::fit(group.offer(), needs_of(largest, group.numeric_class)) ==
                            scheduler::policy::Fit::kFits &&
                        has_model(group, largest.model);
      const double hours = group.always() ? 24 : (group.until_hour - group.from_hour + 24) % 24;
      if (fits)
        capacity[static_cast<std::size_t>(classes[g])] +=
            group.count * group.slots * group.speed * hours / 24;
    }
    const bool first = rule == Order::kEarliestDue && shots[shot].due < kNeverDue;
    const auto done = [&](std::size_t c, const std::vector<double>& until) {
      return std::max(until[c], shots[shot].release) + shots[shot].seconds / capacity[c];
    };
    double best = std::numeric_limits<double>::infinity();
    for (std::size_t c = 0; c < capacity.size(); ++c) {
      const double end = capacity[c] > 0 ? done(c, first ? due_until : busy_until) : best;
      if (end >= best) continue;
      best = end;
      result[shot] = static_cast<int>(c);
    }
    const auto chosen = static_cast<std::size_t>(result[shot]);
    if (first) due_until[chosen] = best;
    if (capacity[chosen] > 0) busy_until[chosen] = done(chosen, busy_until);
  }
  return result;
}

class ListSchedule {
 public:
  ListSchedule(const Description& farm, std::vector<OfflineTask> tasks, Order order)
      : farm_(farm),
        tasks_(std::move(tasks)),
        order_(order),
        classes_(classes_of(farm)),
        class_of_shot_(choose_classes(farm, tasks_, classes_, order)),
        places_(tasks_.size()) {
    for (std::size_t g = 0; g < farm.hosts.size(); ++g) {
      const HostGroup& group = farm.hosts[g];
      offers_.push_back(group.offer());
      class_names_.resize(std::max(class_names_.size(), static_cast<std::size_t>(classes_[g]) + 1));
      class_names_[static_cast<std::size_t>(classes_[g])] = group.numeric_class;
      for (int i = 0; i < group.count; ++i) {
        for (const SlotKind slot : kEverySlotKind)
          for (std::uint32_t n = 0; n < offers_[g].resources.slots[slot]; ++n)
            kinds_[kind_of(g, slot, kNoModel)].hosts.push_back(memory_.size());
        memory_.push_back(offers_[g].resources.host_bytes);
      }
      if (!group.always()) at(group.from_hour * kHour, What::kWake, 0);
    }
    for (std::uint32_t t = 0; t < tasks_.size(); ++t)
      if (tasks_[t].missing == 0) at(tasks_[t].release, What::kReady, t);
    for (const OfflineTask& task : tasks_)
      if (task.shot >= result_.shot_finish.size()) result_.shot_finish.resize(task.shot + 1u);
  }

  OfflineSchedule run() {
    while (!events_.empty() && done_ < tasks_.size()) {
      now_ = std::get<0>(events_.top());
      while (!events_.empty() && std::get<0>(events_.top()) <= now_) take_event();
      for (std::size_t i = 0; i < fastest_first_.size();) i = fill(fastest_first_[i]) ? 0 : i + 1;
    }
    result_.unplaced = tasks_.size() - done_;
    return result_;
  }

 private:
  enum class What { kEnd, kReady, kWake };
  struct Place {
    std::size_t host = 0, kind = 0;
    std::uint64_t host_bytes = 0;
  };

  void at(double when, What what, std::uint32_t task) { events_.emplace(when, what, task); }

  std::size_t kind_of(std::size_t group, SlotKind slot, int model) {
    const auto [found, is_new] = kind_index_.try_emplace({group, slot, model}, kinds_.size());
    if (is_new) {
      kinds_.push_back({group, slot, model, {}, false});
      const auto slower = std::find_if(fastest_first_.begin(), fastest_first_.end(), [&](std::size_t other) {
        return farm_.hosts[kinds_[other].group].speed < farm_.hosts[group].speed;
      });
      fastest_first_.insert(slower, found->second);
    }
    return found->second;
  }

  void take_event() {
    const auto [when, what, index] = events_.top();
    events_.pop();
    switch (what) {
      case What::kWake:
        if (when < kPatience) at(when + kDay, What::kWake, 0);
        for (Kind& kind : kinds_) kind.idle = false;
        return;
      case What::kReady:
        return push(index);
      case What::kEnd:
        return finish(index);
    }
  }

  void push(std::uint32_t index) {
    const OfflineTask& task = tasks_[index];
    const auto needs = needs_of(task, class_names_[static_cast<std::size_t>(class_of_shot_[task.shot])]);
    const auto [found, is_new] = bucket_index_.try_emplace({task.model, needs}, buckets_.size());
    if (is_new) buckets_.push_back({task.model, needs, {}});
    const double urgency = order_ == Order::kEarliestDue ? -task.due : 0;
    buckets_[found->second].tasks.push({urgency, task.path, index});
    for (Kind& kind : kinds_) kind.idle = kind.idle && !allowed(kind, buckets_[found->second]);
  }

  void finish(std::uint32_t index) {
    ++done_;
    const Place& place = places_[index];
    memory_[place.host] += place.host_bytes;
    kinds_[place.kind].hosts.push_back(place.host);
    for (Kind& kind : kinds_) kind.idle = kind.idle && kind.group != kinds_[place.kind].group;
    for (const std::uint32_t dependent : tasks_[index].dependents) {
      OfflineTask& task = tasks_[dependent];
      task.release = std::max(task.release, now_);
      if (--task.missing > 0) continue;
      if (task.release > now_)
        at(task.release, What::kReady, dependent);
      else
        push(dependent);
    }
  }

  // Whether a slot of this kind may ever run the bucket's tasks.
  bool allowed(const Kind& kind, const Bucket& bucket) const {
    using scheduler::policy::Fit;
    const WorkerOffer& offer = offers_[kind.group];
    return has_model(farm_.hosts[kind.group], bucket.model) &&
           scheduler::policy::fit(offer, bucket.needs) == Fit::kFits &&
           scheduler::policy::footprint(offer, bucket.needs).kind == kind.slot;
  }

  // When the group's hosts leave the farm; `now` when they are not on it.
  double open_until(const HostGroup& group) const {
    if (group.always()) return std::numeric_limits<double>::infinity();
    const int length = (group.until_hour - group.from_hour + 24) % 24;
    const double day = kDay * static_cast<double>(static_cast<std::int64_t>(now_ / kDay));
    for (const double from : {day - kDay + group.from_hour * kHour, day + group.from_hour * kHour}) {
      if (now_ >= from && now_ < from + length * kHour) return from + length * kHour;
    }
    return now_;
  }

  double load_seconds(int loaded, int wanted) const {
    if (wanted == kNoModel || wanted == loaded) return 0;
    return static_cast<double>(farm_.models[static_cast<std::size_t>(wanted)].load.count()) / 1000;
  }

  // Gives one free slot of this kind the best task that it can take.
  bool fill(std::size_t kind_id) {
    Kind& kind = kinds_[kind_id];
    if (kind.hosts.empty() || kind.idle) return false;
    std::vector<Choice> choices;
    for (std::size_t b = 0; b < buckets_.size(); ++b) {
      if (buckets_[b].tasks.empty() || !allowed(kind, buckets_[b])) continue;
      const double load = load_seconds(kind.model, buckets_[b].model);
      const Waiting& first = buckets_[b].tasks.top();
      choices.push_back({first.urgency, order_ == Order::kKeepTheModel && load == 0, first.path - load, b});
    }
    const HostGroup& group = farm_.hosts[kind.group];
    const double until = open_until(group);
    for (; !choices.empty(); choices.erase(std::max_element(choices.begin(), choices.end()))) {
      Bucket& bucket = buckets_[std::max_element(choices.begin(), choices.end())->bucket];
      const OfflineTask& task = tasks_[bucket.tasks.top().task];
      const double end =
          now_ + load_seconds(kind.model, task.model) + task.seconds * task.slowness / group.speed;
      const std::uint64_t host_bytes =
          scheduler::policy::footprint(offers_[kind.group], bucket.needs).host_bytes;
      const auto host = std::find_if(kind.hosts.begin(), kind.hosts.end(),
                                     [&](std::size_t h) { return memory_[h] >= host_bytes; });
      if (host == kind.hosts.end() || end > until) continue;
      const std::size_t chosen = *host;
      *host = kind.hosts.back();
      kind.hosts.pop_back();
      start(kind_id, chosen, bucket, end);
      return true;
    }
    kind.idle = true;
    return false;
  }

  void start(std::size_t kind_id, std::size_t host, Bucket& bucket, double end) {
    const std::uint32_t index = bucket.tasks.top().task;
    bucket.tasks.pop();
    const OfflineTask& task = tasks_[index];
    const auto [group, slot, loaded] =
        std::tuple(kinds_[kind_id].group, kinds_[kind_id].slot, kinds_[kind_id].model);
    const std::uint64_t host_bytes = scheduler::policy::footprint(offers_[group], bucket.needs).host_bytes;
    memory_[host] -= host_bytes;
    if (load_seconds(loaded, task.model) > 0) ++result_.loads;
    places_[index] = {host, kind_of(group, slot, task.model == kNoModel ? loaded : task.model), host_bytes};
    result_.finish = std::max(result_.finish, end);
    result_.shot_finish[task.shot] = std::max(result_.shot_finish[task.shot], end);
    at(end, What::kEnd, index);
  }

  const Description& farm_;
  std::vector<OfflineTask> tasks_;
  const Order order_;
  const std::vector<int> classes_;  // by group
  std::vector<std::string> class_names_;
  std::vector<WorkerOffer> offers_;  // by group
  const std::vector<int> class_of_shot_;
  std::vector<std::uint64_t> memory_;  // free, by host
  std::vector<Kind> kinds_;
  std::vector<std::size_t> fastest_first_;  // kinds
  std::map<std::tuple<std::size_t, SlotKind, int>, std::size_t> kind_index_;
  std::vector<Bucket> buckets_;
  std::map<std::pair<int, scheduler::policy::Requirements>, std::size_t> bucket_index_;
  std::vector<Place> places_;  // by task
  std::size_t done_ = 0;
  double now_ = 0;
  OfflineSchedule result_;
  using Entry = std::tuple<double, What, std::uint32_t>;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> events_;
};

void set_paths(std::vector<OfflineTask>& tasks) {
  for (std::size_t t = tasks.size(); t-- > 0;) {  // a task needs only earlier ones
    double longest = 0;
    for (const std::uint32_t dependent : tasks[t].dependents)
      longest = std::max(longest, tasks[dependent].path);
    tasks[t].path = longest + tasks[t].seconds;
  }
}

}  // namespace

std::vector<OfflineTask> offline_tasks(const FarmRun& run) {
  const scheduler::State& state = run.state();
  std::vector<std::optional<std::uint32_t>> place(state.tasks.size() + 1);  // in `tasks`, by task number
  std::vector<OfflineTask> tasks;
  for (const scheduler::Task& task : state.tasks) {
    if (task.state != scheduler::TaskState::kSucceeded) continue;
    const scheduler::Shot& shot = state.shots[task.shot];
    const auto index = static_cast<std::uint32_t>(tasks.size());
    place[task.plan.id.number()] = index;
    OfflineTask& entry = tasks.emplace_back();
    entry.seconds = run.work().seconds(shot, task.plan);
    entry.slowness = run.work().slowness(shot, task.plan, 1);
    if (computes_tensors(task.plan)) entry.model = run.work().model_of(shot);
    entry.shot = task.shot.number();
    entry.host_bytes = task.plan.host_bytes;
    entry.tensor_bytes = task.plan.tensor_bytes;
    entry.release = static_cast<double>(shot.created_wall_ms - kStartWallMs) / 1000;
    if (shot.spec.deadline_wall_ms > 0)
      entry.due = static_cast<double>(shot.spec.deadline_wall_ms - kStartWallMs) / 1000;
    const auto after = [&](TaskId need) {
      const auto maker = place[need.number()];
      if (!maker) return;
      tasks[*maker].dependents.push_back(index);
      ++entry.missing;
    };
    for (const scheduler::Dependency& need : task.plan.needs) after(need.task);
    if (run.trigger(task.plan.id) != kNoId) after(run.trigger(task.plan.id));
  }
  set_paths(tasks);
  return tasks;
}

namespace {

bool is_open(const HostGroup& group, int hour) {
  const int length = (group.until_hour - group.from_hour + 24) % 24;
  return group.always() || (hour - group.from_hour + 24) % 24 < length;
}

// When all slots that are on the farm have done so much together, from `start` on.
double work_done(const Description& farm, double start, double seconds) {
  for (double now = start; now < kPatience;) {
    const double hour = std::floor(now / kHour), next = (hour + 1) * kHour;
    double speed = 0;
    for (const HostGroup& group : farm.hosts)
      if (is_open(group, static_cast<int>(hour) % 24)) speed += group.count * group.all_slots() * group.speed;
    if (seconds <= speed * (next - now)) return speed > 0 ? now + seconds / speed : now;
    seconds -= speed * (next - now);
    now = next;
  }
  return kPatience;
}

}  // namespace

Bounds bounds_of(const Description& farm, const std::vector<OfflineTask>& tasks) {
  Bounds bounds;
  double fastest = 0;
  for (const HostGroup& group : farm.hosts) fastest = std::max(fastest, group.speed);
  std::map<double, double> released;  // work by its release
  for (const OfflineTask& task : tasks) released[task.release] += task.seconds;
  const double first = released.empty() ? 0 : released.begin()->first;
  for (const OfflineTask& task : tasks)
    bounds.by_critical_path = std::max(bounds.by_critical_path, task.release - first + task.path / fastest);
  double behind = 0;  // all that is released no earlier
  for (auto next = released.rbegin(); next != released.rend(); ++next) {
    behind += next->second;
    bounds.by_work = std::max(bounds.by_work, work_done(farm, next->first, behind) - first);
  }
  return bounds;
}

OfflineSchedule schedule_offline(const Description& farm, std::vector<OfflineTask> tasks, Order order) {
  return ListSchedule(farm, std::move(tasks), order).run();
}

}  // namespace rushes::simulation::farm
