#include "scheduler/plan/plan.h"

#include <capnp/serialize.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "scheduler/plan/compose.h"
#include "scheduler/plan/recipe.h"
#include "scheduler/plan/windows.h"
#include "tests/scheduler/plan/manifest.h"

namespace rushes::scheduler {
namespace {

ShotSpec spec_of(int frames, bool gate = false) {
  config::Shot shot;
  shot.show = "demo";
  shot.name = "sh010";
  shot.prompt = "a red ball";
  shot.model = "tabletop";
  shot.frames = frames;
  shot.seeds = {7, 8};
  shot.gate = gate;
  auto spec = resolve_shot(shot, test_manifest(), {});
  EXPECT_TRUE(spec.has_value()) << (spec ? "" : spec.error().message);
  return *spec;
}

std::set<TaskId> needs_of(const PlannedTask& task, bool data_only = false) {
  std::set<TaskId> needs;
  for (const Dependency& need : task.needs) {
    if (need.data || !data_only) needs.insert(need.task);
  }
  return needs;
}

const PlannedTask& task_of(const auto& plan, TaskId id) {
  return plan.tasks.at(id.number() - plan.tasks.front().id.number());
}

TEST(Plan, FramesAreRoundedUpToWhatTheModelMakes) {
  const std::map<int, std::uint32_t> expected{{1, 1}, {2, 5}, {5, 5}, {6, 9}, {33, 33}, {34, 37}, {100, 101}};
  for (const auto& [frames, rendered] : expected) {
    const ShotSpec spec = spec_of(frames);
    EXPECT_EQ(spec.recipe.frames, static_cast<std::uint32_t>(frames));
    EXPECT_EQ(spec.recipe.rendered_frames, rendered);
    EXPECT_EQ(spec.recipe.rendered_frames % 4, 1u);
    EXPECT_EQ(spec.recipe.windows.back().end, (rendered - 1) / 4 + 1);
  }
}

TEST(Plan, DenoiseIsAnExactStencil) {
  for (const int frames : {9, 33, 53, 200}) {
    const ShotSpec spec = spec_of(frames);
    const TaskId encode(5), first(6);
    const VersionPlan plan = plan_take(spec, 1, encode, first);
    const auto windows = static_cast<int>(spec.recipe.windows.size());
    const auto segments = static_cast<int>(spec.recipe.draft.segments.size());
    const auto id = [&](int w, int s) {
      return plan.graph.denoise[static_cast<std::size_t>(w * segments + s)];
    };
    for (int w = 0; w < windows; ++w) {
      for (int s = 0; s < segments; ++s) {
        const PlannedTask& task = task_of(plan, id(w, s));
        EXPECT_EQ(task.stage, Stage::kDenoise);
        EXPECT_EQ(task.window, static_cast<std::uint32_t>(w));
        EXPECT_EQ(task.segment, static_cast<std::uint32_t>(s));
        std::set<TaskId> expected{encode};
        for (int n = std::max(0, w - 1); s > 0 && n <= std::min(windows - 1, w + 1); ++n)
          expected.insert(id(n, s - 1));
        EXPECT_EQ(needs_of(task), expected);
      }
    }
    EXPECT_EQ(plan.tasks.size(), count_take_tasks(spec));
    for (std::size_t i = 0; i < plan.tasks.size(); ++i) {
      EXPECT_EQ(plan.tasks[i].id, first + i) << "ids run on";
      for (const Dependency& need : plan.tasks[i].needs) EXPECT_LT(need.task, plan.tasks[i].id);
    }
  }
}

TEST(Plan, OneWindowShotsHaveFewTasksAndLongShotsOneStepWhileNoisy) {
  const ShotSpec one = spec_of(33);
  EXPECT_EQ(one.recipe.windows.size(), 1u);
  EXPECT_LE(one.recipe.draft.segments.size(), 3u);
  EXPECT_TRUE(plan_take(one, 1, TaskId(1), TaskId(2)).graph.window_critiques.empty())
      << "the take's critique looks at the same frames";
  const ShotSpec two = spec_of(53);
  EXPECT_EQ(two.recipe.windows.size(), 2u);
  EXPECT_GT(two.recipe.draft.segments.size(), 6u);
  EXPECT_EQ(plan_take(two, 1, TaskId(1), TaskId(2)).graph.window_critiques.size(), 2u);
}

TEST(Plan, AGateHoldsLaterSegmentsUntilTheCriticsSpoke) {
  const ShotSpec spec = spec_of(53, true);
  const VersionPlan plan = plan_take(spec, 1, TaskId(1), TaskId(2));
  const std::uint32_t gate = inner_checkpoint(spec.recipe.draft);
  const auto segments = spec.recipe.draft.segments.size();
  ASSERT_LT(gate, segments);
  for (std::uint32_t w = 0; w < 2; ++w) {
    for (std::uint32_t s = 0; s < segments; ++s) {
      const PlannedTask& task = task_of(plan, plan.graph.denoise[w * segments + s]);
      EXPECT_EQ(needs_of(task).contains(plan.graph.checkpoints[w]), s > gate);
      EXPECT_FALSE(needs_of(task, true).contains(plan.graph.checkpoints[w])) << "it waits, it does not read";
    }
  }
}

TEST(Plan, ARevisionRendersItsWindowsOnlyAndReadsFrozenNeighbours) {
  const ShotSpec spec = spec_of(120);
  const auto windows = spec.recipe.windows.size(), segments = spec.recipe.draft.segments.size();
  ASSERT_GE(windows, 4u);
  const VersionPlan base = plan_take(spec, 1, TaskId(1), TaskId(2));
  const TaskId first = TaskId(2) + base.tasks.size();
  const std::vector<std::uint32_t> again{1};
  const VersionPlan revision = plan_revision(spec, 1, 1, again, base.graph, TaskId(1), first);
  EXPECT_EQ(revision.tasks.size(), segments + 1 + base.graph.decode.size() + 1);
  for (std::uint32_t w = 0; w < windows; ++w) {
    for (std::size_t s = 0; s < segments; ++s) {
      const std::size_t at = w * segments + s;
      if (w != 1) {
        EXPECT_EQ(revision.graph.denoise[at], base.graph.denoise[at]);
        continue;
      }
      const PlannedTask& task = task_of(revision, revision.graph.denoise[at]);
      EXPECT_EQ(task.revision, 1u);
      if (s == 0) continue;
      const std::set<TaskId> expected{TaskId(1), base.graph.denoise[s - 1],
                                      revision.graph.denoise[segments + s - 1],
                                      base.graph.denoise[2 * segments + s - 1]};
      EXPECT_EQ(needs_of(task), expected);
    }
  }
  EXPECT_NE(revision_seed(7, 1), revision_seed(7, 2));
  EXPECT_NE(revision_seed(7, 1), 7u);
  for (std::uint64_t seed = 0; seed < 100; ++seed)
    EXPECT_LE(revision_seed(seed << 40, 1), (std::uint64_t{1} << 53) - 1) << "JSON readers keep every digit";
}

TEST(Plan, TheUpgradeIsAStencilOverTilesAndWindows) {
  const ShotSpec spec = spec_of(53);
  const VersionPlan draft = plan_take(spec, 1, TaskId(1), TaskId(2));
  const TaskId first = TaskId(2) + draft.tasks.size();
  const auto plan = plan_upgrade(spec, 1, draft.graph, TaskId(1), first);
  ASSERT_TRUE(plan.has_value());
  const Master& master = plan->master;
  EXPECT_EQ(master.tiles.size(), 30u);
  EXPECT_EQ(master.decode_tiles.size(), 2u);
  const std::size_t tiles = master.tiles.size(), segments = master.sampling.segments.size();
  for (const PlannedTask& task : plan->tasks) {
    if (task.stage != Stage::kRefine) continue;
    std::set<TaskId> expected{TaskId(1), plan->graph.enlarge};
    for (std::size_t w = 0; task.segment > 0 && w < master.windows.size(); ++w) {
      for (std::size_t n = 0; n < tiles; ++n) {
        if (overlap(master.tiles[n], master.tiles[task.tile])) {
          expected.insert(plan->graph.refine[(w * tiles + n) * segments + task.segment - 1]);
        }
      }
    }
    EXPECT_EQ(needs_of(task), expected);
    EXPECT_LE(expected.size(), 2u + 27u);
  }
  std::uint32_t frames = 0;
  for (const TaskId id : plan->graph.finish) {
    EXPECT_EQ(task_of(*plan, id).frames.begin, frames);
    frames = task_of(*plan, id).frames.end;
  }
  EXPECT_EQ(frames, 53u);
  EXPECT_EQ(plan->graph.deliver, plan->tasks.back().id);
}

TEST(Plan, IsDeterministicAndTooLargeGraphsAreRefused) {
  EXPECT_EQ(plan_take(spec_of(200), 2, TaskId(1), TaskId(2)).tasks,
            plan_take(spec_of(200), 2, TaskId(1), TaskId(2)).tasks);
  config::Shot shot;
  shot.show = "demo";
  shot.name = "long";
  shot.prompt = "x";
  shot.model = "tabletop";
  shot.frames = 20000;
  shot.seeds = {1};
  config::ModelManifest narrow = test_manifest();
  narrow.frames = 1;  // 5,001 windows
  const auto spec = resolve_shot(shot, narrow, {});
  ASSERT_FALSE(spec.has_value());
  EXPECT_EQ(spec.error().kind, ErrorKind::kInvalid);
}

TEST(Plan, TheRulesForCriticsAreTheFarmsWithTheShotsChanges) {
  config::Shot shot;
  shot.show = "demo";
  shot.name = "sh010";
  shot.prompt = "x";
  shot.model = "tabletop";
  shot.frames = 9;
  shot.seeds = {1};
  shot.critics["seam"] = {true, 0.05F, {}, {}};
  shot.critics["freeze"] = {false, {}, {}, {}};
  config::CriticRules farm = config::default_rules();
  for (config::CriticRule& rule : farm)
    if (rule.name == "seam") rule.blocks = false;
  const auto spec = resolve_shot(shot, test_manifest(), {}, farm);
  ASSERT_TRUE(spec) << spec.error().message;
  std::vector<CriticSetting> expected;
  for (const config::KnownCritic& critic : config::kCritics)
    expected.push_back({std::string(critic.name), true, critic.revise, critic.reject, critic.blocks});
  expected[1] = {"freeze", false, 0.5F, 0.1F, true};
  expected[4] = {"seam", true, 0.05F, 0.05F, false};
  EXPECT_EQ(spec->critics, expected) << "reject never lies above revise";
}

TEST(Recipe, TheHashNamesEverythingThatDecidesPixels) {
  const ShotSpec spec = spec_of(53);
  Recipe recipe = take_recipe(spec, 1);
  recipe.key_frames = {{3, {}, 12}};
  recipe.revisions = {{1, {0, 1}, 99, "flicker"}};
  const Bytes bytes = encode_recipe(recipe);
  EXPECT_EQ(encode_recipe(recipe), bytes);
  auto back = decode_recipe(bytes);
  ASSERT_TRUE(back.has_value()) << back.error().message;
  EXPECT_EQ(*back, recipe);
  const Digest hash = recipe_hash(bytes);
  Recipe other = recipe;
  other.seed += 1;
  EXPECT_NE(recipe_hash(encode_recipe(other)), hash);
  other = recipe;
  other.numeric_class = "cpu-amx-bf16";
  EXPECT_NE(recipe_hash(encode_recipe(other)), hash);
  other = recipe;
  other.draft.sigmas[3] += 0.001f;
  EXPECT_NE(recipe_hash(encode_recipe(other)), hash);
  Bytes damaged = bytes;
  damaged.resize(8);
  for (std::size_t i = 0; i < bytes.size(); ++i) {  // hostile bytes: an error or a recipe, never a crash
    damaged = bytes;
    damaged[i] ^= 0xff;
    (void)decode_recipe(damaged);
  }
  EXPECT_FALSE(decode_recipe({}).has_value());
}

// Recipes name pixels by their hash: what version 0.1 wrote for these two recipes.
TEST(Recipe, CanonicalBytesNeverChange) {
  Recipe recipe;
  recipe.engine_build = "0.1.0";
  recipe.numeric_class = "cpu-avx512-bf16+cpu-avx512-f32";
  recipe.model = "tabletop";
  recipe.model_digest.fill(0xa5);
  recipe.prompt = "a red sphere rolls over a table";
  recipe.negative_prompt = "blurred";
  recipe.seed = 7;
  recipe.fps = {24000, 1001};
  recipe.frames = 48;
  recipe.rendered_frames = 49;
  recipe.width = 160;
  recipe.height = 96;
  recipe.deliver_width = 160;
  recipe.deliver_height = 90;
  recipe.draft = {
      config::Sampler::kUniPc, {1.0f, 0.75f, 0.5f, 0.0f}, {999, 750, 500}, 4.0f, {{0, 1}, {1, 3}}};
  recipe.windows = {{0, 9}, {4, 13}};
  recipe.key_frames = {{3, recipe.model_digest, 12}};
  recipe.revisions = {{1, {0, 1}, 99, "flicker"}};
  EXPECT_EQ(to_hex(recipe_hash(encode_recipe(recipe))),
            "ecee22a476ddf6c89b25831b0b4a50f7ab4458363fabfa58bc16d1ed91660d7a");
  recipe.master = {4,
                   {config::Sampler::kEuler, {0.5f, 0.25f, 0.0f}, {500, 250}, 1.0f, {{0, 2}}},
                   {{0, 0, 6, 10}},
                   {{0, 0, 24, 40}},
                   {{0, 13}}};
  EXPECT_EQ(to_hex(recipe_hash(encode_recipe(recipe))),
            "8567000527be6bb2a1d373521cb81cfd25ce7646f296a1f7399738a0bf63a4c9");
}

TEST(Compose, InputsAreListedInTheOrderOfTheDependencies) {
  const ShotSpec spec = spec_of(53);
  const VersionPlan plan = plan_take(spec, 1, TaskId(1), TaskId(2));
  const auto segments = spec.recipe.draft.segments.size();
  const PlannedTask& task = task_of(plan, plan.graph.denoise[segments + 1]);  // window 1, segment 1
  PlannedTask encode = plan_encode(spec, TaskId(1));
  const std::vector<Output> conditioning{{Role::kConditioning, digest_of("c"), 10}};
  std::map<TaskId, std::vector<Output>> outputs;
  std::vector<Made> made;
  for (const Dependency& need : task.needs) {
    if (need.task == TaskId(1)) {
      made.push_back({&encode, &conditioning});
      continue;
    }
    outputs[need.task] = {{Role::kLatent, digest_of(std::to_string(need.task.number())), 20},
                          {Role::kHistory, digest_of("h" + std::to_string(need.task.number())), 5}};
    made.push_back({&task_of(plan, need.task), &outputs[need.task]});
  }
  const Bytes recipe = encode_recipe(take_recipe(spec, 1));
  const TaskSpec composed = compose({&spec, &task, &recipe, made, ""});
  EXPECT_EQ(composed.name, "sh010 take 1 denoise window 1 steps 1");
  const auto& inputs = composed.inputs;
  ASSERT_EQ(inputs.size(), 4u);  // conditioning, latents of windows 0 and 1, the own history
  EXPECT_EQ(inputs[0].role, Role::kConditioning);
  EXPECT_EQ(inputs[1].window, 0);
  EXPECT_EQ(inputs[2].window, 1);
  EXPECT_EQ(inputs[3].role, Role::kHistory);
  EXPECT_EQ(inputs[3].window, 1);
  EXPECT_EQ(composed.recipe_bytes, recipe);
  EXPECT_EQ(*decode_task(encode_task(composed)), composed);
}

// Limits reckon with 96 bytes an input (plan/limits.cpp), which holds where a message has one segment.
TEST(Plan, TheDescriptionOfATaskGrowsByAFixedNumberOfBytesAnInput) {
  TaskSpec task;
  task.recipe_bytes = Bytes(30'000, 1);
  const std::size_t others = encode_task(task).size();
  for (const std::size_t count : {1u, 100u, 3829u}) {
    task.inputs.assign(count, Input{.role = Role::kLatent, .digest = digest_of("latent")});
    EXPECT_LE(encode_task(task).size(), others + count * 96 + 8) << count;
  }
}

}  // namespace
}  // namespace rushes::scheduler
