#include "tests/simulation/worker_node.h"

#include <algorithm>
#include <utility>

#include "tests/simulation/scheduler_node.h"

namespace rushes::simulation {
namespace {

namespace action = worker::action;

// By SchedulerMessage::index().
constexpr const char* kHears[] = {
    "hears welcome",        "hears refused",    "hears ack",    "hears assign", "hears accepted",
    "hears refused result", "hears failed ack", "hears revoke", "hears greet",  "hears taken"};
static_assert(std::size(kHears) == std::variant_size_v<protocol::SchedulerMessage>);

// Half of the farms have GPUs. The first worker has room for everything there is, and where it has GPUs the second one
// for shots that began without; on others the largest tasks fit alone or not at all.
Resources resources_of(std::uint64_t seed, int number, Dice& dice) {
  const bool roomy = number == 0 || number == 1;
  const auto slots = [&](int least) { return static_cast<std::uint32_t>(dice.between(least, 3)); };
  const auto bytes = [&](int least, int most) {
    return static_cast<std::uint64_t>(dice.between(least, most));
  };
  Resources resources{{{slots(1), 0}}, roomy ? 4ull << 30 : bytes(3, 12) << 28, 0};
  if (!Dice(seed, 9).chance(50) || number == 1 || (number > 1 && dice.chance(40))) return resources;
  resources.slots = {{slots(0), slots(1)}};
  resources.device_bytes = resources.slots[SlotKind::kGpu] * (number == 0 ? 4ull << 30 : bytes(1, 8) << 27);
  return resources;
}

constexpr std::int64_t kGrace = 20'000;  // cancel, then SIGTERM, then SIGKILL: the longest an engine lives on

}  // namespace

WorkerNode::WorkerNode(World& world, int number)
    : world_(world),
      number_(number),
      dice_(world.seed, 100 + static_cast<std::uint64_t>(number)),
      clock_(dice_.between(10'000, 10'000'000)) {
  options_.name = worker_name(number);
  options_.stop_grace = worker::Time(dice_.between(0, 8'000));
  options_.process.lock = "lock" + std::to_string(number);
  options_.process.host = "host" + std::to_string(number);
  options_.offer.build = "build-1";
  options_.offer.prefetch = static_cast<std::uint32_t>(dice_.between(0, 2));
  options_.offer.resources = resources_of(world.seed, number, dice_);
  const SlotCounts& slots = options_.offer.resources.slots;
  is_old_ = number > 1 && number < kTwin && slots.values[0] * slots.values[1] == 0 && dice_.chance(20);
  options_.offer.models = {{"tabletop", studio_model_digest()}};
}

// ---- the process

void WorkerNode::start() {
  wanted_ = true;
  if (agent_) return;
  world_.note("worker starts", number_, outbox_.size());
  options_.process.id = "host" + std::to_string(number_) + "-" + std::to_string(life_);
  std::vector<protocol::Completed> left;
  for (const auto& [id, result] : outbox_) left.push_back(result);
  agent_.emplace(options_, std::move(left), clock());
  engines_.assign(total(slots()), {});
  for (std::uint32_t slot = 0; slot < engines_.size(); ++slot) start_engine(slot);
  if (world_.scheduler->up()) later(dice_.between(5, 200), [this] { connect(); });
  later(dice_.between(1, 500), [this] { tick(); });
}

void WorkerNode::die() {
  ++life_;
  connection_ = 0;
  for (std::uint32_t slot = 0; slot < engines_.size(); ++slot) free_engine(slot);
  engines_.clear();
  agent_.reset();
  world_.timeline.in(std::max<std::int64_t>(1, down_ms_), [this] {
    if (wanted_) start();
  });
}

void WorkerNode::retire() {
  wanted_ = false;
  crash(1);
}

void WorkerNode::crash(std::int64_t down_ms) {
  if (!agent_) return;
  world_.note("worker dies", number_);
  ++crashes_;
  down_ms_ = down_ms;
  die();
}

void WorkerNode::leave(std::int64_t down_ms, bool at_once) {
  if (!agent_) return;
  down_ms_ = down_ms;
  awake(life_, [this] {
    agent_->on_leave(clock());
    act();
  });
  if (!at_once) return;
  later(dice_.between(1, 3'000), [this] {
    agent_->on_shutdown(clock());
    act();
  });
}

void WorkerNode::freeze(std::int64_t ms) { frozen_until_ = std::max(frozen_until_, world_.now() + ms); }

void WorkerNode::later(std::int64_t ms, std::function<void()> what) {
  world_.timeline.in(ms, [this, life = life_, what = std::move(what)] { awake(life, what); });
}

void WorkerNode::awake(std::uint64_t life, const std::function<void()>& what) {
  if (life != life_ || !agent_) return;
  if (world_.now() >= frozen_until_) return what();
  world_.timeline.at(frozen_until_, [this, life, what] { awake(life, what); });
}

void WorkerNode::tick() {
  agent_->on_tick(clock());
  const std::int64_t next = agent_->next_tick().count();
  act();
  if (agent_) later(next, [this] { tick(); });
}

// ---- the connection

void WorkerNode::connect() {
  if (!world_.scheduler->up() || connection_ != 0) return;
  connection_ = next_connection_++;
  agent_->on_connected(clock());
  act();
}

void WorkerNode::hear_scheduler_up() {
  if (agent_) later(dice_.between(5, 800), [this] { connect(); });
}

void WorkerNode::hear_scheduler_down() {
  connection_ = 0;  // nothing of the old connection arrives any more
  if (!agent_) return;
  later(dice_.between(1, 300), [this] {
    if (connection_ != 0) return;
    agent_->on_lost(clock());
    act();
  });
}

void WorkerNode::receive(std::uint64_t connection, const protocol::SchedulerMessage& message) {
  if (!agent_ || connection != connection_) return;
  awake(life_, [this, connection, message] {
    if (connection != connection_) return;
    if (const auto* accepted = std::get_if<protocol::Accepted>(&message)) settle(accepted->id);
    if (const auto* refused = std::get_if<protocol::RefusedResult>(&message)) settle(refused->id);
    if (const auto* revoke = std::get_if<protocol::Revoke>(&message)) settle(revoke->id);
    if (const auto* welcome = std::get_if<protocol::Welcome>(&message))
      for (const AttemptId& id : welcome->stop) settle(id);
    world_.note(kHears[message.index()], number_);
    agent_->on_message(message, clock());
    act();
  });
}

// ---- the agent's actions

void WorkerNode::act() {
  if (!agent_) return;
  const std::uint64_t life = life_;
  for (auto actions = agent_->take_actions(); !actions.empty(); actions = agent_->take_actions())
    for (worker::Action& action : actions) {
      std::visit([this](auto& body) { carry_out(body); }, action);
      if (life != life_) return;
    }
}

void WorkerNode::carry_out(action::Send& action) {
  if (connection_ == 0) return;  // without a connection it is dropped
  if (auto* hello = std::get_if<protocol::Hello>(&action.message)) {
    if (is_old_) {
      hello->offer.protocol_version = kTakesStoredSpecs;
      hello->process = {};
      hello->leaving = false;
    }
    for (const auto& [id, result] : outbox_)
      world_.oracle.require(
          std::find(hello->running.begin(), hello->running.end(), id) != hello->running.end(), 1,
          "w" + std::to_string(number_) + " forgot the result of " + to_string(id) + " in its outbox");
  }
  if (auto* beat = std::get_if<protocol::Heartbeat>(&action.message); beat != nullptr && is_old_)
    beat->leaving = false;
  world_.network.send(Way::kUp, number_, [this, connection = connection_, message = action.message] {
    world_.scheduler->receive(number_, connection, message);
  });
}

void WorkerNode::carry_out(action::Fetch& action) {
  later(dice_.between(5, 150), [this, id = action.id, inputs = std::move(action.inputs)] {
    Status status;
    const bool reachable = world_.scheduler->up() && !world_.network.is_cut(Way::kUp, number_);
    if (!reachable) status = fail(ErrorKind::kUnreachable, "the farm does not answer");
    for (const protocol::ArtifactRef& input : inputs)
      if (status && !world_.vault.contains(input.digest))
        status = fail(ErrorKind::kNotFound, "no such artifact");
    agent_->on_fetched(id, status, clock());
    act();
  });
}

void WorkerNode::carry_out(action::Upload& action) {
  later(dice_.between(5, 200), [this, id = action.id, outputs = std::move(action.outputs)] {
    Status status;
    const bool reachable = world_.scheduler->up() && !world_.network.is_cut(Way::kUp, number_);
    if (!reachable || world_.weather.rages(FaultKind::kFullDisk))
      status = fail(ErrorKind::kUnreachable, "the farm does not take it");
    else
      for (const protocol::ArtifactRef& output : outputs) world_.vault.insert(output.digest);
    agent_->on_uploaded(id, status, clock());
    act();
  });
}

void WorkerNode::carry_out(action::Keep& action) { outbox_[action.result.id] = action.result; }

void WorkerNode::carry_out(action::Forget& action) {
  const auto kept = std::find_if(outbox_.begin(), outbox_.end(), [&](const auto& entry) {
    return entry.first.task == action.id.task && entry.first.attempt == action.id.attempt;
  });
  if (kept == outbox_.end()) return;
  world_.oracle.require(settled_.contains(action.id.task.number() << 16 | action.id.attempt), 1,
                        "w" + std::to_string(number_) + " forgets the result of " + to_string(action.id) +
                            " before it was answered");
  outbox_.erase(kept);
}

void WorkerNode::carry_out(action::Exit&) {
  world_.note("worker leaves", number_);
  die();
}

// ---- the engines

void WorkerNode::start_engine(std::uint32_t slot) {
  later(dice_.between(300, 1'500), [this, slot, life = engines_[slot].life] {
    if (engines_[slot].life != life) return;
    const bool gpu = slot < options_.offer.resources.slots[SlotKind::kGpu];
    agent_->on_ready(slot, gpu ? "cuda-sm90-bf16" : "cpu-avx512-bf16", clock());
    act();
  });
}

void WorkerNode::free_engine(std::uint32_t slot) {
  Engine& engine = engines_[slot];
  ++engine.run;
  engine.hung = false;
  if (engine.running) world_.oracle.engine_ended(*engine.running);
  engine.running.reset();
}

void WorkerNode::end_engine(std::uint32_t slot, const std::string& cause) {
  world_.note("engine dies", number_, slot);
  free_engine(slot);
  ++engines_[slot].life;
  awake(life_, [this, slot, cause] {
    agent_->on_exit(slot, cause, "last words", clock());
    start_engine(slot);
    act();
  });
}

// Runs `what` if the engine still works on the attempt that it works on now.
void WorkerNode::in_run(std::int64_t ms, std::uint32_t slot, std::function<void()> what) {
  world_.timeline.in(ms, [this, slot, life = life_, run = engines_[slot].run, what = std::move(what)] {
    if (life == life_ && engines_[slot].run == run) what();
  });
}

void WorkerNode::carry_out(action::Run& action) {
  const std::vector<Input>& inputs = action.spec.inputs;
  const bool there = std::all_of(inputs.begin(), inputs.end(),
                                 [this](const Input& input) { return world_.vault.contains(input.digest); });
  Engine& engine = engines_[action.slot];
  world_.note("runs", number_, action.id.task.number());
  world_.oracle.require(!engine.running, 4,
                        "w" + std::to_string(number_) + " gives a busy engine another attempt");
  world_.oracle.engine_started(number_, action.id, there);
  ++engine.run;
  engine.running = action.id;
  engine.stage = action.spec.stage;
  const std::int64_t length = dice_.between(500, dice_.between(500, 6'000));
  progress(action.slot, engine.run, 0);
  in_run(length, action.slot, [this, slot = action.slot, run = engine.run] { finish(slot, run); });
}

void WorkerNode::progress(std::uint32_t slot, std::uint64_t run, int part) {
  in_run(2'000, slot, [this, slot, run, part] {
    if (engines_[slot].hung) return;
    protocol::Progress message{*engines_[slot].running, static_cast<float>(part) / 16,
                               "step " + std::to_string(part), 1};
    if (world_.weather.rages(FaultKind::kLie, number_))
      message.fraction = static_cast<float>(dice_.below(1000)) / 999,
      message.compute_seconds = static_cast<double>(dice_.below(1'000'000));
    awake(life_, [this, slot, message] {
      agent_->on_progress(slot, message, clock());
      act();
    });
    progress(slot, run, part + 1);
  });
}

void WorkerNode::finish(std::uint32_t slot, std::uint64_t run) {
  Engine& engine = engines_[slot];
  if (engine.hung) return;
  if (world_.weather.rages(FaultKind::kLie, number_))  // it only says that it works
    return in_run(3'000, slot, [this, slot, run] { finish(slot, run); });
  const AttemptId id = *engine.running;
  const bool fails = world_.weather.rages(FaultKind::kFailAll, number_) ||
                     dice_.chance(world_.weather.amount(FaultKind::kFailSome, number_).value_or(0));
  const TaskResult result = fails ? TaskResult{} : result_of(world_.seed, id.task, engine.stage);
  free_engine(slot);
  awake(life_, [this, slot, id, fails, result] {
    if (fails)
      agent_->on_failed(slot, {id, FailKind::kEngine, "it broke"}, "log", clock());
    else
      agent_->on_done(slot, {id, result}, "log", clock());
    act();
  });
}

// Most engines obey soon, some finish first, some have to be killed.
void WorkerNode::carry_out(action::Stop& action) {
  const std::uint32_t slot = action.slot;
  if (engines_[slot].running != action.id) return;  // it has just ended
  in_run(kGrace, slot, [this, slot] { end_engine(slot, "signal 9 (Killed)"); });
  if (engines_[slot].hung || dice_.chance(30)) return;
  in_run(dice_.between(5, 900), slot, [this, slot] {
    const AttemptId id = *engines_[slot].running;
    free_engine(slot);
    awake(life_, [this, slot, id] {
      agent_->on_failed(slot, {id, FailKind::kEngine, "cancelled"}, "log", clock());
      act();
    });
  });
}

std::optional<std::uint32_t> WorkerNode::busy_slot() {
  for (std::uint32_t slot = 0; slot < engines_.size(); ++slot)
    if (engines_[slot].running) return slot;
  return std::nullopt;
}

void WorkerNode::kill_engine() {
  if (const auto slot = busy_slot()) end_engine(*slot, "signal 11 (Segmentation fault)");
}

void WorkerNode::hang_engine() {
  if (const auto slot = busy_slot()) engines_[*slot].hung = true;
}

}  // namespace rushes::simulation
