#include "worker/engine/payload.h"

#include <gtest/gtest.h>

namespace rushes::worker {
namespace {

Latents sample() {
  Latents latents;
  latents.channels = 2;
  latents.region = {{4, 7}, {2, 6, 4, 6}};
  latents.values.resize(2 * 3 * 4 * 6);
  for (std::size_t i = 0; i < latents.values.size(); ++i)
    latents.values[i] = 0.25F * static_cast<float>(i) - 3.0F;
  latents.preview = latents.values;
  latents.sampler.step = 3;
  latents.sampler.order = 2;
  latents.sampler.arrays["x0.1"] = latents.values;
  return latents;
}

TEST(Payload, LatentsComeBackAsTheyWere) {
  const Latents latents = sample();
  const auto bytes = write_latents(latents);
  ASSERT_TRUE(bytes);
  const auto back = read_latents(*bytes, "test");
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->channels, 2);
  EXPECT_EQ(back->region, latents.region);
  EXPECT_EQ(back->values, latents.values);
  EXPECT_EQ(back->preview, latents.preview);
  EXPECT_EQ(back->sampler.step, 3);
  EXPECT_EQ(back->sampler.order, 2);
  EXPECT_EQ(back->sampler.arrays, latents.sampler.arrays);
  EXPECT_EQ(*write_latents(*back), *bytes);
}

TEST(Payload, LatentsWithoutPreview) {
  Latents latents = sample();
  latents.preview.clear();
  const auto back = read_latents(*write_latents(latents), "test");
  ASSERT_TRUE(back);
  EXPECT_TRUE(back->preview.empty());
}

TEST(Payload, EveryTruncationIsRefused) {
  const auto bytes = write_latents(sample());
  ASSERT_TRUE(bytes);
  for (std::size_t size = 0; size < bytes->size(); size += 37)
    EXPECT_FALSE(read_latents(std::span(*bytes).first(size), "test")) << size;
}

TEST(Payload, ConditioningComesBack) {
  Conditioning conditioning;
  conditioning.text_dim = 4;
  conditioning.context = {1, 2, 3, 4, 5, 6, 7, 8};
  conditioning.context_null = {0.5F, 0, 0, 1};
  const auto back = read_conditioning(*write_conditioning(conditioning), "test");
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->text_dim, 4);
  EXPECT_EQ(back->context, conditioning.context);
  EXPECT_EQ(back->context_null, conditioning.context_null);
  EXPECT_TRUE(back->mask.empty());
}

TEST(Payload, PixelsComeBackAsHalves) {
  PixelTile tile{8, 16, Clip(5, 4, 2, {24000, 1001})};
  for (std::size_t i = 0; i < tile.clip.pixels.size(); ++i)
    tile.clip.pixels[i] = 0.37F * static_cast<float>(i) - 2.0F;
  const auto back = read_pixels(*write_pixels(tile), "test");
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->y, 8);
  EXPECT_EQ(back->x, 16);
  EXPECT_EQ(back->clip.fps, tile.clip.fps);
  EXPECT_EQ(hash_pixels(back->clip), hash_pixels(tile.clip));
}

TEST(Payload, OneKindIsNotAnother) {
  EXPECT_FALSE(read_pixels(*write_latents(sample()), "test"));
  EXPECT_FALSE(read_conditioning(*write_latents(sample()), "test"));
}

}  // namespace
}  // namespace rushes::worker
