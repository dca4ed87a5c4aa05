#include "tests/simulation/farm/description.h"

#include <algorithm>
#include <set>

#include "config/sampling.h"
#include "config/shot.h"
#include "config/yaml.h"

namespace rushes::simulation::farm {
namespace {

using namespace std::chrono_literals;
using config::Fields;
using config::YamlNode;

constexpr milliseconds kMonth = 24h * 31;

template <typename T>
std::vector<std::string> names_of(const std::vector<T>& items) {
  std::vector<std::string> names;
  for (const T& item : items) names.push_back(item.name);
  return names;
}

// A list of maps, each with a name of its own; `read` gets the fields of one and the object that it fills.
template <typename T, typename Read>
void read_named(Fields& root, const char* key, std::size_t most, std::vector<T>& out, const Read& read) {
  root.require(key, "a list with at least one entry");
  std::set<std::string> names;
  root.list(key, most, "a list of maps", [&](const YamlNode& item, const std::string& path) {
    Fields fields(item, path, root.problems());
    if (item.kind != YamlNode::Kind::kMap) return;
    T entry;
    fields.require("name", "a name");
    if (fields.name("name", entry.name) && !names.insert(entry.name).second)
      fields.problem("name", "expected every name once, found '" + entry.name + "' again");
    read(fields, entry);
    fields.finish();
    out.push_back(std::move(entry));
  });
  if (root.has(key) && out.empty()) root.problem(key, "expected at least one entry");
}

// A whole number, or [LEAST, MOST].
void read_span(Fields& fields, const char* key, Span& out, int least, int most) {
  const YamlNode* node = fields.find(key);
  if (node == nullptr) return;
  if (node->kind == YamlNode::Kind::kScalar) {
    if (fields.integer(key, out.least, least, most)) out.most = out.least;
    return;
  }
  std::vector<std::int64_t> ends;
  for (const YamlNode& item : node->items) {
    std::int64_t value = 0;
    if (config::read_integer(item, value, least, most).ok) ends.push_back(value);
  }
  if (node->items.size() != 2 || ends.size() != 2 || ends[0] > ends[1]) {
    return fields.problem(key, "expected a number or [least, most], from " + std::to_string(least) + " to " +
                                   std::to_string(most));
  }
  out = {static_cast<int>(ends[0]), static_cast<int>(ends[1])};
}

void read_model(Fields& fields, ModelDescription& model) {
  for (const char* key : {"width", "height", "step", "load"}) fields.require(key, "a value");
  for (const auto& [key, out] : {std::pair("width", &model.width), std::pair("height", &model.height)}) {
    if (fields.integer(key, *out, 32, 4096) && *out % 32 != 0)
      fields.problem(key, "expected a multiple of 32, the model's stride times its patch");
  }
  if (fields.integer("frames", model.frames, 1, 401) && model.frames % 4 != 1)
    fields.problem("frames", "expected 4n + 1 frames");
  fields.integer("steps", model.steps, 1, config::kMaxSteps);
  fields.integer("master_steps", model.master_steps, 1, config::kMaxSteps);
  fields.number("guidance", model.guidance, 0, 30);
  fields.number("master_start", model.master_start, 0.01, 1);
  fields.duration("step", model.step, 1ms, 1h);
  fields.duration("load", model.load, 0ms, 1h);
}

void read_pace(Fields& root, Pace& pace) {
  root.map("pace", [&](Fields& fields) {
    fields.duration("encode", pace.encode, 1ms, 1h);
    for (const auto& [key, out] : {std::pair("decode", &pace.decode), std::pair("critique", &pace.critique),
                                   std::pair("enlarge", &pace.enlarge), std::pair("finish", &pace.finish),
                                   std::pair("deliver", &pace.deliver)})
      fields.number(key, *out, 0.001, 1e6);
  });
}

void read_hours(Fields& fields, HostGroup& group) {
  fields.map("hours", [&](Fields& hours) {
    hours.require("from", "an hour of the day");
    hours.require("until", "an hour of the day");
    const bool both =
        hours.integer("from", group.from_hour, 0, 24) && hours.integer("until", group.until_hour, 0, 24);
    if (both && group.from_hour == group.until_hour)
      hours.problem("until", "expected another hour than from");
  });
}

void read_group(Fields& fields, HostGroup& group, const std::vector<std::string>& models) {
  for (const char* key : {"count", "memory", "class"}) fields.require(key, "a value");
  fields.integer("count", group.count, 1, 20'000);
  fields.integer("slots", group.slots, 1, 64);
  fields.integer("prefetch", group.prefetch, 0, 16);
  fields.size("memory", group.memory, 1ull << 28, 1ull << 44);
  fields.name("class", group.numeric_class);
  const bool gpu = slot_kind_of(group.numeric_class) == SlotKind::kGpu;
  for (const char* key : {"cpu_slots", "host_memory"})
    if (fields.has(key) && !gpu) fields.problem(key, "expected only where class is of a GPU: \"cuda-...\"");
  fields.integer("cpu_slots", group.cpu_slots, 0, 64);
  group.host_memory = group.memory;
  fields.size("host_memory", group.host_memory, 1ull << 28, 1ull << 44);
  fields.number("speed", group.speed, 0.01, 100);
  fields.number("failures", group.failures, 0, 0.5);
  fields.duration("lost_every", group.lost_every, 1min, 12 * kMonth);
  fields.duration("away", group.away, 1min, 24h);
  read_hours(fields, group);
  fields.list("models", 100, "a list of model names", [&](const YamlNode& item, const std::string&) {
    const auto found = std::find(models.begin(), models.end(), item.text);
    if (found == models.end())
      return fields.problem("models", "expected names of models above, found '" + item.text + "'");
    group.models.push_back(static_cast<int>(found - models.begin()));
  });
  if (!fields.has("models"))
    for (int i = 0; i < static_cast<int>(models.size()); ++i) group.models.push_back(i);
  if (group.models.empty()) fields.problem("models", "expected at least one model");
}

void read_batch(Fields& fields, BatchDescription& batch, const Description& farm) {
  for (const char* key : {"show", "model", "shots", "frames"}) fields.require(key, "a value");
  fields.choice("show", batch.show, names_of(farm.shows));
  fields.choice("model", batch.model, names_of(farm.models));
  fields.duration("first", batch.first, 0ms, kMonth);
  fields.duration("every", batch.every, 1min, kMonth);
  fields.integer("times", batch.times, 1, 10'000);
  if ((batch.times > 1) != fields.has("every"))
    fields.problem("times", "expected every and times together, or neither");
  read_span(fields, "shots", batch.shots, 1, 5'000);
  read_span(fields, "frames", batch.frames, 1, 4'000);
  read_span(fields, "takes", batch.takes, 1, config::kMaxTakes);
  fields.integer("priority", batch.priority, 0, 100);
  fields.integer("gate", batch.gate, 0, 100);
  fields.integer("upgrade", batch.upgrade, 0, 100);
  if (fields.integer("scale", batch.scale, 2, 4) && batch.scale == 3)
    fields.problem("scale", "expected 2 or 4");
  fields.duration("deadline", batch.deadline, 1min, kMonth);
}

void read_goals(Fields& root, std::vector<Goal>& goals) {
  root.list("goals", 200, "a list of {figure: NAME, at_most: X} or {figure: NAME, at_least: X}",
            [&](const YamlNode& item, const std::string& path) {
              Fields fields(item, path, root.problems());
              if (item.kind != YamlNode::Kind::kMap) return;
              Goal goal;
              goal.line = item.line;
              fields.require("figure", "the name of a figure");
              fields.text("figure", goal.figure, 100);
              const bool most = fields.number("at_most", goal.limit, -1e15, 1e15);
              const bool least = fields.number("at_least", goal.limit, -1e15, 1e15);
              if (fields.has("at_most") == fields.has("at_least"))
                fields.problem("figure", "expected one of at_most and at_least beside it");
              goal.at_most = most && !least;
              fields.finish();
              goals.push_back(goal);
            });
}

void read_root(Fields& root, Description& farm) {
  root.find("version");
  root.require("name", "a name");
  root.name("name", farm.name);
  std::int64_t seed = 1;
  if (root.integer("seed", seed, 0, 1'000'000'000)) farm.seed = static_cast<std::uint64_t>(seed);
  root.duration("window", farm.window, 1s, 24h);
  read_named(root, "models", 100, farm.models, read_model);
  read_pace(root, farm.pace);
  root.map("run_times", [&](Fields& fields) {
    fields.number("spread", farm.run_times.spread, 0, 2);
    fields.number("stragglers", farm.run_times.stragglers, 0, 0.5);
    fields.number("straggler_factor", farm.run_times.straggler_factor, 1, 100);
  });
  root.size("network", farm.network, 1 << 20, 1ull << 40);
  root.size("cache", farm.cache, 1 << 20, 1ull << 44);
  root.map("verdicts", [&](Fields& fields) {
    fields.number("revise", farm.revise, 0, 1);
    fields.number("reject", farm.reject, 0, 1);
    if (farm.revise + farm.reject > 1) fields.problem("reject", "expected shares that sum to at most 1");
  });
  const auto models = names_of(farm.models);
  read_named(root, "hosts", 1'000, farm.hosts,
             [&](Fields& fields, HostGroup& group) { read_group(fields, group, models); });
  double floors = 0;
  read_named(root, "shows", 1'000, farm.shows, [&](Fields& fields, config::Show& show) {
    fields.number("weight", show.weight, 0.001, 1e6);
    fields.number("floor", show.floor, 0, 1);
    floors += show.floor;
  });
  if (floors > 1 + 1e-9) root.problem("shows", "expected floors that sum to at most 1");
  if (!farm.shows.empty() && !farm.models.empty())
    read_named(root, "batches", 10'000, farm.batches,
               [&](Fields& fields, BatchDescription& batch) { read_batch(fields, batch, farm); });
  else
    root.find("batches");
  read_goals(root, farm.goals);
  root.finish();
}

}  // namespace

WorkerOffer HostGroup::offer() const {
  WorkerOffer offer;
  offer.build = "simulated";
  offer.protocol_version = kTellsSlotsByKind;
  offer.prefetch = static_cast<std::uint32_t>(prefetch);
  offer.numeric_classes = {numeric_class};
  offer.resources = resources_of({static_cast<std::uint32_t>(slots), memory}, offer.numeric_classes);
  if (slot_kind_of(numeric_class) == SlotKind::kCpu) return offer;
  offer.resources.slots[SlotKind::kCpu] = static_cast<std::uint32_t>(cpu_slots);
  offer.resources.host_bytes = host_memory;
  return offer;
}

Result<Description> parse_description(std::string_view text, const std::filesystem::path& file) {
  config::Problems problems(file.string());
  const YamlNode node = config::parse_yaml(text, problems);
  if (!problems.empty()) return tl::unexpected(problems.error());
  Description farm;
  farm.file = file.string();
  Fields root(node, "", problems);
  read_root(root, farm);
  if (!problems.empty()) return tl::unexpected(problems.error());
  return farm;
}

Result<Description> read_description(const std::filesystem::path& file) {
  const auto text = config::read_text(file);
  if (!text) return tl::unexpected(text.error());
  return parse_description(*text, file);
}

}  // namespace rushes::simulation::farm
