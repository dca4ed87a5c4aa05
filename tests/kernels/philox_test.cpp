// Philox against published vectors; the Gaussian's accuracy, moments and distribution; independence of
// sharding.
#include "kernels/philox.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "kernels/backend.h"

namespace rushes::kernels {
namespace {

// The known-answer vectors of Random123 (kat_vectors, philox4x32 10).
TEST(Philox, KnownAnswers) {
  struct Case {
    PhiloxBlock counter;
    PhiloxKey key;
    PhiloxBlock expected;
  };
  const Case cases[] = {
      {{{0, 0, 0, 0}}, {{0, 0}}, {{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}}},
      {{{~0u, ~0u, ~0u, ~0u}}, {{~0u, ~0u}}, {{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}}},
      {{{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}},
       {{0xa4093822, 0x299f31d0}},
       {{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}},
  };
  for (const Case& c : cases) {
    const PhiloxBlock block = philox4x32_10(c.counter, c.key);
    EXPECT_EQ(std::memcmp(&block, &c.expected, sizeof block), 0);
  }
}

TEST(Philox, LogarithmIsAccurate) {
  for (double x = 0x1p-53; x < 1.0; x *= 1.013) EXPECT_NEAR(ieee_log(x) / std::log(x), 1.0, 5e-16) << x;
}

TEST(Philox, InverseNormalIsAccurate) {
  for (double p = 0x1p-53; p < 0.5; p *= 1.0137) {
    const double x = inverse_normal(p);
    EXPECT_NEAR(0.5 * std::erfc(-x / std::sqrt(2.0)) / p, 1.0, 1e-13) << p;
    EXPECT_NEAR(inverse_normal(1.0 - p), -inverse_normal(1.0 - (1.0 - p)), 1e-15) << p;
  }
}

// The bits themselves: whoever changes them changes every take ever rendered.
TEST(Philox, NoiseIsPinned) {
  const PhiloxKey key = noise_key({42, 0, 0});
  const float values[] = {gaussian_at(key, 0, 0, 0, 0), gaussian_at(key, 15, 20, 59, 103)};
  std::uint32_t bits[2];
  std::memcpy(bits, values, sizeof bits);
  EXPECT_EQ(bits[0], 0xbf6f0085u);
  EXPECT_EQ(bits[1], 0xbef731e8u);
}

std::vector<float> draw(const NoiseSource& source, const NoiseBox& box) {
  std::vector<float> noise(std::size_t{box.size[0]} * box.size[1] * box.size[2] * box.size[3]);
  fill_noise(source, box, noise.data());
  return noise;
}

TEST(Philox, MomentsAndKolmogorovSmirnov) {
  std::vector<float> noise = draw({7, 1, 2}, {{0, 0, 0, 0}, {16, 25, 50, 50}});
  const double n = static_cast<double>(noise.size());  // 10^6
  double moment[5] = {};
  for (const float x : noise) {
    for (int k = 1; k <= 4; ++k) moment[k] += std::pow(static_cast<double>(x), k) / n;
  }
  EXPECT_NEAR(moment[1], 0.0, 4.0 / std::sqrt(n));
  EXPECT_NEAR(moment[2], 1.0, 4.0 * std::sqrt(2.0 / n));
  EXPECT_NEAR(moment[3], 0.0, 4.0 * std::sqrt(15.0 / n));
  EXPECT_NEAR(moment[4], 3.0, 4.0 * std::sqrt(96.0 / n));
  std::sort(noise.begin(), noise.end());
  double distance = 0;
  for (std::size_t i = 0; i < noise.size(); ++i) {
    const double p = 0.5 * std::erfc(-static_cast<double>(noise[i]) / std::sqrt(2.0));
    distance = std::max(
        {distance, std::abs(p - static_cast<double>(i) / n), std::abs(p - static_cast<double>(i + 1) / n)});
  }
  EXPECT_LT(distance * std::sqrt(n), 1.63);  // the 1 % point of the Kolmogorov distribution
}

TEST(Philox, NeighboursAndSourcesAreUncorrelated) {
  const NoiseBox box{{0, 0, 0, 0}, {4, 10, 50, 50}};
  const std::vector<float> base = draw({7, 0, 0}, box);
  const double n = static_cast<double>(base.size());
  const auto correlation = [&](const std::vector<float>& other) {
    double sum = 0;
    for (std::size_t i = 0; i < base.size(); ++i)
      sum += static_cast<double>(base[i]) * static_cast<double>(other[i]);
    return std::abs(sum / n);
  };
  const NoiseSource sources[] = {{8, 0, 0}, {7, 1, 0}, {7, 0, 1}, {7ull << 32, 0, 0}};
  for (const NoiseSource& source : sources) EXPECT_LT(correlation(draw(source, box)), 4.5 / std::sqrt(n));
  for (int axis = 0; axis < 4; ++axis) {
    NoiseBox shifted = box;
    shifted.first[static_cast<std::size_t>(axis)] = 1;
    EXPECT_LT(correlation(draw({7, 0, 0}, shifted)), 4.5 / std::sqrt(n));
  }
}

TEST(Philox, ShardsAreCutsOfTheWhole) {
  const NoiseSource source{123456789012345ull, 2, 1};
  const std::vector<float> whole = draw(source, {{0, 3, 0, 0}, {4, 6, 9, 11}});
  const NoiseBox part{{1, 5, 2, 4}, {2, 3, 5, 6}};
  const std::vector<float> shard = draw(source, part);
  std::size_t i = 0;
  for (std::size_t c = 1; c < 3; ++c)
    for (std::size_t t = 2; t < 5; ++t)
      for (std::size_t y = 2; y < 7; ++y)
        for (std::size_t x = 4; x < 10; ++x) EXPECT_EQ(shard[i++], whole[((c * 6 + t) * 9 + y) * 11 + x]);
}

// Any backend's noise is gaussian_at() at the element's place, frame by frame of its own source.
TEST(Philox, TheOperationDrawsAtAbsolutePlaces) {
  const auto backend = make_reference_backend();
  const std::vector<NoiseSource> frames = {{5, 1, 0}, {6, 1, 0}};
  const Tensor x = backend->empty(DType::kF32, {3, 2, 4, 5});
  backend->fill_noise(x, frames, {1, 20, 300, 4000});
  std::vector<float> values(static_cast<std::size_t>(x.elements()));
  backend->download(x, values.data());
  std::size_t i = 0;
  for (std::uint32_t c = 0; c < 3; ++c)
    for (std::uint32_t t = 0; t < 2; ++t)
      for (std::uint32_t y = 0; y < 4; ++y)
        for (std::uint32_t w = 0; w < 5; ++w)
          EXPECT_EQ(values[i++], gaussian_at(noise_key(frames[t]), 1 + c, 20 + t, 300 + y, 4000 + w));
  EXPECT_THROW(backend->fill_noise(x, {frames[0]}, {}), std::invalid_argument);
  EXPECT_THROW(backend->fill_noise(x.reshape({6, 4, 5}), frames, {}), std::invalid_argument);
}

}  // namespace
}  // namespace rushes::kernels
