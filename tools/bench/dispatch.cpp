#include "tools/bench/dispatch.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "scheduler/core/core.h"
#include "scheduler/plan/compose.h"
#include "tools/bench/agents.h"
#include "tools/bench/farm.h"
#include "tools/bench/figures.h"

namespace rushes::bench {
namespace {

using namespace scheduler;

constexpr int kTakes = 64;  // one shot makes so many ready tasks when its encode is done
constexpr const char* kWorker = "worker";

// A State driven by events, as the loop drives it.
class CoreFarm {
 public:
  explicit CoreFarm(const std::filesystem::path& models) : models_(models) {
    settings_.limits.open_shots = 1'000'000;
  }

  Status submit(const std::string& prefix, int shots) {
    const auto batch = config::parse_batch(batch_text(prefix, shots, kTakes), "batch.yaml", "/");
    if (!batch) return tl::unexpected(batch.error());
    auto model = config::find_model(kModel, {models_});
    if (!model) return tl::unexpected(model.error());
    const auto shared = std::make_shared<const config::ModelManifest>(std::move(*model));
    event::SubmitBatch submit;
    submit.name = prefix;
    for (const auto& shot : batch->shots) submit.shots.push_back({shot, shared, {}});
    decide(submit);
    return {};
  }

  Status hello() {
    const auto model = model_digest(models_);
    if (!model) return tl::unexpected(model.error());
    const WorkerOffer offer{"bench", kTellsSlotsByKind, {{{1, 0}}, 1ull << 44, 0},
                            0,       {kNumericClass},   {{kModel, *model}}};
    decide(event::FromWorker{kWorker, protocol::Hello{kWorker, offer, {}}});
    return {};
  }

  // Every shot's encode is done, all that follows is ready. A shot is paused meanwhile, because an older
  // shot's tasks would go before the encode of the next one.
  void encode_all() {
    for (const Shot& shot : state_.shots) {
      while (state_.task(shot.encode).state != TaskState::kSucceeded) complete_one();
      decide(event::Pause{0, shot.key, "bench"});
    }
    for (const Shot& shot : state_.shots) decide(event::Resume{0, shot.key, "bench"});
  }

  // The oldest task that the worker holds is done; whatever comes next is leased in the same decision.
  void complete_one() {
    const TaskId id = state_.workers[scheduler::WorkerId(0)].leases[SlotKind::kCpu].front();
    const Task& task = state_.task(id);
    protocol::Completed done;
    done.id = {id, task.attempt, task.lease().id};
    done.result.numeric_class = kNumericClass;
    done.result.outputs.push_back({output_role(task.plan.stage), digest_of(kArtifact), kArtifact.size()});
    decide(event::FromWorker{kWorker, std::move(done)});
  }

  Outcome decide(const Event& event) { return scheduler::decide(state_, settings_, event, {1, 1}, 1); }
  const State& state() const { return state_; }

 private:
  const std::filesystem::path models_;
  Settings settings_;
  State state_;
};

}  // namespace

namespace {

// Adds up to `decisions` times, no more than a quarter of the queue: it must not run dry.
Result<DispatchCost> measure_queue(const std::filesystem::path& models, Queue queue, std::uint64_t queued,
                                   std::size_t decisions, std::vector<double>& times) {
  constexpr int kBatch = 500;
  constexpr std::uint64_t kTasksOfShot = 1 + kTakes * kTasksPerTake;
  const std::uint64_t each = queue == Queue::kReady ? kTakes : kTasksOfShot;
  const auto before = heap_bytes();
  auto farm = std::make_unique<CoreFarm>(models);
  const auto shots = static_cast<int>((queued + each - 1) / each);
  for (int first = 0; first < shots; first += kBatch) {
    const auto submitted = farm->submit("b" + std::to_string(first) + "-", std::min(kBatch, shots - first));
    if (!submitted) return tl::unexpected(submitted.error());
  }
  DispatchCost cost;
  const auto planned = farm->state().tasks.size() + farm->state().work.unplanned();
  cost.bytes_per_planned_task = static_cast<double>(heap_bytes() - before) / static_cast<double>(planned);
  if (const auto greeted = farm->hello(); !greeted) return tl::unexpected(greeted.error());
  if (queue == Queue::kReady) farm->encode_all();
  cost.queued = queue == Queue::kReady ? farm->state().queue.ready() : planned;
  for (std::size_t i = 0; i < std::min(decisions, queued / 4); ++i) {
    const std::int64_t begin = monotonic_ns();
    farm->complete_one();
    times.push_back(static_cast<double>(monotonic_ns() - begin));
  }
  return cost;
}

}  // namespace

Result<DispatchCost> measure_dispatch(const std::filesystem::path& models, Queue queue, std::uint64_t queued,
                                      int decisions) {
  std::vector<double> times;
  Result<DispatchCost> cost;
  while (times.size() < static_cast<std::size_t>(decisions)) {
    cost = measure_queue(models, queue, queued, static_cast<std::size_t>(decisions) - times.size(), times);
    if (!cost) return cost;
  }
  cost->ns = quantile(times, 0.5);
  return cost;
}

}  // namespace rushes::bench
