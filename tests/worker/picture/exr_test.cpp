#include "worker/picture/exr.h"

#include <ImfChannelList.h>
#include <ImfFrameBuffer.h>
#include <ImfHeader.h>
#include <ImfOutputFile.h>
#include <ImfStandardAttributes.h>
#include <ImfTiledOutputFile.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <random>

#include "tests/config/memory_stream.h"
#include "tests/worker/picture/synthetic.h"
#include "worker/picture/atomic_file.h"

namespace rushes::worker {
namespace {

using testing::ScratchFolder;

TEST(ExrName, CarriesShotKindVersionColourAndNumber) {
  DeliveryTags tags;
  tags.shot = "SH010";
  tags.kind = "master";
  tags.version = "v003";
  EXPECT_EQ(exr_file_name(delivery_name(tags), 1001), "SH010_master_v003_lin_ap0_scene.1001.exr");
  EXPECT_EQ(exr_file_name(delivery_name(tags), 7), "SH010_master_v003_lin_ap0_scene.0007.exr");
}

TEST(Exr, PixelsComeBackAsTheirHalves) {
  const ScratchFolder folder;
  const Clip clip = testing::rolling_ball(37, 21, 3);
  const auto paths = write_exr_sequence(folder.path(), clip, testing::example_tags());
  ASSERT_TRUE(paths) << paths.error().message;
  ASSERT_EQ(paths->size(), 3U);
  EXPECT_EQ(folder.count(), 3U);
  for (int t = 0; t < 3; ++t) {
    const auto frame = read_exr((*paths)[static_cast<std::size_t>(t)]);
    ASSERT_TRUE(frame) << frame.error().message;
    EXPECT_EQ(hash_pixels(frame->clip), hash_pixels(ClipView(clip).one(t)));
    EXPECT_EQ(frame->clip.at(0, 20, 36)[1], float_from_half(half_from_float(clip.at(t, 20, 36)[1])));
  }
}

TEST(Exr, BytesDependOnTheArgumentsOnly) {
  const Clip clip = testing::rolling_ball(64, 40, 1);
  const auto tags = testing::example_tags();
  EXPECT_EQ(*encode_exr(clip, tags, {0, 0}, 0), *encode_exr(clip, tags, {0, 0}, 0));
  EXPECT_NE(*encode_exr(clip, tags, {0, 0}, 0), *encode_exr(clip, tags, {1, 0}, 0));
}

TEST(Exr, HeaderSaysWhatItIsAndHowItWasMade) {
  const ScratchFolder folder;
  DeliveryTags tags = testing::example_tags();
  tags.owner = "Studio";
  tags.first_timecode = config::Timecode{9, 59, 59, 23};
  Clip clip = testing::rolling_ball(16, 8, 2);
  clip.fps = config::Rate{24000, 1001};
  const std::vector<WindowFrame> made{{0, 32}, {1, 8}};
  const auto paths = write_exr_sequence(folder.path(), clip, tags, made, 1005);
  ASSERT_TRUE(paths) << paths.error().message;
  EXPECT_EQ((*paths)[1], folder.file("sh010_v001_lin_ap0_scene.1006.exr"));
  const auto header = read_exr_header((*paths)[1]);
  ASSERT_TRUE(header) << header.error().message;
  EXPECT_EQ(header->width(), 16);
  EXPECT_EQ(header->height(), 8);
  EXPECT_EQ(header->data_window, header->display_window);
  EXPECT_EQ(header->compression, "piz");
  EXPECT_EQ(header->type, "scanlineimage");
  ASSERT_EQ(header->channels.size(), 3U);
  for (std::size_t c = 0; c < 3; ++c) {
    EXPECT_EQ(header->channels[c].name, std::string(1, "BGR"[c]));
    EXPECT_EQ(header->channels[c].type, "half");
  }
  EXPECT_EQ(header->chromaticities, kAp0);
  EXPECT_EQ(header->adopted_neutral, kAp0.white);
  EXPECT_EQ(header->text("colorInteropID"), "lin_ap0_scene");
  EXPECT_FALSE(header->aces_container_flag);
  EXPECT_EQ(header->frames_per_second, (config::Rate{24000, 1001}));
  EXPECT_EQ(header->time_code, (config::Timecode{10, 0, 0, 0}));
  EXPECT_EQ(header->image_counter, 1006);
  EXPECT_EQ(header->text("reelName"), "sh010_v001");
  EXPECT_EQ(header->text("owner"), "Studio");
  EXPECT_EQ(header->texts.count("capDate"), 0U);
  EXPECT_EQ(header->text("rushes/shot"), "sh010");
  EXPECT_EQ(header->text("rushes/take"), "2");
  EXPECT_EQ(header->text("rushes/window"), "1");
  EXPECT_EQ(header->text("rushes/frameInWindow"), "8");
  EXPECT_EQ(header->text("rushes/seed"), "18446744073709551615");
  EXPECT_EQ(header->text("rushes/modelDigest"), tags.model_digest);
  EXPECT_EQ(header->text("rushes/recipeHash"), tags.recipe_hash);
  EXPECT_EQ(header->text("rushes/numericClass"), tags.numeric_class);
  EXPECT_EQ(header->text("rushes/engineBuild"), tags.engine_build);
  EXPECT_EQ(header->text("rushes/promptHash"), tags.prompt_hash);
  EXPECT_EQ(header->text("rushes/parentTake"), "sh010/1");
  EXPECT_EQ(header->text("rushes/renderResolution"), "160x96");
  EXPECT_EQ(header->text("rushes/critiqueScore"), "0.750000");
  EXPECT_EQ(header->text("rushes/critiqueVerdict"), "pass");
  for (const auto& [name, value] : header->texts) EXPECT_LE(name.size(), 31U) << name;
}

// Frame after frame over the end of a minute, and of an hour, read back as it was counted.
TEST(Exr, TimecodesCountUpTo120FramesASecond) {
  struct Case {
    config::Rate fps;
    const char *first, *next;  // of frames 0 and 1
    int shared;                // frames of an address
  };
  for (const Case& c :
       {Case{{24000, 1001}, "09:59:59:23", "10:00:00:00", 1},
        Case{{30000, 1001}, "09:58:59;29", "09:59:00;02", 1},
        Case{{48000, 1001}, "10:00:00:46", "10:00:00:47", 2}, Case{{50, 1}, "10:00:59:49", "10:01:00:00", 2},
        Case{{60, 1}, "10:00:00:58", "10:00:00:59", 2}, Case{{60000, 1001}, "10:00:59;59", "10:01:00;04", 2},
        Case{{60000, 1001}, "10:59:59;59", "11:00:00;00", 2}, Case{{100, 1}, "10:00:00:98", "10:00:00:99", 4},
        Case{{120000, 1001}, "10:00:00:117", "10:00:00:118", 4},
        Case{{120, 1}, "10:00:59:119", "10:01:00:00", 4}}) {
    const ScratchFolder folder;
    Clip clip = testing::rolling_ball(8, 8, 2);
    clip.fps = c.fps;
    DeliveryTags tags = testing::example_tags();
    tags.first_timecode = *config::parse_timecode(c.first, c.fps);
    const auto paths = write_exr_sequence(folder.path(), clip, tags);
    ASSERT_TRUE(paths) << paths.error().message;
    EXPECT_EQ(frames_per_address(c.fps), c.shared);
    for (const std::size_t t : {std::size_t{0}, std::size_t{1}}) {
      const std::string expected = t == 0 ? c.first : c.next;
      const auto header = read_exr_header((*paths)[t]);
      ASSERT_TRUE(header);
      ASSERT_TRUE(header->time_code) << expected;
      EXPECT_EQ(config::to_string(*header->time_code), expected);
      EXPECT_EQ(header->text("rushes/timecode"), c.shared == 1 ? "" : expected);
    }
  }
}

TEST(Exr, RatesAbove120CarryNoTimecode) {
  const ScratchFolder folder;
  Clip clip = testing::rolling_ball(8, 8, 1);
  clip.fps = config::Rate{240, 1};
  const auto paths = write_exr_sequence(folder.path(), clip, testing::example_tags());
  ASSERT_TRUE(paths);
  const auto header = read_exr_header(paths->front());
  ASSERT_TRUE(header);
  EXPECT_FALSE(header->time_code);
  EXPECT_EQ(header->frames_per_second, (config::Rate{240, 1}));
}

// The same header through the tool that every studio has.
TEST(Exr, ExrheaderAgrees) {
  if (std::system("exrheader >/dev/null 2>&1; test $? -ne 127") != 0)
    GTEST_SKIP() << "exrheader is not installed";
  const ScratchFolder folder;
  const auto paths =
      write_exr_sequence(folder.path(), testing::rolling_ball(16, 8, 1), testing::example_tags());
  ASSERT_TRUE(paths);
  std::string text;
  FILE* pipe = ::popen(("exrheader '" + paths->front() + "'").c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  char buffer[4096];
  for (std::size_t n = 0; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) text.append(buffer, n);
  EXPECT_EQ(::pclose(pipe), 0);
  for (const char* expected :
       {"16-bit floating-point", "compression (type compression): piz", "red   (0.7347 0.2653)",
        "white (0.32168 0.33767)", "colorInteropID (type string): \"lin_ap0_scene\"",
        "framesPerSecond (type rational): 24/1 (24)", "imageCounter (type int): 1001", "time 01:00:00:00",
        "rushes/seed (type string): \"18446744073709551615\"", "rushes/recipeHash", "adoptedNeutral"}) {
    EXPECT_NE(text.find(expected), std::string::npos) << expected << "\nin\n" << text;
  }
}

TEST(Exr, RefusesWhatAFileCannotHold) {
  const ScratchFolder folder;
  Clip clip = testing::rolling_ball(8, 4, 3);
  clip.at(1, 2, 3)[0] = std::numeric_limits<float>::quiet_NaN();
  const auto paths = write_exr_sequence(folder.path(), clip, testing::example_tags());
  ASSERT_FALSE(paths);
  EXPECT_EQ(paths.error().kind, ErrorKind::kInvalid);
  EXPECT_NE(paths.error().message.find("frame 1002: pixel (3, 2)"), std::string::npos)
      << paths.error().message;
  clip.at(1, 2, 3)[0] = 70000.0F;
  EXPECT_FALSE(write_exr_sequence(folder.path(), clip, testing::example_tags()));
  EXPECT_EQ(limit_to_half(clip), 1);
  EXPECT_TRUE(write_exr_sequence(folder.path(), clip, testing::example_tags()));
}

TEST(Exr, RefusesNamesThatLeaveTheFolder) {
  DeliveryTags tags = testing::example_tags();
  for (const char* name : {"", "../x", "a b", "a/b", "sh\n010"}) {
    tags.shot = name;
    EXPECT_FALSE(encode_exr(Clip(4, 4, 1), tags, {}, 0)) << name;
  }
}

TEST(Exr, FailedWriteLeavesNoFile) {
  const ScratchFolder folder;
  const auto paths =
      write_exr_sequence(folder.file("missing"), testing::rolling_ball(8, 4, 1), testing::example_tags());
  ASSERT_FALSE(paths);
  EXPECT_EQ(paths.error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(folder.count(), 0U);
}

TEST(ExrRead, TruncatedFilesAreErrors) {
  const std::string bytes = *encode_exr(testing::rolling_ball(40, 40, 1), testing::example_tags(), {}, 0);
  ASSERT_TRUE(decode_exr(bytes, "whole"));
  for (std::size_t size = 0; size < bytes.size(); size += 97) {
    EXPECT_FALSE(decode_exr(bytes.substr(0, size), "cut")) << size;
  }
}

TEST(ExrRead, DamagedFilesNeverCrash) {
  const std::string bytes = *encode_exr(testing::rolling_ball(24, 24, 1), testing::example_tags(), {}, 0);
  std::mt19937 random(11);
  int refused = 0;
  for (int i = 0; i < 400; ++i) {
    std::string damaged = bytes;
    for (int k = 0; k < 4; ++k) damaged[random() % damaged.size()] = static_cast<char>(random());
    if (!decode_exr(damaged, "damaged")) ++refused;
  }
  EXPECT_GT(refused, 0);
}

TEST(ExrRead, HostileSizesAreRefusedBeforeMemoryIsTaken) {
  std::string bytes = *encode_exr(testing::rolling_ball(24, 24, 1), testing::example_tags(), {}, 0);
  const std::size_t at = bytes.find("dataWindow");
  ASSERT_NE(at, std::string::npos);
  // After "dataWindow\0box2i\0" and a 4-byte size: xMin yMin xMax yMax.
  const std::size_t max_x = at + sizeof("dataWindow") + sizeof("box2i") + 4 + 8;
  for (std::size_t i = 0; i < 8; ++i) bytes[max_x + i] = static_cast<char>(i % 4 == 3 ? 0x7F : 0xFF);
  const auto frame = decode_exr(bytes, "hostile");
  ASSERT_FALSE(frame);
  EXPECT_EQ(frame.error().kind, ErrorKind::kCorrupt);
}

TEST(ExrRead, ColoursAreConvertedByTheInteropId) {
  // An AP0 file relabelled as AP1 must come back multiplied by AP1 -> AP0: the label has priority over
  // chromaticities.
  const Clip clip = testing::rolling_ball(8, 8, 1);
  std::string bytes = *encode_exr(clip, testing::example_tags(), {}, 0);
  const std::size_t at = bytes.find("lin_ap0_scene");
  ASSERT_NE(at, std::string::npos);
  bytes.replace(at, 13, "lin_ap1_scene");
  const auto frame = decode_exr(bytes, "ap1");
  ASSERT_TRUE(frame) << frame.error().message;
  const float* p = clip.at(0, 1, 1);
  const double expected = 0.6954522414 * p[0] + 0.1406786965 * p[1] + 0.1638690622 * p[2];
  EXPECT_NEAR(frame->clip.at(0, 1, 1)[0], expected, 1e-3);
  bytes.replace(at, 13, "pq_rec2020_xx");
  EXPECT_EQ(decode_exr(bytes, "pq").error().kind, ErrorKind::kInvalid);
}

// A float picture whose first pixel is not at 0, 0, in scanlines or tiles.
std::string exr_at(int left, int top, int width, int height, int tile, const Primaries& primaries) {
  config::MemoryStream stream;
  const Imath::Box2i window({left, top}, {left + width - 1, top + height - 1});
  Imf::Header header(window, window);
  const auto point = [](const Chromaticity& c) {
    return Imath::V2f(static_cast<float>(c.x), static_cast<float>(c.y));
  };
  Imf::addChromaticities(header, Imf::Chromaticities(point(primaries.red), point(primaries.green),
                                                     point(primaries.blue), point(primaries.white)));
  if (tile > 0)
    header.setTileDescription(
        Imf::TileDescription(static_cast<unsigned>(tile), static_cast<unsigned>(tile), Imf::ONE_LEVEL));
  std::vector<float> pixels(static_cast<std::size_t>(width * height * 3));
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<float>(i * 7919 % 1013) / 100 - 1;
  Imf::FrameBuffer buffer;
  for (std::size_t c = 0; c < 3; ++c) {
    header.channels().insert(std::string(1, "RGB"[c]), Imf::Channel(Imf::FLOAT));
    buffer.insert(std::string(1, "RGB"[c]), Imf::Slice::Make(Imf::FLOAT, pixels.data() + c, window, 12,
                                                             12 * static_cast<std::size_t>(width)));
  }
  if (tile > 0) {
    Imf::TiledOutputFile file(stream, header, 0);
    file.setFrameBuffer(buffer);
    file.writeTiles(0, file.numXTiles() - 1, 0, file.numYTiles() - 1);
  } else {
    Imf::OutputFile file(stream, header, 0);
    file.setFrameBuffer(buffer);
    file.writePixels(height);
  }
  return stream.all;
}

TEST(ExrRows, AreThoseOfTheWholePicture) {
  for (const int tile : {0, 16})
    for (const Primaries& primaries : {kAp0, kRec709}) {
      const std::string bytes = exr_at(-5, 7, 61, 37, tile, primaries);
      const auto whole = decode_exr(bytes, "whole");
      ASSERT_TRUE(whole) << whole.error().message;
      auto rows = ExrRows::open(bytes, "rows");
      ASSERT_TRUE(rows) << rows.error().message;
      EXPECT_EQ(rows->width(), 61);
      EXPECT_EQ(rows->height(), 37);
      for (int y = 0; y < 37; ++y) {
        std::vector<float> row(40 * 3);
        ASSERT_TRUE(rows->read(y, 11, 40, row.data()));
        EXPECT_TRUE(std::equal(row.begin(), row.end(), whole->clip.at(0, y, 11))) << y;
      }
    }
}

TEST(ExrRows, SayWhatIsBroken) {
  const std::string bytes = exr_at(0, 0, 61, 37, 0, kAp0);
  EXPECT_EQ(ExrRows::open(bytes.substr(0, 100), "cut").error().kind, ErrorKind::kCorrupt);
  auto rows = ExrRows::open(std::string_view(bytes).substr(0, bytes.size() - 200), "cut");
  std::vector<float> row(61 * 3);
  Status last;
  for (int y = 0; rows && y < 37 && last; ++y) last = rows->read(y, 0, 61, row.data());
  EXPECT_EQ((rows ? last.error() : rows.error()).kind, ErrorKind::kCorrupt);
}

}  // namespace
}  // namespace rushes::worker
