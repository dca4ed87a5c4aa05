// A worker machine of a simulated farm: the production agent between a simulated network and engines.
//
// It does what worker/agent/runner.cpp does: carries out the agent's actions, keeps the outbox on disk,
// starts engines again, reports transfers. Agent and engines die together; the outbox stays.
//
// Thread contract: one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/simulation/world.h"
#include "worker/agent/agent.h"

namespace rushes::simulation {

class WorkerNode {
 public:
  WorkerNode(World& world, int number);

  void start();   // as a supervisor does: again whenever it has ended
  void retire();  // SIGKILL, and not started again
  void crash(std::int64_t down_ms);
  void leave(std::int64_t down_ms, bool at_once);  // SIGTERM, or two; started again after it has ended
  void freeze(std::int64_t ms);                    // the agent alone
  void drift(std::int64_t per_mille) { clock_.drift(world_.now(), per_mille); }
  void kill_engine();
  void hang_engine();

  void hear_scheduler_up();
  void hear_scheduler_down();
  void receive(std::uint64_t connection, const protocol::SchedulerMessage& message);

  bool says_who_it_is() const { return !is_old_; }
  const SlotCounts& slots() const { return options_.offer.resources.slots; }
  std::uint64_t crashes() const { return crashes_; }
  std::size_t outbox() const { return outbox_.size(); }

 private:
  struct Engine {
    std::uint64_t life = 0;  // of its process
    std::uint64_t run = 0;   // numbers the attempts it was given
    std::optional<AttemptId> running;
    bool hung = false;
    Stage stage = Stage::kEncode;
  };

  worker::Time clock() const { return worker::Time(clock_.boot_ms(world_.now())); }
  // Runs `what` if this process still lives, not before the agent is awake.
  void later(std::int64_t ms, std::function<void()> what);
  void awake(std::uint64_t life, const std::function<void()>& what);
  void die();
  void connect();
  void tick();
  void act();
  void settle(const AttemptId& id) { settled_.insert(id.task.number() << 16 | id.attempt); }

  void carry_out(worker::action::Send& action);
  void carry_out(worker::action::Fetch& action);
  void carry_out(worker::action::Run& action);
  void carry_out(worker::action::Stop& action);
  void carry_out(worker::action::Keep& action);
  void carry_out(worker::action::Upload& action);
  void carry_out(worker::action::Forget& action);
  void carry_out(worker::action::Release&) {}
  void carry_out(worker::action::Log&) {}
  void carry_out(worker::action::Exit& action);

  void start_engine(std::uint32_t slot);
  void end_engine(std::uint32_t slot, const std::string& cause);  // its process is gone
  void progress(std::uint32_t slot, std::uint64_t run, int part);
  void finish(std::uint32_t slot, std::uint64_t run);
  // The engine's attempt is over; then the agent is told by `what`.
  void free_engine(std::uint32_t slot);
  void in_run(std::int64_t ms, std::uint32_t slot, std::function<void()> what);
  std::optional<std::uint32_t> busy_slot();

  World& world_;
  const int number_;
  Dice dice_;
  Clock clock_;
  worker::AgentOptions options_;
  bool wanted_ = false;  // it is started again when it has ended
  bool is_old_ = false;  // it says Hello as a build before slots of several kinds
  std::optional<worker::Agent> agent_;
  std::vector<Engine> engines_;
  std::map<AttemptId, protocol::Completed> outbox_;  // on its disk
  std::set<std::uint64_t> settled_;  // results that the scheduler has answered, or that cannot be stored
  std::uint64_t life_ = 0, connection_ = 0, next_connection_ = 1, crashes_ = 0;
  std::int64_t frozen_until_ = 0, down_ms_ = 1'000;
};

}  // namespace rushes::simulation
