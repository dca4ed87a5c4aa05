#include "worker/picture/png_image.h"

#include <cmath>

#include "tests/worker/picture/synthetic.h"
#include "worker/picture/atomic_file.h"

namespace rushes::worker {
namespace {

using testing::ScratchFolder;

TEST(Png, RoundTripsThroughADisplayView) {
  const ScratchFolder folder;
  const auto view = DisplayView::sdr(testing::ocio_config());
  ASSERT_TRUE(view);
  const auto image = display_image(testing::rolling_ball(33, 17, 3), 1, *view);
  ASSERT_TRUE(image);
  ASSERT_TRUE(write_png(folder.file("a.png"), *image));
  const auto back = read_png(folder.file("a.png"));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->width, 33);
  EXPECT_EQ(back->height, 17);
  EXPECT_EQ(back->pixels, image->pixels);
  EXPECT_EQ(*encode_png(*image), *encode_png(*image));
}

TEST(Png, BrokenFilesAreRefused) {
  const ScratchFolder folder;
  ASSERT_TRUE(write_file(folder.file("text.png"), "no picture"));
  EXPECT_EQ(read_png(folder.file("text.png")).error().kind, ErrorKind::kCorrupt);
  const std::string bytes = *encode_png(Image8(40, 30));
  ASSERT_TRUE(write_file(folder.file("cut.png"), bytes.substr(0, bytes.size() / 2)));
  EXPECT_EQ(read_png(folder.file("cut.png")).error().kind, ErrorKind::kCorrupt);
  // A header that claims 2^31-1 pixels a side.
  std::string hostile = bytes;
  for (std::size_t i = 16; i < 24; ++i) hostile[i] = static_cast<char>(i % 4 == 0 ? 0x7F : 0xFF);
  ASSERT_TRUE(write_file(folder.file("hostile.png"), hostile));
  EXPECT_FALSE(read_png(folder.file("hostile.png")));
  EXPECT_EQ(encode_png(Image8()).error().kind, ErrorKind::kInvalid);
}

TEST(Png, DisplayLightBecomesLinearLight) {
  Image8 image(2, 1);
  image.pixels = {255, 255, 255, 128, 128, 128};
  const Clip clip = clip_from_display(image).value();
  for (int c = 0; c < 3; ++c) {
    EXPECT_NEAR(clip.at(0, 0, 0)[c], 1.0F, 1e-5F);
    EXPECT_NEAR(clip.at(0, 0, 1)[c], 0.215861F, 1e-5F);  // ((128/255 + 0.055) / 1.055)^2.4
  }
}

// Every code in every channel: the table gives what the curve gives.
TEST(Png, TheTableOfCodesHasTheBitsOfTheCurve) {
  Image8 image(256, 3);
  for (int y = 0; y < 3; ++y)
    for (int x = 0; x < 256; ++x)
      for (int c = 0; c < 3; ++c) image.at(x, y)[c] = static_cast<std::uint8_t>(x * (1 + 2 * ((y + c) % 3)));
  std::vector<float> wanted(image.pixels.begin(), image.pixels.end());
  for (float& value : wanted) value /= 255.0F;
  decode_pixels(WorkingSpace::kSrgb, wanted.data(), wanted.data(), wanted.size() / 3);
  EXPECT_TRUE(clip_from_display(image)->pixels == wanted);
}

TEST(Png, CodesOfThePowerAreDecodedByIt) {
  Image8 image(1, 1);
  image.pixels = {0, 128, 255};
  const Clip srgb = clip_from_display(image).value();
  image.light.power = true;
  const Clip power = clip_from_display(image).value();
  const Matrix3 m = *primaries_matrix(kRec709, kAp0);
  const double green = std::pow(128 / 255.0, 2.2);
  for (std::size_t c = 0; c < 3; ++c) EXPECT_NEAR(power.pixels[c], m[3 * c + 1] * green + m[3 * c + 2], 1e-6);
  EXPECT_NE(power.pixels, srgb.pixels);
}

TEST(Png, OtherPrimariesAreConverted) {
  Image8 image(1, 1);
  image.pixels = {255, 0, 0};
  image.light.primaries = config::kP3D65;
  const Clip clip = clip_from_display(image).value();
  const Matrix3 matrix = *primaries_matrix(config::kP3D65, kAp0);
  for (std::size_t c = 0; c < 3; ++c) EXPECT_NEAR(clip.pixels[c], matrix[3 * c], 1e-6);
  EXPECT_GT(clip.pixels[0] - clip_from_display([] {
                               Image8 red(1, 1);
                               red.pixels = {255, 0, 0};
                               return red;
                             }())
                                 ->pixels[0],
            0.03F)
      << "a redder red than that of sRGB";
  EXPECT_EQ(encode_png(image).error().kind, ErrorKind::kInvalid) << "the file would say sRGB";
}

}  // namespace
}  // namespace rushes::worker
