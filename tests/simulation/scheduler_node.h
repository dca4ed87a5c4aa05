// The scheduler process of a simulated farm: the production core between a simulated journal and network.
//
// It does what scheduler/loop.cpp and scheduler/protocol/control_server.cpp do, without their threads: events
// are decided in turns, what a turn owes leaves after its sync, a worker is known by the connection of its
// last Hello. It can be killed between any two events and starts again from the bytes on the disk.
//
// Thread contract: one thread.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "scheduler/core/core.h"
#include "scheduler/core/state/retention.h"
#include "scheduler/protocol/endpoint.h"
#include "tests/simulation/disk.h"
#include "tests/simulation/world.h"

namespace rushes::simulation {

class SchedulerNode {
 public:
  explicit SchedulerNode(World& world);

  void start();
  void kill(std::int64_t down_ms);                             // and starts again after
  void kill_after(std::int64_t events, std::int64_t down_ms);  // of the next turns
  void stall(std::int64_t ms);
  void jump(std::int64_t seconds) { clock_.jump(seconds * 1000); }

  bool up() const { return up_; }
  std::uint64_t life() const { return life_; }
  const scheduler::State& state() const { return state_; }
  const Disk& disk() const { return disk_; }
  std::uint64_t kills() const { return kills_; }

  // A worker's message on one of its connections arrives.
  void receive(int worker, std::uint64_t connection, protocol::WorkerMessage message);

  // A person's request; the reply comes once or, when the process dies, never. False: the scheduler is down.
  using Answer = decltype(scheduler::command::Reply::result);
  bool request(scheduler::Event event, std::function<void(const Answer&)> on_reply);

  // Ends the run: all is written, and a recovery would give the same state. Returns what differs.
  std::string settle_and_compare();

 private:
  struct Turn {
    std::vector<std::string> records;
    std::vector<scheduler::Command> commands;
    std::vector<scheduler::TakeId> left;  // takes whose artifacts are given up
    std::uint64_t history = 0;            // records of all times at its end
  };

  std::int64_t awake_ms() const {  // stops left out
    return world_.now() - stalled_ms_ + std::max<std::int64_t>(0, stalled_until_ - world_.now());
  }
  scheduler::Now clock() const { return {clock_.boot_ms(world_.now()), clock_.wall_ms(world_.now())}; }
  void handle(const protocol::Peer& from, protocol::WorkerMessage message);
  void forget(const protocol::Peer& peer);
  void forget_others(const protocol::Peer& peer);
  void enqueue(scheduler::Event event);
  void plan_turn();
  void take_turn();
  void tick();
  void decide_one(const scheduler::Event& event, Turn& turn);
  void note(const scheduler::Event& event, const scheduler::Outcome& decision);
  void finish(Turn turn);
  void leave(const Turn& turn);
  void release(const std::vector<scheduler::TakeId>& takes);
  void check_inputs(const protocol::Assign& assign);
  void deliver(const scheduler::command::ToWorker& command);
  void send(int worker, std::uint64_t connection, const protocol::SchedulerMessage& message);
  void snapshot_if_due();

  World& world_;
  Dice dice_;
  Clock clock_;
  Disk disk_;
  scheduler::State state_;
  bool up_ = false, turn_planned_ = false;
  std::uint64_t life_ = 0, kills_ = 0;
  std::int64_t stalled_until_ = 0, stalled_ms_ = 0;            // the last stop's end; of all together
  std::optional<std::pair<std::int64_t, std::int64_t>> doom_;  // events left to live, time down
  std::deque<scheduler::Event> queue_;
  std::uint64_t in_flight_ = 0, records_since_snapshot_ = 0, snapshot_every_;
  using Line = std::pair<int, std::uint64_t>;  // a worker's number, and its connection
  std::map<protocol::Peer, Line> routes_;      // as ControlServer
  std::map<Line, protocol::Peer> peers_;
  std::map<scheduler::RequestId, std::function<void(const Answer&)>> waiting_;
  scheduler::RequestId next_request_ = 1;
};

}  // namespace rushes::simulation
