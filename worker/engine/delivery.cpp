#include "worker/engine/delivery.h"

#include "config/digest.h"
#include "config/rate.h"
#include "config/version_name.h"
#include "storage/records/lineage.h"
#include "worker/picture/atomic_file.h"
#include "worker/picture/manifest.h"

namespace rushes::worker {
namespace {

using Json = nlohmann::json;

Json sampling_json(const Sampling& plan) {
  return {{"sampler", config::to_string(plan.sampler)},
          {"sigmas", plan.sigmas},
          {"guidance", plan.guidance},
          {"segments", plan.segments.size()}};
}

Json prompt_json(const std::string& prompt) { return prompt.empty() ? Json(nullptr) : Json(prompt); }

// What each revision rendered again, the oldest first: with its prompt, or that of before.
Json revisions_json(const Recipe& recipe) {
  Json revisions = Json::array();
  std::string prompt = recipe.prompt;
  for (const Revision& revision : recipe.revisions) {
    if (!revision.prompt.empty()) prompt = revision.prompt;
    revisions.push_back({{"revision", revision.number},
                         {"windows", revision.windows},
                         {"seed", revision.seed},
                         {"prompt", prompt_json(prompt)}});
  }
  return revisions;
}

// The windows that are not as the take was rendered first.
Json renewed_json(const Recipe& recipe) {
  Json renewed = Json::array();
  for (const WindowsMade& made : renewed_windows(windows_made(recipe)))
    renewed.push_back({{"windows", made.windows},
                       {"revision", made.revision},
                       {"seed", made.seed},
                       {"prompt", prompt_json(made.prompt)}});
  return renewed;
}

Json recipe_json(const Task& task) {
  const Recipe& recipe = task.recipe;
  Json json{{"hash", to_hex(task.recipe_hash)},
            {"engine_build", recipe.engine_build},
            {"numeric_class", recipe.numeric_class},
            {"model", recipe.model},
            {"model_digest", to_hex(recipe.model_digest)},
            {"prompt", prompt_json(recipe.prompt)},
            {"negative_prompt", recipe.negative_prompt},
            {"seed", recipe.seed},
            {"frames", recipe.frames},
            {"windows", recipe.windows.size()},
            {"revisions", revisions_json(recipe)},
            {"renewed", renewed_json(recipe)},
            {"draft", sampling_json(recipe.draft)}};
  if (recipe.master.scale > 0) {
    json["master"] = sampling_json(recipe.master.sampling);
    json["master"]["scale"] = recipe.master.scale;
    json["master"]["tiles"] = recipe.master.tiles.size();
  }
  return json;
}

// Latent 0 is frame 0, every other latent stands for as many frames.
int frames_per_latent(const Recipe& recipe) {
  const int latents = recipe.windows.back().end;
  return latents > 1 ? (recipe.rendered_frames - 1) / (latents - 1) : 1;
}

constexpr const char* kind_of(const Task& task) { return task.delivery.master ? "master" : "draft"; }

}  // namespace

Result<DeliveryTags> delivery_tags(const Task& task, const CritiqueSummary& critique) {
  const Recipe& recipe = task.recipe;
  DeliveryTags tags;
  tags.shot = task.shot;
  tags.kind = kind_of(task);
  tags.version = task.delivery.version;
  // An edit finds media by reel and timecode: the draft must not stand in for the master.
  tags.reel_name = task.delivery.reel;
  if (!tags.reel_name.empty() && !task.delivery.master) tags.reel_name += "_draft";
  if (!task.delivery.timecode.empty() && config::has_timecode(task.delivery.fps)) {
    auto timecode = config::parse_timecode(task.delivery.timecode, task.delivery.fps);
    if (!timecode) return tl::unexpected(timecode.error());
    tags.first_timecode = *timecode;
  }
  tags.take = task.take;
  tags.seed = recipe.seed;
  tags.model_digest = to_hex(recipe.model_digest);
  tags.recipe_hash = to_hex(task.recipe_hash);
  tags.numeric_class = recipe.numeric_class;
  tags.engine_build = recipe.engine_build;
  // Of an older recipe that does not say the take's own prompt: the last one.
  tags.prompt_hash = to_hex(digest_of(recipe.prompt.empty() ? current_prompt(recipe) : recipe.prompt));
  if (task.delivery.master)
    tags.parent_take = task.show + "/" + task.shot + " take " + std::to_string(task.take) + " draft";
  const int scale = task.delivery.master ? std::max(1, recipe.master.scale) : 1;
  tags.render_width = recipe.width * scale;
  tags.render_height = recipe.height * scale;
  if (critique.known) tags.critique_score = critique.score;
  tags.critique_verdict = critique.verdict;
  return tags;
}

std::vector<WindowFrame> windows_of_frames(const Task& task) {
  const int stride_t = frames_per_latent(task.recipe);
  const std::vector<Range>& windows =
      task.delivery.master && task.recipe.master.scale > 0 ? task.recipe.master.windows : task.recipe.windows;
  std::vector<WindowFrame> made;
  for (int frame = 0; frame < task.recipe.frames; ++frame) {
    const int latent = (frame + stride_t - 1) / stride_t;
    int window = 0;
    while (window + 1 < static_cast<int>(windows.size()) &&
           !windows[static_cast<std::size_t>(window)].contains(latent))
      ++window;
    const int first = windows[static_cast<std::size_t>(window)].begin;
    const int first_frame = first == 0 ? 0 : (first - 1) * stride_t + 1;
    made.push_back({window, frame - first_frame});
  }
  return made;
}

Result<CritiqueSummary> read_critique(std::string_view text, const std::string& label) {
  CritiqueSummary summary;
  summary.json = Json::parse(text.begin(), text.end(), nullptr, false);
  if (!summary.json.is_object() || !summary.json.contains("verdict") ||
      !summary.json["verdict"].is_string() || !summary.json.contains("score"))
    return fail(ErrorKind::kCorrupt, label + " is not readable");
  summary.verdict = summary.json["verdict"].get<std::string>();
  Json& score = summary.json["score"];
  if (summary.verdict == to_string(Verdict::kUnknown)) {
    score = nullptr;  // older workers wrote 1, which no critic had said
    return summary;
  }
  if (!score.is_number()) return fail(ErrorKind::kCorrupt, label + " is not readable");
  summary.known = true;
  summary.score = score.get<double>();
  return summary;
}

Result<CritiqueSummary> critique_of(const Task& task, const LocalArtifacts& artifacts, int take) {
  for (const Input* input : inputs_of(task, Role::kCritique)) {
    if (input->take != take) continue;
    auto mapped = artifacts.open(input->digest);
    if (!mapped) return tl::unexpected(mapped.error());
    const auto bytes = mapped->bytes();
    return read_critique({reinterpret_cast<const char*>(bytes.data()), bytes.size()},
                         "the critique of take " + std::to_string(take));
  }
  return CritiqueSummary{};
}

std::string delivery_id(const Task& task) {
  const Delivery& delivery = task.delivery;
  return to_hex(digest_of(std::to_string(delivery.shot_wall_ms) + "\n" + delivery.folder + "\n" +
                          std::to_string(task.take) + "\n" + to_hex(task.recipe_hash)));
}

Result<VersionFolder> open_version(const Task& task, const StageContext& context) {
  const auto proposed = config::version_number(task.delivery.version);
  if (!proposed)
    return fail(ErrorKind::kInvalid,
                "delivery version: expected v001 and so on, found \"" + task.delivery.version + "\"");
  const std::filesystem::path below = std::filesystem::path(task.delivery.folder).parent_path();
  return VersionFolder::open(context.deliveries, below, *proposed, delivery_id(task));
}

Task in_version(const Task& task, const std::string& version) {
  Task chosen = task;
  chosen.delivery.version = version;
  chosen.delivery.folder = (std::filesystem::path(task.delivery.folder).parent_path() / version).string();
  return chosen;
}

Result<FrameFiles> FrameFiles::create(const Task& task, std::filesystem::path folder,
                                      const CritiqueSummary& critique) {
  auto tags = delivery_tags(task, critique);
  if (!tags) return tl::unexpected(tags.error());
  FrameFiles files(task);
  files.folder_ = std::move(folder);
  files.tags_ = std::move(*tags);
  files.made_ = windows_of_frames(task);
  return files;
}

std::string FrameFiles::name(int frame) const {
  return exr_file_name(delivery_name(tags_), task_.delivery.start_frame + frame);
}

bool FrameFiles::is_written(int frame) const { return is_taken(folder_ / name(frame)); }

Status FrameFiles::write(ClipView picture, int frame) const {
  auto bytes =
      encode_exr(picture, tags_, made_[static_cast<std::size_t>(frame)], frame, task_.delivery.start_frame);
  if (!bytes) return tl::unexpected(bytes.error());
  return write_file((folder_ / name(frame)).string(), *bytes);
}

Result<std::string> sidecar_text(const Task& task, const std::string& id, const std::filesystem::path& folder,
                                 const CritiqueSummary& critique, const std::vector<std::string>& files) {
  const auto tags = delivery_tags(task, critique);
  if (!tags) return tl::unexpected(tags.error());
  Json list = Json::array();
  for (const std::string& file : files) {
    const auto seal = seal_of((folder / file).string());
    if (!seal) return tl::unexpected(seal.error());
    list.push_back({{"file", file}, {"blake2b_256", seal->digest}, {"bytes", seal->bytes}});
  }
  const Json sidecar{
      {"version", 2},
      {"id", id},
      {"show", task.show},
      {"shot", task.shot},
      {"take", task.take},
      {"kind", kind_of(task)},
      {"delivery", task.delivery.version},
      {"fps",
       std::to_string(task.delivery.fps.numerator) + "/" + std::to_string(task.delivery.fps.denominator)},
      {"start_frame", task.delivery.start_frame},
      {"timecode", config::has_timecode(task.delivery.fps) ? task.delivery.timecode : ""},
      {"reel", reel_name(*tags)},
      {"colour", "ACES2065-1 scene-linear half, PIZ; views through farm.ocio"},
      {"digital_source_type", "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"},
      {"recipe", recipe_json(task)},
      {"critique", critique.json},
      {"files", list}};
  return sealed(sidecar);
}

}  // namespace rushes::worker
