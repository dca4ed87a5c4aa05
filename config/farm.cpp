#include "config/farm.h"

#include <algorithm>
#include <set>

#include "config/endpoint.h"
#include "config/name.h"
#include "config/yaml.h"

namespace rushes::config {
namespace {

using namespace std::chrono_literals;
constexpr Milliseconds kLongest = 24h * 30;

void read_listen(Fields& root, Listen& listen) {
  root.map("listen", [&](Fields& fields) {
    read_endpoint(fields, "control", listen.control);
    read_endpoint(fields, "artifacts", listen.artifacts);
    if (listen.control == listen.artifacts)
      fields.problem("artifacts",
                     "expected another endpoint than control: frames must never delay heartbeats");
    fields.map("http", [&](Fields& http) {
      http.text("host", listen.http_host, 255);
      http.integer("port", listen.http_port, 1, 65535);
    });
  });
}

void read_keys(Fields& root, FarmKeys& keys, const std::filesystem::path& folder) {
  root.require("keys", "a map with secret, workers and tokens");
  root.map("keys", [&](Fields& fields) {
    fields.require("secret", "the scheduler's secret key file");
    fields.require("workers", "the folder of the workers' public keys");
    fields.require("tokens", "the file of HTTP tokens");
    fields.path("secret", keys.secret, folder);
    fields.path("workers", keys.workers, folder);
    fields.path("tokens", keys.tokens, folder);
  });
}

// Days, or "never".
void read_days(Fields& fields, std::string_view key, std::optional<double>& days) {
  constexpr double kMost = 36'500;
  const YamlNode* node = fields.find(key);
  if (node == nullptr) return;
  double number = Retention::kForever;
  if (node->text != "never" && !read_number(*node, number, 0, kMost).ok)
    return fields.problem(key, mismatch("days (0 to 36500), or never", *node));
  days = number;
}

void read_retention(Fields& fields, Retention& retention) {
  fields.map("retention", [&](Fields& days) {
    read_days(days, "dropped_days", retention.dropped_days);
    read_days(days, "draft_days", retention.draft_days);
  });
}

// As `rushes workers` shows it.
void read_class(Fields& fields, std::string& numeric_class) {
  if (fields.text("numeric_class", numeric_class) && !is_name(numeric_class))
    fields.problem("numeric_class", std::string("expected ") + kNameRule + ", found '" + numeric_class + "'");
}

void read_shows(Fields& root, std::vector<Show>& shows) {
  std::set<std::string> names;
  double floors = 0;
  root.list("shows", 1000,
            "a list of {name: SHOW, weight: X, floor: X, retention: {...}, numeric_class: CLASS}",
            [&](const YamlNode& item, const std::string& path) {
              Fields fields(item, path, root.problems());
              if (item.kind != YamlNode::Kind::kMap) return;
              Show show;
              fields.require("name", "the show's name");
              fields.name("name", show.name);
              fields.number("weight", show.weight, 0.001, 1e6);
              fields.number("floor", show.floor, 0, 1);
              read_retention(fields, show.retention);
              read_class(fields, show.numeric_class);
              if (!show.name.empty() && !names.insert(show.name).second)
                fields.problem("name", "expected every show once, found '" + show.name + "' again");
              fields.finish();
              floors += show.floor;
              shows.push_back(show);
            });
  if (floors > 1 + 1e-9)
    root.problem("shows", "expected floors that sum to at most 1: the farm has no more to give");
}

void read_times(Fields& root, Times& times) {
  root.map("times", [&](Fields& fields) {
    fields.duration("heartbeat", times.heartbeat, 100ms, 60s);
    fields.duration("lease", times.lease, 300ms, 10min);
    fields.duration("no_progress_min", times.no_progress_min, 1s, 24h);
    fields.number("no_progress_factor", times.no_progress_factor, 1, 100);
    fields.duration("upload_sweep", times.upload_sweep, 1min, kLongest);
    fields.duration("group_commit", times.group_commit, 0ms, 1s);
    if (times.lease < 3 * times.heartbeat)
      fields.problem("lease", "expected at least three heartbeats: one lost message must not cost a lease");
  });
}

// A stage whose tasks claim a shared limit.
void read_stage(const YamlNode& item, const std::string& path, Problems& problems, std::vector<Stage>& out) {
  if (const auto stage = parse_word<Stage>(item.text)) return out.push_back(*stage);
  std::vector<std::string> words;
  words.reserve(kStages);
  for (int i = 0; i < kStages; ++i) words.emplace_back(to_string(static_cast<Stage>(i)));
  const std::string near = nearest(item.text, words);
  problems.add(item, path,
               mismatch("a stage", item) + (near.empty() ? "" : "; did you mean '" + near + "'?"));
}

void read_shared_limit(Fields& fields, SharedLimit& limit) {
  fields.require("name", "the limit's name, which shots may claim");
  fields.require("count", "how many tasks may hold it at once");
  fields.name("name", limit.name);
  fields.integer("count", limit.count, 1, 1'000'000);
  fields.list("stages", kStages, "a list of stages such as [finish, deliver]",
              [&](const YamlNode& item, const std::string& path) {
                read_stage(item, path, fields.problems(), limit.stages);
              });
  fields.finish();
}

void read_shared_limits(Fields& fields, std::vector<SharedLimit>& shared) {
  fields.list("shared", 64, "a list of {name: LIMIT, count: N, stages: [STAGE, ...]}",
              [&](const YamlNode& item, const std::string& path) {
                Fields entry(item, path, fields.problems());
                if (item.kind != YamlNode::Kind::kMap) return;
                SharedLimit limit;
                read_shared_limit(entry, limit);
                const bool twice = std::any_of(shared.begin(), shared.end(),
                                               [&](const auto& other) { return other.name == limit.name; });
                if (twice)
                  entry.problem("name", "expected every limit once, found '" + limit.name + "' again");
                shared.push_back(std::move(limit));
              });
}

void read_limits(Fields& root, Limits& limits) {
  root.map("limits", [&](Fields& fields) {
    fields.size("artifact", limits.artifact, 1 << 20, 1ull << 42);
    fields.size("request_body", limits.request_body, 4096, 64 << 20);
    fields.size("disk_reserve", limits.disk_reserve, 0, 1ull << 44);
    fields.integer("workers", limits.workers, 1, 100'000);
    fields.integer("open_shots", limits.open_shots, 1, 10'000'000);
    read_shared_limits(fields, limits.shared);
  });
}

void read_retries(Fields& root, Retries& retries) {
  root.map("retries", [&](Fields& fields) {
    fields.integer("attempts", retries.attempts, 1, 100);
    fields.integer("worker_failures", retries.worker_failures, 1, 1000);
    fields.duration("quarantine", retries.quarantine, 0ms, kLongest);
    fields.duration("backoff", retries.backoff, 0ms, 60s);
  });
}

void read_scheduling(Fields& root, Scheduling& scheduling) {
  root.map("scheduling", [&](Fields& fields) {
    fields.duration("straggler_min", scheduling.straggler_min, 1s, kLongest);
    fields.number("straggler_spread", scheduling.straggler_spread, 1, 100);
    fields.flag("run_ahead", scheduling.run_ahead);
  });
}

void read_path_map(Fields& root, PathMap& map) {
  root.list("path_map", 100, "a list of {from: /mnt/farm, to: /studio/farm}",
            [&](const YamlNode& item, const std::string& path) {
              Fields fields(item, path, root.problems());
              if (item.kind != YamlNode::Kind::kMap) return;
              PathRule rule;
              for (auto [key, side] : {std::pair("from", &rule.from), std::pair("to", &rule.to)}) {
                fields.require(key, "an absolute path");
                if (!fields.path(key, *side, "")) continue;
                if (side->is_relative()) fields.problem(key, "expected an absolute path");
                if (!side->has_filename()) *side = side->parent_path();  // "/mnt/farm/"
              }
              fields.finish();
              map.push_back(std::move(rule));
            });
}

void read_root(Fields& root, Farm& farm, const std::filesystem::path& folder) {
  root.find("version");
  root.name("name", farm.name);
  read_listen(root, farm.listen);
  read_keys(root, farm.keys, folder);
  root.require("data", "the folder of ledger and vault");
  root.path("data", farm.data, folder);
  root.require("deliveries", "the folder of finished shots");
  root.path("deliveries", farm.deliveries, folder);
  read_path_map(root, farm.path_map);
  if (root.path("backups", farm.backups, folder) && !farm.data.empty() && lies_below(farm.backups, farm.data))
    root.problem("backups", "expected a folder outside of data: what takes that one takes its backups too");
  root.require("model_roots", "a list of folders that hold NAME/model.yaml");
  read_paths(root, "model_roots", farm.model_roots, folder);
  read_paths(root, "picture_roots", farm.picture_roots, folder);
  read_shows(root, farm.shows);
  read_retention(root, farm.retention);
  read_times(root, farm.times);
  read_limits(root, farm.limits);
  read_retries(root, farm.retries);
  read_scheduling(root, farm.scheduling);
  CriticChanges critics;
  read_critics(root, critics, true);
  farm.critics = changed(std::move(farm.critics), critics);
  root.finish();
}

}  // namespace

Show Farm::show(std::string_view show_name) const {
  const auto found =
      std::find_if(shows.begin(), shows.end(), [&](const Show& s) { return s.name == show_name; });
  return found != shows.end() ? *found : Show{std::string(show_name), 1.0, 0.0};
}

Retention retention_of(const std::vector<Show>& shows, const Retention& farm_wide,
                       std::string_view show_name) {
  const auto found =
      std::find_if(shows.begin(), shows.end(), [&](const Show& s) { return s.name == show_name; });
  const Retention own = found != shows.end() ? found->retention : Retention{};
  const auto days = [&](std::optional<double> Retention::*which) {
    return (own.*which).value_or((farm_wide.*which).value_or(Retention::kForever));
  };
  return {days(&Retention::dropped_days), days(&Retention::draft_days)};
}

Result<Farm> parse_farm(std::string_view text, const std::filesystem::path& file) {
  Problems problems(file.string());
  const YamlNode node = parse_yaml(text, problems);
  if (!problems.empty()) return tl::unexpected(problems.error());
  Farm farm;
  Fields root(node, "", problems);
  read_root(root, farm, file.parent_path());
  if (!problems.empty()) return tl::unexpected(problems.error());
  return farm;
}

Result<Farm> read_farm(const std::filesystem::path& file) {
  const auto text = read_text(file);
  if (!text) return tl::unexpected(text.error());
  return parse_farm(*text, file);
}

}  // namespace rushes::config
