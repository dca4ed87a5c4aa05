// Pictures are decoded to their last byte: what is cut or changed behind a good beginning is found.
#include "config/whole_picture.h"

#include <ImfChannelList.h>
#include <ImfFrameBuffer.h>
#include <ImfHeader.h>
#include <ImfIO.h>
#include <ImfOutputFile.h>
#include <ImfStringAttribute.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "tests/config/test_pictures.h"

namespace rushes::config {
namespace {

using testing::HasSubstr;

class Bytes : public Imf::OStream {
 public:
  Bytes() : Imf::OStream("memory") {}
  void write(const char c[], int n) override {
    all.replace(std::min(at, all.size()), static_cast<std::size_t>(n), c, static_cast<std::size_t>(n));
    at += static_cast<std::size_t>(n);
  }
  std::uint64_t tellp() override { return at; }
  void seekp(std::uint64_t position) override { at = position; }
  std::string all;
  std::size_t at = 0;
};

// `last`: the last pixel's light.
std::string exr_of(int width, int height, const std::string& light = "", const char* blue = "B",
                   float last = 0) {
  Imf::Header header(width, height);
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
  Bytes stream;
  Imf::OutputFile file(stream, header, 0);
  file.setFrameBuffer(buffer);
  file.writePixels(height);
  return stream.all;
}

std::string refusal(const std::string& bytes) {
  const Status checked = check_whole_picture(bytes);
  EXPECT_TRUE(checked || checked.error().kind == ErrorKind::kInvalid);
  return checked ? "" : checked.error().message;
}

TEST(WholePicture, IsAnyThatAWorkerReads) {
  EXPECT_EQ(refusal(png_of(1, 1)), "");
  EXPECT_EQ(refusal(noisy_png(33, 17)), "");
  EXPECT_EQ(refusal(exr_of(33, 17)), "");
  EXPECT_EQ(refusal(exr_of(33, 17, "lin_ap1_scene")), "");
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
