#include "tests/scheduler/core/sim_farm.h"

#include <algorithm>

#include "scheduler/core/journal/snapshot.h"
#include "scheduler/core/state/apply.h"
#include "scheduler/plan/compose.h"
#include "scheduler/plan/plan.h"
#include "tests/scheduler/plan/manifest.h"

namespace rushes::scheduler {

std::shared_ptr<const config::ModelManifest> test_model(const std::string& name) {
  return std::make_shared<const config::ModelManifest>(test_manifest(name));
}

config::Shot test_shot(const std::string& name, int frames, int takes, const std::string& show) {
  config::Shot shot;
  shot.show = show;
  shot.name = name;
  shot.prompt = "a red ball rolls over a table at dusk";
  shot.model = "tabletop";
  shot.frames = frames;
  for (int i = 0; i < takes; ++i) shot.seeds.push_back(100 + static_cast<std::uint64_t>(i));
  shot.approve = config::Approve::kBest;
  return shot;
}

Settings test_settings() { return settings_of(config::Farm{}); }

void TestFarm::step(const Event& event) {
  Outcome decision = decide(state_, settings_, event, now, random_ += 0x9e3779b97f4a7c15ull);
  for (Record& record : decision.records) {
    if (is_durable(record)) journal.push_back(std::move(record));
  }
  for (Command& command : decision.commands) {
    if (auto* reply = std::get_if<command::Reply>(&command)) {
      replies.push_back(std::move(*reply));
    } else {
      sent.push_back(std::move(command));
    }
  }
  if (check_every_step) {
    const auto problems = check_invariants(state_);
    ASSERT_TRUE(problems.empty()) << problems.front();
  }
}

void TestFarm::pass_ms(std::int64_t ms) {
  while (ms > 0) {
    const std::int64_t step_ms = std::min<std::int64_t>(ms, 1000);
    now.boot_ms += step_ms;
    now.wall_ms += step_ms;
    ms -= step_ms;
    step(event::Tick{});
  }
}

void TestFarm::submit(std::vector<config::Shot> shots, const std::string& key) {
  event::SubmitBatch batch;
  batch.request = next_request_++;
  batch.name = "shots.yaml";
  batch.idempotency_key = key;
  batch.by = "ann";
  for (config::Shot& shot : shots) batch.shots.push_back({std::move(shot), model, {}});
  step(batch);
}

void TestFarm::restart() {
  state_ = recovered();
  sent.clear();
  step(event::Recover{});
}

void TestFarm::snapshot() {
  for (SnapshotRow& row : changed_rows(state_)) rows_[row.key] = std::move(row.record);
  behind_ = journal.size();
  scheduler::apply(state_, record::Snapshotted{});
}

State TestFarm::recovered() const {
  State state;
  for (const auto& [key, row] : rows_) {
    const auto replayed = replay_record(state, row);
    EXPECT_TRUE(replayed) << replayed.error().message;
  }
  for (std::size_t i = behind_; i < journal.size(); ++i) {
    EXPECT_TRUE(check(state, journal[i]));
    scheduler::apply(state, journal[i]);
  }
  return state;
}

SimWorker::SimWorker(TestFarm& farm, std::string name_in, std::uint32_t slots, std::uint32_t prefetch)
    : name(std::move(name_in)), farm_(farm) {
  offer.build = "build-1";
  offer.protocol_version = kTellsSlotsByKind;
  offer.resources = {{{slots, 0}}, slots * (4ull << 30), 0};
  offer.prefetch = prefetch;
  offer.numeric_classes = {"cpu-avx512-bf16"};
  const auto digest = digest_of_model(*farm.model);
  offer.models = {{farm.model->name, *digest}};
}

void use_gpu(SimWorker& worker, const std::string& numeric_class, std::uint32_t cpu_slots) {
  Resources& resources = worker.offer.resources;
  const std::uint32_t devices = total(resources.slots);
  resources.slots = {{cpu_slots, devices}};
  resources.device_bytes = devices * (16ull << 30);
  worker.offer.numeric_classes = {numeric_class};
}

void SimWorker::say(protocol::WorkerMessage message) {
  farm_.step(event::FromWorker{name, std::move(message), process.id});
}

void SimWorker::hello() { say(protocol::Hello{name, offer, held, 0, 0, process, leaving}); }

void SimWorker::beat() {
  protocol::Heartbeat beat;
  beat.leaving = leaving;
  for (const AttemptId& ref : held) beat.attempts.push_back({ref, 0.5f, "", 0});
  say(beat);
}

void SimWorker::receive() {
  std::vector<Command> others;
  for (Command& command : farm_.sent) {
    const auto* mine = std::get_if<command::ToWorker>(&command);
    if (mine == nullptr || mine->worker != name) {
      others.push_back(std::move(command));
      continue;
    }
    const auto forget = [&](const AttemptId& id) {
      std::erase_if(held, [&](const AttemptId& r) { return r.task == id.task && r.attempt == id.attempt; });
    };
    if (const auto* assign = message_in<protocol::Assign>(command)) held.push_back(assign->id);
    if (const auto* revoke = message_in<protocol::Revoke>(command)) revoked.push_back(revoke->id);
    if (const auto* welcome = message_in<protocol::Welcome>(command))
      for (const AttemptId& id : welcome->stop) forget(id);
    if (const auto* ok = message_in<protocol::Accepted>(command)) {
      forget(ok->id);
      ++accepted;
    }
    if (const auto* no = message_in<protocol::RefusedResult>(command)) {
      forget(no->id);
      ++refused;
    }
    if (const auto* ack = message_in<protocol::FailedAck>(command)) forget(ack->id);
  }
  farm_.sent = std::move(others);
  for (const AttemptId& id : revoked) {
    std::erase(held, id);
    say(protocol::Stopped{id});
  }
  revoked.clear();
}

void SimWorker::start(const AttemptId& ref) { say(protocol::Started{ref}); }

void SimWorker::complete(const AttemptId& ref) {
  const Task& task = farm_.state().task(ref.task);
  TaskResult result = result_for(farm_.state(), task, critic);
  if (seconds) result.wall_seconds = seconds(task);
  if (!result.files.empty()) result.files = delivers;
  say(protocol::Completed{ref, std::move(result), ""});
}

void SimWorker::fail(const AttemptId& ref, FailKind kind) {
  say(protocol::Failed{ref, kind, "it broke", "", "last words"});
}

std::size_t SimWorker::work() {
  std::size_t count = 0;
  for (receive(); !held.empty(); receive()) {
    const AttemptId ref = held.front();
    start(ref);
    complete(ref);
    ++count;
  }
  return count;
}

TaskResult result_for(const State& state, const Task& task,
                      const std::function<Critique(const Task&)>& critic) {
  TaskResult result;
  const Role role = task.plan.stage == Stage::kDeliver ? Role::kSidecar : output_role(task.plan.stage);
  // A pure function of what the task reads, as on the farm: the same task gives the same digest wherever it
  // runs.
  std::string content = std::to_string(task.plan.id.number());
  for (const Dependency& need : task.plan.needs) {
    for (const Output& output : state.task(need.task).result.outputs) content += to_hex(output.digest);
  }
  result.outputs.push_back({role, digest_named(content), 1000});
  if (task.plan.whole_take) {
    result.outputs.push_back({Role::kProxy, digest_named(content + " movie"), 2000});
    result.outputs.push_back({Role::kSheet, digest_named(content + " sheet"), 3000});
  }
  result.compute_seconds = 1;
  result.wall_seconds = 1;
  result.numeric_class = state.shots[task.shot].numeric_class;
  if (task.plan.stage == Stage::kCritique) {
    if (critic) {
      result.critique = critic(task);
    } else {
      result.critique.verdict = Verdict::kPass;
      result.critique.score = 0.5f + 0.1f * static_cast<float>(task.plan.take % 4);
    }
  }
  if (task.plan.stage == Stage::kDeliver) result.files = {"movie.mp4"};
  return result;
}

void run_to_end(TestFarm& farm, std::vector<SimWorker*> workers) {
  for (int idle = 0; idle < 3;) {
    std::size_t count = 0;
    for (SimWorker* worker : workers) count += worker->work();
    farm.pass_ms(1000);
    for (SimWorker* worker : workers) worker->beat();
    idle = count == 0 ? idle + 1 : 0;
  }
}

}  // namespace rushes::scheduler
