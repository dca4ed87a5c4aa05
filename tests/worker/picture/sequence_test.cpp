#include "worker/picture/sequence.h"

#include "tests/worker/picture/synthetic.h"
#include "worker/picture/png_image.h"

namespace rushes::worker {
namespace {

using testing::ScratchFolder;

TEST(Sequence, ReadsAFolderOfExr) {
  const ScratchFolder folder;
  Clip clip = testing::rolling_ball(20, 12, 4);
  clip.fps = config::Rate{25, 1};
  ASSERT_TRUE(write_exr_sequence(folder.path(), clip, testing::example_tags()));
  const auto loaded = load_sequence(folder.path());
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(hash_pixels(loaded->clip), hash_pixels(clip));
  EXPECT_EQ(loaded->clip.fps, clip.fps);
  EXPECT_EQ(loaded->files.numbers.front(), 1001);
  EXPECT_EQ(loaded->files.prefix, "sh010_v001_lin_ap0_scene.");
  EXPECT_FALSE(loaded->display_light);
  const auto by_frame = load_sequence(loaded->files.paths[2]);
  ASSERT_TRUE(by_frame);
  EXPECT_EQ(by_frame->clip.frames, 4);
}

TEST(Sequence, ReadsPngAsDisplayLight) {
  const ScratchFolder folder;
  for (const char* name : {"a.9.png", "a.10.png"}) {
    Image8 image(6, 4);
    image.pixels.assign(image.pixels.size(), 128);
    ASSERT_TRUE(write_png(folder.file(name), image));
  }
  const auto loaded = load_sequence(folder.path(), config::Rate{30, 1});
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_TRUE(loaded->display_light);
  EXPECT_EQ(loaded->clip.frames, 2);
  EXPECT_EQ(loaded->clip.fps, (config::Rate{30, 1}));
  EXPECT_NEAR(loaded->clip.pixels[0], 0.215861F, 1e-5F);
}

TEST(Sequence, GapsSizesAndAmbiguityAreNamed) {
  const ScratchFolder folder;
  EXPECT_EQ(load_sequence(folder.path()).error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(load_sequence(folder.file("nowhere")).error().kind, ErrorKind::kNotFound);
  const auto paths =
      write_exr_sequence(folder.path(), testing::rolling_ball(8, 8, 3), testing::example_tags());
  ASSERT_TRUE(paths);
  std::filesystem::remove((*paths)[1]);
  const auto gap = load_sequence(folder.path());
  ASSERT_FALSE(gap);
  EXPECT_NE(gap.error().message.find("expected frame 1002"), std::string::npos) << gap.error().message;
  ASSERT_TRUE(
      write_exr_sequence(folder.path(), testing::rolling_ball(9, 8, 1), testing::example_tags(), {}, 1002));
  const auto size = load_sequence(folder.path());
  ASSERT_FALSE(size);
  EXPECT_NE(size.error().message.find("expected 8x8"), std::string::npos) << size.error().message;
  DeliveryTags other = testing::example_tags();
  other.shot = "sh020";
  ASSERT_TRUE(write_exr_sequence(folder.path(), testing::rolling_ball(8, 8, 1), other));
  const auto two = load_sequence(folder.path());
  ASSERT_FALSE(two);
  EXPECT_NE(two.error().message.find("sh020_v001"), std::string::npos) << two.error().message;
}

}  // namespace
}  // namespace rushes::worker
