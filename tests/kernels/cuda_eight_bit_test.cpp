// Attention in 8 bits on a GPU: the rounded operands bit for bit, the kernels against attention over them, and all of it
// against the reference. On the software device everywhere, on a GPU where there is one.
#include <gmock/gmock.h>

#include "kernels/cuda/device_fault.h"
#include "tests/kernels/eight_bit_runs.h"
#include "tests/kernels/emulator/software_device.h"
#include "tests/kernels/hopper_runs.h"

namespace rushes::kernels::cuda {
namespace {

constexpr float kBias = 8.0f;  // of outliers

void expect_equal(const EightBitOperands& found, const EightBitOperands& expected, Attention8Form form) {
  EXPECT_EQ(found.q, expected.q);
  EXPECT_TRUE(same_bits(found.q_scale, expected.q_scale));
  EXPECT_EQ(found.k, expected.k);
  EXPECT_TRUE(same_bits(found.k_scale, expected.k_scale));
  if (form == kValuesBf16) return;
  EXPECT_EQ(found.v, expected.v);
  EXPECT_TRUE(same_bits(found.v_scale, expected.v_scale));
}

void expect_near(DeviceApi& api, const AttentionCase& c, Attention8Form form, bool hopper = false) {
  SCOPED_TRACE("width " + std::to_string(c.width) + (c.listed ? ", listed" : "") + ", lq " +
               std::to_string(c.lq) + ", lk " + std::to_string(c.lk) + ", bias " +
               std::to_string(c.key_bias));
  const EightBitOperands expected = quantise(c);
  const EightBitResult result = run_eight_bit(api, c, form, hopper);
  ASSERT_EQ(result.error, kSuccess);
  expect_equal(result.operands, expected, form);
  if (form == kValuesE4m3) {
    EXPECT_LE(distance(result.y, attend(c, expected)), eight_bit_tolerance(form));
  }
  EXPECT_LE(distance(result.y, c.expected), kMostNoiseDistance);
  const std::vector<float> log_sum = expected_log_sum(c);
  for (std::size_t i = 0; i < log_sum.size(); ++i)
    ASSERT_NEAR(result.log_sum[i], log_sum[i], kMostLogSumError) << i;
}

AttentionCase random_case(std::uint64_t seed, int width, int longest, bool listed, float bias,
                          int key_unit = 16) {
  AttentionCase c = attention_case(seed, width, longest, listed, key_unit);
  c.plan.first.clear(), c.plan.tile.clear();
  c.key_bias = bias;
  complete(c, seed);
  return c;
}

void expect_random_cases(DeviceApi& api, Attention8Form form, std::uint64_t cases, int longest) {
  for (std::uint64_t seed = 1; seed <= cases; ++seed)
    for (const int width : {64, 128})
      for (const bool listed : {false, true})
        expect_near(api, random_case(seed, width, longest, listed, seed % 2 ? kBias : 0.0f), form);
}

TEST(CudaEightBit, WithValuesInE4m3) {
  emulator::SoftwareDevice device;
  expect_random_cases(device, kValuesE4m3, 4, 330);
  EXPECT_EQ(device.fault(), "");
}

TEST(CudaEightBit, WithValuesInBf16) {
  emulator::SoftwareDevice device({.major = 8});
  expect_random_cases(device, kValuesBf16, 2, 330);
  EXPECT_EQ(device.fault(), "");
}

// Lengths at the edges of 16 keys of a scale, 64 of a step, 128 of the padding, 256 of a chunk of sums.
TEST(CudaEightBit, LengthsAtTheEdges) {
  emulator::SoftwareDevice device;
  for (const auto& [lq, lk] :
       std::vector<std::pair<int, int>>{{1, 1}, {16, 16}, {17, 63}, {64, 65}, {3, 128}, {129, 256}, {5, 513}})
    for (const int width : {64, 128})
      for (const bool listed : {false, true}) {
        AttentionCase c;
        c.lq = lq, c.lk = lk, c.width = width, c.listed = listed;
        c.plan.query_tile = 48, c.plan.key_tile = 48;
        complete(c, 5);
        expect_near(device, c, kValuesE4m3);
      }
  EXPECT_EQ(device.fault(), "");
}

// What the scheme is held to; the other sets here are noise alone, of few keys.
TEST(CudaEightBit, OutliersAreWithinTheTolerance) {
  const auto expect = [](int major, const AttentionCase& c, bool hopper) {
    emulator::SoftwareDevice device({.major = major});
    const EightBitResult result = run_eight_bit(device, c, attention8_form(major * 10), hopper);
    ASSERT_EQ(result.error, kSuccess) << device.fault();
    const double d = distance(result.y, c.expected), cos = cosine(result.y, c.expected);
    std::cout << major << ".0" << (hopper ? " Hopper's" : " portable") << (c.listed ? ", listed" : "")
              << ": distance " << d << ", cosine " << cos << '\n';
    EXPECT_LE(d, kMostOutlierDistance);
    EXPECT_GE(cos, kLeastOutlierCosine);
  };
  for (const int key_tile : {0, 128}) {
    const AttentionCase c = outlier_case(128, 24, 1500, key_tile);
    expect(8, c, false);
    expect(9, c, false);
    expect(9, c, true);
  }
}

TEST(CudaEightBit, ZerosAndNaNStayWhatTheyAre) {
  emulator::SoftwareDevice device;
  AttentionCase c;
  c.lq = 20, c.lk = 40, c.width = 64;
  complete(c, 2);
  const auto row = [&](int i) { return static_cast<std::size_t>(i * c.width); };
  std::fill_n(c.q.begin(), row(1), std::uint16_t{0});  // the first query: all keys alike
  std::fill(c.v.begin(), c.v.end(), std::uint16_t{0});
  c.q[row(3) + 7] = 0x7fc0;
  EightBitResult result = run_eight_bit(device, c, kValuesE4m3);
  ASSERT_EQ(result.error, kSuccess) << device.fault();
  expect_equal(result.operands, quantise(c), kValuesE4m3);
  for (int i = 0; i < c.lq; ++i)
    for (int x = 0; x < c.width; ++x) {
      const float y = result.y[row(i) + static_cast<std::size_t>(x)];
      EXPECT_TRUE(i == 3 ? std::isnan(y) : y == 0.0f) << i << ' ' << x << ' ' << y;
    }
  c.k[row(8)] = 0x7fc0;  // through the mean into all scores
  result = run_eight_bit(device, c, kValuesE4m3);
  ASSERT_EQ(result.error, kSuccess) << device.fault();
  for (const float y : result.y) EXPECT_TRUE(std::isnan(y));
}

TEST(CudaEightBit, BitsDoNotDependOnTheOrderOfThreads) {
  const AttentionCase c = random_case(9, 128, 300, true, kBias);
  std::vector<float> expected;
  for (const std::uint64_t seed : {1, 2, 3, 4, 5, 6}) {
    emulator::SoftwareDevice device({.seed = seed});
    const EightBitResult result = run_eight_bit(device, c, kValuesE4m3);
    if (expected.empty()) expected = result.y;
    EXPECT_TRUE(same_bits(result.y, expected)) << seed;
  }
}

TEST(CudaEightBit, E4m3NeedsAdaOrLater) {
  emulator::SoftwareDevice device({.major = 8, .minor = 6});
  AttentionCase c;
  c.lq = c.lk = 1;
  complete(c, 1);
  EXPECT_THROW(run_eight_bit(device, c, kValuesE4m3), DeviceFault);
  EXPECT_THAT(device.fault(), testing::HasSubstr("round_values_64: no code for compute capability 8.6"));
  EXPECT_EQ(attention8_form(86), kValuesBf16);
  EXPECT_EQ(attention8_form(89), kValuesE4m3);
}

void expect_hopper_cases(DeviceApi& api, std::uint64_t cases, int longest) {
  for (std::uint64_t seed = 1; seed <= cases; ++seed)
    for (const bool listed : {false, true})
      expect_near(api, random_case(seed, 128, longest, listed, seed % 2 ? kBias : 0.0f, 128), kValuesE4m3,
                  true);
}

TEST(CudaEightBitHopper, OnTheSoftwareDevice) {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    emulator::SoftwareDevice device({.seed = seed});
    expect_hopper_cases(device, 2, 150 * static_cast<int>(seed));
    EXPECT_EQ(device.fault(), "");
  }
}

// Below, at and above 64 queries of a block and 128 keys of a step; key tiles of one and two steps, the last one ragged.
TEST(CudaEightBitHopper, LengthsAtTheEdges) {
  emulator::SoftwareDevice device;
  for (const auto& [lq, lk] :
       std::vector<std::pair<int, int>>{{1, 1}, {64, 128}, {65, 129}, {7, 256}, {66, 385}, {128, 640}})
    for (const int key_tile : {0, 128, 256}) {
      AttentionCase c;
      c.lq = lq, c.lk = lk, c.width = 128, c.listed = key_tile != 0;
      c.plan.query_tile = 64 + key_tile / 4, c.plan.key_tile = key_tile;
      complete(c, 3);
      expect_near(device, c, kValuesE4m3, true);
    }
  EXPECT_EQ(device.fault(), "");
}

TEST(CudaEightBitHopper, TakesWholeStepsOfWidth128) {
  AttentionArguments a;
  const std::int32_t first = 0;
  a.lq = a.lk = 1;
  EXPECT_TRUE(hopper_attention8_takes(a, 128));
  EXPECT_FALSE(hopper_attention8_takes(a, 64));
  a.first = &first, a.key_tile = 128;
  EXPECT_TRUE(hopper_attention8_takes(a, 128));
  a.key_tile = 64;
  EXPECT_FALSE(hopper_attention8_takes(a, 128));
}

TEST(CudaEightBit, OnAGpu) {
  int count = 0;
  DeviceInfo info;
  if (!device_api() || device_api()->device_count(&count) != kSuccess || count == 0 ||
      device_api()->device_info(0, &info) != kSuccess)
    GTEST_SKIP() << "no CUDA device on this machine";
  const Attention8Form form = attention8_form(10 * info.major + info.minor);
  expect_random_cases(*device_api(), form, 30, 1000);
  expect_random_cases(*device_api(), kValuesBf16, 5, 600);
  if (info.major == 9) expect_hopper_cases(*device_api(), 30, 1000);
}

}  // namespace
}  // namespace rushes::kernels::cuda
