#include "worker/engine/payload.h"

#include <gtest/gtest.h>

#include "worker/model/safetensors.h"

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
  const auto copy = [](std::span<const float> values) { return std::vector(values.begin(), values.end()); };
  EXPECT_EQ(copy(back->values), latents.values);
  EXPECT_EQ(copy(back->preview), latents.preview);
  EXPECT_EQ(back->step, 3);
  EXPECT_EQ(back->order, 2);
  ASSERT_EQ(back->history.size(), 1u);
  EXPECT_EQ(copy(back->history.at("x0.1")), latents.sampler.arrays.at("x0.1"));
}

// Values that are written behind the header, in any order, make the file that is written at once.
TEST(Payload, GuidesAreLatents) {
  Latents latents = sample();
  latents.preview.clear();
  latents.sampler = {};
  auto bytes = *guide_header(latents.channels, latents.region);
  const auto values = std::as_bytes(std::span(latents.values));
  bytes.insert(bytes.end(), values.begin(), values.end());
  EXPECT_EQ(*write_latents(latents), bytes);
}

TEST(Payload, LatentsWithoutPreview) {
  Latents latents = sample();
  latents.preview.clear();
  const auto bytes = write_latents(latents);
  const auto back = read_latents(*bytes, "test");
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

std::vector<std::byte> pixel_bytes(const PixelBox& box, const Clip& clip) {
  std::vector<std::byte> bytes = *pixel_header(box);
  for (int t = 0; t < clip.frames; ++t) {
    const auto frame = half_bytes(ClipView(clip).one(t));
    bytes.insert(bytes.end(), frame.begin(), frame.end());
  }
  return bytes;
}

TEST(Payload, PixelsComeBackAsHalves) {
  Clip clip(5, 4, 2, {24000, 1001});
  for (std::size_t i = 0; i < clip.pixels.size(); ++i) clip.pixels[i] = 0.37F * static_cast<float>(i) - 2.0F;
  const PixelBox box{8, 16, 4, 5, 2, clip.fps};
  const auto bytes = pixel_bytes(box, clip);
  const auto reader = PixelReader::open(bytes, "test");
  ASSERT_TRUE(reader) << reader.error().message;
  EXPECT_EQ(reader->box(), box);
  Clip back(5, 4, 2, box.fps);
  for (int t = 0; t < 2; ++t)
    for (int y = 0; y < 4; ++y) reader->read_row(t, y, 0, 5, back.at(t, y, 0));
  EXPECT_EQ(hash_pixels(back), hash_pixels(clip));
  float part[6];
  reader->read_row(1, 2, 3, 2, part);
  EXPECT_TRUE(std::equal(part, part + 6, back.at(1, 2, 3)));
  // Frames that are written one after another make the file that is written at once.
  const auto halves = half_bytes(clip);
  EXPECT_EQ(
      *write_tensors({{"pixels", StoredType::kF16, {2, 4, 5, 3}, halves}},
                     {{"y", "8"}, {"x", "16"}, {"fps_numerator", "24000"}, {"fps_denominator", "1001"}}),
      bytes);
}

TEST(Payload, TruncatedPixelsAreRefused) {
  const auto bytes = pixel_bytes({0, 0, 2, 2, 3, {24, 1}}, Clip(2, 2, 3));
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(PixelReader::open(std::span(bytes).first(size), "test")) << size;
}

TEST(Payload, OneKindIsNotAnother) {
  EXPECT_FALSE(PixelReader::open(*write_latents(sample()), "test"));
  EXPECT_FALSE(read_conditioning(*write_latents(sample()), "test"));
}

}  // namespace
}  // namespace rushes::worker
