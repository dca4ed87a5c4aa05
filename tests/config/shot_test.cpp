#include "config/shot.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "config/farm.h"
#include "config/picture.h"
#include "config/yaml.h"
#include "tests/folders.h"

namespace rushes::config {
namespace {

ModelManifest tabletop() {
  ModelManifest model;
  model.name = "tabletop";
  model.fps = {24, 1};
  model.frames = 33;
  model.size = {160, 96};
  model.deliver = {160, 90};
  model.conditioning = Conditioning::kI2v;
  model.draft = {Sampler::kUniPc, 12, 6, 4, 1};
  model.master = {Sampler::kEuler, 4, 3, 1, 0.4};
  return model;
}

std::string batch(const std::string& shot) {
  return "version: 1\nshow: demo\nshots:\n- name: sh010\n  prompt: a red ball\n  model: tabletop\n" + shot;
}

std::string complaint(const std::string& shot) {
  const auto read = parse_batch(batch(shot), "b.yaml", "/plates");
  return read ? "" : read.error().message;
}

Shot one(const std::string& shot) {
  const auto read = parse_batch(batch(shot), "b.yaml", "/plates");
  EXPECT_TRUE(read) << read.error().message;
  return read ? read->shots.at(0) : Shot{};
}

TEST(Shot, FirstLightReads) {
  const auto read = read_batch(test::source_folder() / "config/shots/first-light.yaml");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->show, "first-light");
  ASSERT_EQ(read->shots.size(), 3u);
  int upgraded = 0, longer = 0;
  for (const Shot& shot : read->shots) {
    EXPECT_EQ(shot.takes(), 2);
    EXPECT_EQ(shot.model, "tabletop");
    EXPECT_EQ(validate_shot(shot, tabletop()), std::vector<ShotProblem>{});
    upgraded += shot.upgrade.enabled && shot.approve == Approve::kBest;
    longer += shot_frames(shot, tabletop()) > tabletop().frames;
  }
  EXPECT_EQ(upgraded, 1);
  EXPECT_EQ(longer, 1);
}

TEST(Shot, AWrongListOfSeedsIsOneProblem) {
  std::string many;
  for (int seed = 0; seed < 65; ++seed) many += (seed == 0 ? "" : ", ") + std::to_string(seed);
  EXPECT_EQ(complaint("  frames: 9\n  seeds: [" + many + "]\n"),
            "b.yaml:8:10: shots[0].seeds: expected at most 64 entries, found 65");
  EXPECT_EQ(complaint("  frames: 9\n  seeds: 5\n  takes: 3\n"),
            "b.yaml:8:10: shots[0].seeds: expected a list of whole numbers, one per take, found '5'");
  EXPECT_EQ(complaint("  frames: 9\n  seeds: [five]\n").find('\n'), std::string::npos);
  EXPECT_EQ(complaint("  frames: 9\n  seeds: []\n"),
            "b.yaml:8:10: shots[0].seeds: expected at least one seed");
}

TEST(Shot, ANameIsNoDefault) {
  const auto read = parse_batch(
      "version: 1\nshow: demo\ndefaults: {name: x, model: tabletop, frames: 9}\nshots:\n- {name: a, prompt: "
      "b}\n",
      "b.yaml", {});
  ASSERT_FALSE(read);
  EXPECT_EQ(
      read.error().message,
      "b.yaml:3:18: defaults.name: expected a name in each shot, not here: no two shots of a show have the "
      "same");
}

TEST(Shot, APictureThatIsNoFileIsNamedForWhatItIs) {
  const auto folder = std::filesystem::path(testing::TempDir()) / "no-file-pictures";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder / "plates");
  ASSERT_EQ(mkfifo((folder / "pipe.png").c_str(), 0600), 0);
  std::filesystem::create_symlink(folder / "gone.png", folder / "link.png");
  for (const auto& [name, found] : {std::pair{"plates", "a folder"},
                                    {"pipe.png", "a pipe"},
                                    {"link.png", "a link to nothing"},
                                    {"none.png", "no file"}}) {
    std::ofstream(folder / "b.yaml") << batch(
        "  frames: 9\n  key_frames: [{frame: 0, image: " + std::string(name) + "}]\n");
    const auto read = read_batch(folder / "b.yaml");
    ASSERT_FALSE(read);
    EXPECT_NE(read.error().message.find(
                  std::string("key_frames[0].image: expected a PNG or EXR file, found ") + found + ", '"),
              std::string::npos)
        << read.error().message;
  }
}

TEST(Shot, DeadlineAndLimits) {
  const Shot shot = one("  frames: 33\n  deadline: 2026-12-01T18:00:00+01:00\n  limits: [a, b, a]\n");
  EXPECT_EQ(shot.deadline, 1'796'144'400'000);
  EXPECT_EQ(shot.limits, (std::vector<std::string>{"a", "b"}));
  EXPECT_FALSE(one("  frames: 33\n  deadline: none\n").deadline);
  EXPECT_EQ(
      complaint("  frames: 33\n  deadline: tomorrow\n"),
      "b.yaml:8:13: shots[0].deadline: expected a time with its offset such as 2026-12-01T18:00:00+01:00, "
      "found 'tomorrow'");
  EXPECT_NE(complaint("  frames: 33\n  limits: ['a b']\n").find("shots[0].limits"), std::string::npos);
}

TEST(Shot, EveryKeyIsRead) {
  const Shot shot = one(R"(  frames: 49
  negative_prompt: blur
  fps: 25
  retime: conform
  seeds: [5, 9, 2]
  sampling: {sampler: euler, steps: 8, shift: 4.5, guidance: 3}
  priority: 70
  gate: true
  approve: best
  upgrade: {scale: 2, steps: 3, start_sigma: 0.3}
  budget: {windows: 4, device_seconds: 90.5}
  key_frames: [{frame: 0, image: first.exr}]
  critics: {freeze: off, flicker: {revise: 0.6, reject: 0.2}}
  start_frame: 101
  timecode: "10:00:00:24"
  reel: A001
)");
  EXPECT_EQ(shot.show, "demo");
  EXPECT_EQ(shot.frames, 49);
  EXPECT_EQ(shot.negative_prompt, "blur");
  EXPECT_EQ(shot.fps, (Rate{25, 1}));
  EXPECT_EQ(shot.retime, Retime::kConform);
  EXPECT_EQ(shot.seeds, (std::vector<std::uint64_t>{5, 9, 2}));
  EXPECT_EQ(draft_sampling(shot, tabletop()), (Sampling{Sampler::kEuler, 8, 4.5, 3, 1}));
  EXPECT_EQ(master_sampling(shot, tabletop()), (Sampling{Sampler::kEuler, 3, 3, 1, 0.3}));
  EXPECT_EQ(shot.priority, 70);
  EXPECT_TRUE(shot.gate);
  EXPECT_EQ(shot.approve, Approve::kBest);
  EXPECT_EQ(shot.upgrade.scale, 2);
  EXPECT_EQ(shot.budget, (Budget{4, 90.5}));
  EXPECT_EQ(shot.key_frames.at(0), (KeyFrame{"/plates/first.exr", 0}));
  EXPECT_FALSE(shot.critics.at("freeze").enabled);
  EXPECT_EQ(shot.critics.at("flicker"), (CriticChange{true, 0.6F, 0.2F, {}}));
  EXPECT_EQ(shot.start_frame, 101);
  EXPECT_EQ(to_string(shot_timecode(shot, tabletop())), "10:00:00:24");
  EXPECT_EQ(shot.reel, "A001");
  EXPECT_EQ(shot.file, "b.yaml");
  EXPECT_EQ(validate_shot(shot, tabletop()), std::vector<ShotProblem>{});
}

TEST(Shot, DefaultsAreSharedAndOverruled) {
  const auto read = parse_batch(R"(version: 1
show: demo
defaults: {model: tabletop, seconds: 2, takes: 3, seed: 100, upgrade: {scale: 4}, critics: {seam: off}}
shots:
- {name: a, prompt: one}
- {name: b, prompt: two, frames: 9, takes: 1, upgrade: none, critics: {seam: on}}
- {name: c, prompt: three, seeds: [8, 4]}
- {name: d, prompt: four, seed: 1}
)",
                                "b.yaml", "");
  ASSERT_TRUE(read) << read.error().message;
  const auto& shots = read->shots;
  EXPECT_EQ(shots[0].seeds, (std::vector<std::uint64_t>{100, 101, 102}));
  EXPECT_EQ(shot_frames(shots[0], tabletop()), 48);
  EXPECT_FALSE(shots[0].critics.at("seam").enabled);
  EXPECT_EQ(shots[1].seeds, (std::vector<std::uint64_t>{100}));
  EXPECT_EQ(shot_frames(shots[1], tabletop()), 9);
  EXPECT_FALSE(shots[1].upgrade.enabled);
  EXPECT_TRUE(shots[1].critics.at("seam").enabled);
  EXPECT_EQ(shots[2].seeds, (std::vector<std::uint64_t>{8, 4}));
  EXPECT_EQ(shots[3].seeds, (std::vector<std::uint64_t>{1, 2, 3}));
}

TEST(Shot, AnUnwrittenSeedFollowsFromTheName) {
  const Shot first = one("  frames: 9\n"), again = one("  frames: 33\n  takes: 2\n");
  ASSERT_EQ(again.takes(), 2);
  EXPECT_EQ(first.seeds.at(0), again.seeds.at(0));
  EXPECT_EQ(again.seeds.at(1), again.seeds.at(0) + 1);
}

TEST(Shot, PromptBlocksBecomeOneLine) {
  const auto read = parse_batch(
      "version: 1\nshow: s\nshots:\n- name: a\n  model: m\n  frames: 9\n  prompt: |\n    one\n    two\n", "b",
      "");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->shots[0].prompt, "one two");
}

TEST(Shot, RefusesWithTheReason) {
  EXPECT_EQ(complaint("  frames: 9\n"), "");
  const std::vector<std::pair<std::string, std::string>> table{
      {"", "b.yaml:4:3: shots[0].frames: expected the length in frames (or seconds), found no such key"},
      {"  frames: 9\n  seconds: 2\n",
       "b.yaml:8:12: shots[0].seconds: expected either frames or seconds, found both"},
      {"  frames: 0\n", "b.yaml:7:11: shots[0].frames: expected a whole number from 1 to 20000, found '0'"},
      {"  frames: 9\n  promt: x\n", "b.yaml:8:3: shots[0].promt: unknown key; did you mean 'prompt'?"},
      {"  frames: 9\n  frames: 9\n",
       "b.yaml:8:3: frames: the key is written twice in one map; keep one of them"},
      {"  frames: 9\n  seed: 1\n  seeds: [1]\n",
       "b.yaml:9:10: shots[0].seeds: expected either seed or seeds, found both"},
      {"  frames: 9\n  seeds: [1, 1]\n",
       "b.yaml:8:14: shots[0].seeds[1]: expected another seed for every take, found 1 twice"},
      {"  frames: 9\n  seeds: [1, 2]\n  takes: 3\n",
       "b.yaml:9:10: shots[0].takes: expected as many takes as seeds (2), found 3; leave takes out"},
      {"  frames: 9\n  takes: 65\n",
       "b.yaml:8:10: shots[0].takes: expected a whole number from 1 to 64, found '65'"},
      {"  frames: 9\n  budget: {compute_seconds: 90}\n",
       "b.yaml:8:29: shots[0].budget.compute_seconds: the key is device_seconds: seconds for which attempts "
       "hold "
       "a CPU or GPU slot"},
      {"  frames: 9\n  upgrade: best\n",
       "b.yaml:8:12: shots[0].upgrade: expected none, or a map such as {scale: 4}, found 'best'"},
      {"  frames: 9\n  upgrade: {scale: 3}\n",
       "b.yaml:8:20: shots[0].upgrade.scale: expected one of 2, 4, found '3'"},
      {"  frames: 9\n  critics: {flicker: {revise: 0.2, reject: 0.4}}\n",
       "b.yaml:8:44: shots[0].critics.flicker.reject: expected less than revise: the worse score is the one "
       "that drops "
       "the take"},
      {"  frames: 9\n  critics: {flicker: {blocks: false}}\n",
       "b.yaml:8:23: shots[0].critics.flicker.blocks: unknown key; the keys here are revise, reject"},
      {"  frames: 9\n  critics: {fliker: off}\n",
       "b.yaml:8:13: shots[0].critics.fliker: unknown key; did you mean 'flicker'?"},
      {"  frames: 9\n  reel: \"a\\nb\"\n",
       "b.yaml:8:9: shots[0].reel: expected a name on one line, without control characters"},
      {"  frames: 9\n  timecode: 1h\n",
       "b.yaml:8:13: shots[0].timecode: expected a timecode HH:MM:SS:FF, found '1h'"},
      {"  frames: 9\n  sampling: {start_sigma: 0.5}\n",
       "b.yaml:8:27: shots[0].sampling.start_sigma: a draft starts from pure noise; start_sigma belongs to "
       "upgrade"},
      {"  frames: 9\n  key_frames: [{frame: 8, image: a.exr}, {frame: 8, image: b.exr}]\n",
       "b.yaml:8:50: shots[0].key_frames[1].frame: expected ascending frames, found 8 after 8"},
      {"  frames: 9\n- name: sh010\n  prompt: x\n  model: m\n  frames: 9\n",
       "b.yaml:8:3: shots[1].name: expected every shot once, found 'sh010' again"},
      {"  frames: 9\n- name: sh 020\n  prompt: \"\"\n  model: m\n  frames: 9\n",
       "b.yaml:8:9: shots[1].name: expected a name of at most 64 letters, digits, '_' and '-' that starts "
       "with a letter "
       "or digit, found 'sh 020'\n"
       "b.yaml:9:11: shots[1].prompt: expected words, found nothing"},
  };
  for (const auto& [shot, message] : table) EXPECT_EQ(complaint(shot), message);
}

TEST(Shot, ABatchIsRefusedWhole) {
  EXPECT_FALSE(parse_batch(batch("  frames: 9\n") + "- {name: b}\n", "b.yaml", ""));
  EXPECT_EQ(parse_batch("version: 1\nshow: s\nshots: []\n", "b", "").error().message,
            "b:3:8: shots: expected at least one shot, found an empty list");
  EXPECT_EQ(parse_batch("version: 1\nshots: {}\n", "b", "").error().message,
            "b:1:1: show: expected the show's name, found no such key\n"
            "b:2:8: shots: expected a list of shots, found a map");
  std::string many = "version: 1\nshow: s\nshots:\n";
  for (int i = 0; i <= kMaxShots; ++i)
    many += "- {name: s" + std::to_string(i) + ", prompt: x, model: m, frames: 1}\n";
  EXPECT_EQ(parse_batch(many, "b", "").error().message,
            "b:4:1: shots: expected at most 1000 entries, found 1001");
}

TEST(Shot, FilesMustExistWhereTheBatchIsRead) {
  const auto folder = std::filesystem::path(testing::TempDir()) / "shot_test";
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "b.yaml") << batch("  frames: 9\n  key_frames: [{image: gone.png, frame: 0}]\n");
  EXPECT_EQ(read_batch(folder / "b.yaml").error().message,
            (folder / "b.yaml").string() +
                ":8:24: shots[0].key_frames[0].image: expected a PNG or EXR file, found no file, '" +
                (folder / "gone.png").string() + "'");
  std::filesystem::remove_all(folder);
}

std::vector<ShotProblem> one_problem(const char* key, const char* message) { return {{key, message}}; }

TEST(Shot, ValidationSaysWhatWorksInstead) {
  const ModelManifest model = tabletop();
  EXPECT_EQ(validate_shot(one("  frames: 9\n  fps: 25\n"), model),
            one_problem("fps",
                        "model tabletop makes 24 frames per second, not 25; write 'fps: 24', or "
                        "'retime: conform' to play its frames at 25"));
  EXPECT_EQ(validate_shot(one("  frames: 9\n  timecode: \"01:00:00:24\"\n"), model),
            one_problem("timecode", "expected frames below 24, found '01:00:00:24'"));
  EXPECT_EQ(validate_shot(one("  seconds: 0.01\n"), model),
            one_problem("seconds",
                        "expected a length of 1 to 20000 frames, found less than "
                        "one frame at 24 frames per second"));
  EXPECT_EQ(validate_shot(one("  seconds: 20000\n"), model),
            one_problem("seconds",
                        "expected a length of 1 to 20000 frames, found more at 24 frames per "
                        "second"));
  EXPECT_EQ(validate_shot(one("  frames: 9\n  key_frames: [{frame: 4, image: a.exr}]\n"), model),
            one_problem("key_frames[0].frame",
                        "model tabletop can start from a picture but not pass through one: "
                        "expected frame 0, found 4"));
  ModelManifest large = model;
  large.deliver = large.size = {4096, 2304};
  EXPECT_EQ(validate_shot(one("  frames: 9\n  upgrade: {scale: 4}\n"), large),
            one_problem("upgrade",
                        "scale 4 makes 16384x9216 pixels, expected at most 8192 a side; "
                        "scale 2 may fit"));
  EXPECT_EQ(shot_timecode(one("  frames: 9\n"), model), Timecode{});
}

TEST(Shot, ProblemsAreNamedWithTheirPlaceInTheFile) {
  const Shot shot = one("  frames: 9\n  fps: 25\n  limits: [lic]\n");
  const Place& fps = shot.places.at("fps");
  const std::string place = shot.file + ":" + std::to_string(fps.line) + ":" + std::to_string(fps.column);
  EXPECT_EQ(problem_at(shot, "fps", "wrong"), place + ": " + fps.key + ": wrong");
  EXPECT_GT(fps.column, 0);
  const auto limits = unknown_limits(shot, {{"licence", 1, {}}});
  ASSERT_EQ(limits.size(), 1u);
  EXPECT_EQ(limits[0].key, "limits");
  EXPECT_TRUE(unknown_limits(shot, {{"lic", 1, {}}}).empty());
  // What is not written is named at the shot, with the key's path.
  const Place& whole = shot.places.at("");
  EXPECT_EQ(problem_at(shot, "upgrade", "wrong"), shot.file + ":" + std::to_string(whole.line) + ":" +
                                                      std::to_string(whole.column) + ": " + whole.key +
                                                      ".upgrade: wrong");
  EXPECT_EQ(problem_at(Shot{}, "fps", "wrong"), "shot /: fps: wrong");
}

TEST(Shot, AValueOfTheDefaultsIsNamedThere) {
  const auto batch = parse_batch(
      "version: 1\nshow: demo\ndefaults:\n  fps: 25\nshots:\n"
      "- {name: a, prompt: x, model: tabletop, frames: 5}\n",
      "b.yaml", "/");
  ASSERT_TRUE(batch) << batch.error().message;
  EXPECT_EQ(problem_at(batch->shots[0], "fps", "wrong"), "b.yaml:4:8: defaults.fps: wrong");
  EXPECT_EQ(problem_at(batch->shots[0], "", "wrong"), "b.yaml:6:3: shots[0]: wrong");
}

TEST(Shot, AKeyFrameIsNamedWhereItStands) {
  const auto batch = parse_batch(
      "version: 1\nshow: demo\ndefaults:\n  key_frames: [{frame: 0, image: a.png}]\nshots:\n"
      "- {name: a, prompt: x, model: tabletop, frames: 5}\n"
      "- name: b\n  prompt: x\n  model: tabletop\n  frames: 5\n  key_frames:\n"
      "  - {frame: 0, image: a.png}\n  - {frame: 4, image: b.png}\n",
      "b.yaml", "/");
  ASSERT_TRUE(batch) << batch.error().message;
  EXPECT_EQ(problem_at(batch->shots[0], key_frame_key(0, "image"), "wrong"),
            "b.yaml:4:34: defaults.key_frames[0].image: wrong");
  EXPECT_EQ(problem_at(batch->shots[1], key_frame_key(1, "image"), "wrong"),
            "b.yaml:13:23: shots[1].key_frames[1].image: wrong");
  EXPECT_EQ(problem_at(batch->shots[1], key_frame_key(1, "frame"), "wrong"),
            "b.yaml:13:13: shots[1].key_frames[1].frame: wrong");
}

}  // namespace
}  // namespace rushes::config
