// Pictures are decoded to their last byte: what is cut or changed behind a good beginning is found.
#include "config/whole_picture.h"

#include <ImfChannelList.h>
#include <ImfFrameBuffer.h>
#include <ImfHeader.h>
#include <ImfOutputFile.h>
#include <ImfStringAttribute.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "tests/config/memory_stream.h"
#include "tests/config/test_pictures.h"

namespace rushes::config {
namespace {

using testing::HasSubstr;

// `last`: the last pixel's light; `overscan`: columns beyond the display window.
std::string exr_of(int width, int height, const std::string& light = "", const char* blue = "B",
                   float last = 0, int overscan = 0, float aspect = 1) {
  Imf::Header header(width, height, aspect);
  header.displayWindow().max.x -= overscan;
  if (!light.empty()) header.insert("colorInteropID", Imf::StringAttribute(light));
  std::vector<float> pixels(static_cast<std::size_t>(width * height));
  std::uint32_t state = 1;
  for (float& value : pixels) value = static_cast<float>((state = state * 1664525u + 1013904223u) >> 24);
  pixels.back() = last;
  Imf::FrameBuffer buffer;
  for (const char* name : {"R", "G", blue}) {
    header.channels().insert(name, Imf::Channel(Imf::FLOAT));
    buffer.insert(name, Imf::Slice(Imf::FLOAT, reinterpret_cast<char*>(pixels.data()), sizeof(float),
                                   sizeof(float) * static_cast<std::size_t>(width)));
  }
  MemoryStream stream;
  Imf::OutputFile file(stream, header, 0);
  file.setFrameBuffer(buffer);
  file.writePixels(height);
  return stream.all;
}

std::string refusal(const std::string& bytes) {
  const auto checked = check_whole_picture(bytes);
  EXPECT_TRUE(checked || checked.error().kind == ErrorKind::kInvalid);
  return checked ? "" : checked.error().message;
}

TEST(WholePicture, IsAnyThatAWorkerReads) {
  EXPECT_EQ(refusal(png_of(1, 1)), "");
  EXPECT_EQ(refusal(noisy_png(33, 17)), "");
  EXPECT_EQ(refusal(exr_of(33, 17)), "");
  EXPECT_EQ(refusal(exr_of(33, 17, "lin_ap1_scene")), "");
}

TEST(WholePicture, HasALoadByItsSize) {
  const std::string png = noisy_png(64, 48), exr = exr_of(64, 48);
  EXPECT_EQ(check_whole_picture(png), (PictureLoad{64 * 48, 64 * 48 * 3 + png.size()}));
  const auto scanlines = check_whole_picture(exr);
  ASSERT_TRUE(scanlines);
  EXPECT_EQ(scanlines->pixels, 64U * 48U);
  EXPECT_EQ(scanlines->memory, exr.size() + 5 * 16 * 64 * 12) << "blocks of 16 rows (ZIP)";
}

TEST(WholePicture, IsNotOneThatIsCutOrChanged) {
  const std::string png = noisy_png(64, 48), exr = exr_of(64, 48);
  for (const double part : {0.1, 0.5, 0.95}) {
    const auto cut = [&](const std::string& whole) {
      return whole.substr(0, static_cast<std::size_t>(part * static_cast<double>(whole.size())));
    };
    EXPECT_THAT(refusal(cut(png)), HasSubstr("found a broken PNG file")) << part;
    EXPECT_THAT(refusal(cut(exr)), HasSubstr("found a broken EXR file")) << part;
  }
  std::string changed = png;
  changed[changed.size() / 2] = static_cast<char>(~changed[changed.size() / 2]);
  EXPECT_THAT(refusal(changed), HasSubstr("found a broken PNG file"));
  changed = exr;
  for (std::size_t i = changed.size() / 2; i < changed.size() / 2 + 64; ++i) changed[i] = '\xFF';
  EXPECT_THAT(refusal(changed), HasSubstr("found a broken EXR file"));
}

TEST(WholePicture, IsBoundedBeforeItIsDecoded) {
  EXPECT_THAT(refusal(png_head(16'000, 16'000)), HasSubstr("16000x16000"));
  EXPECT_THAT(refusal(""), HasSubstr("expected a PNG or EXR file"));
}

TEST(WholePicture, IsTheWholeFrameInSquarePixels) {
  EXPECT_THAT(refusal(exr_of(40, 20, "", "B", 0, 4)),
              HasSubstr("the display window (0,0 to 35,19), found 0,0 to 39,19; write the picture without"));
  EXPECT_THAT(refusal(exr_of(40, 20, "", "B", 0, 0, 2)), HasSubstr("found pixelAspectRatio 2.0"));
}

// Grey in 16 bits, without a word about its light.
std::string plain_16_bit_png(std::uint8_t level) {
  std::string bytes;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_set_write_fn(
      png, &bytes,
      [](png_structp p, png_bytep data, png_size_t size) {
        static_cast<std::string*>(png_get_io_ptr(p))->append(reinterpret_cast<char*>(data), size);
      },
      [](png_structp) {});
  png_set_IHDR(png, info, 2, 2, 16, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  png_write_info(png, info);
  std::vector<png_byte> row(2 * 3 * 2, level);
  for (int y = 0; y < 2; ++y) png_write_row(png, row.data());
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  return bytes;
}

TEST(WholePicture, OfSixteenBitsIsDisplayLightAsOneOfEight) {
  std::vector<std::uint8_t> pixels;
  const auto read = decode_png(plain_16_bit_png(0x60), [&](int width, int height) {
    pixels.resize(static_cast<std::size_t>(width * height * 3));
    return pixels.data();
  });
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(pixels, std::vector<std::uint8_t>(12, 0x60));
}

TEST(WholePicture, IsNoThread) {
  EXPECT_EQ(refusal(exr_of(160, 10)), "");
  EXPECT_THAT(refusal(exr_of(161, 10)), HasSubstr("expected sides of at most 16 to 1, found 161x10"));
  EXPECT_THAT(refusal(png_of(1, 17)), HasSubstr("found 1x17"));
}

TEST(WholePicture, HasTheLightAndChannelsThatAWorkerReads) {
  EXPECT_THAT(refusal(exr_of(8, 8, "g22_rec709_display")), HasSubstr("expected scene-linear light"));
  EXPECT_THAT(refusal(exr_of(8, 8, "", "Z")), HasSubstr("found no such channel B"));
}

// One such pixel would be the whole take: the VAE mixes them all.
TEST(WholePicture, HasLightThatAHalfHolds) {
  const auto with = [](float last) { return refusal(exr_of(40, 20, "", "B", last)); };
  EXPECT_EQ(with(65504), "");
  EXPECT_EQ(with(-0.5F), "");
  EXPECT_THAT(with(std::numeric_limits<float>::quiet_NaN()),
              HasSubstr("found nan in R at column 39, row 19"));
  EXPECT_THAT(with(-std::numeric_limits<float>::infinity()), HasSubstr("found -inf in R"));
  EXPECT_THAT(with(65536), HasSubstr("expected light that a half can hold (up to 65504), found 65536"));
}

}  // namespace
}  // namespace rushes::config
