#include "config/farm.h"
#include "config/tokens.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "config/worker.h"
#include "config/worker_name.h"
#include "config/write_tokens.h"
#include "config/yaml.h"
#include "tests/folders.h"

namespace rushes::config {
namespace {

const std::filesystem::path kFolder = test::source_folder() / "config";

constexpr const char* kFarm = R"(version: 1
keys: {secret: k/s, workers: k/w, tokens: k/t.yaml}
data: data
deliveries: out
model_roots: [models]
)";

std::string farm_complaint(const std::string& more) {
  const auto farm = parse_farm(kFarm + more, "/etc/farm.yaml");
  return farm ? "" : farm.error().message;
}

TEST(Farm, TheShippedExampleShowsTheDefaults) {
  const auto shipped = read_farm(kFolder / "farm.yaml");
  ASSERT_TRUE(shipped) << shipped.error().message;
  const Farm plain = *parse_farm(kFarm, "/etc/farm.yaml");
  EXPECT_EQ(shipped->listen.control, plain.listen.control);
  EXPECT_EQ(shipped->listen.http_port, plain.listen.http_port);
  EXPECT_EQ(shipped->times.heartbeat, plain.times.heartbeat);
  EXPECT_EQ(shipped->times.lease, plain.times.lease);
  EXPECT_EQ(shipped->times.no_progress_min, plain.times.no_progress_min);
  EXPECT_EQ(shipped->times.no_progress_factor, plain.times.no_progress_factor);
  EXPECT_EQ(shipped->times.upload_sweep, plain.times.upload_sweep);
  EXPECT_EQ(shipped->times.group_commit, plain.times.group_commit);
  EXPECT_EQ(shipped->limits.artifact, plain.limits.artifact);
  EXPECT_EQ(shipped->limits.request_body, plain.limits.request_body);
  EXPECT_EQ(shipped->limits.disk_reserve, plain.limits.disk_reserve);
  EXPECT_EQ(shipped->limits.workers, plain.limits.workers);
  EXPECT_EQ(shipped->limits.open_shots, plain.limits.open_shots);
  EXPECT_EQ(shipped->retries.attempts, plain.retries.attempts);
  EXPECT_EQ(shipped->retries.worker_failures, plain.retries.worker_failures);
  EXPECT_EQ(shipped->retries.quarantine, plain.retries.quarantine);
  EXPECT_EQ(shipped->retries.backoff, plain.retries.backoff);
  EXPECT_EQ(shipped->limits.shared, plain.limits.shared);
  EXPECT_EQ(shipped->scheduling.straggler_min, plain.scheduling.straggler_min);
  EXPECT_EQ(shipped->scheduling.straggler_spread, plain.scheduling.straggler_spread);
  EXPECT_EQ(shipped->scheduling.run_ahead, plain.scheduling.run_ahead);
  EXPECT_EQ(shipped->critics, plain.critics);
  EXPECT_EQ(shipped->backups, plain.backups);
  EXPECT_EQ(shipped->path_map, plain.path_map);
  EXPECT_EQ(shipped->data, (kFolder / "../farm-data").lexically_normal());
  EXPECT_EQ(shipped->retention, plain.retention);
  EXPECT_EQ(shipped->show("first-light").weight, 1.0);
  EXPECT_EQ(shipped->show("another").floor, 0.0);
}

TEST(Farm, AShowMaySayItsNumericClass) {
  const auto farm = parse_farm(
      std::string(kFarm) + "shows: [{name: a, numeric_class: cpu-avx2-bf16+cpu-avx2-f32}, {name: b}]\n",
      "/etc/farm.yaml");
  ASSERT_TRUE(farm) << farm.error().message;
  EXPECT_EQ(farm->show("a").numeric_class, "cpu-avx2-bf16+cpu-avx2-f32");
  EXPECT_EQ(farm->show("b").numeric_class, "");
  EXPECT_NE(farm_complaint("shows: [{name: a, numeric_class: cuda sm90}]\n")
                .find("shows[0].numeric_class: expected"),
            std::string::npos);
}

TEST(Farm, PathsAreMappedByTheLongestRuleAndWholeNames) {
  const auto farm = parse_farm(std::string(kFarm) +
                                   "path_map:\n  - {from: /mnt/farm, to: /studio/farm/}\n"
                                   "  - {from: /mnt/farm/renders/, to: '/Volumes/renders'}\n",
                               "/etc/farm.yaml");
  ASSERT_TRUE(farm) << farm.error().message;
  const std::vector<std::pair<std::string, std::string>> table{
      {"/mnt/farm/show/sh010", "/studio/farm/show/sh010"},
      {"/mnt/farm", "/studio/farm"},
      {"/mnt/farm2/show", "/mnt/farm2/show"},
      {"/mnt/farm/renders/a b", "/Volumes/renders/a b"},
      {"/mnt/farm/x/../renders/a", "/Volumes/renders/a"},
      {"/srv/mnt/farm", "/srv/mnt/farm"}};
  for (const auto& [here, there] : table) EXPECT_EQ(mapped(farm->path_map, here), there) << here;
  EXPECT_EQ(farm_complaint("path_map: [{from: mnt, to: /x}]\n"),
            "/etc/farm.yaml:6:19: path_map[0].from: expected an absolute path");
  EXPECT_NE(farm_complaint("path_map: [{from: /mnt}]\n").find("path_map[0].to: expected an absolute path"),
            std::string::npos);
}

TEST(Paths, BelowIsByWholeNames) {
  for (const char* folder : {"/mnt/farm", "/mnt/farm/"}) {
    EXPECT_TRUE(lies_below("/mnt/farm/a", folder));
    EXPECT_TRUE(lies_below("/mnt/farm", folder));
    EXPECT_FALSE(lies_below("/mnt/farm2/a", folder));
    EXPECT_FALSE(lies_below("/mnt", folder));
  }
  EXPECT_TRUE(lies_below("/mnt", "/"));
}

TEST(Tokens, WritingKeepsWhoMayReadTheFile) {
  std::string folder = (std::filesystem::temp_directory_path() / "rushes-tokens-XXXXXX").string();
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const std::filesystem::path file = std::filesystem::path(folder) / "tokens.yaml";
  std::ofstream(file) << "version: 1\ntokens: []\n";
  ASSERT_EQ(::chmod(file.c_str(), 0604), 0);
  const bool root = ::geteuid() == 0;
  if (root) {
    ASSERT_EQ(::chown(file.c_str(), 4711, 4712), 0);
  }
  const Status written = write_tokens(file, {{"ann", Role::kArtist, text_digest("secret")}});
  ASSERT_TRUE(written) << written.error().message;
  EXPECT_EQ(read_tokens(file)->at(0).name, "ann");
  struct stat now {};
  ASSERT_EQ(::stat(file.c_str(), &now), 0);
  EXPECT_EQ(now.st_mode & 07777U, 0604U);
  if (root) {
    EXPECT_EQ(now.st_uid, 4711U);
    EXPECT_EQ(now.st_gid, 4712U);
  }
  std::filesystem::remove_all(folder);
}

TEST(Farm, AShowsRetentionGoesBeforeTheFarms) {
  const auto farm = parse_farm(std::string(kFarm) +
                                   "retention: {dropped_days: 7, draft_days: 30}\n"
                                   "shows:\n  - {name: feature, retention: {draft_days: never}}\n"
                                   "  - {name: tests, retention: {dropped_days: 0.5}}\n",
                               "/etc/farm.yaml");
  ASSERT_TRUE(farm) << farm.error().message;
  const auto of = [&](const char* show) { return retention_of(farm->shows, farm->retention, show); };
  EXPECT_EQ(of("another"), (Retention{7, 30}));
  EXPECT_EQ(of("feature"), (Retention{7, Retention::kForever}));
  EXPECT_EQ(of("tests"), (Retention{0.5, 30}));
  const Farm plain = *parse_farm(kFarm, "/etc/farm.yaml");
  EXPECT_EQ(retention_of(plain.shows, plain.retention, "any"),
            (Retention{Retention::kForever, Retention::kForever}))
      << "without a word nothing leaves";
}

TEST(Farm, WrongDaysAreNamed) {
  EXPECT_EQ(
      farm_complaint("retention: {dropped_days: 7 days}\n"),
      "/etc/farm.yaml:6:27: retention.dropped_days: expected days (0 to 36500), or never, found '7 days'");
  EXPECT_NE(farm_complaint("retention: {draft_days: -1}\n").find("6:25: retention.draft_days: expected days"),
            std::string::npos);
  EXPECT_EQ(
      farm_complaint("retention: {dropped: 7}\n"),
      "/etc/farm.yaml:6:13: retention.dropped: unknown key; the keys here are dropped_days, draft_days");
  EXPECT_NE(farm_complaint("shows: [{name: a, retention: {draft_days: [1]}}]\n")
                .find("shows[0].retention.draft_days: expected days"),
            std::string::npos);
}

TEST(Farm, BackupsLieOutsideOfTheData) {
  EXPECT_EQ(parse_farm(std::string(kFarm) + "backups: data-backups\n", "/etc/farm.yaml")->backups,
            "/etc/data-backups");
  for (const char* folder : {"data", "data/backups", "x/../data"})
    EXPECT_NE(farm_complaint("backups: " + std::string(folder) + "\n").find("outside of data"),
              std::string::npos)
        << folder;
}

// Every value of the example carries its reason: "prevents" stands on each line of times, limits and retries.
TEST(Farm, TheShippedExampleSaysWhatEachSettingPrevents) {
  const std::string text = *read_text(kFolder / "farm.yaml");
  for (const char* key : {"heartbeat", "lease", "no_progress_min", "upload_sweep", "group_commit", "artifact",
                          "request_body", "disk_reserve", "attempts", "worker_failures", "quarantine",
                          "backoff", "shared", "straggler_min", "straggler_spread", "run_ahead"}) {
    const std::size_t at = text.find("\n  " + std::string(key) + ": ");
    ASSERT_NE(at, std::string::npos) << key;
    EXPECT_NE(text.substr(at, text.find('\n', at + 1) - at).find("# prevents"), std::string::npos) << key;
  }
  for (const KnownCritic& critic : kCritics) {
    const std::size_t at = text.find("\n  " + std::string(critic.name) + ": ");
    ASSERT_NE(at, std::string::npos) << critic.name;
    EXPECT_NE(text.substr(at, text.find('\n', at + 1) - at).find("# prevents"), std::string::npos)
        << critic.name;
  }
}

TEST(Farm, CriticsAreReadAndChecked) {
  const auto farm =
      parse_farm(std::string(kFarm) + "critics: {flicker: {revise: 0.6, blocks: false}, freeze: off}\n",
                 "/etc/farm.yaml");
  ASSERT_TRUE(farm) << farm.error().message;
  CriticRules expected = default_rules();
  expected[0] = {"flicker", true, false, 0.6F, 0.1F};
  expected[1].enabled = false;
  EXPECT_EQ(farm->critics, expected);
  EXPECT_EQ(farm_complaint("critics: {flickr: {blocks: false}}\n"),
            "/etc/farm.yaml:6:11: critics.flickr: unknown key; did you mean 'flicker'?");
  EXPECT_EQ(
      farm_complaint("critics: {seam: {revise: 0.2, reject: 0.4}}\n"),
      "/etc/farm.yaml:6:39: critics.seam.reject: expected less than revise: the worse score is the one that "
      "drops the take");
  EXPECT_NE(farm_complaint("critics: {seam: {blocks: maybe}}\n"), "");
}

TEST(Farm, SharedLimitsAreReadAndChecked) {
  const auto farm = parse_farm(std::string(kFarm) +
                                   "limits: {shared: [{name: storage, count: 8, stages: [finish, deliver]}, "
                                   "{name: licence, count: 2}]}\nscheduling: {run_ahead: false}\n",
                               "/etc/farm.yaml");
  ASSERT_TRUE(farm) << farm.error().message;
  EXPECT_EQ(farm->limits.shared, (std::vector<SharedLimit>{{"storage", 8, {Stage::kFinish, Stage::kDeliver}},
                                                           {"licence", 2, {}}}));
  EXPECT_FALSE(farm->scheduling.run_ahead);
  EXPECT_EQ(
      farm_complaint("limits: {shared: [{name: a, count: 1, stages: [finnish]}]}\n"),
      "/etc/farm.yaml:6:48: limits.shared[0].stages[0]: expected a stage, found 'finnish'; did you mean "
      "'finish'?");
  EXPECT_EQ(farm_complaint("limits: {shared: [{name: a, count: 1}, {name: a, count: 2}]}\n"),
            "/etc/farm.yaml:6:47: limits.shared[1].name: expected every limit once, found 'a' again");
  EXPECT_NE(farm_complaint("limits: {shared: [{name: a, count: 0}]}\n"), "");
  EXPECT_NE(farm_complaint("limits: {shared: [{name: a}]}\n"), "");
}

TEST(Farm, RefusesWithTheReason) {
  EXPECT_EQ(farm_complaint(""), "");
  const std::vector<std::pair<std::string, std::string>> table{
      {"times: {lease: 5 s}\n",
       "/etc/farm.yaml:6:16: times.lease: expected at least three heartbeats: one lost message must not cost "
       "a lease"},
      {"listen: {control: 127.0.0.1:80}\n",
       "/etc/farm.yaml:6:19: listen.control: expected tcp://HOST:PORT such as tcp://127.0.0.1:7401, found "
       "'127.0.0.1:80'"},
      {"listen: {http: {port: 99999}}\n",
       "/etc/farm.yaml:6:23: listen.http.port: expected a whole number from 1 to 65535, found '99999'"},
      {"listen: {artifacts: 'tcp://127.0.0.1:7401'}\n",
       "/etc/farm.yaml:6:21: listen.artifacts: expected another endpoint than control: frames must never "
       "delay "
       "heartbeats"},
      {"shows: [{name: a, floor: 0.7}, {name: b, floor: 0.6}]\n",
       "/etc/farm.yaml:6:8: shows: expected floors that sum to at most 1: the farm has no more to give"},
      {"shows: [{name: a}, {name: a}]\n",
       "/etc/farm.yaml:6:27: shows[1].name: expected every show once, found 'a' again"},
      {"limits: {request_bdy: 64 KiB}\n",
       "/etc/farm.yaml:6:10: limits.request_bdy: unknown key; did you mean 'request_body'?"},
  };
  for (const auto& [more, message] : table) EXPECT_EQ(farm_complaint(more), message);
  EXPECT_EQ(parse_farm("version: 1\n", "f").error().message,
            "f:1:1: keys: expected a map with secret, workers and tokens, found no such key\n"
            "f:1:1: data: expected the folder of ledger and vault, found no such key\n"
            "f:1:1: deliveries: expected the folder of finished shots, found no such key\n"
            "f:1:1: model_roots: expected a list of folders that hold NAME/model.yaml, found no such key");
  EXPECT_EQ(read_farm("/nonexistent/farm.yaml").error().kind, ErrorKind::kNotFound);
}

TEST(Tokens, HoldDigestsAndRoles) {
  const std::string text =
      "version: 1\ntokens:\n- {name: ann, role: supervisor, digest: \"" + text_digest("secret") +
      "\"}\n- {name: bob, role: guest, shot: show/sh010, digest: \"" + text_digest("s2") + "\"}\n";
  const auto tokens = parse_tokens(text, "tokens.yaml");
  ASSERT_TRUE(tokens) << tokens.error().message;
  EXPECT_EQ(tokens->at(0).role, Role::kSupervisor);
  EXPECT_TRUE(same_digest(tokens->at(0).digest, text_digest("secret")));
  EXPECT_EQ(tokens->at(1).shot, "show/sh010");
  EXPECT_EQ(
      parse_tokens("version: 1\ntokens: [{name: a, role: artst, digest: secret}]\n", "t").error().message,
      "t:2:26: tokens[0].role: expected one of viewer, guest, artist, supervisor, admin, found 'artst'; did "
      "you "
      "mean 'artist'?\n"
      "t:2:41: tokens[0].digest: expected \"blake2b-256:\" and 64 lower-case hex digits of the token's text");
}

TEST(Tokens, AreLimitedToAShowOrAShotAndATime) {
  const std::string digest = ", digest: \"" + text_digest("s") + "\"";
  const auto read = [&](const std::string& rest) {
    return parse_tokens("version: 1\ntokens:\n- {name: render1.example.com, role: " + rest + digest + "}\n",
                        "t");
  };
  const auto token = read("artist, show: ren, until: 2026-12-01T18:00:00+01:00");
  ASSERT_TRUE(token) << token.error().message;
  EXPECT_EQ(token->at(0).show, "ren");
  EXPECT_EQ(token->at(0).until, 1'796'144'400'000);
  EXPECT_EQ(read("supervisor, shot: ren/sh010")->at(0).shot, "ren/sh010");
  for (const char* wrong :
       {"guest", "guest, show: ren", "artist, shot: ren", "artist, shot: ren/a/b", "artist, shot: /a",
        "artist, show: a b", "artist, show: ren, shot: ren/a", "artist, until: tomorrow"})
    EXPECT_FALSE(read(wrong)) << wrong;
  const std::string twice = "- {name: a, role: viewer" + digest + "}\n";
  EXPECT_FALSE(parse_tokens("version: 1\ntokens:\n" + twice + twice, "t")) << "the same name twice";
  EXPECT_FALSE(parse_tokens("version: 1\ntokens:\n- {name: a/b, role: viewer" + digest + "}\n", "t"));
}

TEST(Worker, TheShippedExampleReads) {
  const auto worker = read_worker(kFolder / "worker.yaml");
  ASSERT_TRUE(worker) << worker.error().message;
  const Worker plain;
  EXPECT_EQ(worker->name, "worker-bay1");
  EXPECT_EQ(worker->control, plain.control);
  EXPECT_EQ(worker->artifacts, plain.artifacts);
  EXPECT_EQ(worker->slots, plain.slots);
  EXPECT_EQ(worker->threads_per_slot, plain.threads_per_slot);
  EXPECT_EQ(worker->prefetch, plain.prefetch);
  EXPECT_EQ(worker->cache, plain.cache);
  EXPECT_EQ(worker->memory, plain.memory);
  EXPECT_EQ(worker->model_roots, std::vector{kFolder / "models"});
  EXPECT_EQ(worker->secret_key, kFolder / "keys/worker.key");
}

TEST(Worker, AGpuHostSaysWhatItHasOfBothKinds) {
  const std::string text = *read_text(kFolder / "worker.yaml");
  const auto cpu = parse_worker(text, "w.yaml");
  ASSERT_TRUE(cpu) << cpu.error().message;
  EXPECT_EQ(cpu->device_memory, 0u);
  EXPECT_EQ(cpu->attention, Attention::kFastest);
  EXPECT_FALSE(cpu->eight_bit);
  std::string gpu_text = text + "cpu_slots: 3\ndevice_memory: 144 GiB\nattention: library\neight_bit: true\n";
  const std::string backend = "backend: cpu";
  gpu_text.replace(gpu_text.find(backend), backend.size(), "backend: cuda");
  const auto gpu = parse_worker(gpu_text, "w.yaml");
  ASSERT_TRUE(gpu) << gpu.error().message;
  EXPECT_EQ(gpu->backend, Backend::kCuda);
  EXPECT_EQ(gpu->slots, 1);
  EXPECT_EQ(gpu->cpu_slots, 3);
  EXPECT_EQ(gpu->device_memory, 144ull << 30);
  EXPECT_EQ(gpu->attention, Attention::kLibrary);
  EXPECT_TRUE(gpu->eight_bit);
  EXPECT_EQ(parse_worker(text + "attention: own\n", "w.yaml")->attention, Attention::kOwn);
  EXPECT_FALSE(parse_worker(text + "attention: cudnn\n", "w.yaml"));
  EXPECT_FALSE(parse_worker(text + "eight_bit: int8\n", "w.yaml"));
  EXPECT_FALSE(parse_worker(text + "cpu_slots: 65\n", "w.yaml"));
}

TEST(Worker, AFlagStandsAboveTheEnvironmentAndThatAboveTheFile) {
  const std::string text = *read_text(kFolder / "worker.yaml");
  const auto read = [&](const WorkerFlags& flags) {
    const auto worker = parse_worker(text, kFolder / "worker.yaml", with_environment(flags));
    return worker ? std::pair(worker->name, worker->folder.string())
                  : std::pair(worker.error().message, std::string());
  };
  EXPECT_EQ(read({}),
            std::pair(std::string("worker-bay1"), (kFolder.parent_path() / "worker-data").string()));
  ::setenv("RUSHES_WORKER_NAME", "node7.studio.example", 1);
  ::setenv("RUSHES_WORKER_FOLDER", "/scratch/node7", 1);
  EXPECT_EQ(read({}), std::pair(std::string("node7.studio.example"), std::string("/scratch/node7")));
  EXPECT_EQ(read({"w2", "here"}),
            std::pair(std::string("w2"), (std::filesystem::current_path() / "here").string()));
  EXPECT_EQ(read({"no name", ""}).first,
            "--name or RUSHES_WORKER_NAME: expected a name of at most 128 letters, digits, '.', '_' and '-' "
            "that starts with "
            "a letter or digit, found 'no name'");
  ::unsetenv("RUSHES_WORKER_NAME");
  ::unsetenv("RUSHES_WORKER_FOLDER");
}

TEST(Worker, AFileForManyHostsNamesNone) {
  std::string text = *read_text(kFolder / "worker.yaml");
  for (const char* key : {"name: ", "folder: "}) {
    const auto line = text.find(std::string("\n") + key);
    text.erase(line, text.find('\n', line + 1) - line);
  }
  const auto worker = parse_worker(text, "w.yaml", {"node7", "/scratch"});
  ASSERT_TRUE(worker) << worker.error().message;
  EXPECT_EQ(worker->name, "node7");
  const auto nameless = parse_worker(text, "w.yaml");
  ASSERT_FALSE(nameless);
  EXPECT_NE(nameless.error().message.find("--name and RUSHES_WORKER_NAME give one too"), std::string::npos);
}

TEST(Worker, NamesOfHostsAreNames) {
  for (const char* good : {"a", "bay1", "node7.studio.example", "Node_7-gpu", "10.0.0.7"})
    EXPECT_TRUE(is_worker_name(good)) << good;
  EXPECT_TRUE(is_worker_name(std::string(128, 'a')));
  for (const char* bad : {"", ".", "-a", ".a", "a b", "a/b", "a+b", "\xC3\xA4"})
    EXPECT_FALSE(is_worker_name(bad)) << bad;
  EXPECT_FALSE(is_worker_name(std::string(129, 'a')));
}

TEST(Worker, UnknownKeysAreRefused) {
  std::string text = *read_text(kFolder / "worker.yaml");
  const auto worker = parse_worker(text + "slts: 2\n", "w.yaml");
  ASSERT_FALSE(worker);
  EXPECT_NE(worker.error().message.find("slts: unknown key; did you mean 'slots'?"), std::string::npos);
}

}  // namespace
}  // namespace rushes::config
