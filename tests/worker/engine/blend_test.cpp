#include "worker/engine/blend.h"

#include <gtest/gtest.h>

#include <random>

namespace rushes::worker {
namespace {

Region box(int t0, int t1, int y, int x, int height, int width) { return {{t0, t1}, {y, x, height, width}}; }

std::vector<float> ramp_values(const Region& region, int channels) {
  std::vector<float> values;
  for (int c = 0; c < channels; ++c)
    for (int t = region.t.begin; t < region.t.end; ++t)
      for (int y = 0; y < region.rect.height; ++y)
        for (int x = 0; x < region.rect.width; ++x)
          values.push_back(static_cast<float>(c) + 0.1F * static_cast<float>(t) +
                           0.37F * static_cast<float>(y + region.rect.y) +
                           0.011F * static_cast<float>(x + region.rect.x));
  return values;
}

TEST(Blend, OnePartIsCopiedBitForBit) {
  const Region whole = box(0, 3, 0, 0, 4, 6);
  const auto values = ramp_values(whole, 2);
  const Part parts[] = {{whole, values}};
  const auto result = blend(whole, whole, 2, parts);
  ASSERT_TRUE(result);
  EXPECT_EQ(*result, values);
}

TEST(Blend, PartsThatAgreeGiveWhatTheyAgreeOn) {
  const Region whole = box(0, 5, 0, 0, 8, 10);
  const Region left = box(0, 5, 0, 0, 8, 6), right = box(0, 5, 0, 4, 8, 6);
  const auto a = ramp_values(left, 3), b = ramp_values(right, 3);
  const Part parts[] = {{left, a}, {right, b}};
  const auto result = blend(whole, whole, 3, parts);
  ASSERT_TRUE(result);
  const auto expected = ramp_values(whole, 3);
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR((*result)[i], expected[i], 1e-5F);
}

TEST(Blend, WeightsFallLinearlyAcrossTheOverlap) {
  const Region whole = box(0, 13, 0, 0, 1, 1);
  const Region first = box(0, 9, 0, 0, 1, 1), second = box(4, 13, 0, 0, 1, 1);
  const std::vector<float> zeros(9, 0.0F), ones(9, 1.0F);
  const Part parts[] = {{first, zeros}, {second, ones}};
  const auto result = blend(whole, whole, 1, parts);
  ASSERT_TRUE(result);
  const float expected[] = {0, 0, 0, 0, 0.1F, 0.3F, 0.5F, 0.7F, 0.9F, 1, 1, 1, 1};
  for (std::size_t i = 0; i < 13; ++i) EXPECT_NEAR((*result)[i], expected[i], 1e-6F) << i;
}

TEST(Blend, StepsBetweenNeighboursAreBoundedByTheRamp) {
  // Two tiles that differ by one everywhere: no jump larger than one ramp step is left.
  const Region whole = box(0, 1, 0, 0, 4, 30);
  const Region left = box(0, 1, 0, 0, 4, 18), right = box(0, 1, 0, 12, 4, 18);
  const std::vector<float> a(4 * 18, 0.0F), b(4 * 18, 1.0F);
  const Part parts[] = {{left, a}, {right, b}};
  const auto result = blend(whole, whole, 1, parts);
  ASSERT_TRUE(result);
  for (std::size_t x = 1; x < 30; ++x) EXPECT_LE((*result)[x] - (*result)[x - 1], 1.0F / 6.0F + 1e-5F);
}

TEST(Blend, RefusesHolesAndWrongSizes) {
  const Region whole = box(0, 4, 0, 0, 2, 2);
  const Region part = box(0, 3, 0, 0, 2, 2);
  const std::vector<float> values(12, 1.0F);
  const Part parts[] = {{part, values}};
  EXPECT_FALSE(blend(whole, whole, 1, parts));
  const Part wrong[] = {{whole, values}};
  EXPECT_FALSE(blend(whole, whole, 1, wrong));
}

TEST(Blend, CutTakesTheBoxOut) {
  const Region whole = box(0, 4, 0, 0, 6, 8), inner = box(1, 3, 2, 3, 3, 4);
  const auto values = ramp_values(whole, 2);
  const auto result = cut(inner, 2, {whole, values});
  ASSERT_TRUE(result);
  EXPECT_EQ(*result, ramp_values(inner, 2));
  EXPECT_FALSE(cut(whole, 2, {inner, *result}));
}

TEST(Blend, DoesNotDependOnWhatLiesOutsideTheTarget) {
  std::mt19937 random(7);
  std::uniform_real_distribution<float> value(-2.0F, 2.0F);
  const Region whole = box(0, 13, 0, 0, 6, 10);
  const Region a = box(0, 9, 0, 0, 6, 10), b = box(4, 13, 0, 0, 6, 10);
  std::vector<float> va(a.volume() * 2), vb(b.volume() * 2);
  for (float& v : va) v = value(random);
  for (float& v : vb) v = value(random);
  const Part parts[] = {{a, va}, {b, vb}};
  const auto all = blend(whole, whole, 2, parts);
  const auto window = blend(b, whole, 2, parts);
  ASSERT_TRUE(all && window);
  EXPECT_EQ(*window, *cut(b, 2, {whole, *all}));
}

}  // namespace
}  // namespace rushes::worker
