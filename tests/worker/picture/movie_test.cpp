#include "worker/picture/movie.h"

#include <malloc.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>

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

TEST(Movie, CarriesTimecodesUpTo120FramesASecond) {
  for (const auto& [rate, code] : {std::pair{config::Rate{30000, 1001}, "09:59:00;02"},
                                   {{48000, 1001}, "10:00:00:47"},
                                   {{50, 1}, "10:00:00:49"},
                                   {{60000, 1001}, "10:59:59;59"},
                                   {{60, 1}, "10:00:00:58"},
                                   {{100, 1}, "10:00:00:99"},
                                   {{120000, 1001}, "10:00:00:118"},
                                   {{120, 1}, "10:00:00:119"},
                                   {{49, 2}, "10:00:00:24"}}) {
    const ScratchFolder folder;
    Clip clip = testing::rolling_ball(32, 18, 3);
    clip.fps = rate;
    MovieOptions options;
    options.first_timecode = *config::parse_timecode(code, rate);
    for (const char* name : {"a.mp4", "a.mov"}) {
      ASSERT_TRUE(write_movie(folder.file(name), clip, sdr_view(), options));
      const auto info = probe_movie(folder.file(name));
      ASSERT_TRUE(info) << info.error().message;
      EXPECT_EQ(info->timecode, code) << name;
      EXPECT_EQ(info->fps, rate) << name;
    }
  }
}

// The luma of the first frame, decoded by the ffmpeg program.
std::string decoded_luma(const std::string& movie) {
  const std::string command = "ffmpeg -v error -i " + movie + " -frames:v 1 -f rawvideo -pix_fmt yuv420p -";
  std::string bytes;
  std::FILE* pipe = popen(command.c_str(), "r");
  std::array<char, 4096> block{};
  for (std::size_t got = 1; pipe != nullptr && got > 0; bytes.append(block.data(), got))
    got = std::fread(block.data(), 1, block.size(), pipe);
  if (pipe != nullptr) pclose(pipe);
  return bytes;
}

// A grey ramp of sRGB codes in steps of 32 columns, through the encoder and ffmpeg's decoder: the light that a BT.1886
// monitor makes of each code is the light that the sRGB display makes of the ramp's.
TEST(Movie, IsCodedAsItIsTagged) {
  if (std::system("ffmpeg -version >/dev/null 2>&1") != 0) GTEST_SKIP() << "ffmpeg is not installed";
  constexpr int kSteps = 16, kColumns = 32, kWidth = kSteps * kColumns, kHeight = 32;
  std::vector<float> display;
  for (int i = 0; i < kWidth * kHeight; ++i)
    display.insert(display.end(), 3, static_cast<float>(i % kWidth / kColumns) / (kSteps - 1));
  const ScratchFolder folder;
  MovieOptions options;
  options.crf = 0;
  auto writer = MovieWriter::create(folder.file("a.mp4"), kWidth, kHeight, {24, 1}, options);
  ASSERT_TRUE(writer) << writer.error().message;
  ASSERT_TRUE(writer->add(display));
  ASSERT_TRUE(writer->finish());
  const std::string luma = decoded_luma(folder.file("a.mp4"));
  ASSERT_GE(luma.size(), static_cast<std::size_t>(kWidth * kHeight));
  for (int step = 0; step < kSteps; ++step) {
    const double srgb = static_cast<double>(step) / (kSteps - 1);
    const double light = srgb <= 0.04045 ? srgb / 12.92 : std::pow((srgb + 0.055) / 1.055, 2.4);
    const double expected = 16 + 219 * std::pow(light, 1 / 2.4);
    const auto found = static_cast<unsigned char>(
        luma[static_cast<std::size_t>(kHeight / 2 * kWidth + step * kColumns + kColumns / 2)]);
    EXPECT_NEAR(found, expected, 1.0) << "sRGB code " << srgb;
  }
}

// OpenColorIO's own display of BT.1886 monitors, behind the same view, gives the same codes.
TEST(Movie, AgreesWithTheDisplayOfOpenColorIO) {
  const ScratchFolder folder;
  std::string config = *read_file(testing::ocio_config(), 1 << 20);
  const auto insert = [&](const std::string& before, const std::string& text) {
    const auto at = config.find(before);
    ASSERT_NE(at, std::string::npos);
    config.insert(at, text);
  };
  insert("  Rec.2100-PQ:\n",
         "  Rec.1886:\n    - !<View> {name: SDR, view_transform: SDR, display_colorspace: Rec.1886}\n");
  insert("  - !<ColorSpace>\n    name: Rec.2100-PQ",
         "  - !<ColorSpace>\n    name: Rec.1886\n    from_display_reference: !<BuiltinTransform> {style: "
         "DISPLAY - "
         "CIE-XYZ-D65_to_REC.1886-REC.709}\n");
  ASSERT_TRUE(write_file(folder.file("farm.ocio"), config));
  const auto monitor = DisplayView::open(folder.file("farm.ocio"), "Rec.1886", "SDR");
  ASSERT_TRUE(monitor) << monitor.error().message;
  Clip ramp(64, 1, 1);
  for (int x = 0; x < 64; ++x)
    for (int c = 0; c < 3; ++c) ramp.at(0, 0, x)[c] = 0.001F * std::exp2(static_cast<float>(x) / 5);
  const auto codes = monitor->apply(ramp, 0), display = sdr_view().apply(ramp, 0);
  ASSERT_TRUE(codes && display);
  for (std::size_t i = 0; i < codes->size(); ++i)
    EXPECT_NEAR(bt1886_from_srgb(std::clamp((*display)[i], 0.0F, 1.0F)), (*codes)[i], 2e-3F) << i;
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
