// The studio reader, the meter, the offline schedule and whole runs of small farms.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/simulation/farm/description.h"
#include "tests/simulation/farm/figures.h"
#include "tests/simulation/farm/offline.h"

namespace rushes::simulation::farm {
namespace {

constexpr const char* kSmall = R"(
version: 1
name: small
seed: 5
window: 1 min
models:
  - {name: wan-a, width: 320, height: 192, frames: 33, steps: 8, step: 4 s, load: 20 s}
  - {name: wan-b, width: 320, height: 192, frames: 33, steps: 8, step: 4 s, load: 20 s}
run_times: {spread: 0.3, stragglers: 0.02, straggler_factor: 4}
hosts:
  - {name: fast, count: 3, slots: 2, memory: 32 GiB, class: cuda-sm90, speed: 2, lost_every: 3 min, away: 1 min}
  - {name: slow, count: 4, memory: 16 GiB, class: cuda-sm86, failures: 0.02, cpu_slots: 1, host_memory: 8 GiB}
shows:
  - {name: feature, weight: 2, floor: 0.2}
  - {name: series}
batches:
  - {name: finals, show: feature, model: wan-a, shots: [6, 9], frames: [17, 65], takes: [1, 3], gate: 50, upgrade: 50, priority: 60}
  - {name: dailies, show: series, model: wan-b, first: 2 min, every: 5 min, times: 2, shots: 5, frames: 33, takes: 2, deadline: 1 h}
)";

std::string problem_of(const std::string& text) {
  const auto farm = parse_description(text, "farm.yaml");
  return farm ? "" : farm.error().message;
}

std::string with(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

double value_of(const std::vector<Figure>& figures, const std::string& name) {
  const auto found =
      std::find_if(figures.begin(), figures.end(), [&](const Figure& figure) { return figure.name == name; });
  EXPECT_NE(found, figures.end()) << name;
  return found != figures.end() ? found->value : -1;
}

TEST(FarmDescription, NamesTheLineOfEveryProblem) {
  EXPECT_EQ(problem_of(kSmall), "");
  EXPECT_THAT(problem_of(with(kSmall, "seed: 5", "seeds: 5")), testing::HasSubstr("farm.yaml:4:1: seeds: "));
  EXPECT_THAT(problem_of(with(kSmall, "show: series", "show: serials")), testing::HasSubstr("farm.yaml:18:"));
  EXPECT_THAT(problem_of(with(kSmall, "width: 320", "width: 321")), testing::HasSubstr("multiple of 32"));
  EXPECT_THAT(problem_of(with(kSmall, "floor: 0.2", "floor: 1.2")), testing::HasSubstr("floor"));
  EXPECT_THAT(problem_of(with(kSmall, "shots: [6, 9]", "shots: [9, 6]")),
              testing::HasSubstr("[least, most]"));
  EXPECT_THAT(problem_of(with(kSmall, "name: slow", "name: fast")), testing::HasSubstr("every name once"));
  EXPECT_THAT(problem_of(with(kSmall, "times: 2, ", "")), testing::HasSubstr("every and times together"));
  EXPECT_THAT(problem_of(std::string(kSmall) + "goals:\n  - {figure: a, at_most: 1, at_least: 1}\n"),
              testing::HasSubstr("one of at_most and at_least"));
}

TEST(FarmMeter, CountsSlotTimeByWindowAndTimeUnderAFloor) {
  Meter meter({{"a", 1, 0.5}, {"b", 1, 0}}, 1, 1000);
  meter.slots_changed(0, 4);
  for (int i = 0; i < 4; ++i) meter.run_began(1, 0);
  meter.backlog(0, {true});
  meter.check_floors();  // show a has none of its 2 slots from here
  meter.advance(1500);
  meter.run_over(1, 0);
  meter.run_over(1, 0);
  meter.run_began(0, 0);
  meter.run_began(0, 0);
  meter.check_floors();
  meter.advance(2000);
  EXPECT_EQ(meter.longest_below_floor_ms(0), 1500);
  EXPECT_EQ(meter.longest_below_floor_ms(1), 0);
  ASSERT_EQ(meter.windows().size(), 2u);
  EXPECT_EQ(meter.windows()[0].used[1], 4000);
  EXPECT_EQ(meter.windows()[1].used[1], 4 * 500 + 2 * 500);
  EXPECT_EQ(meter.windows()[1].used[0], 2 * 500);
  EXPECT_EQ(meter.windows()[1].offered, 4000);
  EXPECT_EQ(meter.windows()[0].waiting_ms[0], 1000);
  EXPECT_EQ(meter.windows()[0].waiting_ms[1], 0);
}

// What waits for a show's own slots, or for those of a show that has no more than its floor, is no shortage.
TEST(FarmMeter, CountsOnlyWorkThatFitsWhatOthersHold) {
  Meter meter({{"a", 1, 0.5}, {"b", 1, 0.25}, {"c", 1, 0}}, 2, 1000);
  meter.slots_changed(0, 4);
  meter.slots_changed(1, 4);
  for (int i = 0; i < 2; ++i) meter.run_began(0, 0);
  for (int i = 0; i < 2; ++i) meter.run_began(1, 0);
  for (int i = 0; i < 4; ++i) meter.run_began(2, 1);
  meter.backlog(0, {true, false});  // lacks 2; b, which holds the others there, has its floor and no more
  meter.backlog(2, {false, true});
  meter.check_floors();
  meter.advance(1000);
  meter.check_floors();
  EXPECT_EQ(meter.longest_below_floor_ms(0), 0);
  EXPECT_EQ(meter.windows()[0].contested_ms[0], 1000);  // but it does compete with b
  EXPECT_EQ(meter.windows()[0].waiting_ms[2], 1000);
  EXPECT_EQ(meter.windows()[0].contested_ms[2], 0);  // c has all that it fits
  meter.backlog(0, {true, true});                    // fits what c holds
  meter.check_floors();
  meter.advance(1700);
  meter.check_floors();
  EXPECT_EQ(meter.longest_below_floor_ms(0), 700);
}

OfflineTask task_of(double seconds, int model, std::uint32_t shot, std::uint64_t bytes = 1) {
  OfflineTask task;
  task.seconds = task.path = seconds;
  task.model = model;
  task.shot = shot;
  (model == kNoModel ? task.host_bytes : task.tensor_bytes) = bytes;
  return task;
}

Description one_group(int count, int slots, double speed) {
  Description farm;
  farm.models.resize(2);
  farm.models[0].load = farm.models[1].load = std::chrono::seconds(10);
  HostGroup group;
  group.count = count;
  group.slots = slots;
  group.speed = speed;
  group.memory = group.host_memory = 100;
  group.numeric_class = "cuda-sm90";
  group.models = {0, 1};
  farm.hosts.push_back(group);
  return farm;
}

TEST(FarmOffline, PlacesTheLongestPathFirst) {
  // Without loads: 3, 3, 2, 2, 2 on two slots of speed 1 take 7 greedily, whatever the bound (6) says.
  std::vector<OfflineTask> tasks;
  for (const double seconds : {2.0, 2.0, 2.0, 3.0, 3.0}) tasks.push_back(task_of(seconds, kNoModel, 0));
  const Description farm = one_group(2, 1, 1);
  EXPECT_EQ(schedule_offline(farm, tasks, Order::kLongestPath).finish, 7);
  EXPECT_EQ(bounds_of(farm, tasks).by_work, 6);
  EXPECT_EQ(bounds_of(farm, tasks).by_critical_path, 3);
}

TEST(FarmOffline, TheBoundCountsHoursAndReleases) {
  Description farm = one_group(2, 1, 1);
  std::vector<OfflineTask> tasks(2, task_of(3600, kNoModel, 0));
  tasks[1].release = 7200;  // alone after the first one
  EXPECT_EQ(bounds_of(farm, tasks).by_work, 7200 + 1800);
  farm.hosts.push_back(farm.hosts.front());
  farm.hosts.back().from_hour = 1;  // two slots more from 1 h to 2 h
  farm.hosts.back().until_hour = 2;
  tasks.assign(8, task_of(3600, kNoModel, 0));  // 2 hours' work, 4, and the last two
  EXPECT_EQ(bounds_of(farm, tasks).by_work, 3 * 3600);
}

TEST(FarmOffline, CountsLoadsAndKeepsAModelWhenTold) {
  std::vector<OfflineTask> tasks;
  for (const double seconds : {9.0, 8.0, 7.0, 6.0})
    tasks.push_back(task_of(seconds + 20, tasks.size() % 2 == 0 ? 0 : 1, 0));
  const Description farm = one_group(1, 1, 1);
  const OfflineSchedule keeps = schedule_offline(farm, tasks, Order::kKeepTheModel);
  EXPECT_EQ(keeps.loads, 2u);
  EXPECT_EQ(keeps.finish, 110 + 2 * 10);
}

TEST(FarmOffline, NeverGivesAHostMoreThanItsMemory) {
  const std::vector<OfflineTask> tasks{task_of(5, kNoModel, 0, 60), task_of(5, kNoModel, 0, 60),
                                       task_of(5, kNoModel, 0, 40)};
  Description farm = one_group(1, 3, 1);
  farm.hosts[0].numeric_class = "cpu-avx512-bf16";
  EXPECT_EQ(schedule_offline(farm, tasks, Order::kLongestPath).finish, 10);
  const std::vector<OfflineTask> wide{task_of(5, kNoModel, 0, 101)};
  EXPECT_EQ(schedule_offline(farm, wide, Order::kLongestPath).unplaced, 1u);
  // The slots of a GPU host are devices: a third of 100 each.
  const std::vector<OfflineTask> tensors{task_of(5, 0, 0, 33), task_of(5, 0, 0, 34)};
  EXPECT_EQ(schedule_offline(one_group(1, 3, 1), tensors, Order::kLongestPath).unplaced, 1u);
}

TEST(FarmOffline, LeavesGpusToTensorsWhereThereAreCpuSlots) {
  const std::vector<OfflineTask> tasks{task_of(5, 0, 0), task_of(5, 0, 0), task_of(5, kNoModel, 0),
                                       task_of(5, kNoModel, 0)};
  Description farm = one_group(1, 1, 1);
  farm.models[0].load = {};
  EXPECT_EQ(schedule_offline(farm, tasks, Order::kLongestPath).finish, 20);
  farm.hosts[0].cpu_slots = 1;
  EXPECT_EQ(schedule_offline(farm, tasks, Order::kLongestPath).finish, 10);
}

TEST(FarmGoals, AreMissedOnTheWrongSideAndUnknownWithoutAFigure) {
  const std::vector<Figure> figures{{"a", 2, ""}};
  const auto outcomes =
      judge({{"a", true, 2, 0}, {"a", true, 1.9, 0}, {"a", false, 2.1, 0}, {"b", true, 1, 0}}, figures);
  EXPECT_TRUE(outcomes[0].met);
  EXPECT_FALSE(outcomes[1].met);
  EXPECT_FALSE(outcomes[2].met);
  EXPECT_FALSE(outcomes[3].known);
}

TEST(FarmRun, FinishesEveryShotAndRepeatsItself) {
  const auto farm = parse_description(kSmall, "farm.yaml");
  ASSERT_TRUE(farm) << farm.error().message;
  std::vector<std::vector<Figure>> runs;
  for (int i = 0; i < 2; ++i) {
    FarmRun run(*farm);
    const Status done = run.run();
    ASSERT_TRUE(done) << done.error().message;
    runs.push_back(figures_of(run));
  }
  ASSERT_EQ(runs[0].size(), runs[1].size());
  for (std::size_t i = 0; i < runs[0].size(); ++i) {
    EXPECT_EQ(runs[0][i].name, runs[1][i].name);
    EXPECT_EQ(runs[0][i].value, runs[1][i].value) << runs[0][i].name;
  }
  EXPECT_EQ(value_of(runs[0], "size.unfinished"), 0);
  EXPECT_EQ(value_of(runs[0], "offline.unplaced"), 0);
  EXPECT_GT(value_of(runs[0], "waste.the_engine_failed"), 0);
  EXPECT_GT(value_of(runs[0], "waste.the_host_was_lost"), 0);
}

TEST(FarmRun, NoScheduleBeatsTheBoundAndSlotTimeAddsUp) {
  const auto farm = parse_description(kSmall, "farm.yaml");
  ASSERT_TRUE(farm);
  FarmRun run(*farm);
  ASSERT_TRUE(run.run());
  const std::vector<Figure> figures = figures_of(run);
  EXPECT_GE(value_of(figures, "makespan.over_bound"), 1);
  EXPECT_GE(value_of(figures, "makespan.offline_h"),
            std::max(value_of(figures, "makespan.by_work_h"), value_of(figures, "makespan.by_path_h")));
  double used = 0, busy = 0, wasted = 0;
  for (const Window& window : run.meter().windows()) {
    busy += window.busy;
    EXPECT_LE(window.busy, window.offered + 1e-6);
    for (const double ms : window.used) used += ms;
  }
  for (const auto& [cause, seconds] : run.meter().wasted()) wasted += seconds;
  EXPECT_NEAR(used, busy, 1e-3);
  // Everything a slot did was either accepted or wasted.
  EXPECT_NEAR(busy / 1000, run.meter().useful_seconds() + wasted, 1);
}

// Another order of work must not change what work there is: the same run times on a farm of another size.
TEST(FarmRun, DrawsRunTimesByWhatATaskIs) {
  const auto small = parse_description(kSmall, "farm.yaml");
  const auto large = parse_description(with(kSmall, "count: 4", "count: 40"), "farm.yaml");
  ASSERT_TRUE(small && large);
  FarmRun first(*small), second(*large);
  ASSERT_TRUE(first.run() && second.run());
  double work[2] = {0, 0};
  for (const OfflineTask& task : offline_tasks(first)) work[0] += task.seconds;
  for (const OfflineTask& task : offline_tasks(second)) work[1] += task.seconds;
  EXPECT_NEAR(work[0], work[1], work[0] * 0.02);  // revisions that a dropped take had begun may differ
}

}  // namespace
}  // namespace rushes::simulation::farm
