#include "storage/records/words_codec.h"

#include <algorithm>
#include <cmath>

#include "storage/records/lineage.h"

namespace rushes {

RUSHES_CODEC(Range, records::Range, range) {
  FIELD(Begin, range.begin);
  FIELD(End, range.end);
  io.require(range.begin <= range.end, "range: ends before it begins");
}

RUSHES_CODEC(Rect, records::Tile, rect) {
  FIELD(Y, rect.y);
  FIELD(X, rect.x);
  FIELD(Height, rect.height);
  FIELD(Width, rect.width);
}

RUSHES_CODEC(Sampling, records::Sampling, sampling) {
  FIELD(Sampler, sampling.sampler);
  FIELD(Sigmas, sampling.sigmas);
  FIELD(Timesteps, sampling.timesteps);
  FIELD(Guidance, sampling.guidance);
  FIELD(Segments, sampling.segments);
}

RUSHES_CODEC(KeyFrame, records::KeyFrame, key) {
  FIELD(Frame, key.frame);
  FIELD(Image, key.image);
  FIELD(Bytes, key.bytes);
}

RUSHES_CODEC(Revision, records::Revision, revision) {
  FIELD(Number, revision.number);
  FIELD(Windows, revision.windows);
  FIELD(Seed, revision.seed);
  FIELD(Reason, revision.reason);
  if (Io::kReads || !revision.prompt.empty()) FIELD(Prompt, revision.prompt);
}

RUSHES_CODEC(Master, records::Master, master) {
  FIELD(Scale, master.scale);
  FIELD(Sampling, master.sampling);
  FIELD(Tiles, master.tiles);
  FIELD(DecodeTiles, master.decode_tiles);
  FIELD(Windows, master.windows);
}

namespace {

bool has_own_prompts(const std::vector<Revision>& revisions) {
  return std::any_of(revisions.begin(), revisions.end(),
                     [](const Revision& revision) { return !revision.prompt.empty(); });
}

}  // namespace

RUSHES_CODEC(Recipe, records::Recipe, recipe) {
  FIELD(EngineBuild, recipe.engine_build);
  FIELD(NumericClass, recipe.numeric_class);
  FIELD(Model, recipe.model);
  FIELD(ModelDigest, recipe.model_digest);
  records::Of<Io, std::string> prompt = current_prompt(recipe);
  FIELD(Prompt, prompt);
  FIELD(NegativePrompt, recipe.negative_prompt);
  FIELD(Seed, recipe.seed);
  FIELD(FpsNumerator, recipe.fps.numerator);
  FIELD(FpsDenominator, recipe.fps.denominator);
  FIELD(Frames, recipe.frames);
  FIELD(RenderedFrames, recipe.rendered_frames);
  FIELD(Width, recipe.width);
  FIELD(Height, recipe.height);
  FIELD(DeliverWidth, recipe.deliver_width);
  FIELD(DeliverHeight, recipe.deliver_height);
  FIELD(Draft, recipe.draft);
  FIELD(Windows, recipe.windows);
  FIELD(KeyFrames, recipe.key_frames);
  FIELD(Revisions, recipe.revisions);
  // Absent rather than empty: the canonical bytes tell one from the other.
  if (Io::kReads ? io.message.hasMaster() : recipe.master.scale > 0) FIELD(Master, recipe.master);
  if (Io::kReads || !recipe.decode_tiles.empty()) FIELD(DecodeTiles, recipe.decode_tiles);
  // Engines of before read `prompt` only, and their recipes have nothing else: what they encode stays the same.
  const bool own_prompts = has_own_prompts(recipe.revisions);
  if (Io::kReads || (own_prompts && !recipe.prompt.empty())) FIELD(TakePrompt, recipe.prompt);
  if constexpr (Io::kReads)
    if (!own_prompts) recipe.prompt = prompt;
}

RUSHES_CODEC(AttemptId, records::AttemptRef, id) {
  FIELD(Task, id.task);
  FIELD(Attempt, id.attempt);
  FIELD(Lease, id.lease);
}

RUSHES_CODEC(Input, records::Input, input) {
  FIELD(Role, input.role);
  FIELD(Digest, input.digest);
  FIELD(Bytes, input.bytes);
  FIELD(Stage, input.stage);
  FIELD(Take, input.take);
  FIELD(Window, input.window);
  FIELD(Segment, input.segment);
  FIELD(Tile, input.tile);
  FIELD(Revision, input.revision);
  FIELD(Level, input.level);
}

RUSHES_CODEC(CriticSetting, records::CriticSetting, critic) {
  FIELD(Name, critic.name);
  FIELD(Enabled, critic.enabled);
  FIELD(Revise, critic.revise);
  FIELD(Reject, critic.reject);
  FIELD(Blocks, critic.blocks);
}

RUSHES_CODEC(TakeShown, records::TakeShown, shown) {
  FIELD(Take, shown.take);
  FIELD(Version, shown.version);
  FIELD(Seed, shown.seed);
  FIELD(Rank, shown.rank);
}

RUSHES_CODEC(Delivery, records::Delivery, delivery) {
  FIELD(Folder, delivery.folder);
  FIELD(Version, delivery.version);
  FIELD(StartFrame, delivery.start_frame);
  FIELD(Timecode, delivery.timecode);
  FIELD(Reel, delivery.reel);
  FIELD(Master, delivery.master);
  FIELD(FpsNumerator, delivery.fps.numerator);
  FIELD(FpsDenominator, delivery.fps.denominator);
  FIELD(ShotWallMs, delivery.shot_wall_ms);
  FIELD(Takes, delivery.takes);
}

RUSHES_CODEC(TaskSpec, records::TaskSpec, spec) {
  FIELD(Task, spec.id);
  FIELD(Show, spec.show);
  FIELD(Shot, spec.shot);
  FIELD(Take, spec.take);
  FIELD(Stage, spec.stage);
  FIELD(Level, spec.level);
  FIELD(Window, spec.window);
  FIELD(Segment, spec.segment);
  FIELD(Tile, spec.tile);
  FIELD(Revision, spec.revision);
  FIELD(Frames, spec.frames);
  FIELD(WholeTake, spec.whole_take);
  FIELD(Recipe, spec.recipe_bytes);
  FIELD(Inputs, spec.inputs);
  FIELD(Delivery, spec.delivery);
  FIELD(Name, spec.name);
  FIELD(Critics, spec.critics);
}

RUSHES_CODEC(Output, records::Output, output) {
  FIELD(Role, output.role);
  FIELD(Digest, output.digest);
  FIELD(Bytes, output.bytes);
}

RUSHES_CODEC(Score, records::Score, score) {
  FIELD(Dimension, score.dimension);
  FIELD(Score, score.score);
  FIELD(Threshold, score.threshold);
  FIELD(Reject, score.reject);
  FIELD(Blocks, score.blocks);
}

RUSHES_CODEC(Box, records::Box, box) {
  FIELD(X, box.x);
  FIELD(Y, box.y);
  FIELD(Width, box.width);
  FIELD(Height, box.height);
}

RUSHES_CODEC(Finding, records::Finding, finding) {
  FIELD(Dimension, finding.dimension);
  FIELD(Severity, finding.severity);
  FIELD(Frames, finding.frames);
  FIELD(Window, finding.window);
  FIELD(Box, finding.box);
  FIELD(Message, finding.message);
  FIELD(Remedy, finding.remedy);
  FIELD(Evidence, finding.evidence);
  FIELD(Threshold, finding.threshold);
  FIELD(Blocks, finding.blocks);
  io.require(std::isfinite(finding.severity), "severity: not a number");
}

RUSHES_CODEC(Critique, records::Critique, critique) {
  FIELD(Verdict, critique.verdict);
  FIELD(Score, critique.score);
  FIELD(Dimensions, critique.dimensions);
  FIELD(Findings, critique.findings);
  FIELD(Critics, critique.critics);
  FIELD(ComputeSeconds, critique.compute_seconds);
  io.require(std::isfinite(critique.score), "score: not a number");
}

RUSHES_CODEC(TaskResult, records::TaskResult, result) {
  FIELD(Outputs, result.outputs);
  FIELD(ComputeSeconds, result.compute_seconds);
  FIELD(WallSeconds, result.wall_seconds);
  FIELD(PeakMemoryBytes, result.peak_memory_bytes);
  FIELD(Critique, result.critique);
  FIELD(NumericClass, result.numeric_class);
  FIELD(Files, result.files);
  io.require(std::isfinite(result.compute_seconds) && std::isfinite(result.wall_seconds),
             "seconds: not a number");
}

RUSHES_CODEC(WorkerProcess, records::WorkerProcess, process) {
  FIELD(Id, process.id);
  FIELD(Lock, process.lock);
  FIELD(Host, process.host);
  FIELD(Pid, process.pid);
  FIELD(Address, process.address);
  FIELD(Remarks, process.remarks);
}

RUSHES_CODEC(ModelOffer, records::ModelOffer, model) {
  FIELD(Name, model.name);
  FIELD(Digest, model.digest);
}

Bytes encode_recipe(const Recipe& recipe) {
  records::Building building;
  auto root = building.message().initRoot<records::Recipe>();
  records::Writer writer;
  write(writer, root, recipe);
  const kj::Array<capnp::word> words = capnp::canonicalize(root.asReader());
  const auto bytes = words.asBytes();
  return {bytes.begin(), bytes.end()};
}

Digest recipe_hash(std::span<const std::uint8_t> canonical) { return digest_of(chars_of(canonical)); }

Result<Recipe> decode_recipe(std::span<const std::uint8_t> bytes) {
  return records::guarded<Recipe>(records::Source::kDisk, "recipe", [&](records::Reader& reader) {
    const auto words = records::aligned_words(bytes);
    reader.require(words.size() > 0 && bytes.size() <= records::MAX_RECIPE_BYTES,
                   "expected whole words, at most 8 MiB of them");
    Recipe recipe;
    if (!reader.ok()) return recipe;
    const kj::ArrayPtr<const capnp::word> segments[1] = {words};
    // Not by its size: the canonical form takes the zeros out of a list, and the reader counts them all the
    // same.
    capnp::SegmentArrayMessageReader message(
        kj::arrayPtr(segments, 1), {records::MAX_RECIPE_BYTES / sizeof(capnp::word), records::kMaxNesting});
    read(reader, message.getRoot<records::Recipe>(), recipe);
    return recipe;
  });
}

std::string encode_task(const TaskSpec& spec) {
  constexpr std::size_t kInput = 112,
                        kOthers = 16u << 10;  // bytes of an input, of everything else, from above
  return records::encode<records::TaskSpec, std::string>(
      records::Source::kWire, spec, spec.recipe_bytes.size() + spec.inputs.size() * kInput + kOthers);
}
Result<TaskSpec> decode_task(std::string_view bytes) {
  return records::decode<records::TaskSpec, TaskSpec>(records::Source::kWire, records::octets(bytes),
                                                      kMaxTaskBytes, "task");
}
std::string encode_result(const TaskResult& result) {
  return records::encode<records::TaskResult, std::string>(records::Source::kWire, result);
}
Result<TaskResult> decode_result(std::string_view bytes) {
  return records::decode<records::TaskResult, TaskResult>(records::Source::kWire, records::octets(bytes),
                                                          kMaxTaskBytes, "result");
}

}  // namespace rushes
