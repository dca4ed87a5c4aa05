// A version whose pictures left is planned again: every task of it makes what it had made.
//
// Tasks are evaluated by what decides their result: stage, place, the version whose recipe they have, and their inputs in
// their order. Two tasks with one value make the same bytes.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "scheduler/plan/plan.h"
#include "tests/scheduler/plan/manifest.h"

namespace rushes::scheduler {
namespace {

ShotSpec spec_of(int frames, bool gate) {
  config::Shot shot;
  shot.show = "demo";
  shot.name = "sh010";
  shot.prompt = "a red ball";
  shot.model = "tabletop";
  shot.frames = frames;
  shot.seeds = {7};
  shot.gate = gate;
  auto spec = resolve_shot(shot, test_manifest(), {});
  EXPECT_TRUE(spec.has_value()) << (spec ? "" : spec.error().message);
  return *spec;
}

struct Step {
  std::vector<std::uint32_t> windows;
  bool own_prompt = false;
};

// A take with its revisions, and the value of each of its tasks.
class Story {
 public:
  Story(int frames, bool gate, const std::vector<Step>& steps) : spec_(spec_of(frames, gate)) {
    values_[kEncode] = "the shot's prompt";
    std::vector<std::uint32_t> all;
    for (std::uint32_t w = 0; w < spec_.recipe.windows.size(); ++w) all.push_back(w);
    windows_.push_back(all);
    add(plan_take(spec_, 1, kEncode, next_));
    for (const Step& step : steps) {
      const VersionGraph& parent = graphs_.back();
      const auto number = static_cast<std::uint32_t>(windows_.size());
      windows_.push_back(step.windows);
      add(plan_revision(spec_, 1, number, step.windows, parent,
                        parent.encode != kNoId ? parent.encode : kEncode, next_, step.own_prompt));
    }
  }

  VersionPlan again() {
    std::vector<Rendered> lineage;
    for (std::uint32_t n = 0; n < windows_.size(); ++n)
      lineage.push_back({n, windows_[n], graphs_[n].encode});
    const TaskId first = next_;
    VersionPlan plan =
        plan_again(spec_, 1, static_cast<std::uint32_t>(windows_.size()), lineage, kEncode, first);
    add(plan);
    for (const PlannedTask& task : plan.tasks) {
      EXPECT_EQ(task.revision, windows_.size());
      for (const Dependency& need : task.needs)
        EXPECT_TRUE(need.task == kEncode || (need.task >= first && need.task < task.id))
            << "it reads what left";
    }
    return plan;
  }

  // Of the tasks that are shown in version n.
  std::vector<std::string> shown(std::size_t n) const {
    std::vector<std::string> values;
    for (const auto* ids : {&graphs_[n].denoise, &graphs_[n].checkpoints, &graphs_[n].window_critiques})
      for (const TaskId id : *ids) values.push_back(values_.at(id));
    if (graphs_[n].encode != kNoId) values.push_back(values_.at(graphs_[n].encode));
    return values;
  }
  const ShotSpec& spec() const { return spec_; }

 private:
  static constexpr TaskId kEncode{1};

  void add(const VersionPlan& plan) {
    for (const PlannedTask& task : plan.tasks) {
      std::string text = std::string(to_string(task.stage)) + " " + std::to_string(task.window) + " " +
                         std::to_string(task.segment) + " " + std::to_string(task.tile) + " recipe " +
                         std::to_string(task.replays.value_or(task.revision));
      for (const Dependency& need : task.needs)
        if (need.data) text += " " + values_.at(need.task);
      values_[task.id] = to_hex(digest_of(text));
    }
    next_ = next_ + plan.tasks.size();
    graphs_.push_back(plan.graph);
  }

  const ShotSpec spec_;
  TaskId next_{2};
  std::map<TaskId, std::string> values_;
  std::vector<VersionGraph> graphs_;
  std::vector<std::vector<std::uint32_t>> windows_;
};

TEST(Again, EveryWindowIsMadeOfWhatItWasMadeOf) {
  const std::vector<std::vector<Step>> stories{
      {},
      {{{1}}},
      {{{1}, true}},
      {{{0}}, {{1}}, {{0, 2}}},
      {{{2}, true}, {{1}}, {{2}, true}, {{3}}},
      {{{0, 1, 2, 3}, true}, {{1}}},
      {{{1}}, {{0, 1, 2, 3}}},
  };
  for (const bool gate : {false, true})
    for (const int frames : {120, 126})
      for (const auto& steps : stories) {
        Story story(frames, gate, steps);
        ASSERT_GE(story.spec().recipe.windows.size(), 4u);
        story.again();
        EXPECT_EQ(story.shown(steps.size()), story.shown(steps.size() + 1)) << steps.size() << " revisions";
      }
}

TEST(Again, NothingIsRenderedThatNobodyReads) {
  Story simple(120, false, {});
  const auto windows = simple.spec().recipe.windows.size(),
             segments = simple.spec().recipe.draft.segments.size();
  const auto denoises = [](const VersionPlan& plan) {
    return static_cast<std::size_t>(std::count_if(plan.tasks.begin(), plan.tasks.end(), [](const auto& task) {
      return task.stage == Stage::kDenoise;
    }));
  };
  EXPECT_EQ(denoises(simple.again()), windows * segments);
  // All windows anew: what was before is not needed. One anew: of its first rendering all but the last segment, which
  // its neighbours read.
  std::vector<std::uint32_t> all;
  for (std::uint32_t w = 0; w < windows; ++w) all.push_back(w);
  EXPECT_EQ(denoises(Story(120, false, {{{1}}, {all}}).again()), windows * segments);
  EXPECT_EQ(denoises(Story(120, false, {{{1}}}).again()), windows * segments + segments - 1);
  // The shot's prompt is there; the take's own one is encoded once.
  const VersionPlan own = Story(120, false, {{{1}, true}, {{2}}}).again();
  EXPECT_EQ(std::count_if(own.tasks.begin(), own.tasks.end(),
                          [](const auto& task) { return task.stage == Stage::kEncode; }),
            1);
}

}  // namespace
}  // namespace rushes::scheduler
