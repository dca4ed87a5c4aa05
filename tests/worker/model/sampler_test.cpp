// Samplers and schedules. The reference trajectories themselves are checked by rushes-parity on the goldens.
#include "worker/model/sampler.h"

#include <gtest/gtest.h>

#include <cmath>

#include "kernels/cuda/cuda_backend.h"
#include "kernels/layout.h"
#include "tests/kernels/emulator/software_device.h"
#include "tests/kernels/support.h"

namespace rushes::worker {
namespace {

using config::Sampler;
using config::SigmaList;
using kernels::Backend;
using kernels::Tensor;

const kernels::Shape kShape = {2, 1, 4, 8};

std::vector<float> start() {
  std::vector<float> x(static_cast<std::size_t>(kernels::element_count(kShape)));
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::sin(static_cast<float>(i) * 1.7f) * 1.5f;
  return x;
}

Tensor tensor(Backend& backend, const std::vector<float>& values) {
  return backend.upload(kernels::host_tensor(values, kShape));
}

Tensor velocity(Backend& backend, const Tensor& x, float sigma) {
  std::vector<float> v = kernels::read_values(backend, x);
  for (float& value : v) value = std::tanh(0.7f * value - 0.4f * sigma);
  return tensor(backend, v);
}

class EverySampler : public ::testing::TestWithParam<std::tuple<config::Sampler, double>> {
 protected:
  config::Schedule schedule() const {
    return *config::make_schedule({std::get<0>(GetParam()), 7, 5.0, 1.0, std::get<1>(GetParam())});
  }
  worker::Sampler make(Backend& backend) const {
    return worker::Sampler(backend, std::get<0>(GetParam()), schedule(), kShape);
  }
  worker::Sampler make() const { return make(*backend_); }
  // Latents after every step.
  std::vector<float> trajectory(Backend& backend) const {
    auto sampler = make(backend);
    const Tensor x = tensor(backend, start());
    std::vector<float> all;
    while (!sampler.done()) {
      EXPECT_TRUE(sampler.step(x, velocity(backend, x, sampler.sigma())));
      const std::vector<float> values = kernels::read_values(backend, x);
      all.insert(all.end(), values.begin(), values.end());
    }
    return all;
  }

  std::unique_ptr<Backend> backend_ = kernels::make_reference_backend();
};

// Stopping between any two steps and going on from the saved history changes no bit.
TEST_P(EverySampler, GoesOnFromItsState) {
  auto whole = make();
  const Tensor x = tensor(*backend_, start());
  std::vector<SamplerState> states;
  std::vector<std::vector<float>> latents;
  while (!whole.done()) {
    states.push_back(whole.state());
    latents.push_back(kernels::read_values(*backend_, x));
    ASSERT_TRUE(whole.step(x, velocity(*backend_, x, whole.sigma())));
  }
  for (std::size_t i = 0; i < states.size(); ++i) {
    auto later = make();
    ASSERT_TRUE(later.restore(states[i]));
    const Tensor y = tensor(*backend_, latents[i]);
    while (!later.done()) ASSERT_TRUE(later.step(y, velocity(*backend_, y, later.sigma())));
    EXPECT_EQ(kernels::read_values(*backend_, x), kernels::read_values(*backend_, y)) << "from step " << i;
  }
}

// With the velocity of a straight path to a constant every solver ends exactly there (to rounding).
TEST_P(EverySampler, FollowsAStraightPath) {
  auto sampler = make();
  const std::vector<float> noise = start();
  std::vector<float> straight = noise;
  for (float& value : straight) value -= 0.25f;
  const Tensor x = tensor(*backend_, std::vector<float>(noise.size(), 0.25f)),
               v = tensor(*backend_, straight);
  add_noise(*backend_, x, tensor(*backend_, noise), sampler.sigma());
  while (!sampler.done()) ASSERT_TRUE(sampler.step(x, v));
  for (float value : kernels::read_values(*backend_, x)) EXPECT_NEAR(value, 0.25f, 2e-5f);
}

TEST_P(EverySampler, GivesTheSameBitsOnEveryBackend) {
  const auto expected = trajectory(*backend_);
  for (const int threads : {1, 3})
    EXPECT_TRUE(kernels::same_bits(trajectory(*kernels::make_cpu_backend({threads})), expected));
  emulator::SoftwareDevice device;
  EXPECT_TRUE(kernels::same_bits(trajectory(*kernels::cuda::make_cuda_backend(&device, {})), expected));
  EXPECT_EQ(device.fault(), "");
}

TEST_P(EverySampler, RefusesForeignState) {
  auto sampler = make();
  const Tensor x = tensor(*backend_, start());
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(sampler.step(x, velocity(*backend_, x, sampler.sigma())));
  SamplerState state = sampler.state();
  state.step = 99;
  EXPECT_FALSE(make().restore(state));
  state = sampler.state();
  state.arrays["x0.1"].resize(3);
  EXPECT_FALSE(make().restore(state));
  state = sampler.state();
  state.order = 5;
  EXPECT_FALSE(make().restore(state));
  EXPECT_FALSE(sampler.step(x.slice(0, 1), x));
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
