#include "tests/simulation/scheduler_node.h"

#include <utility>

#include "config/mutation.h"
#include "scheduler/core/journal/record_codec.h"
#include "scheduler/core/journal/replay.h"
#include "scheduler/core/journal/snapshot.h"
#include "scheduler/core/state/apply.h"
#include "tests/simulation/worker_node.h"

namespace rushes::simulation {
namespace {

constexpr std::int64_t kTick = 250;     // as LoopOptions::tick
constexpr std::size_t kMaxTurn = 256;   // as scheduler/loop.cpp
constexpr std::int64_t kAgain = 2'000;  // a supervisor starts a process that failed again after

// By Event::index(), and by the index of a worker's message.
constexpr const char* kDecides[] = {"decides submit",
                                    "decides cancel",
                                    "decides pause",
                                    "decides resume",
                                    "decides approve",
                                    "decides upgrade",
                                    "decides retry",
                                    "decides keep",
                                    "decides revert",
                                    "decides restore",
                                    "decides remove",
                                    "decides skip",
                                    "decides drain",
                                    "decides undrain",
                                    "decides forget",
                                    "decides gc",
                                    "",
                                    "decides disconnected",
                                    "decides recovery",
                                    "decides tick"};
constexpr const char* kDecidesOnMessage[] = {"decides hello",  "decides heartbeat", "decides started",
                                             "decides result", "decides failed",    "decides stopped",
                                             "decides bye"};
static_assert(std::size(kDecides) == std::variant_size_v<scheduler::Event>);
static_assert(std::size(kDecidesOnMessage) == std::variant_size_v<protocol::WorkerMessage>);

int number_of(const std::string& worker) { return std::stoi(worker.substr(1)); }

std::optional<std::int64_t> sync_time(const World& world) {
  if (world.weather.rages(FaultKind::kFullDisk)) return std::nullopt;
  return world.weather.amount(FaultKind::kSlowDisk).value_or(2);
}

}  // namespace

SchedulerNode::SchedulerNode(World& world)
    : world_(world),
      dice_(world.seed, 4),
      clock_(1'000'000),
      disk_(
          world.timeline, [&world] { return sync_time(world); }, world.seed) {
  snapshot_every_ = static_cast<std::uint64_t>(dice_.between(200, 3000));
}

// ---- the process

void SchedulerNode::start() {
  world_.note("scheduler starts", -1, life_);
  auto state = disk_.read();
  if (!state) return world_.oracle.complain(1, "recovery: " + state.error().message);
  state_ = std::move(*state);
  world_.oracle.recovered(state_);
  release(scheduler::takes_that_left(state_));
  up_ = true;
  records_since_snapshot_ = 0;
  Turn turn;
  decide_one(scheduler::event::Recover{}, turn);
  finish(std::move(turn));
  if (!up_) return;
  world_.timeline.in(kTick, [this, life = life_] {
    if (life == life_) tick();
  });
  for (const auto* nodes : {&world_.workers, &world_.twins})
    for (WorkerNode* worker : *nodes) worker->hear_scheduler_up();
}

void SchedulerNode::kill(std::int64_t down_ms) {
  if (!up_) return;
  world_.note("scheduler dies", -1, life_);
  ++life_;
  ++kills_;
  up_ = turn_planned_ = false;
  doom_.reset();
  queue_.clear();
  waiting_.clear();
  routes_.clear();
  peers_.clear();
  in_flight_ = 0;
  world_.oracle.crashed(disk_.crash());
  if (dice_.chance(25)) clock_.restart(world_.now());  // the machine went down with it
  for (const auto* nodes : {&world_.workers, &world_.twins})
    for (WorkerNode* worker : *nodes) worker->hear_scheduler_down();
  world_.timeline.in(std::max<std::int64_t>(1, down_ms), [this] { start(); });
}

void SchedulerNode::kill_after(std::int64_t events, std::int64_t down_ms) {
  if (up_) doom_ = {events, down_ms};
}

void SchedulerNode::stall(std::int64_t ms) {
  const std::int64_t from = std::max(world_.now(), stalled_until_), until = std::max(from, world_.now() + ms);
  stalled_ms_ += until - from;
  stalled_until_ = until;
}

void SchedulerNode::tick() {
  if (world_.now() < stalled_until_) {
    // A process that was stopped runs on with what its sockets hold, the tick before or behind it.
    world_.timeline.at(stalled_until_ + dice_.between(0, 3), [this, life = life_] {
      if (life == life_) tick();
    });
    return;
  }
  enqueue(scheduler::event::Tick{});
  world_.timeline.in(kTick, [this, life = life_] {
    if (life == life_) tick();
  });
}

// ---- the loop

void SchedulerNode::enqueue(scheduler::Event event) {
  queue_.push_back(std::move(event));
  plan_turn();
}

void SchedulerNode::plan_turn() {
  if (std::exchange(turn_planned_, true)) return;
  world_.timeline.at(std::max(world_.now(), stalled_until_), [this, life = life_] {
    if (life == life_) take_turn();
  });
}

void SchedulerNode::take_turn() {
  turn_planned_ = false;
  if (world_.now() < stalled_until_) return plan_turn();
  Turn turn;
  for (std::size_t i = 0; i < kMaxTurn && !queue_.empty(); ++i) {
    if (doom_ && doom_->first-- <= 0) return kill(doom_->second);
    const scheduler::Event event = std::move(queue_.front());
    queue_.pop_front();
    decide_one(event, turn);
    if (!world_.oracle.violations().empty()) return;
  }
  finish(std::move(turn));
  if (!up_) return;
  snapshot_if_due();
  if (!queue_.empty()) plan_turn();
}

void SchedulerNode::decide_one(const scheduler::Event& event, Turn& turn) {
  const scheduler::Now now = clock();
  scheduler::Outcome decision = scheduler::decide(state_, world_.settings, event, now, dice_.roll());
  note(event, decision);
  for (const scheduler::Record& record : decision.records) {
    if (!scheduler::is_durable(record)) continue;
    if (const auto* left = std::get_if<scheduler::record::TakeLeft>(&record))
      turn.left.push_back({left->shot, left->take});
    turn.records.emplace_back(chars_of(scheduler::encode_record(record)));
  }
  for (scheduler::Command& command : decision.commands) turn.commands.push_back(std::move(command));
  world_.oracle.decided(state_, event, std::move(decision.records), now, awake_ms());
  turn.history = world_.oracle.history();
}

void SchedulerNode::note(const scheduler::Event& event, const scheduler::Outcome& decision) {
  if (decision.records.empty() && decision.commands.empty()) return;
  std::int64_t worker = -1;
  std::uint64_t task = 0;
  const char* what = kDecides[event.index()];
  std::visit(
      [&](const auto& e) {
        if constexpr (requires { e.worker; }) worker = number_of(e.worker);
      },
      event);
  if (const auto* from = std::get_if<scheduler::event::FromWorker>(&event)) {
    what = kDecidesOnMessage[from->message.index()];
    std::visit(
        [&](const auto& message) {
          if constexpr (requires { message.id; }) task = message.id.task.number();
        },
        from->message);
  }
  world_.note(what, worker, task);
  for (const scheduler::Command& command : decision.commands) {
    const auto* to = std::get_if<scheduler::command::ToWorker>(&command);
    if (to == nullptr) continue;
    if (const auto* assign = std::get_if<protocol::Assign>(&to->message))
      world_.note("assigns", number_of(to->worker), assign->id.task.number());
    if (const auto* revoke = std::get_if<protocol::Revoke>(&to->message))
      world_.note("revokes", number_of(to->worker), revoke->id.task.number());
  }
}

void SchedulerNode::finish(Turn turn) {
  if ((turn.records.empty() && in_flight_ == 0) || mutated(Mutation::kAckBeforeSync)) {
    leave(turn);
    if (turn.records.empty() && in_flight_ == 0) return;
    turn.commands.clear();
  }
  records_since_snapshot_ += turn.records.size();
  ++in_flight_;
  Disk::Append append;
  append.records = std::move(turn.records);
  append.done = [this, life = life_, turn = std::move(turn)](const Status& status) {
    if (life != life_) return;
    --in_flight_;
    if (!status) return kill(kAgain);  // a ledger that lost a write: the process has to end
    leave(turn);
  };
  disk_.append(std::move(append));
}

// As Loop::release_later().
void SchedulerNode::release(const std::vector<scheduler::TakeId>& takes) {
  if (takes.empty()) return;
  for (const Digest& digest : scheduler::unneeded_artifacts(state_, takes)) world_.vault.erase(digest);
}

void SchedulerNode::leave(const Turn& turn) {
  release(turn.left);
  if (turn.commands.empty()) return;
  world_.oracle.exposed(turn.history);
  for (const scheduler::Command& command : turn.commands) {
    if (const auto* reply = std::get_if<scheduler::command::Reply>(&command)) {
      const auto found = waiting_.find(reply->request);
      if (found == waiting_.end()) continue;
      const auto on_reply = std::move(found->second);
      waiting_.erase(found);
      on_reply(reply->result);
    } else {
      deliver(std::get<scheduler::command::ToWorker>(command));
    }
  }
}

void SchedulerNode::snapshot_if_due() {
  if (records_since_snapshot_ < snapshot_every_) return;
  records_since_snapshot_ = 0;
  disk_.append({{}, scheduler::changed_rows(state_), {}});
  scheduler::apply(state_, scheduler::record::Snapshotted{});
}

bool SchedulerNode::request(scheduler::Event event, std::function<void(const Answer&)> on_reply) {
  if (!up_) return false;
  const scheduler::RequestId request = next_request_++;
  std::visit(
      [request](auto& e) {
        if constexpr (requires { e.request; }) e.request = request;
      },
      event);
  waiting_[request] = std::move(on_reply);
  enqueue(std::move(event));
  return true;
}

// ---- the control socket

void SchedulerNode::receive(int worker, std::uint64_t connection, protocol::WorkerMessage message) {
  if (!up_) return;
  if (world_.now() < stalled_until_) {  // it waits in the socket
    world_.timeline.at(stalled_until_ + dice_.between(0, 3),
                       [this, life = life_, worker, connection, held = std::move(message)] {
                         if (life == life_) receive(worker, connection, held);
                       });
    return;
  }
  const auto known = peers_.find({worker, connection});
  if (const auto* hello = std::get_if<protocol::Hello>(&message)) {
    const protocol::Peer peer{hello->name, hello->process.id};
    if (known != peers_.end()) forget(known->second);
    forget(peer);
    routes_[peer] = {worker, connection};
    peers_[{worker, connection}] = peer;
    return handle(peer, std::move(message));
  }
  if (known == peers_.end()) return send(worker, connection, protocol::Greet{});
  const protocol::Peer from = known->second;
  if (std::holds_alternative<protocol::Bye>(message)) forget(from);
  handle(from, std::move(message));
}

void SchedulerNode::forget(const protocol::Peer& peer) {
  const auto found = routes_.find(peer);
  if (found == routes_.end()) return;
  peers_.erase(found->second);
  routes_.erase(found);
}

void SchedulerNode::forget_others(const protocol::Peer& peer) {
  std::vector<protocol::Peer> others;
  for (const auto& [other, line] : routes_)
    if (other.worker == peer.worker && other != peer) others.push_back(other);
  for (const protocol::Peer& other : others) forget(other);
}

// As Loop::post: a result is worth what the vault holds of it.
void SchedulerNode::handle(const protocol::Peer& from, protocol::WorkerMessage message) {
  if (const auto* completed = std::get_if<protocol::Completed>(&message)) {
    const auto& outputs = completed->result.outputs;
    const auto missing = std::find_if(outputs.begin(), outputs.end(), [this](const Output& output) {
      return !world_.vault.contains(output.digest);
    });
    if (missing != outputs.end())
      message = protocol::Failed{completed->id, FailKind::kArtifact,
                                 std::string("output ") + to_string(missing->role) + " is not in the vault",
                                 "", ""};
  }
  enqueue(scheduler::event::FromWorker{from.worker, std::move(message), from.process});
}

void SchedulerNode::deliver(const scheduler::command::ToWorker& command) {
  const protocol::Peer peer{command.worker, command.process};
  const auto route = routes_.find(peer);
  if (route == routes_.end()) return;
  if (const auto* assign = std::get_if<protocol::Assign>(&command.message)) check_inputs(*assign);
  send(route->second.first, route->second.second, command.message);
  if (std::holds_alternative<protocol::Welcome>(command.message)) forget_others(peer);
  if (std::holds_alternative<protocol::Refused>(command.message) ||
      std::holds_alternative<protocol::NameTaken>(command.message))
    forget(peer);
}

// Invariant 10: nobody is sent for what left.
void SchedulerNode::check_inputs(const protocol::Assign& assign) {
  const auto* spec = std::get_if<TaskSpec>(&assign.task);
  if (spec == nullptr) return;
  for (const Input& input : spec->inputs)
    world_.oracle.require(world_.vault.contains(input.digest), 10,
                          "task " + std::to_string(assign.id.task.number()) +
                              " is given out and an input of it is not in the vault");
}

void SchedulerNode::send(int worker, std::uint64_t connection, const protocol::SchedulerMessage& message) {
  WorkerNode* node = &world_.worker(worker);
  world_.network.send(Way::kDown, worker,
                      [node, connection, message] { node->receive(connection, message); });
}

std::string SchedulerNode::settle_and_compare() {
  if (disk_.synced() != world_.oracle.history()) return "the journal is not written";
  const auto again = disk_.read();
  if (!again) return "recovery: " + again.error().message;
  return scheduler::state_hash(*again) == scheduler::state_hash(state_) ? ""
                                                                        : "a recovery gives another state";
}

}  // namespace rushes::simulation
