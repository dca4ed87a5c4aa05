#include "worker/picture/movie.h"

#include <malloc.h>

#include "tests/worker/picture/synthetic.h"
#include "worker/picture/atomic_file.h"
#include "worker/picture/yuv.h"

namespace rushes::worker {
namespace {

using testing::ScratchFolder;

DisplayView sdr_view() {
  auto view = DisplayView::sdr(testing::ocio_config());
  EXPECT_TRUE(view) << view.error().message;
  return *view;
}

// Code values of the primaries in BT.709, limited range.
TEST(Yuv, KnownColours) {
  struct Case {
    float r, g, b;
    int y, cb, cr;
  };
  for (const Case& c : {Case{0, 0, 0, 16, 128, 128}, Case{1, 1, 1, 235, 128, 128},
                        Case{1, 0, 0, 63, 102, 240}, Case{0, 1, 0, 173, 42, 26}, Case{0, 0, 1, 32, 240, 118},
                        Case{2, 2, 2, 235, 128, 128}, Case{-1, -1, -1, 16, 128, 128}}) {
    std::vector<float> display;
    for (int i = 0; i < 9; ++i) display.insert(display.end(), {c.r, c.g, c.b});
    const Yuv420 yuv = to_yuv420(display, 3, 3);
    EXPECT_EQ(yuv.width, 4);
    EXPECT_EQ(yuv.height, 4);
    for (const auto value : yuv.y) EXPECT_EQ(value, c.y);
    for (const auto value : yuv.cb) EXPECT_EQ(value, c.cb);
    for (const auto value : yuv.cr) EXPECT_EQ(value, c.cr);
  }
}

TEST(Movie, SaysWhatItIs) {
  const ScratchFolder folder;
  Clip clip = testing::rolling_ball(65, 37, 13);
  clip.fps = config::Rate{24000, 1001};
  MovieOptions options;
  options.first_timecode = config::Timecode{1, 2, 3, 4};
  const auto status = write_movie(folder.file("a.mp4"), clip, sdr_view(), options);
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(folder.count(), 1U);
  const auto info = probe_movie(folder.file("a.mp4"));
  ASSERT_TRUE(info) << info.error().message;
  EXPECT_EQ(info->width, 66);
  EXPECT_EQ(info->height, 38);
  EXPECT_EQ(info->frames, 13);
  EXPECT_EQ(info->fps, (config::Rate{24000, 1001}));
  EXPECT_EQ(info->codec, "h264");
  EXPECT_EQ(info->pixel_format, "yuv420p");
  EXPECT_EQ(info->primaries, "bt709");
  EXPECT_EQ(info->transfer, "bt709");
  EXPECT_EQ(info->matrix, "bt709");
  EXPECT_EQ(info->range, "tv");
  EXPECT_EQ(info->timecode, "01:02:03:04");
}

TEST(Movie, SameClipSameBytes) {
  const ScratchFolder folder;
  const Clip clip = testing::rolling_ball(64, 36, 9);
  ASSERT_TRUE(write_movie(folder.file("a.mp4"), clip, sdr_view()));
  ASSERT_TRUE(write_movie(folder.file("b.mp4"), clip, sdr_view()));
  EXPECT_EQ(*read_file(folder.file("a.mp4"), 1 << 20), *read_file(folder.file("b.mp4"), 1 << 20));
  ASSERT_TRUE(write_movie(folder.file("c.mov"), clip, sdr_view()));
  EXPECT_EQ(probe_movie(folder.file("c.mov"))->frames, 9);
}

// An encoder that reads what it never wrote gives other bytes when fresh memory holds something else.
TEST(Movie, BytesDoNotDependOnWhatTheHeapHeld) {
  const ScratchFolder folder;
  const Clip clip = testing::rolling_ball(160, 96, 33);
  std::vector<std::string> movies;
  for (const int filling : {0, 1, 170}) {
    mallopt(M_PERTURB, filling);
    ASSERT_TRUE(write_movie(folder.file("a.mp4"), clip, sdr_view()));
    movies.push_back(*read_file(folder.file("a.mp4"), 1 << 20));
  }
  mallopt(M_PERTURB, 0);
  EXPECT_TRUE(movies[0] == movies[1] && movies[0] == movies[2]);
}

TEST(Movie, FailuresLeaveNothingBehind) {
  const ScratchFolder folder;
  const Clip clip = testing::rolling_ball(32, 18, 2);
  EXPECT_EQ(write_movie(folder.file("no/a.mp4"), clip, sdr_view()).error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(write_movie(folder.file("a.mp4"), Clip(1, 1, 1), sdr_view()).error().kind, ErrorKind::kInvalid);
  {
    auto writer = MovieWriter::create(folder.file("a.mp4"), 32, 18, config::Rate{24, 1});
    ASSERT_TRUE(writer) << writer.error().message;
    EXPECT_EQ(writer->add(std::vector<float>(7)).error().kind, ErrorKind::kInvalid);
    ASSERT_TRUE(writer->add(std::vector<float>(32 * 18 * 3, 0.5F)));
    // Abandoned: not finished.
  }
  {
    auto writer = MovieWriter::create(folder.file("a.mp4"), 32, 18, config::Rate{24, 1});
    ASSERT_TRUE(writer);
    EXPECT_EQ(writer->finish().error().kind, ErrorKind::kInvalid);
  }
  EXPECT_EQ(folder.count(), 0U);
}

TEST(Movie, ProbeRefusesOtherFiles) {
  const ScratchFolder folder;
  ASSERT_TRUE(write_file(folder.file("a.mp4"), "no movie at all"));
  EXPECT_EQ(probe_movie(folder.file("a.mp4")).error().kind, ErrorKind::kCorrupt);
  EXPECT_EQ(probe_movie(folder.file("b.mp4")).error().kind, ErrorKind::kNotFound);
}

}  // namespace
}  // namespace rushes::worker
