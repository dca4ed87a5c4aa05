#include "tests/simulation/farm/work.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numbers>

#include "scheduler/core/state/needs.h"
#include "scheduler/plan/compose.h"
#include "scheduler/plan/cost.h"
#include "scheduler/plan/plan.h"
#include "tests/simulation/dice.h"

namespace rushes::simulation::farm {
namespace {

using scheduler::PlannedTask;

// Streams of draws about one task.
enum Draw : std::uint64_t { kRunTime = 1, kSlowness, kFailure, kVerdict, kMemory, kContent };

double seconds_of(milliseconds duration) { return static_cast<double>(duration.count()) / 1000; }

double unit(Dice& dice) { return (static_cast<double>(dice.roll() >> 11) + 0.5) * 0x1p-53; }  // in (0, 1)

double normal(Dice& dice) {  // Box and Muller
  const double radius = std::sqrt(-2 * std::log(unit(dice)));
  return radius * std::cos(2 * std::numbers::pi * unit(dice));
}

std::uint64_t hash_of(std::string_view text) {  // FNV-1a, then mixed
  std::uint64_t hash = 0xcbf29ce484222325ull;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  return mix(hash);
}

std::shared_ptr<const config::ModelManifest> manifest_of(const ModelDescription& wanted) {
  auto model = std::make_shared<config::ModelManifest>();
  model->name = wanted.name;
  model->family = "wan";
  model->licence = "Apache-2.0";
  const std::string digest = to_hex(digest_of(wanted.name));
  for (const char* file : {"transformer", "text_encoder", "tokenizer", "vae"})
    model->files[file] = {file, digest};
  model->fps = {24, 1};
  model->frames = wanted.frames;
  model->size = model->deliver = {wanted.width, wanted.height};
  model->head_dim = 128;
  model->text_len = 512;
  model->text_heads = 12;
  model->vae.mean.assign(16, 0.0);
  model->vae.std.assign(16, 1.0);
  model->draft = {config::Sampler::kUniPc, wanted.steps, 5.0, wanted.guidance, 1.0};
  model->master = {config::Sampler::kEuler, wanted.master_steps, 3.0, 1.0, wanted.master_start};
  return model;
}

int draw_span(Dice& dice, const Span& span) { return static_cast<int>(dice.between(span.least, span.most)); }

// Latents are 16 channels of 2 bytes, frames 3 of 2; a guide is the latents of the enlarged frames.
std::uint64_t bytes_of(const PlannedTask& task) {
  switch (task.stage) {
    case Stage::kDenoise:
    case Stage::kRefine:
      return task.tensor_bytes / (64ull << 10) * 4 * 32;
    case Stage::kDecode:
      return static_cast<std::uint64_t>(task.work) * 6;
    case Stage::kEnlarge:
      return static_cast<std::uint64_t>(task.work) / 32;
    default:
      return 4096;
  }
}

}  // namespace

Work::Work(const Description& farm) : farm_(farm) {
  for (const ModelDescription& model : farm.models) {
    manifests_.push_back(manifest_of(model));
    digests_.push_back(*scheduler::digest_of_model(*manifests_.back()));
    const auto latents = static_cast<std::uint64_t>(manifests_.back()->latent_frames(model.frames)) *
                         static_cast<std::uint64_t>(model.width / 16 * (model.height / 16));
    step_work_.push_back(scheduler::sampling_work(latents, 1, static_cast<float>(model.guidance)));
  }
}

std::vector<scheduler::event::ShotRequest> Work::shots(std::size_t index, int occurrence,
                                                       std::int64_t now_wall_ms) const {
  const BatchDescription& batch = farm_.batches[index];
  const std::string name = batch.name + "-" + std::to_string(occurrence + 1);
  Dice dice(farm_.seed, hash_of(name));
  std::vector<scheduler::event::ShotRequest> requests;
  const int count = draw_span(dice, batch.shots);
  for (int i = 0; i < count; ++i) {
    config::Shot shot;
    shot.show = farm_.shows[static_cast<std::size_t>(batch.show)].name;
    shot.name = name + "-" + std::to_string(i + 1);
    shot.prompt = "a shot of " + batch.name;
    shot.model = farm_.models[static_cast<std::size_t>(batch.model)].name;
    shot.frames = draw_span(dice, batch.frames);
    const int takes = draw_span(dice, batch.takes);
    for (int t = 0; t < takes; ++t) shot.seeds.push_back(static_cast<std::uint64_t>(t + 1));
    shot.priority = batch.priority;
    shot.gate = dice.chance(batch.gate);
    shot.upgrade.enabled = dice.chance(batch.upgrade);
    shot.upgrade.scale = batch.scale;
    if (batch.deadline.count() > 0) shot.deadline = now_wall_ms + batch.deadline.count();
    shot.approve = config::Approve::kBest;
    requests.push_back({std::move(shot), manifests_[static_cast<std::size_t>(batch.model)], {}});
  }
  return requests;
}

ModelOffer Work::offer(int model) const {
  const auto index = static_cast<std::size_t>(model);
  return {farm_.models[index].name, digests_[index]};
}

int Work::model_of(const scheduler::Shot& shot) const {
  const auto found = std::find(digests_.begin(), digests_.end(), shot.spec.recipe.model_digest);
  assert(found != digests_.end());
  return static_cast<int>(found - digests_.begin());
}

std::uint64_t Work::identity(const scheduler::Shot& shot, const PlannedTask& task) const {
  std::uint64_t hash = mix(hash_of(shot.key) ^ farm_.seed);
  for (const std::uint64_t part :
       {static_cast<std::uint64_t>(task.stage), std::uint64_t{task.take}, std::uint64_t{task.level},
        std::uint64_t{task.window}, std::uint64_t{task.segment}, std::uint64_t{task.tile},
        std::uint64_t{task.revision}, static_cast<std::uint64_t>(task.frames.begin),
        std::uint64_t{task.whole_take} << 1 | std::uint64_t{task.master_delivery}})
    hash = mix(hash ^ part);
  return hash;
}

double Work::mean_seconds(const scheduler::Shot& shot, const PlannedTask& task) const {
  const auto model = static_cast<std::size_t>(model_of(shot));
  const double gigapixels = task.work / 1e9;
  switch (task.stage) {
    case Stage::kEncode:
      return seconds_of(farm_.pace.encode);
    case Stage::kDenoise:
    case Stage::kRefine:
      return task.work / step_work_[model] * seconds_of(farm_.models[model].step);
    case Stage::kDecode:
      return gigapixels * farm_.pace.decode;
    case Stage::kCritique:
      return gigapixels * farm_.pace.critique;
    case Stage::kEnlarge:
      return gigapixels * farm_.pace.enlarge;
    case Stage::kFinish:
      return gigapixels * farm_.pace.finish;
    case Stage::kDeliver:
      return gigapixels * farm_.pace.deliver;
  }
  return 1;
}

double Work::seconds(const scheduler::Shot& shot, const PlannedTask& task) const {
  Dice dice(identity(shot, task), kRunTime);
  const double spread = farm_.run_times.spread;
  return std::max(0.1, mean_seconds(shot, task) * std::exp(spread * normal(dice) - spread * spread / 2));
}

double Work::slowness(const scheduler::Shot& shot, const PlannedTask& task, std::uint32_t attempt) const {
  if (farm_.run_times.stragglers <= 0) return 1;
  Dice dice(identity(shot, task) ^ mix(attempt), kSlowness);
  return unit(dice) < farm_.run_times.stragglers ? farm_.run_times.straggler_factor : 1;
}

double Work::failure(const scheduler::Shot& shot, const PlannedTask& task, std::uint32_t attempt,
                     double share) const {
  Dice dice(identity(shot, task) ^ mix(attempt), kFailure);
  const bool fails = unit(dice) < share;
  return fails ? unit(dice) : 1;
}

Critique Work::critique(std::uint64_t identity, std::uint32_t windows, bool may_revise) const {
  Dice dice(identity, kVerdict);
  Critique critique;
  const double roll = unit(dice);
  critique.verdict = roll < farm_.reject                  ? Verdict::kReject
                     : roll < farm_.reject + farm_.revise ? Verdict::kRevise
                                                          : Verdict::kPass;
  // The last version that the budget allows is a good one, as on a farm whose shots are delivered in the end.
  if (critique.verdict == Verdict::kRevise && !may_revise) critique.verdict = Verdict::kPass;
  critique.score = static_cast<float>((critique.verdict == Verdict::kPass ? 0.5 : 0) + unit(dice) / 2);
  critique.critics = "simulated 1";
  if (critique.verdict != Verdict::kRevise) return critique;
  Finding finding;
  finding.dimension = "flicker";
  finding.severity = 0.5f;
  finding.window = static_cast<std::uint32_t>(dice.below(windows));
  critique.findings.push_back(std::move(finding));
  return critique;
}

TaskResult Work::result(const scheduler::Shot& shot, const PlannedTask& task, double wall_seconds) const {
  const std::uint64_t name = identity(shot, task);
  TaskResult result;
  Output output{scheduler::output_role(task.stage), {}, bytes_of(task)};
  Dice content(name, kContent), memory(name, kMemory);
  for (std::size_t i = 0; i < output.digest.size(); i += 8) {
    const std::uint64_t word = content.roll();
    for (std::size_t byte = 0; byte < 8; ++byte)
      output.digest[i + byte] = static_cast<Digest::value_type>(word >> (8 * byte));
  }
  result.outputs.push_back(std::move(output));
  result.compute_seconds = result.wall_seconds = wall_seconds;
  // The planner's figure is a bound with a margin (plan/cost.h).
  result.peak_memory_bytes = static_cast<std::uint64_t>(
      static_cast<double>(task.host_bytes + task.tensor_bytes) * (0.6 + 0.35 * unit(memory)));
  result.numeric_class = shot.numeric_class;
  if (task.stage == Stage::kCritique)
    result.critique = critique(name, static_cast<std::uint32_t>(shot.spec.recipe.windows.size()),
                               task.revision < shot.spec.revise_windows);
  if (task.stage == Stage::kDeliver) result.files = {"movie.mp4"};
  return result;
}

}  // namespace rushes::simulation::farm
