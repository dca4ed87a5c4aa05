// Whether the invariants of the core hold, asked after every event of a simulated farm.
//
// The oracle sees what the simulator sees and no process could: every decision, what left the process, what
// survived a crash, which engines run. The first violation ends a run.
//
// Thread contract: one thread.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "scheduler/core/core.h"
#include "scheduler/protocol/messages.h"
#include "tests/simulation/shadow.h"
#include "tests/simulation/timeline.h"

namespace rushes::simulation {

struct Violation {
  int invariant = 0;  // by its number in core/state/invariants.h; 0: bad input or a broken replay
  std::int64_t at_ms = 0;
  std::string what;
};

class Oracle {
 public:
  Oracle(const Timeline& timeline, const scheduler::Settings& settings, std::uint64_t seed)
      : timeline_(timeline), settings_(settings), seed_(seed) {}

  const std::vector<Violation>& violations() const { return violations_; }
  void complain(int invariant, std::string what);
  void require(bool holds, int invariant, const std::string& what) {
    if (!holds) complain(invariant, what);
  }

  // ---- the scheduler
  // Behind every decide(). Takes the records; the state is the one behind the decision. `awake_ms`: for how
  // long the process has run, stops left out.
  void decided(const scheduler::State& state, const scheduler::Event& event,
               std::vector<scheduler::Record> records, scheduler::Now now, std::int64_t awake_ms);
  std::uint64_t history() const { return history_.size(); }  // durable records of all times
  // Something that follows from the first n records left the process.
  void exposed(std::uint64_t n) { exposed_ = std::max(exposed_, n); }
  void acknowledged_submit(const std::vector<std::string>& shots);
  void crashed(std::uint64_t survivors);  // only the first n records are left
  void recovered(const scheduler::State& state);
  void recount(const scheduler::State& state);  // everything at once

  // ---- the workers
  void engine_started(int worker, const AttemptId& id, bool inputs_there);
  void engine_ended(const AttemptId& id) { engines_.erase(id.lease); }

  const Shadow& shadow() const { return shadow_; }
  std::uint64_t accepted() const { return accepted_; }
  std::uint64_t expired() const { return expired_; }

 private:
  void check_record(const scheduler::Record& record, std::int64_t awake_ms);
  void check_touched(const scheduler::State& state);
  void check_closed(const scheduler::Event& event);
  void check_floors(const scheduler::State& state, scheduler::Now now);
  void check_limits();
  void check_clock(const scheduler::State& state, scheduler::Now now);
  void check_idle(const scheduler::State& state, scheduler::Now now);
  TaskId could_take(const scheduler::State& state, scheduler::WorkerId worker, SlotKind kind,
                    const std::string& show, scheduler::Now now) const;  // kNoId: none
  void check_resources(int worker);

  const Timeline& timeline_;
  const scheduler::Settings& settings_;
  const std::uint64_t seed_;
  std::vector<Violation> violations_;
  Shadow shadow_;
  Shadow::Touched touched_;
  std::vector<scheduler::Record> history_;
  std::uint64_t exposed_ = 0, accepted_ = 0, expired_ = 0, decisions_ = 0;
  std::set<std::string> acknowledged_;  // shots
  struct Engine {
    int worker = 0;
    TaskId task;
  };
  std::unordered_map<std::uint64_t, Engine> engines_;  // running now, by lease
  std::unordered_map<TaskId, std::int64_t> renewed_;   // awake_ms when its lease was last renewed
  std::int64_t all_renewed_ = 0;                       // and when all were
};

}  // namespace rushes::simulation
