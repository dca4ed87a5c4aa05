#include "scheduler/gateway/submit.h"

#include <algorithm>
#include <map>
#include <memory>
#include <span>

#include "config/digest.h"
#include "config/model.h"
#include "config/picture.h"
#include "config/prompt.h"

namespace rushes::scheduler {
namespace {

// Models of one batch, each read once.
class Models {
 public:
  explicit Models(const std::vector<std::filesystem::path>& roots) : roots_(roots) {}
  Result<std::shared_ptr<const config::ModelManifest>> get(const std::string& name) {
    const auto known = found_.find(name);
    if (known != found_.end()) return known->second;
    auto model = config::find_model(name, roots_);
    if (!model) return tl::unexpected<Error>(model.error());
    return found_[name] = std::make_shared<const config::ModelManifest>(std::move(*model));
  }
  // How the model reads prompts. The error is kept too: it says that a host without weights cannot tell.
  const Result<config::PromptReader>& reader(const config::ModelManifest& model) {
    const auto known = readers_.find(model.name);
    if (known != readers_.end()) return known->second;
    return readers_.emplace(model.name, config::PromptReader::open(model)).first->second;
  }

 private:
  const std::vector<std::filesystem::path>& roots_;
  std::map<std::string, std::shared_ptr<const config::ModelManifest>> found_;
  std::map<std::string, Result<config::PromptReader>> readers_;
};

// What a submit with the same idempotency key has to repeat.
Digest digest_of_text(const Submission& sent) {
  std::string text = sent.text;
  for (const auto& [path, digest] : sent.pictures) text += '\0' + path + '\0' + to_hex(digest);
  return digest_of(text);
}

void add_line(std::string& problems, const std::string& line) {
  if (!problems.empty()) problems += '\n';
  problems += line;
}

}  // namespace

Result<ReadBatch> read_batch_request(const BatchRequest& request, const BatchRoots& roots,
                                     const std::vector<config::SharedLimit>& shared_limits,
                                     storage::Vault& vault, PictureCheck& check) {
  const Submission& sent = request.sent;
  auto batch = config::parse_batch(sent.text, sent.file, {});
  if (!batch) return tl::unexpected<Error>(batch.error());
  ReadBatch read;
  read.event.name = sent.file;
  read.event.idempotency_key = request.idempotency_key;
  read.event.text = digest_of_text(sent);
  read.event.by = request.by;
  read.event.dry_run = request.dry_run;
  read.event.replace = request.replace;
  read.event.overrules = request.overrules;
  Models models(roots.models);
  const PictureSources pictures{sent.pictures, roots.pictures, vault, check};
  std::string problems;
  for (const auto& shot : batch->shots) {
    const auto wrong = [&](std::string_view key_name, const std::string& message) {
      add_line(problems, config::problem_at(shot, key_name, message));
    };
    for (const auto& found : config::unknown_limits(shot, shared_limits)) wrong(found.key, found.message);
    const auto model = models.get(shot.model);
    if (!model) {
      wrong("model", model.error().message);
      continue;
    }
    for (const auto& found : config::validate_shot(shot, **model)) wrong(found.key, found.message);
    event::ShotRequest wanted{shot, *model, {}, config::prompt_remarks(shot, models.reader(**model))};
    if (!wanted.remarks.empty() && models.reader(**model))
      read.known_words[shot.model] = models.reader(**model)->known_words();
    for (std::size_t i = 0; i < shot.key_frames.size(); ++i) {
      const auto image = find_picture(shot.key_frames[i], pictures, request.dry_run || !problems.empty());
      if (image)
        wanted.images.push_back(*image);
      else if (image.error().kind == ErrorKind::kInvalid)
        wrong(config::key_frame_key(i, "image"), image.error().message);
      else
        return tl::unexpected<Error>(image.error());
    }
    read.event.shots.push_back(std::move(wanted));
  }
  if (!problems.empty()) return fail(ErrorKind::kInvalid, std::move(problems));
  read.batch = std::move(*batch);
  return read;
}

std::vector<std::string> prompt_remarks(const std::string& model, const std::string& prompt,
                                        const std::vector<std::filesystem::path>& model_roots) {
  Models models(model_roots);
  const auto manifest = models.get(model);
  if (!manifest) return {"prompt: not compared with what the model reads: " + manifest.error().message};
  config::Shot shot;
  shot.prompt = prompt;
  return config::prompt_remarks(shot, models.reader(**manifest));
}

namespace {

const char* level_word(std::uint32_t level) { return level == 0 ? "draft" : "master"; }

Json stages_json(const std::vector<StageNeeds>& stages) {
  Json rows = Json::array();
  for (const StageNeeds& stage : stages)
    rows.push_back({{"stage", to_string(stage.stage)},
                    {"level", level_word(stage.level)},
                    {"tensors", stage.tensors},
                    {"host_bytes", stage.host_bytes},
                    {"tensor_bytes", stage.tensor_bytes}});
  return rows;
}

Json range_json(const policy::PriceRange& seconds, policy::PriceBasis basis) {
  return {{"low", seconds.low},
          {"expected", seconds.expected},
          {"high", seconds.high},
          {"basis", to_string(basis)}};
}

// What of a price is no more than a guess.
Json guessed_json(std::span<const policy::StagePrice> stages) {
  Json names = Json::array();
  double expected = 0;
  for (const policy::StagePrice& stage : stages) {
    if (stage.basis != policy::PriceBasis::kGuess) continue;
    expected += stage.seconds.expected;
    const std::string name = level_word(stage.level) + std::string(" ") + to_string(stage.stage);
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  if (names.empty()) return nullptr;
  return {{"stages", std::move(names)}, {"expected", expected}};
}

Json sum_json(const policy::PriceRange& total, std::span<const policy::StagePrice> stages) {
  Json json = range_json(total, policy::basis_of(stages));
  json["guessed"] = guessed_json(stages);
  return json;
}

Json price_json(const policy::Price& price, bool with_stages) {
  Json json = sum_json(price.total, price.stages), stages = Json::array();
  json["revisions"] = {{"expected", price.revisions.expected}, {"high", price.revisions.high}};
  if (!with_stages) return json;
  for (const policy::StagePrice& stage : price.stages) {
    Json row{{"stage", to_string(stage.stage)}, {"level", level_word(stage.level)}};
    row.update(range_json(stage.seconds, stage.basis));
    stages.push_back(std::move(row));
  }
  json["stages"] = std::move(stages);
  return json;
}

}  // namespace

Json batch_json(const ReadBatch& read, const command::Submitted& submitted, bool dry_run) {
  std::map<std::string, const event::ShotRequest*> asked;
  for (const auto& wanted : read.event.shots) asked[wanted.shot.show + "/" + wanted.shot.name] = &wanted;
  Json shots = Json::array();
  policy::PriceRange total;
  std::vector<policy::StagePrice> stages;
  for (const auto& shot : submitted.shots) {
    total += shot.price.total;
    stages.insert(stages.end(), shot.price.stages.begin(), shot.price.stages.end());
    Json row{{"shot", shot.shot}, {"takes", shot.takes}, {"windows", shot.windows}, {"tasks", shot.tasks}};
    if (dry_run) row["stages"] = stages_json(shot.stages);
    row["price"] = price_json(shot.price, dry_run);
    if (!shot.archived.empty()) row["archived"] = shot.archived;
    row["remarks"] = shot.remarks;
    if (const auto found = asked.find(shot.shot); found != asked.end()) {
      const auto& [wanted, model, images, remarks] = *found->second;
      row["frames"] = config::shot_frames(wanted, *model);
      row["fps"] = config::to_string(config::shot_rate(wanted, *model));
      row["seeds"] = wanted.seeds;
    }
    shots.push_back(std::move(row));
  }
  Json known = Json::object();
  for (const auto& [model, words] : read.known_words)
    if (!words.empty()) known[model] = words;
  return {{"batch", submitted.batch}, {"known_words", std::move(known)}, {"show", read.batch.show},
          {"dry_run", dry_run},       {"repeated", submitted.repeated},  {"price", sum_json(total, stages)},
          {"shots", std::move(shots)}};
}

}  // namespace rushes::scheduler
