// The VAE: chunks and tiles change no bit. The numbers themselves are checked by rushes-parity on the
// goldens.
#include "worker/model/vae.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/worker/model/tiny_model.h"

namespace rushes::worker {
namespace {

Volume pattern(std::int64_t c, std::int64_t t, std::int64_t h, std::int64_t w) {
  Volume volume = Volume::zeros(c, t, h, w);
  for (std::size_t i = 0; i < volume.values.size(); ++i)
    volume.values[i] = std::sin(static_cast<float>(i) * 0.37f) * 0.9f;
  return volume;
}

// The pixels of a box, collected.
Result<Volume> decode_box(Vae& vae, const Volume& latent, const FrameBox& box, MiddleCache* middle = nullptr,
                          std::int64_t* asked = nullptr) {
  const std::int64_t s = vae.space_stride();
  Volume video = Volume::zeros(3, vae.frames_of(latent.frames), box.rows * s, box.columns * s);
  const auto copy = [](const Volume& from, std::int64_t from_t, Volume& to, std::int64_t to_t,
                       std::int64_t n) {
    for (std::int64_t c = 0; c < from.channels; ++c)
      std::copy_n(from.values.begin() + static_cast<std::ptrdiff_t>(from.offset(c, from_t, 0, 0)),
                  n * from.rows * from.columns,
                  to.values.begin() + static_cast<std::ptrdiff_t>(to.offset(c, to_t, 0, 0)));
  };
  std::int64_t given = 0;
  const auto source = [&](std::int64_t first, std::int64_t count) -> Result<Volume> {
    EXPECT_EQ(first, given);
    given += count;
    Volume part = Volume::zeros(latent.channels, count, latent.rows, latent.columns);
    copy(latent, first, part, 0, count);
    return part;
  };
  const auto sink = [&](std::int64_t first, const Volume& part) -> Status {
    copy(part, 0, video, first, part.frames);
    return {};
  };
  if (auto ok = vae.decode({latent.frames, latent.rows, latent.columns}, box, source, sink, middle); !ok)
    return tl::unexpected(ok.error());
  if (asked != nullptr) *asked = given;
  return video;
}

class EveryForm : public ::testing::TestWithParam<std::tuple<bool, kernels::Precision>> {
 protected:
  void SetUp() override {
    backend_ = kernels::make_cpu_backend({2, std::get<1>(GetParam())});
    const std::vector<float> mean = {0.1f, -0.2f, 0.3f, 0.0f}, std = {1.1f, 0.9f, 1.0f, 1.2f};
    // 6 and 5: no multiples of a vector.
    auto vae = Vae::load(*backend_, random_vae({std::get<0>(GetParam()), 6, 5, 4, 2}).file(), mean, std);
    ASSERT_TRUE(vae) << vae.error().message;
    vae_ = std::make_unique<Vae>(std::move(*vae));
  }
  std::unique_ptr<kernels::Backend> backend_;
  std::unique_ptr<Vae> vae_;
};

TEST_P(EveryForm, StridesComeFromTheWeights) {
  EXPECT_EQ(vae_->time_stride(), 4);
  EXPECT_EQ(vae_->space_stride(), std::get<0>(GetParam()) ? 16 : 8);
  EXPECT_EQ(vae_->halo(), 13);
  EXPECT_EQ(vae_->encode_halo(), 9);
}

TEST_P(EveryForm, ChunkLengthChangesNoBit) {
  const std::int64_t s = vae_->space_stride();
  const Volume video = pattern(3, 13, 2 * s, 3 * s), latent = pattern(4, 4, 2, 3);
  vae_->set_memory_limit(1);  // one latent frame at a time
  const auto encoded = vae_->encode(video), decoded = vae_->decode(latent);
  vae_->set_memory_limit(std::size_t{1} << 40);  // the whole clip at once
  const auto encoded_whole = vae_->encode(video), decoded_whole = vae_->decode(latent);
  ASSERT_TRUE(encoded && decoded && encoded_whole && decoded_whole);
  EXPECT_EQ(encoded->shape(), (std::vector<std::int64_t>{4, 4, 2, 3}));
  EXPECT_EQ(decoded->shape(), (std::vector<std::int64_t>{3, 13, 2 * s, 3 * s}));
  EXPECT_EQ(encoded->values, encoded_whole->values);
  EXPECT_EQ(decoded->values, decoded_whole->values);
}

TEST_P(EveryForm, TilesShareTheMiddleBlockBitForBit) {
  const Volume latent = pattern(4, 3, 3, 40), other = pattern(4, 3, 3, 41);
  const FrameBox left{0, 0, 3, 4}, right{1, 30, 2, 10};
  const auto alone_left = decode_box(*vae_, latent, left), alone_right = decode_box(*vae_, latent, right),
             alone_other = decode_box(*vae_, other, right);
  ASSERT_TRUE(alone_left && alone_right && alone_other);
  for (const std::size_t memory : {std::size_t{1}, std::size_t{1} << 40}) {
    vae_->set_memory_limit(memory);
    MiddleCache middle;
    const auto decode = [&](const std::string& name, const Volume& of, const FrameBox& box) {
      middle.select(name, std::filesystem::temp_directory_path());
      std::int64_t asked = 0;
      auto video = decode_box(*vae_, of, box, &middle, &asked);
      EXPECT_TRUE(video) << video.error().message;
      return std::pair(video ? video->values : std::vector<float>(), asked);
    };
    EXPECT_EQ(decode("latent", latent, left), std::pair(alone_left->values, std::int64_t{3}));
    EXPECT_EQ(decode("latent", latent, right), std::pair(alone_right->values, std::int64_t{0}));
    EXPECT_EQ(decode("latent", latent, left), std::pair(alone_left->values, std::int64_t{0}));
    EXPECT_EQ(decode("other", other, right), std::pair(alone_other->values, std::int64_t{3}));
    EXPECT_EQ(decode("latent", latent, right), std::pair(alone_right->values, std::int64_t{3}));
    middle.select("nowhere", "/nonexistent");  // a disk that takes nothing costs time only
    EXPECT_EQ(decode_box(*vae_, latent, left, &middle)->values, alone_left->values);
    EXPECT_EQ(decode_box(*vae_, latent, right, &middle)->values, alone_right->values);
  }
}

TEST_P(EveryForm, TilesAreTheWholeDecodeBitForBit) {
  const std::int64_t s = vae_->space_stride(), rows = 3, columns = 34;
  const Volume latent = pattern(4, 2, rows, columns);
  const auto whole = vae_->decode(latent);
  ASSERT_TRUE(whole);
  for (const FrameBox& box : {FrameBox{0, 0, 3, 4}, FrameBox{1, 15, 1, 2}, FrameBox{0, 29, 3, 5}}) {
    const auto tile = decode_box(*vae_, latent, box);
    ASSERT_TRUE(tile) << tile.error().message;
    ASSERT_EQ(tile->shape(), (std::vector<std::int64_t>{3, 5, box.rows * s, box.columns * s}));
    std::size_t wrong = 0;
    for (std::int64_t c = 0; c < 3; ++c)
      for (std::int64_t t = 0; t < 5; ++t)
        for (std::int64_t y = 0; y < tile->rows; ++y)
          for (std::int64_t x = 0; x < tile->columns; ++x)
            wrong += tile->values[tile->offset(c, t, y, x)] !=
                     whole->values[whole->offset(c, t, box.row * s + y, box.column * s + x)];
    EXPECT_EQ(wrong, 0u) << "box at " << box.row << ", " << box.column;
  }
}

TEST_P(EveryForm, BoxesAreTheWholeEncodeBitForBit) {
  const std::int64_t s = vae_->space_stride();
  const Volume video = pattern(3, 5, 11 * s, 34 * s);
  vae_->set_memory_limit(std::size_t{1} << 40);  // the whole frame at once
  const auto whole = vae_->encode(video);
  vae_->set_memory_limit(1);  // boxes of at most 8 latents a side
  const auto boxes = vae_->encode(video);
  ASSERT_TRUE(whole && boxes);
  EXPECT_EQ(boxes->values, whole->values);
}

// A latent frame never looks ahead.
TEST_P(EveryForm, EncoderIsCausal) {
  const std::int64_t s = vae_->space_stride();
  Volume video = pattern(3, 9, s, s);
  const auto before = vae_->encode(video);
  for (std::int64_t c = 0; c < 3; ++c)
    for (std::int64_t i = 0; i < s * s; ++i)
      video.values[video.offset(c, 8, 0, 0) + static_cast<std::size_t>(i)] = 0.5f;
  const auto after = vae_->encode(video);
  for (std::int64_t c = 0; c < 4; ++c)
    for (std::int64_t t = 0; t < 2; ++t)
      EXPECT_EQ(before->values[before->offset(c, t, 0, 0)], after->values[after->offset(c, t, 0, 0)]);
  EXPECT_NE(before->values, after->values);
}

TEST_P(EveryForm, RefusesWhatDoesNotFit) {
  const std::int64_t s = vae_->space_stride();
  EXPECT_FALSE(vae_->encode(pattern(3, 8, s, s)));      // 4n+1 frames
  EXPECT_FALSE(vae_->encode(pattern(3, 5, s + 2, s)));  // rows
  EXPECT_FALSE(vae_->encode(pattern(4, 5, s, s)));      // channels
  EXPECT_FALSE(vae_->decode(pattern(3, 2, 2, 2)));
  const auto nothing = [](std::int64_t, std::int64_t) -> Result<Volume> { return Volume{}; };
  const auto ignored = [](std::int64_t, const Volume&) -> Status { return {}; };
  EXPECT_FALSE(vae_->decode({1, 2, 2}, {1, 0, 2, 2}, nothing, ignored));
  EXPECT_FALSE(vae_->decode({1, 2, 2}, {0, 0, 0, 2}, nothing, ignored));
  EXPECT_FALSE(vae_->decode({1, 2, 2}, {0, 0, 2, 2}, nothing, ignored));
}

INSTANTIATE_TEST_SUITE_P(All, EveryForm,
                         ::testing::Combine(::testing::Bool(), ::testing::Values(kernels::Precision::kF32,
                                                                                 kernels::Precision::kBf16)));

TEST(VaeLoad, NamesWhatIsWrong) {
  auto backend = kernels::make_cpu_backend({1, kernels::Precision::kF32});
  const std::vector<float> mean(4, 0.0f), std(4, 1.0f);
  const auto error = [&](const RandomTensors& weights, std::span<const float> deviations) {
    auto vae = Vae::load(*backend, weights.file("broken.safetensors"),
                         std::span(mean).first(deviations.size()), deviations);
    return vae ? std::string() : vae.error().message;
  };
  RandomTensors missing = random_vae({});
  missing.drop("decoder.upsamples.1.upsamples.0.residual.6.bias");
  EXPECT_NE(error(missing, std).find("'decoder.upsamples.1.upsamples.0.residual.6.bias' is missing"),
            std::string::npos);
  RandomTensors extra = random_vae({});
  extra.layer("decoder.surprise", {4, 4});
  EXPECT_NE(error(extra, std).find("decoder.surprise"), std::string::npos);
  RandomTensors narrow = random_vae({});
  narrow.layer("decoder.conv1", {12, 4, 3, 3, 3});
  EXPECT_NE(error(narrow, std).find("decoder middle takes 16 channels, the layer before gives 12"),
            std::string::npos);
  EXPECT_NE(error(random_vae({}), std::span(std).first(3)).find("conv2.weight"), std::string::npos);
  EXPECT_NE(error(random_vae({}), std::vector<float>{1, 1, 0, 1}).find("above 0"), std::string::npos);
}

}  // namespace
}  // namespace rushes::worker
