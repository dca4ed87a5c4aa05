#include "worker/picture/png_image.h"

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
  const Clip clip = clip_from_display(image);
  for (int c = 0; c < 3; ++c) {
    EXPECT_NEAR(clip.at(0, 0, 0)[c], 1.0F, 1e-5F);
    EXPECT_NEAR(clip.at(0, 0, 1)[c], 0.215861F, 1e-5F);  // ((128/255 + 0.055) / 1.055)^2.4
  }
}

}  // namespace
}  // namespace rushes::worker
