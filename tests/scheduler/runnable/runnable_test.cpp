// Whatever the planner accepts, the farm can run: shots at random are planned, and their tasks go through the
// journal, the wire and the reader of the engine to a stand-in that checks what the stage would use.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <numeric>
#include <set>

#include "scheduler/core/journal/record_codec.h"
#include "scheduler/plan/compose.h"
#include "scheduler/plan/limits.h"
#include "scheduler/plan/plan.h"
#include "scheduler/plan/recipe.h"
#include "scheduler/protocol/codec.h"
#include "storage/limits.h"
#include "tests/scheduler/runnable/random_shot.h"
#include "tests/scheduler/runnable/stand_in_engine.h"

namespace rushes::scheduler {
namespace {

// Tasks of a stage that are composed: the ones with most inputs, and some others.
constexpr std::size_t kTried = 24;

// A recipe with the longest class and build: they are pinned behind the shot's acceptance, in the takes' recipes.
Recipe pinned(Recipe recipe) {
  recipe.numeric_class = std::string(64, 'c');
  recipe.engine_build = std::string(64, 'b');
  return recipe;
}

// A shot on its way: its tasks, and recipes by take version.
class Farm {
 public:
  Farm(ShotSpec spec) : spec_(std::move(spec)) {
    add({plan_encode(spec_, kEncode)});
    run_all({kEncode}, encode_recipe(pinned(spec_.recipe)));
  }

  // The first rendering of all takes, revisions of the last one, its delivery and its upgrade.
  void render() {
    std::vector<TaskId> shown;
    for (std::uint32_t take = 1; take <= spec_.seeds.size(); ++take) {
      VersionPlan plan = plan_take(spec_, take, kEncode, next());
      graph_ = plan.graph;
      recipe_ = pinned(take_recipe(spec_, take));
      const bool last = take == spec_.seeds.size();
      if (take == 1 || last) journal(plan.graph, plan.tasks, take);
      add(plan.tasks);
      if (take == 1 || last) run_all(ids(plan.tasks), encode_recipe(recipe_));
      shown.insert(shown.end(), graph_.decode.begin(), graph_.decode.end());
      shown.push_back(graph_.critique);
    }
    revise();
    const auto take = static_cast<std::uint32_t>(spec_.seeds.size());
    deliver(take, shown);
    if (spec_.upgrade) upgrade(take);
  }

 private:
  static constexpr TaskId kEncode{1};

  TaskId next() const { return tasks_.empty() ? kEncode : tasks_.rbegin()->first + 1; }
  static std::vector<TaskId> ids(const std::vector<PlannedTask>& tasks) {
    std::vector<TaskId> result;
    for (const PlannedTask& task : tasks) result.push_back(task.id);
    return result;
  }
  void add(const std::vector<PlannedTask>& tasks) {
    for (const PlannedTask& task : tasks) tasks_[task.id] = task;
  }

  void revise() {
    const auto take = static_cast<std::uint32_t>(spec_.seeds.size());
    const auto count = static_cast<std::uint32_t>(spec_.recipe.windows.size());
    for (std::uint32_t number = 1, rounds = *rc::gen::inRange(0u, 4u); number <= rounds; ++number) {
      std::set<std::uint32_t> windows;
      for (std::uint32_t left = *rc::gen::inRange(1u, 4u); left > 0; --left)
        windows.insert(*rc::gen::inRange(0u, count));
      const std::vector<std::uint32_t> again(windows.begin(), windows.end());
      VersionPlan plan = plan_revision(spec_, take, number, again, graph_, kEncode, next());
      graph_ = plan.graph;
      recipe_.revisions.push_back(
          {number, again, revision_seed(recipe_.seed, number), std::string(300, 'w')});
      const Bytes recipe = encode_recipe(recipe_);
      RC_ASSERT(check_recipe_size(spec_, recipe.size()).has_value());
      journal(plan.graph, plan.tasks, take);
      add(plan.tasks);
      run_all(ids(plan.tasks), recipe);
    }
  }

  void deliver(std::uint32_t take, const std::vector<TaskId>& all_shown) {
    std::vector<TaskId> shown = all_shown;  // the delivered take shows its newest version
    std::erase_if(shown, [&](TaskId id) { return tasks_[id].take == take; });
    shown.insert(shown.end(), graph_.decode.begin(), graph_.decode.end());
    shown.push_back(graph_.critique);
    const PlannedTask delivery = plan_draft_delivery(spec_, take, shown, next());
    add({delivery});
    run_all({delivery.id}, encode_recipe(recipe_));
  }

  void upgrade(std::uint32_t take) {
    auto plan = plan_upgrade(spec_, take, graph_, kEncode, next());
    if (!plan) RC_FAIL("accepted with its upgrade, which is refused later: " + plan.error().message);
    add(plan->tasks);
    recipe_.master = plan->master;
    const Bytes recipe = encode_recipe(recipe_);
    const Bytes record =
        encode_record(record::UpgradePlanned{ShotId(0), take, plan->graph, recipe, {}, plan->tasks, 0});
    RC_ASSERT(record.size() <= storage::kMaxRecordBytes);
    RC_ASSERT(decode_record(record).has_value());
    run_all(ids(plan->tasks), recipe);
  }

  void journal(const VersionGraph& graph, const std::vector<PlannedTask>& tasks, std::uint32_t take) {
    record::VersionPlanned planned{ShotId(0), take, {}, tasks};
    planned.version.graph = graph;
    planned.version.recipe = encode_recipe(recipe_);
    const Bytes record = encode_record(planned);
    RC_ASSERT(record.size() <= storage::kMaxRecordBytes);
    RC_ASSERT(decode_record(record).has_value());
  }

  // Some of the tasks, all stages among them: those with most inputs, the first and last, and a few by chance.
  std::vector<TaskId> some(const std::vector<TaskId>& ids) {
    std::map<Stage, std::vector<TaskId>> by_stage;
    for (const TaskId id : ids) by_stage[tasks_[id].stage].push_back(id);
    std::vector<TaskId> chosen;
    for (auto& [stage, all] : by_stage) {
      std::stable_sort(all.begin(), all.end(),
                       [&](TaskId a, TaskId b) { return tasks_[a].needs.size() > tasks_[b].needs.size(); });
      const std::size_t step = std::max<std::size_t>(1, all.size() / kTried);
      for (std::size_t i = 0; i < all.size(); i += step) chosen.push_back(all[i]);
      chosen.push_back(all.back());
    }
    return chosen;
  }

  void run_all(const std::vector<TaskId>& ids, const Bytes& recipe) {
    for (const TaskId id : some(ids)) run(tasks_[id], recipe);
  }

  void run(const PlannedTask& task, const Bytes& recipe) {
    std::vector<Made> made;
    std::map<TaskId, std::vector<Output>> outputs;
    for (const Dependency& need : task.needs) {
      RC_ASSERT(need.task < task.id);
      if (!need.data) continue;
      const PlannedTask& maker = tasks_[need.task];
      outputs[need.task] = {
          {output_role(maker.stage), digest_of(std::to_string(need.task.number())), kMaxArtifactBytes}};
      made.push_back({&maker, &outputs[need.task]});
    }
    const TaskSpec composed = compose({&spec_, &task, &recipe, made, "v001"});
    const std::string description = encode_task(composed);
    if (const Status ran = stand_in_run(description, spec_.grid); !ran) RC_FAIL(ran.error().message);
    travel(composed, description);
  }

  // Over the wire to the worker, and over the pipe to its engine.
  static void travel(const TaskSpec& composed, const std::string& description) {
    const AttemptId id{TaskId(~0ull), ~0u, ~0ull};
    protocol::Assign message{id, 3'600'000, 3'600'000, composed};
    if (description.size() > protocol::kMaxInlineSpec)
      message.task = protocol::ArtifactRef{digest_of(description), description.size()};
    const auto assign = protocol::encode(protocol::SchedulerMessage(message));
    if (!assign) RC_FAIL(assign.error().message);
    const auto received = protocol::decode_to_worker(*assign);
    if (!received) RC_FAIL(received.error().message);
    RC_ASSERT(*received == protocol::SchedulerMessage(message));
    const auto piped = protocol::encode(protocol::ToEngine(protocol::EngineRun{id, composed}));
    if (!piped) RC_FAIL(piped.error().message);
    const auto read = protocol::decode_to_engine(*piped);
    if (!read) RC_FAIL(read.error().message);
    RC_ASSERT(*read == protocol::ToEngine(protocol::EngineRun{id, composed}));
  }

  ShotSpec spec_;
  std::map<TaskId, PlannedTask> tasks_;
  VersionGraph graph_;
  Recipe recipe_;
};

TEST(Runnable, WhateverIsAcceptedCanBeRun) {
  setenv("RC_PARAMS", "max_success=400 max_size=200",
         0);  // rare shapes need more than the 100 tries of the library
  int asked = 0, accepted = 0, tiled = 0, upgraded = 0;
  EXPECT_TRUE(rc::check("what the planner accepts, the engine can run", [&] {
    const Asked shot = random_shot();
    std::vector<StoredPicture> images;
    for (const config::KeyFrame& key : shot.shot.key_frames)
      images.push_back({{key.frame, digest_of("image"), 1 << 20}, {}});
    auto spec = resolve_shot(shot.shot, shot.model, images);
    ++asked;
    if (!spec) {
      RC_ASSERT(spec.error().kind == ErrorKind::kInvalid);
      RC_ASSERT(spec.error().message.starts_with("shot " + shot.shot.show + "/" + shot.shot.name + ": "));
      return;
    }
    ++accepted;
    tiled += spec->recipe.decode_tiles.size() > 1 ? 1 : 0;
    upgraded += spec->upgrade ? 1 : 0;
    Farm(std::move(*spec)).render();
  }));
  std::printf("%d shots asked for, %d accepted; %d with several draft tiles, %d with an upgrade\n", asked,
              accepted, tiled, upgraded);
  EXPECT_GE(accepted * 2, asked) << "most of what is asked for can be made";
  EXPECT_GE(tiled, accepted / 20);
  EXPECT_GE(upgraded, accepted / 20);
}

}  // namespace
}  // namespace rushes::scheduler
