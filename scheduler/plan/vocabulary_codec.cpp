#include "scheduler/plan/vocabulary_codec.h"

#include <cmath>

namespace rushes::scheduler::codec {

void malformed(const char* field, const std::string& what) {
  throw Malformed{std::string(field) + ": " + what};
}

std::uint32_t at_most(std::uint32_t value, std::uint32_t most, const char* field) {
  if (value > most) malformed(field, std::to_string(value) + ", at most " + std::to_string(most));
  return value;
}

std::string read_text(capnp::Text::Reader text, const char* field, std::size_t most) {
  if (text.size() > most) {
    malformed(field, std::to_string(text.size()) + " bytes, at most " + std::to_string(most));
  }
  return {text.begin(), text.size()};
}

Digest read_digest(capnp::Data::Reader data, const char* field) {
  Digest digest{};
  if (data.size() == 0) return digest;
  if (data.size() != digest.size())
    malformed(field, "expected 32 bytes, found " + std::to_string(data.size()));
  std::memcpy(digest.data(), data.begin(), digest.size());
  return digest;
}

Bytes read_data(capnp::Data::Reader data, const char* field, std::size_t most) {
  if (data.size() > most) {
    malformed(field, std::to_string(data.size()) + " bytes, at most " + std::to_string(most));
  }
  return {data.begin(), data.end()};
}

kj::Array<capnp::word> aligned_words(const std::uint8_t* bytes, std::size_t size) {
  if (size == 0 || size % sizeof(capnp::word) != 0) {
    malformed("size", "expected whole words, found " + std::to_string(size) + " bytes");
  }
  auto words = kj::heapArray<capnp::word>(size / sizeof(capnp::word));
  std::memcpy(words.begin(), bytes, size);
  return words;
}

void write(records::Range::Builder out, const Range& range) {
  out.setBegin(range.begin);
  out.setEnd(range.end);
}

Range read(records::Range::Reader in) {
  if (in.getEnd() < in.getBegin()) malformed("range", "ends before it begins");
  return {in.getBegin(), in.getEnd()};
}

namespace {

void write(records::Tile::Builder out, const Tile& tile) {
  out.setY(tile.y);
  out.setX(tile.x);
  out.setHeight(tile.height);
  out.setWidth(tile.width);
}
Tile read(records::Tile::Reader in) { return {in.getY(), in.getX(), in.getHeight(), in.getWidth()}; }

void write_ranges(capnp::List<records::Range>::Builder out, const std::vector<Range>& ranges) {
  for (unsigned i = 0; i < ranges.size(); ++i) codec::write(out[i], ranges[i]);
}

void write_tiles(capnp::List<records::Tile>::Builder out, const std::vector<Tile>& tiles) {
  for (unsigned i = 0; i < tiles.size(); ++i) write(out[i], tiles[i]);
}
std::vector<Tile> read_tiles(capnp::List<records::Tile>::Reader in) {
  std::vector<Tile> tiles;
  read_size(in, "tiles", kMaxTiles);
  for (auto tile : in) tiles.push_back(read(tile));
  return tiles;
}

void write_master(records::Master::Builder out, const Master& master) {
  out.setScale(master.scale);
  codec::write(out.initSampling(), master.sampling);
  write_tiles(out.initTiles(master.tiles.size()), master.tiles);
  write_tiles(out.initDecodeTiles(master.decode_tiles.size()), master.decode_tiles);
  write_ranges(out.initWindows(master.windows.size()), master.windows);
}

Master read_master(records::Master::Reader in) {
  Master master;
  master.scale = at_most(in.getScale(), kMaxScale, "scale");
  master.sampling = codec::read(in.getSampling());
  master.tiles = read_tiles(in.getTiles());
  master.decode_tiles = read_tiles(in.getDecodeTiles());
  master.windows = read_list<Range>(in.getWindows(), "windows");
  return master;
}

}  // namespace

void write(records::Sampling::Builder out, const Sampling& sampling) {
  out.setSampler(static_cast<records::Sampler>(sampling.sampler));
  write_numbers(sampling.sigmas, out.initSigmas(sampling.sigmas.size()));
  write_numbers(sampling.timesteps, out.initTimesteps(sampling.timesteps.size()));
  out.setGuidance(sampling.guidance);
  write_ranges(out.initSegments(sampling.segments.size()), sampling.segments);
}

Sampling read(records::Sampling::Reader in) {
  Sampling sampling;
  sampling.sampler = read_enum<config::Sampler>(in.getSampler(), 3, "sampler");
  sampling.sigmas = read_numbers<float>(in.getSigmas(), "sigmas");
  sampling.timesteps = read_numbers<float>(in.getTimesteps(), "timesteps");
  sampling.guidance = in.getGuidance();
  sampling.segments = read_list<Range>(in.getSegments(), "segments");
  return sampling;
}

void write(records::Recipe::Builder out, const Recipe& recipe) {
  out.setEngineBuild(recipe.engine_build);
  out.setNumericClass(recipe.numeric_class);
  out.setModel(recipe.model);
  out.setModelDigest(data_of(recipe.model_digest));
  out.setPrompt(recipe.prompt);
  out.setNegativePrompt(recipe.negative_prompt);
  out.setSeed(recipe.seed);
  out.setFpsNumerator(static_cast<std::uint32_t>(recipe.fps.numerator));
  out.setFpsDenominator(static_cast<std::uint32_t>(recipe.fps.denominator));
  out.setFrames(recipe.frames);
  out.setRenderedFrames(recipe.rendered_frames);
  out.setWidth(recipe.width);
  out.setHeight(recipe.height);
  out.setDeliverWidth(recipe.deliver_width);
  out.setDeliverHeight(recipe.deliver_height);
  write(out.initDraft(), recipe.draft);
  write_ranges(out.initWindows(recipe.windows.size()), recipe.windows);
  auto keys = out.initKeyFrames(recipe.key_frames.size());
  for (unsigned i = 0; i < recipe.key_frames.size(); ++i) {
    keys[i].setFrame(recipe.key_frames[i].frame);
    keys[i].setImage(data_of(recipe.key_frames[i].image));
    keys[i].setBytes(recipe.key_frames[i].bytes);
  }
  auto revisions = out.initRevisions(recipe.revisions.size());
  for (unsigned i = 0; i < recipe.revisions.size(); ++i) {
    const Revision& revision = recipe.revisions[i];
    revisions[i].setNumber(revision.number);
    write_numbers(revision.windows, revisions[i].initWindows(revision.windows.size()));
    revisions[i].setSeed(revision.seed);
    revisions[i].setReason(revision.reason);
  }
  if (recipe.master.scale > 0) write_master(out.initMaster(), recipe.master);
  // Not an empty list, which would be other canonical bytes than those of the recipes before this field.
  if (!recipe.decode_tiles.empty())
    write_tiles(out.initDecodeTiles(recipe.decode_tiles.size()), recipe.decode_tiles);
}

Recipe read(records::Recipe::Reader in) {
  Recipe recipe;
  recipe.engine_build = read_text(in.getEngineBuild(), "engine build");
  recipe.numeric_class = read_text(in.getNumericClass(), "numeric class");
  recipe.model = read_text(in.getModel(), "model");
  recipe.model_digest = read_digest(in.getModelDigest(), "model digest");
  recipe.prompt = read_text(in.getPrompt(), "prompt");
  recipe.negative_prompt = read_text(in.getNegativePrompt(), "negative prompt");
  recipe.seed = in.getSeed();
  recipe.fps = {static_cast<std::int32_t>(in.getFpsNumerator()),
                static_cast<std::int32_t>(in.getFpsDenominator())};
  recipe.frames = at_most(in.getFrames(), kMaxFrames, "frames");
  recipe.rendered_frames = at_most(in.getRenderedFrames(), kMaxFrames, "frames");
  recipe.width = at_most(in.getWidth(), kMaxSide, "width");
  recipe.height = at_most(in.getHeight(), kMaxSide, "height");
  recipe.deliver_width = at_most(in.getDeliverWidth(), kMaxSide, "width");
  recipe.deliver_height = at_most(in.getDeliverHeight(), kMaxSide, "height");
  recipe.draft = read(in.getDraft());
  recipe.windows = read_list<Range>(in.getWindows(), "windows");
  read_size(in.getKeyFrames(), "key frames", kMaxKeyFrames);
  for (auto key : in.getKeyFrames()) {
    recipe.key_frames.push_back({key.getFrame(), read_digest(key.getImage(), "key frame"), key.getBytes()});
  }
  read_size(in.getRevisions(), "revisions", kMaxRevisions);
  for (auto entry : in.getRevisions()) {
    recipe.revisions.push_back({entry.getNumber(),
                                read_numbers<std::uint32_t>(entry.getWindows(), "revision windows"),
                                entry.getSeed(), read_text(entry.getReason(), "reason")});
  }
  if (in.hasMaster()) recipe.master = read_master(in.getMaster());
  recipe.decode_tiles = read_tiles(in.getDecodeTiles());
  return recipe;
}

void write(records::Critique::Builder out, const Critique& critique) {
  out.setVerdict(static_cast<records::Verdict>(critique.verdict));
  out.setScore(critique.score);
  auto dimensions = out.initDimensions(critique.dimensions.size());
  for (unsigned i = 0; i < critique.dimensions.size(); ++i) {
    dimensions[i].setDimension(critique.dimensions[i].dimension);
    dimensions[i].setScore(critique.dimensions[i].score);
    dimensions[i].setThreshold(critique.dimensions[i].threshold);
  }
  auto findings = out.initFindings(critique.findings.size());
  for (unsigned i = 0; i < critique.findings.size(); ++i) {
    const Finding& finding = critique.findings[i];
    auto entry = findings[i];
    entry.setDimension(finding.dimension);
    entry.setSeverity(finding.severity);
    write(entry.initFrames(), finding.frames);
    entry.setWindow(finding.window);
    auto box = entry.initBox();
    box.setX(finding.box.x);
    box.setY(finding.box.y);
    box.setWidth(finding.box.width);
    box.setHeight(finding.box.height);
    entry.setMessage(finding.message);
    entry.setRemedy(finding.remedy);
    entry.setEvidence(finding.evidence);
    entry.setThreshold(finding.threshold);
  }
  out.setCritics(critique.critics);
  out.setComputeSeconds(critique.compute_seconds);
}

namespace {

Finding read_finding(records::Finding::Reader in) {
  Finding finding;
  finding.dimension = read_text(in.getDimension(), "finding dimension");
  finding.severity = in.getSeverity();
  finding.frames = codec::read(in.getFrames());
  finding.window = in.getWindow();
  finding.box = {in.getBox().getX(), in.getBox().getY(), in.getBox().getWidth(), in.getBox().getHeight()};
  finding.message = read_text(in.getMessage(), "finding message");
  finding.remedy = read_text(in.getRemedy(), "finding remedy");
  finding.evidence = in.getEvidence();
  finding.threshold = in.getThreshold();
  if (!std::isfinite(finding.severity)) malformed("finding severity", "not a number");
  return finding;
}

}  // namespace

Critique read(records::Critique::Reader in) {
  Critique critique;
  critique.verdict = read_enum<Verdict>(in.getVerdict(), 4, "verdict");
  critique.score = in.getScore();
  if (!std::isfinite(critique.score)) malformed("score", "not a number");
  read_size(in.getDimensions(), "dimensions", 4096);
  for (auto entry : in.getDimensions()) {
    critique.dimensions.push_back(
        {read_text(entry.getDimension(), "dimension"), entry.getScore(), entry.getThreshold()});
  }
  read_size(in.getFindings(), "findings", 4096);
  for (auto entry : in.getFindings()) critique.findings.push_back(read_finding(entry));
  critique.critics = read_text(in.getCritics(), "critics");
  critique.compute_seconds = in.getComputeSeconds();
  return critique;
}

void write(records::TaskResult::Builder out, const TaskResult& result) {
  auto outputs = out.initOutputs(result.outputs.size());
  for (unsigned i = 0; i < result.outputs.size(); ++i) {
    outputs[i].setRole(result.outputs[i].role);
    outputs[i].setDigest(data_of(result.outputs[i].digest));
    outputs[i].setBytes(result.outputs[i].bytes);
  }
  out.setComputeSeconds(result.compute_seconds);
  out.setWallSeconds(result.wall_seconds);
  out.setPeakMemoryBytes(result.peak_memory_bytes);
  write(out.initCritique(), result.critique);
  out.setNumericClass(result.numeric_class);
  auto files = out.initFiles(result.files.size());
  for (unsigned i = 0; i < result.files.size(); ++i) files.set(i, result.files[i]);
}

TaskResult read(records::TaskResult::Reader in) {
  TaskResult result;
  read_size(in.getOutputs(), "outputs", 4096);
  for (auto entry : in.getOutputs()) {
    result.outputs.push_back({read_text(entry.getRole(), "output role"),
                              read_digest(entry.getDigest(), "output digest"), entry.getBytes()});
  }
  result.compute_seconds = in.getComputeSeconds();
  result.wall_seconds = in.getWallSeconds();
  if (!std::isfinite(result.compute_seconds) || !std::isfinite(result.wall_seconds))
    malformed("seconds", "not a number");
  result.peak_memory_bytes = in.getPeakMemoryBytes();
  result.critique = read(in.getCritique());
  result.numeric_class = read_text(in.getNumericClass(), "numeric class");
  read_size(in.getFiles(), "files", 100'000);
  for (auto file : in.getFiles()) result.files.push_back(read_text(file, "file"));
  return result;
}

void write(records::CriticSetting::Builder out, const CriticSetting& setting) {
  out.setName(setting.name);
  out.setEnabled(setting.enabled);
  out.setRevise(setting.revise);
  out.setReject(setting.reject);
}

CriticSetting read(records::CriticSetting::Reader in) {
  return {read_text(in.getName(), "critic"), in.getEnabled(), in.getRevise(), in.getReject()};
}

}  // namespace rushes::scheduler::codec
