// A described farm in simulated time: the production core and hosts that only take time.
//
// Hosts never lose messages here and the core's leases never run out (the fault simulator is for that, see
// simulation.h): a host that vanishes is taken off the farm one lease later. What a host does follows
// worker/agent: it fetches inputs as soon as it is assigned a task, a free slot takes the first task whose
// inputs are there, and a slot keeps the model of its last task loaded.
//
// Thread contract: one thread.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "scheduler/core/core.h"
#include "tests/simulation/farm/description.h"
#include "tests/simulation/farm/host.h"
#include "tests/simulation/farm/meter.h"
#include "tests/simulation/farm/work.h"
#include "tests/simulation/timeline.h"

namespace rushes::simulation::farm {

inline constexpr std::int64_t kStartWallMs = 1'700'000'000'000;  // the wall clock when a run begins

inline constexpr std::int64_t kMessageMs = 5;  // group commit and wire, one way

// One submitted batch.
struct Submission {
  std::size_t batch = 0;  // index of Description::batches
  std::int64_t at_ms = 0;
  std::vector<scheduler::ShotId> shots;
};

class FarmRun {
 public:
  explicit FarmRun(const Description& farm);
  // Until every shot is over, or nothing of what is open can go on.
  Status run();

  const Description& description() const { return farm_; }
  const Work& work() const { return work_; }
  const scheduler::State& state() const { return state_; }
  const Meter& meter() const { return meter_; }
  const std::vector<Host>& hosts() const { return hosts_; }
  const std::vector<Submission>& submissions() const { return submissions_; }
  // The task whose result made the scheduler plan this one; kNoId: a person did.
  TaskId trigger(TaskId task) const { return triggers_[task.number() - 1]; }
  std::int64_t last_finish_ms() const { return last_finish_; }
  std::uint64_t events() const { return events_; }
  std::uint64_t assigned() const { return assigned_; }
  // Why the first shot that is not over waits; empty: all are.
  std::string unfinished() const;
  double core_seconds() const { return core_seconds_; }  // CPU time inside decide()

 private:
  // run.cpp: the scheduler
  void step(const scheduler::Event& event, TaskId cause = {});
  void say(const Host& host, protocol::WorkerMessage message) {
    step(scheduler::event::FromWorker{host.name, std::move(message)});
  }
  void note(const scheduler::Record& record, TaskId cause);
  void approve(scheduler::ShotId shot, TaskId cause);
  void obey(scheduler::Command& command);
  std::vector<bool> where_it_fits(const scheduler::Show& show) const;
  void tick();
  void submit(std::size_t batch, int occurrence);
  bool finished() const;

  // hosts.cpp: the hosts
  void plan_hosts();
  void join(std::size_t host);
  void vanish(std::size_t host);
  void leave(std::size_t host, const char* cause);
  void drop_attempts(Host& host, const char* cause);
  void next_shift(std::size_t host);
  void assign(std::size_t host, const AttemptId& ref);
  void revoke(std::size_t host, const AttemptId& ref, const std::string& cause);
  void stopped(std::size_t host, std::uint64_t lease, const std::string& cause);
  void fetched(std::size_t host, std::uint64_t lease);
  void fill_slots(std::size_t host);
  void begin(std::size_t host, std::uint64_t lease);
  void end(std::size_t host, std::uint64_t lease, bool failed);
  void complete(std::size_t host, std::uint64_t lease);
  void free_slot(Host& host, const Attempt& attempt);
  // Unless the host has gone by then.
  template <typename Action>
  void in(std::int64_t ms, std::size_t host, Action action) {
    timeline_.in(ms, [this, host, life = hosts_[host].life, action = std::move(action)] {
      if (hosts_[host].life == life) action();
    });
  }

  const scheduler::Shot& shot_of(TaskId task) const { return state_.shots[state_.task(task).shot]; }
  const HostGroup& group_of(const Host& host) const { return farm_.hosts[host.group]; }
  std::size_t show_of(TaskId task) const;  // index into Description::shows
  void drop_model(Slot& slot);             // its engine is gone

  const Description& farm_;
  const Work work_;
  scheduler::Settings settings_;
  scheduler::State state_;
  Timeline timeline_;
  Meter meter_;
  Dice core_dice_, host_dice_;
  std::vector<Host> hosts_;
  std::vector<Submission> submissions_;
  std::vector<TaskId> triggers_;
  std::vector<bool> over_;  // by shot: delivered, cancelled, or waiting for a person
  std::vector<std::size_t> show_of_id_;
  std::size_t open_ = 0, to_submit_ = 0;
  std::int64_t last_finish_ = 0, last_moved_ = 0;
  std::uint64_t events_ = 0, assigned_ = 0;
  double core_seconds_ = 0;
  Status status_;
};

}  // namespace rushes::simulation::farm
