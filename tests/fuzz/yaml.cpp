#include "config/farm.h"
#include "config/frame_range.h"
#include "config/model.h"
#include "config/shot.h"
#include "config/tokens.h"
#include "config/worker.h"
#include "tests/folders.h"
#include "tests/fuzz/targets.h"

namespace rushes::fuzz {
namespace {

template <typename T>
bool read_or_refused(const Result<T>& read) {
  if (!read) require(!read.error().message.empty(), "a refusal says why");
  return read.has_value();
}

// The model that ships with the farm, as far as a shot is checked against it.
const config::ModelManifest& shipped_model() {
  static const auto model = config::read_model(test::source_folder() / "config/models/tabletop/model.yaml");
  require(model.has_value(), "the shipped model's manifest reads");
  return *model;
}

}  // namespace

void yaml_farm(std::string_view bytes) {
  const auto farm = config::parse_farm(bytes, "/farm/farm.yaml");
  if (!read_or_refused(farm)) return;
  require(farm->times.lease >= 3 * farm->times.heartbeat, "a lease is three heartbeats");
  (void)farm->show("any");
}

void yaml_tokens(std::string_view bytes) {
  const auto tokens = config::parse_tokens(bytes, "/farm/tokens.yaml");
  if (!read_or_refused(tokens)) return;
  for (const auto& token : *tokens)
    require(!token.name.empty() && token.digest.size() == config::text_digest("x").size(),
            "a token is whole");
}

void yaml_worker(std::string_view bytes) {
  const auto worker = config::parse_worker(bytes, "/farm/worker.yaml");
  if (!read_or_refused(worker)) return;
  require(worker->slots >= 1 && worker->slots <= 64 && !worker->name.empty(), "a worker is whole");
}

void yaml_shots(std::string_view bytes) {
  const auto batch = config::parse_batch(bytes, "shots.yaml", "/farm");
  if (!read_or_refused(batch)) return;
  for (const auto& shot : batch->shots) {
    require(!shot.prompt.empty() && shot.takes() >= 1, "a shot is whole");
    if (!config::validate_shot(shot, shipped_model()).empty()) continue;
    require(config::shot_frames(shot, shipped_model()) >= 1, "a shot that can be made has frames");
    (void)config::shot_timecode(shot, shipped_model());
    (void)config::draft_sampling(shot, shipped_model());
    (void)config::master_sampling(shot, shipped_model());
  }
}

void yaml_model(std::string_view bytes) {
  const auto model = config::parse_model(bytes, "/models/tabletop/model.yaml");
  if (read_or_refused(model)) (void)config::model_digest(*model);
}

void frame_range(std::string_view bytes) {
  const auto range = config::FrameRange::parse(bytes);
  if (!read_or_refused(range)) return;
  const auto again = config::FrameRange::parse(range->text());
  require(again.has_value() && *again == *range, "the canonical text reads the same");
  require(range->count() >= 1, "a range has frames");
  require(range->contains(range->at(0)) && range->contains(range->at(range->count() - 1)),
          "a range contains its ends");
}

}  // namespace rushes::fuzz
