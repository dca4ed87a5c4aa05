#include "tests/scheduler/loop/fake_farm.h"

#include <gtest/gtest.h>

#include <fstream>

#include "scheduler/core/core.h"
#include "scheduler/core/journal/snapshot.h"
#include "scheduler/plan/compose.h"
#include "tests/config/tiny_manifest.h"

namespace rushes::scheduler {
namespace {

constexpr const char* kClass = "cpu-test-fp32";

}  // namespace

void write_model(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder / "tiny");
  std::ofstream(folder / "tiny" / "model.yaml") << config::tiny_manifest("tiny", 4, 2);
}

std::string batch_text(const std::vector<std::string>& shots, int takes) {
  std::string text = "version: 1\nshow: demo\ndefaults: {model: tiny, takes: " + std::to_string(takes) +
                     ", approve: best}\nshots:\n";
  for (const auto& shot : shots) text += "- {name: " + shot + ", prompt: a red sphere, frames: 9, seed: 7}\n";
  return text;
}

event::SubmitBatch batch_event(const std::string& text, const std::filesystem::path& models, storage::Vault&,
                               const std::string& key) {
  const auto batch = config::parse_batch(text, "batch.yaml", "/");
  EXPECT_TRUE(batch) << batch.error().message;
  auto model = config::find_model("tiny", {models});
  EXPECT_TRUE(model) << model.error().message;
  auto shared = std::make_shared<const config::ModelManifest>(*model);
  event::SubmitBatch event;
  event.name = "batch.yaml";
  event.idempotency_key = key;
  event.text = digest_of(text);
  event.by = "ann";
  for (const auto& shot : batch->shots) event.shots.push_back({shot, shared, {}});
  return event;
}

FakeWorker::FakeWorker(Loop& loop, storage::Vault& vault, std::string name,
                       const std::filesystem::path& models)
    : loop_(loop), vault_(vault), name_(std::move(name)) {
  const auto model = config::find_model("tiny", {models});
  std::string digest = config::model_digest(*model);
  if (digest.starts_with(config::kDigestPrefix)) digest = digest.substr(config::kDigestPrefix.size());
  model_ = *digest_from_hex(digest);
  thread_ = std::thread([this] { run(); });
}

FakeWorker::~FakeWorker() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void FakeWorker::hello() {
  protocol::Hello hello;
  hello.name = name_;
  hello.offer.build = "test";
  hello.offer.protocol_version = kTellsSlotsByKind;
  hello.offer.resources = {{{2, 0}}, 8ull << 30, 0};
  hello.offer.numeric_classes = {kClass};
  hello.offer.models = {{"tiny", model_}};
  loop_.post(name_, hello);
}

void FakeWorker::receive(const protocol::SchedulerMessage& message) {
  if (std::holds_alternative<protocol::Accepted>(message)) ++accepted;
  if (std::holds_alternative<protocol::RefusedResult>(message)) ++refused;
  if (const auto* revoke = std::get_if<protocol::Revoke>(&message)) {
    {
      std::lock_guard lock(mutex_);
      std::erase_if(queue_, [&](const protocol::Assign& held) { return held.id == revoke->id; });
    }
    loop_.post(name_, protocol::Stopped{revoke->id});
  }
  const auto* assign = std::get_if<protocol::Assign>(&message);
  if (assign == nullptr) return;
  {
    std::lock_guard lock(mutex_);
    queue_.push_back(*assign);
  }
  wake_.notify_all();
}

void FakeWorker::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait_for(lock, std::chrono::milliseconds(20),
                   [&] { return stopping_ || (!queue_.empty() && !hold); });
    if (stopping_) return;
    if (queue_.empty() || hold) continue;
    const auto assign = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    run_task(assign);
    lock.lock();
  }
}

void FakeWorker::run_task(const protocol::Assign& assign) {
  loop_.post(name_, protocol::Started{assign.id});
  ++ran;
  const auto& spec = std::get<TaskSpec>(assign.task);
  TaskResult result;
  result.numeric_class = kClass;
  result.compute_seconds = result.wall_seconds = 0.01;
  // The bytes follow from the task alone, as pixels follow from the recipe.
  const std::string made = "output of " + spec.name;
  const Digest digest = lose_outputs ? digest_of(made + " lost") : *vault_.put(made);
  result.outputs.push_back({output_role(spec.stage), digest, made.size()});
  if (spec.stage == Stage::kCritique) {
    result.critique.verdict = Verdict::kPass;
    result.critique.score = 0.9f;
    result.critique.critics = "fake 1";
  }
  if (!spec.delivery.folder.empty()) result.files.push_back(spec.delivery.folder + "/clip.mov");
  loop_.post(name_, protocol::Completed{assign.id, result, "log of " + made});
}

FakeFarm::FakeFarm() { write_model(models()); }
FakeFarm::~FakeFarm() { stop(); }

void FakeFarm::start(std::uint64_t snapshot_every) {
  auto ledger = storage::Ledger::open(folder() / "ledger");
  ASSERT_TRUE(ledger) << ledger.error().message;
  ledger_ = std::move(*ledger);
  auto vault = storage::Vault::open(folder() / "vault");
  ASSERT_TRUE(vault) << vault.error().message;
  vault_ = std::move(*vault);
  janitor_ = std::make_unique<VaultJanitor>(*vault_, sweep_age);
  LoopOptions options;
  options.settings = settings;
  options.clock = real_now;
  options.random = real_random;
  options.tick = std::chrono::milliseconds(20);
  options.snapshot_every = snapshot_every;
  options.on_sync = on_sync;
  options.on_dispatch = on_dispatch;
  loop_ = std::make_unique<Loop>(*ledger_, *vault_, *janitor_, options);
  const auto recovered = loop_->recover();
  ASSERT_TRUE(recovered) << recovered.error().message;
  const auto send = [this](const command::ToWorker& command) {
    std::lock_guard lock(workers_mutex_);
    const auto found = workers_.find(command.worker);
    if (found != workers_.end()) found->second->receive(command.message);
  };
  loop_->start(send, [this](const Error& error) { failures.push_back(error); });
}

void FakeFarm::stop() {
  std::map<std::string, std::unique_ptr<FakeWorker>> workers;
  {
    std::lock_guard lock(workers_mutex_);
    workers.swap(workers_);
  }
  workers.clear();
  if (loop_) loop_->stop();
  loop_.reset();
  janitor_.reset();
  vault_.reset();
  ledger_.reset();
}

FakeWorker& FakeFarm::add_worker(const std::string& name) {
  FakeWorker* worker = nullptr;
  {
    std::lock_guard lock(workers_mutex_);
    workers_[name] = std::make_unique<FakeWorker>(*loop_, *vault_, name, models());
    worker = workers_[name].get();
  }
  worker->hello();
  return *worker;
}

Result<Answer> FakeFarm::submit(const std::string& text, const std::string& key) {
  return loop_->request(batch_event(text, models(), *vault_, key));
}

std::string FakeFarm::shot_state(const std::string& name) {
  const auto state = loop_->query([key = "demo/" + name](const State& s, Now) -> std::string {
    const Shot* shot = s.find_shot(key);
    return shot != nullptr ? to_string(shot->state) : "";
  });
  return state.value_or("no answer");
}

bool FakeFarm::wait_done() {
  const auto all_done = [](const State& state, Now) {
    for (const auto& shot : state.shots)
      if (shot.state != ShotState::kDelivered && shot.state != ShotState::kAttention &&
          !(shot.state == ShotState::kReview && !shot.deliveries.empty()))
        return false;
    return !state.shots.empty();
  };
  for (int i = 0; i < 500; ++i) {
    if (loop_->query(all_done).value_or(false)) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return false;
}

Digest FakeFarm::state_hash_now() {
  return loop_->query([](const State& state, Now) { return state_hash(state); }).value_or(Digest{});
}

}  // namespace rushes::scheduler
