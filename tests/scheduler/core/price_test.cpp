// What shots will cost: prices before a shot is on the farm, beside what it then cost.
#include "scheduler/core/state/price.h"

#include <gtest/gtest.h>

#include <cmath>

#include "config/digest.h"
#include "scheduler/core/state/costs.h"
#include "scheduler/core/state/estimates.h"
#include "scheduler/plan/cost.h"
#include "scheduler/plan/plan.h"
#include "tests/scheduler/core/sim_farm.h"

namespace rushes::scheduler {
namespace {

using policy::Estimate;
using policy::PriceBasis;

// -1..1, another value for every task.
double noise(const Task& task) { return std::sin(static_cast<double>(task.plan.id.number()) * 12.9898); }

// A device that needs so many times the first guess, give or take a fifth.
std::function<double(const Task&)> device(double factor) {
  return [factor](const Task& task) {
    return factor * first_guess(task.plan.stage) * task.plan.work * (1 + 0.2 * noise(task));
  };
}

config::Shot upgraded(const std::string& name, int frames, int takes) {
  config::Shot shot = test_shot(name, frames, takes);
  shot.upgrade.enabled = true;
  shot.upgrade.scale = 2;
  return shot;
}

policy::Price price_of(const TestFarm& farm, const config::Shot& shot) {
  const auto spec = resolve_shot(shot, *farm.model, {});
  EXPECT_TRUE(spec) << (spec ? "" : spec.error().message);
  return Pricer(farm.state()).price_of(*spec);
}

TEST(Price, OfOneClassIsItsMeanWithTwoDeviationsToEachSide) {
  const Estimate slow{10, 1, 64}, fast{4, 3, 64};
  const policy::WorkSum unit{1, 1};
  const auto one = policy::price_of(unit, std::vector{slow});
  EXPECT_DOUBLE_EQ(one.low, 8);
  EXPECT_DOUBLE_EQ(one.expected, 10);
  EXPECT_DOUBLE_EQ(one.high, 12);
  const auto both = policy::price_of(unit, std::vector{slow, fast});
  EXPECT_DOUBLE_EQ(both.low, 0) << "not below nothing";
  EXPECT_DOUBLE_EQ(both.expected, 7);
  EXPECT_DOUBLE_EQ(both.high, 12);
}

TEST(Price, IsAGuessWhileNothingIsMeasured) {
  TestFarm farm;
  const policy::Price price = price_of(farm, upgraded("sh010", 65, 2));
  EXPECT_EQ(price.basis, PriceBasis::kGuess);
  EXPECT_EQ(price.total.low, 0);
  EXPECT_GT(price.total.expected, 0);
  EXPECT_DOUBLE_EQ(price.total.high, 2 * price.total.expected);
  for (const auto& stage : price.stages) EXPECT_EQ(stage.basis, PriceBasis::kGuess);
}

// A shot of the same length whose first frame is a picture of so many pixels.
event::ShotRequest with_picture(const TestFarm& farm, const std::string& name, std::uint64_t pixels) {
  event::ShotRequest request{test_shot(name, 33, 1), farm.model, {}};
  request.shot.key_frames = {{"first.png", 0}};
  request.images = {{{0, digest_of(name), 1000}, {pixels, 1 << 20}}};
  return request;
}

// What a picture takes of a host is planned and not learned: neither does a large one make the next encode look slow,
// nor is a price without it.
TEST(Price, OfAnEncodeHasTheReadingOfItsPicture) {
  constexpr std::uint64_t kPixels = 8192 * 8192;
  TestFarm farm;
  const auto price_of_encode = [&](const event::ShotRequest& request) {
    const auto spec = resolve_shot(request.shot, *request.model, request.images);
    EXPECT_TRUE(spec);
    return Pricer(farm.state()).price_of(*spec).stages.front();
  };
  const double reading = reading_seconds({kPixels, 0});
  const auto guessed = price_of_encode(with_picture(farm, "guessed", kPixels));
  EXPECT_EQ(guessed.stage, Stage::kEncode);
  EXPECT_NEAR(guessed.seconds.expected, first_guess(Stage::kEncode) + reading, 1e-9);
  SimWorker a(farm, "a", 2, 0);
  a.seconds = [](const Task& task) { return 0.25 * task.plan.work + task.plan.host_seconds; };
  a.hello();
  event::SubmitBatch batch;
  batch.request = 77;
  batch.name = "shots.yaml";
  batch.by = "ann";
  for (int i = 0; i < 8; ++i)
    batch.shots.push_back(with_picture(farm, "learn" + std::to_string(i), i % 2 == 0 ? kPixels : 100));
  farm.step(batch);
  run_to_end(farm, {&a});
  EXPECT_NEAR(price_of_encode(with_picture(farm, "large", kPixels)).seconds.expected, 0.25 + reading, 0.05);
  EXPECT_NEAR(price_of_encode(with_picture(farm, "small", 100)).seconds.expected, 0.25, 0.05);
  for (const Task& task : farm.state().tasks) {
    if (task.plan.stage != Stage::kEncode) continue;
    EXPECT_NEAR(expected(farm.state(), task).seconds, 0.25 + task.plan.host_seconds, 0.05);
  }
}

// The price that a dry run tells, on a farm that has rendered other shots, holds what the shot then costs.
TEST(Price, HoldsWhatTheShotThenCosts) {
  TestFarm farm;
  SimWorker a(farm, "a", 2, 0);
  a.seconds = device(30);
  a.hello();
  farm.submit({upgraded("learn1", 33, 2), upgraded("learn2", 65, 1), upgraded("learn3", 97, 3)});
  run_to_end(farm, {&a});
  int shot_number = 0;
  farm.check_every_step = false;  // the same steps as before
  for (const int frames : {33, 49, 81, 129})
    for (const int takes : {1, 3}) {
      const std::string name = "sh" + std::to_string(++shot_number);
      const config::Shot shot = upgraded(name, frames, takes);
      const policy::Price price = price_of(farm, shot);
      EXPECT_EQ(price.basis, PriceBasis::kMeasured);
      EXPECT_LT(price.total.high, 3 * price.total.low) << "a price that says something";
      farm.submit({shot});
      const auto& reply = std::get<command::Submitted>(*farm.last_reply().result);
      EXPECT_DOUBLE_EQ(reply.shots.at(0).price.total.expected, price.total.expected)
          << "the same when submitted";
      run_to_end(farm, {&a});
      ASSERT_EQ(farm.shot("demo/" + name).state, ShotState::kDelivered);
      const double cost = sum_of(farm.shot("demo/" + name).costs).total();
      EXPECT_GE(cost, price.total.low) << frames << " frames, " << takes << " takes";
      EXPECT_LE(cost, price.total.high) << frames << " frames, " << takes << " takes";
      EXPECT_NEAR(price.total.expected, cost, 0.15 * cost) << frames << " frames, " << takes << " takes";
    }
}

// A farm that rendered long shots knows what a short one costs, once it has seen one, though every task opens files and
// starts what it needs, whatever its size.
TEST(Price, HasAFixedPartForEveryTask) {
  constexpr double kFixed = 5;
  TestFarm farm;
  SimWorker a(farm, "a", 2, 0);
  a.seconds = [ideal = device(30)](const Task& task) { return kFixed + ideal(task); };
  a.hello();
  farm.check_every_step = false;
  farm.submit({test_shot("learn1", 129, 3), test_shot("learn2", 33, 2), test_shot("learn3", 9, 2)});
  run_to_end(farm, {&a});
  int shot_number = 0;
  for (const int frames : {5, 9, 33, 129}) {
    const std::string name = "sh" + std::to_string(++shot_number);
    const policy::Price price = price_of(farm, test_shot(name, frames, 2));
    farm.submit({test_shot(name, frames, 2)});
    run_to_end(farm, {&a});
    const double cost = sum_of(farm.shot("demo/" + name).costs).total();
    EXPECT_NEAR(price.total.expected, cost, 0.15 * cost) << frames << " frames";
    EXPECT_GE(cost, price.total.low) << frames << " frames";
    EXPECT_LE(cost, price.total.high) << frames << " frames";
  }
}

TEST(Price, SaysWhichStagesAreAGuess) {
  TestFarm farm;
  SimWorker a(farm, "a", 2, 0);
  a.seconds = device(30);
  a.hello();
  farm.submit({test_shot("learn1", 33, 1)});
  run_to_end(farm, {&a});
  EXPECT_EQ(price_of(farm, test_shot("sh010", 33, 1)).basis, PriceBasis::kMeasured);
  const policy::Price price = price_of(farm, upgraded("sh010", 33, 1));
  EXPECT_EQ(price.basis, PriceBasis::kPartlyGuess) << "no upgrade was measured yet";
  for (const auto& stage : price.stages)
    EXPECT_EQ(stage.basis, stage.level == 0 ? PriceBasis::kMeasured : PriceBasis::kGuess);
  EXPECT_GT(price.total.low, 0) << "measured stages keep their spread";
}

TEST(Price, IsOfTheDevicesThatAreThere) {
  TestFarm farm;
  SimWorker slow(farm, "slow", 2, 0);
  slow.seconds = device(30);
  slow.hello();
  farm.submit({test_shot("learn1", 65, 2)});
  run_to_end(farm, {&slow});
  const policy::Price on_cpu = price_of(farm, test_shot("sh010", 65, 1));
  EXPECT_EQ(on_cpu.basis, PriceBasis::kMeasured);

  SimWorker fast(farm, "fast", 2, 0);
  fast.seconds = device(3);
  use_gpu(fast, "cuda-sm90-bf16", 1);
  fast.hello();
  EXPECT_EQ(price_of(farm, test_shot("sh010", 65, 1)).basis, PriceBasis::kOtherDevices)
      << "no shot begins on a CPU while a GPU is there";
  farm.step(event::FromWorker{"slow", protocol::Bye{}});
  EXPECT_EQ(price_of(farm, test_shot("sh010", 65, 1)).basis, PriceBasis::kOtherDevices);
  farm.submit({test_shot("learn2", 65, 2)});
  run_to_end(farm, {&fast});
  const policy::Price on_gpu = price_of(farm, test_shot("sh010", 65, 1));
  EXPECT_EQ(on_gpu.basis, PriceBasis::kMeasured);
  EXPECT_LT(on_gpu.total.high, on_cpu.total.low);
}

TEST(Price, OfRevisionsIsBoundedByTheBudgetOfTheShot) {
  TestFarm farm;
  SimWorker a(farm, "a", 2, 0);
  a.seconds = device(30);
  a.hello();
  farm.submit({test_shot("learn1", 65, 2)});
  run_to_end(farm, {&a});
  config::Shot shot = test_shot("sh010", 65, 3);
  shot.budget.windows = 4;
  const policy::Price price = price_of(farm, shot);
  EXPECT_GT(price.revisions.expected, 0);
  EXPECT_GT(price.revisions.high, price.revisions.expected);
  shot.budget.device_seconds = price.revisions.high / 6;
  EXPECT_DOUBLE_EQ(price_of(farm, shot).revisions.high, price.revisions.high / 2);
  shot.budget.windows = 0;
  EXPECT_EQ(price_of(farm, shot).revisions.high, 0);
}

}  // namespace
}  // namespace rushes::scheduler
