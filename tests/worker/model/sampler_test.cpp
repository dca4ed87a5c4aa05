// Samplers and schedules. The reference trajectories themselves are checked by rushes-parity on the goldens.
#include "worker/model/sampler.h"

#include <gtest/gtest.h>

#include <cmath>

namespace rushes::worker {
namespace {

using config::Sampler;
using config::SigmaList;

constexpr std::size_t kCount = 64;

std::vector<float> start() {
  std::vector<float> x(kCount);
  for (std::size_t i = 0; i < kCount; ++i) x[i] = std::sin(static_cast<float>(i) * 1.7f) * 1.5f;
  return x;
}

std::vector<float> velocity(const std::vector<float>& x, float sigma) {
  std::vector<float> v(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) v[i] = std::tanh(0.7f * x[i] - 0.4f * sigma);
  return v;
}

class EverySampler : public ::testing::TestWithParam<std::tuple<config::Sampler, double>> {
 protected:
  config::Schedule schedule() const {
    return *config::make_schedule({std::get<0>(GetParam()), 7, 5.0, 1.0, std::get<1>(GetParam())});
  }
  worker::Sampler make() const { return worker::Sampler(std::get<0>(GetParam()), schedule(), kCount); }
};

// Stopping between any two steps and going on from the saved history changes no bit.
TEST_P(EverySampler, GoesOnFromItsState) {
  auto whole = make();
  std::vector<float> x = start();
  std::vector<SamplerState> states;
  std::vector<std::vector<float>> latents;
  while (!whole.done()) {
    states.push_back(whole.state());
    latents.push_back(x);
    ASSERT_TRUE(whole.step(x, velocity(x, whole.sigma())));
  }
  for (std::size_t i = 0; i < states.size(); ++i) {
    auto later = make();
    ASSERT_TRUE(later.restore(states[i]));
    std::vector<float> y = latents[i];
    while (!later.done()) ASSERT_TRUE(later.step(y, velocity(y, later.sigma())));
    EXPECT_EQ(x, y) << "from step " << i;
  }
}

// With the velocity of a straight path to a constant every solver ends exactly there (to rounding).
TEST_P(EverySampler, FollowsAStraightPath) {
  auto sampler = make();
  const std::vector<float> noise = start();
  std::vector<float> x(kCount, 0.25f), v(kCount);
  add_noise(x, noise, sampler.sigma());
  for (std::size_t i = 0; i < kCount; ++i) v[i] = noise[i] - 0.25f;
  while (!sampler.done()) ASSERT_TRUE(sampler.step(x, v));
  for (float value : x) EXPECT_NEAR(value, 0.25f, 2e-5f);
}

TEST_P(EverySampler, RefusesForeignState) {
  auto sampler = make();
  std::vector<float> x = start();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(sampler.step(x, velocity(x, sampler.sigma())));
  SamplerState state = sampler.state();
  state.step = 99;
  EXPECT_FALSE(make().restore(state));
  state = sampler.state();
  state.arrays["x0.1"].resize(3);
  EXPECT_FALSE(make().restore(state));
  state = sampler.state();
  state.order = 5;
  EXPECT_FALSE(make().restore(state));
  EXPECT_FALSE(sampler.step(std::span(x).first(3), x));
}

INSTANTIATE_TEST_SUITE_P(All, EverySampler,
                         ::testing::Combine(::testing::Values(Sampler::kEuler, Sampler::kUniPc,
                                                              Sampler::kDpmPp),
                                            ::testing::Values(1.0, 0.999999, 0.4)));

TEST(Schedule, StartsWhereTheOfficialListsStart) {
  EXPECT_EQ(config::make_schedule(SigmaList::kUniPC, 4, 5.0)->timesteps[0], 999);
  EXPECT_EQ(config::make_schedule(SigmaList::kDpmpp, 4, 5.0)->timesteps[0], 1000);
}

TEST(Schedule, PartialListStartsAtTheAskedSigmaAndFalls) {
  for (double shift : {1.0, 3.0, 8.0})
    for (double first : {0.05, 0.4, 0.7, 1.0}) {
      auto schedule = config::make_partial_schedule(SigmaList::kDpmpp, 5, shift, first);
      ASSERT_TRUE(schedule);
      EXPECT_EQ(schedule->sigmas.size(), 6u);
      EXPECT_EQ(schedule->sigmas[0], static_cast<float>(first));
      EXPECT_EQ(schedule->sigmas[5], 0.0f);
      for (std::size_t i = 0; i < 5; ++i) {
        EXPECT_GT(schedule->sigmas[i], schedule->sigmas[i + 1]);
        EXPECT_EQ(schedule->timesteps[i], std::floor(schedule->timesteps[i]));
      }
    }
}

// Starting at σ = 1 the partial list is the whole one.
TEST(Schedule, PartialListFromOneIsTheWholeList) {
  EXPECT_EQ(*config::make_partial_schedule(SigmaList::kDpmpp, 9, 5.0, 1.0),
            *config::make_schedule(SigmaList::kDpmpp, 9, 5.0));
}

TEST(Schedule, RefusesNonsense) {
  EXPECT_FALSE(config::make_schedule(SigmaList::kUniPC, 0, 5.0));
  EXPECT_FALSE(config::make_schedule(SigmaList::kUniPC, 2000, 5.0));
  EXPECT_FALSE(config::make_schedule(SigmaList::kUniPC, 4, -1.0));
  EXPECT_FALSE(config::make_schedule(SigmaList::kUniPC, 4, std::nan("")));
  EXPECT_FALSE(config::make_partial_schedule(SigmaList::kUniPC, 4, 5.0, 0.0));
  EXPECT_FALSE(config::make_partial_schedule(SigmaList::kUniPC, 4, 5.0, 1.5));
}

}  // namespace
}  // namespace rushes::worker
