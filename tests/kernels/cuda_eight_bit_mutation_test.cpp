// Whether the software device would notice a mistake in attention in 8 bits: RUSHES_MUTATION(n) of
// kernels/cuda/quantise*.cu, attention_s8_block.h, attention_s8_hopper_block.h and log_sum8.h plants mistake n, and a run must fail for one of a few orders of threads.
#include <gtest/gtest.h>

#include <cmath>
#include <iostream>

#include "tests/kernels/eight_bit_runs.h"
#include "tests/kernels/emulator/grid.h"
#include "tests/kernels/emulator/software_device.h"
#include "tests/kernels/hopper_runs.h"

namespace rushes::kernels::cuda {
namespace {

struct Mutation {
  int number;
  const char* name;
};
constexpr Mutation kMutations[] = {
    {51, "no barrier before a chunk's sums are read"},
    {52, "keys without smoothing"},
    {53, "values in another order than weights"},
    {54, "no barrier before transposed values are read"},
    {55, "one scale for all groups of a step"},
    {56, "no mask of the last step"},
    {57, "scale of the upper row for the lower one"},
    {58, "weights in another order than values"},
    {59, "output not rescaled"},
    {60, "log-sum without what smoothing took"},
};
constexpr Mutation kHopperMutations[] = {
    {61, "mask on another step than the last"},
    {62, "too few bytes expected"},
    {63, "one scale for all groups of a step"},
    {64, "no mask of the last step"},
    {65, "weights in another order than values"},
    {66, "barriers without a fence after initialisation"},
    {67, "no wait for the queries"},
    {68, "no wait for the keys"},
    {69, "wrong advance along the width"},
    {70, "scores read before their product is waited for"},
    {71, "no wait for the values"},
    {72, "stage overwritten before all warps have read it"},
    {73, "output not rescaled"},
    {60, "log-sum without what smoothing took"},
};
constexpr std::uint64_t kSeeds = 20;

// Empty: the run gave the right result.
std::string failure(const AttentionCase& c, const EightBitOperands& operands,
                    const std::vector<float>& expected, const std::vector<float>& log_sum, bool hopper,
                    std::uint64_t seed) {
  emulator::SoftwareDevice device({.seed = seed});
  const EightBitResult result = run_eight_bit(device, c, kValuesE4m3, hopper);
  if (result.error) return device.fault();
  const EightBitOperands& found = result.operands;
  if (found.q != operands.q || found.k != operands.k || found.v != operands.v)
    return "rounded operands differ";
  if (!same_bits(found.q_scale, operands.q_scale) || !same_bits(found.k_scale, operands.k_scale) ||
      !same_bits(found.v_scale, operands.v_scale))
    return "scales differ";
  const double d = distance(result.y, expected);
  if (!(d <= eight_bit_tolerance(kValuesE4m3))) return "result differs: " + std::to_string(d);
  for (std::size_t i = 0; i < log_sum.size(); ++i)
    if (!(std::abs(result.log_sum[i] - log_sum[i]) <= kMostLogSumError))
      return "log-sum of row " + std::to_string(i) + " is " + std::to_string(result.log_sum[i]);
  return "";
}

// Every other group of keys and every other eight queries half as large: scales that differ.
void spread_scales(AttentionCase& c) {
  const auto row = static_cast<std::size_t>(c.heads * c.width);
  for (std::size_t i = 0; i < c.k.size(); ++i)
    if (i / row / 16 % 2) c.k[i] = float_to_bf16(0.5f * bf16_to_float(c.k[i]));
  for (std::size_t i = 0; i < c.q.size(); ++i)
    if (i / row / 8 % 2) c.q[i] = float_to_bf16(0.5f * bf16_to_float(c.q[i]));
}

void expect_caught(const AttentionCase& c, bool hopper, const Mutation* begin, const Mutation* end) {
  const EightBitOperands operands = quantise(c);
  const std::vector<float> expected = attend(c, operands), log_sum = expected_log_sum(c);
  for (std::uint64_t seed = 1; seed <= 6; ++seed)
    EXPECT_EQ(failure(c, operands, expected, log_sum, hopper, seed), "")
        << "without a mistake, order " << seed;
  for (const Mutation* mutation = begin; mutation != end; ++mutation) {
    emulator::planted = mutation->number;
    std::string caught;
    std::uint64_t seed = 0;
    while (caught.empty() && ++seed <= kSeeds) caught = failure(c, operands, expected, log_sum, hopper, seed);
    emulator::planted = 0;
    EXPECT_NE(caught, "") << mutation->name;
    std::cout << mutation->number << "  " << mutation->name << ": " << caught << " (order " << seed << ")\n";
  }
}

// Several steps with a ragged tail, two chunks of sums.
TEST(CudaEightBitMutation, EveryPlantedMistakeIsCaught) {
  AttentionCase c;
  c.width = 64, c.heads = 2, c.lq = 70, c.lk = 64 * 4 + 3;
  complete(c, 11);
  spread_scales(c);
  expect_caught(c, false, std::begin(kMutations), std::end(kMutations));
}

TEST(CudaEightBitMutation, EveryMistakePlantedInHoppersIsCaught) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the device's rules catch the mistakes, not a sanitizer, which is ten times slower";
#endif
  AttentionCase c;
  c.width = 128, c.heads = 2, c.lq = 70, c.lk = 128 * 4 + 5;
  complete(c, 11);
  spread_scales(c);
  expect_caught(c, true, std::begin(kHopperMutations), std::end(kHopperMutations));
}

}  // namespace
}  // namespace rushes::kernels::cuda
