#include "tests/simulation/simulation.h"

#include <algorithm>
#include <memory>

#include "scheduler/core/report/explain.h"
#include "tests/simulation/people.h"
#include "tests/simulation/scheduler_node.h"
#include "tests/simulation/worker_node.h"
#include "tests/simulation/world.h"

namespace rushes::simulation {
namespace {

using scheduler::ShotState;
using scheduler::TaskState;

constexpr int kMaxRounds = 40;  // of people looking after what needs them

int workers_of(std::uint64_t seed) { return static_cast<int>(Dice(seed, 7).between(4, 8)); }
std::int64_t span_of(std::uint32_t tasks) { return 20'000 + 200 * static_cast<std::int64_t>(tasks); }

class Run {
 public:
  explicit Run(const Plan& plan)
      : plan_(plan), world_(plan.seed, plan.trace_lines), scheduler_(world_), people_(world_, plan.tasks) {
    world_.scheduler = &scheduler_;
    for (int i = 0; i < workers_of(plan.seed); ++i) {
      workers_.push_back(std::make_unique<WorkerNode>(world_, i));
      world_.workers.push_back(workers_.back().get());
      twins_.push_back(std::make_unique<WorkerNode>(world_, kTwin + i));
      world_.twins.push_back(twins_.back().get());
    }
  }

  Report run() {
    scheduler_.start();
    for (auto& worker : workers_) worker->start();
    world_.timeline.in(500, [this] { people_.begin(); });
    for (const Fault& fault : plan_.faults)
      world_.timeline.at(fault.at_ms, [this, &fault] { strike(fault); });
    run_until(span_of(plan_.tasks));
    settle();
    if (ok()) {
      run_until(world_.now() + 1'000);
      const std::string difference = scheduler_.settle_and_compare();
      if (!difference.empty()) world_.oracle.complain(1, difference);
      world_.oracle.recount(scheduler_.state());
    }
    return report();
  }

 private:
  bool ok() const { return world_.oracle.violations().empty(); }
  void run_until(std::int64_t when) {
    bool reached = false;
    world_.timeline.at(when, [&reached] { reached = true; });
    while (ok() && !reached && world_.timeline.step()) continue;
  }

  void strike(const Fault& fault);
  void strike(const Fault& fault, int number);
  void settle();
  bool quiet() const;
  void check_waiting();
  Report report() const;

  const Plan& plan_;
  World world_;
  SchedulerNode scheduler_;
  std::vector<std::unique_ptr<WorkerNode>> workers_, twins_;
  People people_;
};

void Run::strike(const Fault& fault) {
  world_.note("fault", fault.worker, static_cast<std::uint64_t>(fault.kind));
  switch (fault.kind) {
    case FaultKind::kKill:
      return scheduler_.kill_after(fault.amount, fault.for_ms);
    case FaultKind::kStall:
      return scheduler_.stall(fault.for_ms);
    case FaultKind::kJump:
      return scheduler_.jump(fault.amount);
    case FaultKind::kWish:
      return people_.wish(fault.amount);
    case FaultKind::kCrash:
    case FaultKind::kFreeze:
    case FaultKind::kDrift:
    case FaultKind::kEngineDeath:
    case FaultKind::kEngineHang:
    case FaultKind::kLeave:
    case FaultKind::kTwin:
      for (int i = 0; i < static_cast<int>(workers_.size()); ++i)
        if (fault.worker == kEverybody || fault.worker == i) strike(fault, i);
      return;
    default:
      world_.weather.begin(fault);
      world_.timeline.in(fault.for_ms, [this, &fault] { world_.weather.end(fault); });
  }
}

void Run::strike(const Fault& fault, int number) {
  WorkerNode& worker = world_.worker(number);
  if (fault.kind == FaultKind::kCrash) return worker.crash(fault.for_ms);
  if (fault.kind == FaultKind::kFreeze) return worker.freeze(fault.for_ms);
  if (fault.kind == FaultKind::kEngineDeath) return worker.kill_engine();
  if (fault.kind == FaultKind::kEngineHang) return worker.hang_engine();
  if (fault.kind == FaultKind::kLeave) return worker.leave(fault.for_ms, fault.amount != 0);
  if (fault.kind == FaultKind::kTwin) {
    if (!worker.says_who_it_is()) return;  // an older build is not told from its twin
    WorkerNode& twin = world_.worker(kTwin + number);
    twin.start();
    return world_.timeline.in(fault.for_ms, [&twin] { twin.retire(); });
  }
  worker.drift(fault.amount);
  world_.timeline.in(fault.for_ms, [&worker] { worker.drift(0); });
}

// Nothing runs and nothing could: what is left waits for a person.
bool Run::quiet() const {
  if (!scheduler_.up() || people_.waiting()) return false;
  for (const ShadowTask& task : world_.oracle.shadow().tasks()) {
    if (scheduler::is_held(task.state)) return false;
    if (task.state == TaskState::kReady && !world_.oracle.shadow().shots()[task.shot].pause_requested)
      return false;
  }
  return true;
}

// Until the next result is accepted: a lease, a hung engine, a quarantine and every back-off fit in it.
constexpr std::int64_t kPatienceMs = 300'000;

// Faults are over. Everything that can run has to run; people look after the rest until every shot is over.
void Run::settle() {
  people_.undrain_everybody();
  for (int round = 0; ok() && round < kMaxRounds; ++round) {
    std::uint64_t accepted = world_.oracle.accepted();
    std::int64_t latest = world_.now() + kPatienceMs;
    while (ok() && !quiet() && world_.now() < latest) {
      run_until(world_.now() + 1'000);
      if (accepted == world_.oracle.accepted()) continue;
      accepted = world_.oracle.accepted();
      latest = world_.now() + kPatienceMs;
    }
    if (!ok()) return;
    check_waiting();
    if (!ok() || people_.tend() == 0) return;
  }
  if (ok()) world_.oracle.complain(7, "people look after the same shots again and again");
}

// Invariant 7: what is not over waits for a person, and says so.
void Run::check_waiting() {
  const scheduler::State& state = scheduler_.state();
  const scheduler::Now now{0, 0};
  if (!scheduler_.up()) return world_.oracle.complain(7, "the scheduler does not come up");
  if (people_.waiting()) return world_.oracle.complain(7, "a person gets no answer");
  for (const scheduler::Task& task : state.tasks) {
    const bool paused = state.shots[task.shot].pause_requested;
    if (scheduler::is_held(task.state) || (task.state == TaskState::kReady && !paused))
      return world_.oracle.complain(7, "task " + std::to_string(task.plan.id.number()) + " is still " +
                                           scheduler::to_string(task.state) + ": " +
                                           explain(state, task, now).text);
  }
  for (const scheduler::Shot& shot : state.shots) {
    const bool waits = shot.state == ShotState::kAttention || shot.state == ShotState::kReview || shot.paused;
    const bool over = shot.state == ShotState::kDelivered || shot.state == ShotState::kCancelled;
    if (!waits && !over)
      return world_.oracle.complain(7, "shot " + shot.key + " is " + scheduler::to_string(shot.state) +
                                           " and no person is asked: " + explain(state, shot, now).text);
  }
}

Report Run::report() const {
  Report report;
  report.seed = plan_.seed;
  report.trace = world_.trace.hash();
  report.violations = world_.oracle.violations();
  report.tail.assign(world_.trace.lines().begin(), world_.trace.lines().end());
  report.events = world_.timeline.steps();
  report.tasks = world_.oracle.shadow().tasks().size();
  report.accepted = world_.oracle.accepted();
  report.expired = world_.oracle.expired();
  report.kills = scheduler_.kills();
  report.lost_messages = world_.network.lost();
  report.stale_results = scheduler_.state().counters.stale_results;
  for (const auto& worker : workers_) report.crashes += worker->crashes();
  report.simulated_ms = world_.now();
  return report;
}

}  // namespace

Plan plan_of(std::uint64_t seed, std::uint32_t tasks, const FaultChoice& choice) {
  Plan plan;
  plan.seed = seed;
  plan.tasks = tasks;
  plan.faults = choice.exact;
  if (choice.planned) {
    const auto more = plan_faults(seed, workers_of(seed), span_of(tasks), choice.kinds);
    plan.faults.insert(plan.faults.end(), more.begin(), more.end());
  }
  return plan;
}

Report simulate(const Plan& plan) { return Run(plan).run(); }

}  // namespace rushes::simulation
