#include "config/shot.h"

#include <algorithm>
#include <array>
#include <set>

#include "config/file_kind.h"
#include "config/instant.h"
#include "config/picture.h"
#include "config/read_sampling.h"
#include "config/yaml.h"

namespace rushes::config {
namespace {

constexpr std::array<std::string_view, 2> kApproveWords{"person", "best"};

std::vector<std::string> words(const auto& views) { return {views.begin(), views.end()}; }

// A shot while it is read: how its seeds were written matters until defaults and shot are joined.
struct Draft {
  Shot shot;
  std::optional<std::uint64_t> seed;
  std::optional<int> takes;
};

struct Context {
  std::filesystem::path folder;
  bool check_files = false;  // whether images must exist here
};

void require_file(Fields& fields, const char* key, const std::filesystem::path& file,
                  const Context& context) {
  std::error_code code;
  if (context.check_files && !std::filesystem::is_regular_file(file, code))
    fields.problem(key,
                   "expected a PNG or EXR file, found " + kind_of_file(file) + ", '" + file.string() + "'");
}

void read_prompts(Fields& fields, Shot& shot) {
  const auto clean = [&](const char* key, std::string& text) {
    std::replace(text.begin(), text.end(), '\n', ' ');  // a folded or literal block is one line of prompt
    while (!text.empty() && text.back() == ' ') text.pop_back();
    if (text.empty()) fields.problem(key, "expected words, found nothing");
  };
  if (fields.text("prompt", shot.prompt, kMaxPrompt)) clean("prompt", shot.prompt);
  if (std::string text; fields.text("negative_prompt", text, kMaxPrompt)) {
    std::replace(text.begin(), text.end(), '\n', ' ');
    shot.negative_prompt = text;
  }
}

void read_length(Fields& fields, Shot& shot) {
  int frames = 0;
  double seconds = 0;
  const bool has_frames = fields.integer("frames", frames, 1, kMaxFrames);
  const bool has_seconds = fields.number("seconds", seconds, 0.01, kMaxFrames);
  if (has_frames && has_seconds) fields.problem("seconds", "expected either frames or seconds, found both");
  if (has_frames) {
    shot.frames = frames;
    shot.seconds.reset();
  } else if (has_seconds) {
    shot.seconds = seconds;
    shot.frames.reset();
  }
  if (const YamlNode* fps = fields.find("fps")) {
    if (const auto rate = parse_rate(fps->text))
      shot.fps = *rate;
    else
      fields.problem("fps", rate.error().message);
  }
  if (int index = 0; fields.choice("retime", index, {"none", "conform"}))
    shot.retime = static_cast<Retime>(index);
}

void read_takes(Fields& fields, Draft& draft) {
  int takes = 0;
  const bool has_takes = fields.integer("takes", takes, 1, kMaxTakes);
  if (has_takes) draft.takes = takes;
  if (std::int64_t seed = 0; fields.integer("seed", seed, 0, kMaxSeed)) {
    draft.seed = static_cast<std::uint64_t>(seed);
    draft.shot.seeds.clear();
  }
  if (!fields.has("seeds")) return (void)fields.find("seeds");
  if (fields.has("seed")) fields.problem("seeds", "expected either seed or seeds, found both");
  draft.shot.seeds.clear();
  const std::size_t problems = fields.problems().count();
  fields.list("seeds", kMaxTakes, "a list of whole numbers, one per take",
              [&](const YamlNode& item, const std::string& path) {
                std::int64_t seed = 0;
                const Reading reading = read_integer(item, seed, 0, kMaxSeed);
                const auto value = static_cast<std::uint64_t>(seed);
                auto& seeds = draft.shot.seeds;
                if (!reading.ok)
                  fields.problems().add(item, path, mismatch(reading.expected, item));
                else if (std::find(seeds.begin(), seeds.end(), value) != seeds.end())
                  fields.problems().add(
                      item, path, "expected another seed for every take, found " + item.text + " twice");
                else
                  seeds.push_back(value);
              });
  draft.takes.reset();
  if (fields.problems().count() > problems) return;  // a list that is wrong is not counted as well
  if (draft.shot.seeds.empty()) fields.problem("seeds", "expected at least one seed");
  if (has_takes && static_cast<int>(draft.shot.seeds.size()) != takes)
    fields.problem("takes", "expected as many takes as seeds (" + std::to_string(draft.shot.seeds.size()) +
                                "), found " + std::to_string(takes) + "; leave takes out");
}

void read_upgrade(Fields& fields, Upgrade& upgrade) {
  const YamlNode* node = fields.find("upgrade");
  if (node == nullptr) return;
  if (node->kind == YamlNode::Kind::kScalar && node->text == "none") {
    upgrade = {};
    return;
  }
  if (node->kind != YamlNode::Kind::kMap)
    return fields.problem("upgrade", mismatch("none, or a map such as {scale: 4}", *node));
  upgrade.enabled = true;
  fields.map("upgrade", [&](Fields& map) {
    if (int index = 0; map.choice("scale", index, {"2", "4"})) upgrade.scale = index == 0 ? 2 : 4;
    read_sampling_change(map, upgrade.change);
  });
}

void read_budget(Fields& fields, Budget& budget) {
  fields.map("budget", [&](Fields& map) {
    map.integer("windows", budget.windows, 0, 10'000);
    if (double seconds = 0; map.number("device_seconds", seconds, 0, 1e9)) budget.device_seconds = seconds;
    if (map.has("compute_seconds") && map.find("compute_seconds") != nullptr)
      map.problem("compute_seconds",
                  "the key is device_seconds: seconds for which attempts hold a CPU or GPU slot");
  });
}

void read_key_frames(Fields& fields, Shot& shot, const Context& context) {
  if (!fields.has("key_frames")) return (void)fields.find("key_frames");
  shot.key_frames.clear();
  fields.list("key_frames", 64, "a list of {frame: N, image: FILE}",
              [&](const YamlNode& item, const std::string& path) {
                Fields entry(item, path, fields.problems());
                if (item.kind != YamlNode::Kind::kMap) return;
                KeyFrame key;
                for (const char* name : {"frame", "image"})
                  if (const YamlNode* value = entry.find(name))
                    shot.places[key_frame_key(shot.key_frames.size(), name)] = {entry.path_of(name),
                                                                                value->line, value->column};
                entry.require("frame", "a frame counted from 0, the shot's first");
                entry.require("image", "an image file");
                entry.integer("frame", key.frame, 0, kMaxFrames - 1);
                if (entry.path("image", key.image, context.folder))
                  require_file(entry, "image", key.image, context);
                if (!shot.key_frames.empty() && key.frame <= shot.key_frames.back().frame)
                  entry.problem("frame", "expected ascending frames, found " + std::to_string(key.frame) +
                                             " after " + std::to_string(shot.key_frames.back().frame));
                entry.finish();
                shot.key_frames.push_back(key);
              });
}

void read_editorial(Fields& fields, Shot& shot) {
  fields.integer("start_frame", shot.start_frame, 0, 9'000'000);
  if (std::string text; fields.text("timecode", text, 12)) {
    shot.timecode = text;
    // The form only: shot and model together decide the rate (validate_shot).
    const auto reads = [&](Rate rate) { return parse_timecode(text, rate).has_value(); };
    if (!reads({kMaxTimecodeBase, 1}) && !reads({60000, 1001}) && !reads({30000, 1001}))
      fields.problem("timecode", "expected a timecode HH:MM:SS:FF, found '" + text + "'");
  }
  // It goes into EXR headers and edit lists, where a line is a line.
  if (fields.text("reel", shot.reel, 32) && std::any_of(shot.reel.begin(), shot.reel.end(), [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
      }))
    fields.problem("reel", "expected a name on one line, without control characters");
}

void read_service(Fields& fields, Shot& shot) {
  fields.integer("priority", shot.priority, 0, 100);
  if (std::string text; fields.text("deadline", text, 64)) {
    if (text == "none")
      shot.deadline.reset();
    else if (const auto instant = parse_instant(text))
      shot.deadline = *instant;
    else
      fields.problem("deadline", instant.error().message);
  }
  if (fields.has("limits")) shot.limits.clear();
  fields.list("limits", 16, "a list of names of farm.yaml's limits.shared",
              [&](const YamlNode& item, const std::string& path) {
                std::string name;
                const Reading reading = read_name(item, name);
                if (!reading.ok)
                  fields.problems().add(item, path, mismatch(reading.expected, item));
                else if (std::find(shot.limits.begin(), shot.limits.end(), name) == shot.limits.end())
                  shot.limits.push_back(name);
              });
}

// Everything that may stand in `defaults` as well as in a shot.
void read_common(Fields& fields, Draft& draft, const Context& context) {
  Shot& shot = draft.shot;
  for (const YamlEntry& entry : fields.node().entries)
    shot.places[entry.key.text] = {fields.path_of(entry.key.text), entry.value.line, entry.value.column};
  read_prompts(fields, shot);
  fields.name("model", shot.model);
  read_length(fields, shot);
  read_takes(fields, draft);
  fields.map("sampling", [&](Fields& map) {
    read_sampling_change(map, shot.sampling);
    if (shot.sampling.start_sigma)
      map.problem("start_sigma", "a draft starts from pure noise; start_sigma belongs to upgrade");
  });
  read_service(fields, shot);
  fields.flag("gate", shot.gate);
  if (int index = 0; fields.choice("approve", index, words(kApproveWords)))
    shot.approve = static_cast<Approve>(index);
  read_upgrade(fields, shot.upgrade);
  read_budget(fields, shot.budget);
  read_key_frames(fields, shot, context);
  read_critics(fields, shot.critics, false);
  read_editorial(fields, shot);
}

// A seed that nobody wrote follows from the shot's name, so that the same file always gives the same pixels.
std::uint64_t derived_seed(const Shot& shot) {
  return std::stoull(text_digest(shot.show + "/" + shot.name).substr(kDigestPrefix.size(), 8), nullptr, 16);
}

void settle_seeds(Draft& draft) {
  if (!draft.shot.seeds.empty() && !draft.takes) return;
  if (!draft.shot.seeds.empty() && *draft.takes == draft.shot.takes()) return;
  const std::uint64_t first =
      draft.seed.value_or(draft.shot.seeds.empty() ? derived_seed(draft.shot) : draft.shot.seeds.front());
  draft.shot.seeds.clear();
  for (int take = 0; take < draft.takes.value_or(1); ++take)
    draft.shot.seeds.push_back(first + static_cast<std::uint64_t>(take));
}

Shot read_shot(const YamlNode& node, const std::string& path, Draft draft, const Context& context,
               Problems& problems) {
  Fields fields(node, path, problems);
  if (node.kind != YamlNode::Kind::kMap) return {};
  draft.shot.file = problems.file();
  draft.shot.places[""] = {path, node.line, node.column};
  fields.require("name", "the shot's name, such as sh010");
  fields.name("name", draft.shot.name);
  read_common(fields, draft, context);
  if (draft.shot.prompt.empty()) fields.require("prompt", "what the shot shows, in words");
  if (draft.shot.model.empty()) fields.require("model", "the name of a model in model_roots");
  if (!draft.shot.frames && !draft.shot.seconds && !fields.has("frames") && !fields.has("seconds"))
    fields.require("frames", "the length in frames (or seconds)");
  fields.finish();
  settle_seeds(draft);
  return draft.shot;
}

Batch read_root(const YamlNode& node, const Context& context, Problems& problems) {
  Batch batch;
  Fields root(node, "", problems);
  root.find("version");
  root.require("show", "the show's name");
  root.name("show", batch.show);
  Draft defaults;
  defaults.shot.show = batch.show;
  root.map("defaults", [&](Fields& fields) {
    if (fields.has("name"))
      fields.problem("name", "expected a name in each shot, not here: no two shots of a show have the same");
    read_common(fields, defaults, context);
  });
  root.require("shots", "a list of shots");
  std::set<std::string> names;
  root.list("shots", kMaxShots, "a list of shots", [&](const YamlNode& item, const std::string& path) {
    Shot shot = read_shot(item, path, defaults, context, problems);
    if (!shot.name.empty() && !names.insert(shot.name).second)
      problems.add(item, path + ".name", "expected every shot once, found '" + shot.name + "' again");
    batch.shots.push_back(std::move(shot));
  });
  if (const YamlNode* shots = root.find("shots");
      shots != nullptr && shots->kind == YamlNode::Kind::kList && shots->items.empty())
    root.problem("shots", "expected at least one shot, found an empty list");
  root.finish();
  return batch;
}

Result<Batch> parse(std::string_view text, const std::string& name, const Context& context) {
  Problems problems(name);
  const YamlNode root = parse_yaml(text, problems);
  if (!problems.empty()) return tl::unexpected(problems.error());
  Batch batch = read_root(root, context, problems);
  if (!problems.empty()) return tl::unexpected(problems.error());
  return batch;
}

}  // namespace

std::string_view to_string(Approve approve) { return kApproveWords[static_cast<std::size_t>(approve)]; }

Result<Batch> read_batch(const std::filesystem::path& file) {
  const auto text = read_text(file);
  if (!text) return tl::unexpected(text.error());
  return parse(*text, file.string(), {file.parent_path(), true});
}

Result<Batch> parse_batch(std::string_view text, const std::string& name,
                          const std::filesystem::path& folder) {
  return parse(text, name, {folder, false});
}

std::set<std::string> batch_keys() {
  // Every map of a shot has to stand in it: keys of a map that is not there are not asked for.
  constexpr std::string_view kEveryMap =
      "version: 1\nshow: s\nshots:\n- name: n\n  prompt: p\n  model: m\n  frames: 5\n  sampling: {}\n"
      "  upgrade: {}\n  budget: {}\n  key_frames: [{frame: 0, image: i.png}]\n  critics: {flicker: {}}\n";
  std::set<std::string> keys;
  Problems problems("");
  problems.collect_keys(&keys);
  const YamlNode root = parse_yaml(kEveryMap, problems);
  read_root(root, {}, problems);
  return keys;
}

}  // namespace rushes::config
