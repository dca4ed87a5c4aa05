#include "tests/simulation/studio.h"

#include <capnp/message.h>
#include <capnp/serialize.h>

#include "scheduler/plan/compose.h"
#include "scheduler/plan/plan.h"
#include "storage/records/records.capnp.h"
#include "storage/records/words_codec.h"

namespace rushes::simulation {
namespace {

Critique critique_of(std::uint64_t seed, TaskId task) {
  Dice dice(seed, task.number());
  Critique critique;
  const auto roll = dice.below(100);
  critique.verdict = roll < 6    ? Verdict::kReject
                     : roll < 30 ? Verdict::kRevise
                     : roll < 96 ? Verdict::kPass
                                 : Verdict::kUnknown;
  critique.score = static_cast<float>(dice.below(1000)) / 1000;
  critique.critics = "simulated 1";
  Finding finding;
  finding.dimension = dice.chance(50) ? "seam" : "flicker";
  finding.severity = 0.5f;
  finding.window = static_cast<std::uint32_t>(dice.below(3));
  critique.findings.push_back(finding);
  return critique;
}

}  // namespace

std::shared_ptr<const config::ModelManifest> studio_model() {
  auto model = std::make_shared<config::ModelManifest>();
  model->name = "tabletop";
  model->family = "wan";
  model->licence = "Apache-2.0";
  for (const char* file : {"transformer", "text_encoder", "tokenizer", "vae"})
    model->files[file] = {file, std::string(64, 'a')};
  model->fps = {24, 1};
  model->frames = 33;
  model->size = {160, 96};
  model->deliver = {160, 90};
  model->head_dim = 64;
  model->text_len = 64;
  model->text_heads = 4;
  model->conditioning = config::Conditioning::kI2v;
  model->vae.mean.assign(16, 0.0);
  model->vae.std.assign(16, 1.0);
  model->draft = {config::Sampler::kUniPc, 12, 6.0, 4.0, 1.0};
  model->master = {config::Sampler::kEuler, 4, 3.0, 1.0, 0.4};
  return model;
}

Digest studio_model_digest() {
  static const Digest digest = *scheduler::digest_of_model(*studio_model());
  return digest;
}

scheduler::Settings studio_settings() {
  config::Farm farm;
  farm.shows = {{"feature", 2.0, 0.3}, {"series", 1.0, 0.2}};  // the third show, "tests", has no floor
  farm.times.no_progress_min = config::Milliseconds(20'000);
  farm.limits.shared = {{"storage", 2, {Stage::kFinish, Stage::kDeliver}}, {"licence", 3, {}}};
  farm.retries.quarantine = config::Milliseconds(30'000);
  constexpr double kSecond = 1.0 / 86'400;  // in days: a simulated studio lives for minutes
  farm.retention = {1 * kSecond, 10 * kSecond};
  farm.shows[1].retention.draft_days = config::Retention::kForever;
  return scheduler::settings_of(farm);
}

config::Shot studio_shot(Dice& dice, int number) {
  static constexpr const char* kShows[] = {"feature", "series", "tests"};
  config::Shot shot;
  shot.show = kShows[number % 3];
  shot.name = "sh" + std::to_string(number);
  shot.prompt = "a red ball rolls over a table at dusk";
  shot.model = "tabletop";
  shot.frames = static_cast<int>(dice.between(9, 97));
  const auto takes = dice.between(1, 3);
  for (std::int64_t i = 0; i < takes; ++i) shot.seeds.push_back(dice.below(1000));
  shot.gate = dice.chance(40);
  if (number % 5 == 0) shot.limits = {"licence"};
  if (number % 4 == 0) shot.deadline = (number % 8) * 60'000;
  shot.upgrade.enabled = dice.chance(25);
  shot.upgrade.scale = 2;
  shot.priority = static_cast<int>(dice.below(3)) * 40;
  shot.approve = dice.chance(75) ? config::Approve::kBest : config::Approve::kPerson;
  return shot;
}

Digest output_of(std::uint64_t seed, TaskId task) {
  Digest digest{};
  for (std::size_t i = 0; i < digest.size(); i += 8) {
    const std::uint64_t word = mix(mix(seed) ^ mix(task.number()) ^ i);
    for (std::size_t byte = 0; byte < 8; ++byte)
      digest[i + byte] = static_cast<Digest::value_type>(word >> (8 * byte));
  }
  return digest;
}

TaskResult result_of(std::uint64_t seed, TaskId task, Stage stage) {
  TaskResult result;
  result.outputs.push_back({scheduler::output_role(stage), output_of(seed, task), 1000});
  result.compute_seconds = result.wall_seconds = 1;
  if (stage == Stage::kCritique) result.critique = critique_of(seed, task);
  if (stage == Stage::kDeliver) result.files = {"movie.mov"};
  return result;
}

}  // namespace rushes::simulation
