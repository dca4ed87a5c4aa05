#include "worker/picture/colour.h"

#include <OpenColorIO/OpenColorIO.h>
#include <gtest/gtest.h>
// after gtest.h, which it extends
#include <rapidcheck/gtest.h>

#include <cmath>
#include <limits>

#include "tests/folders.h"
#include "tests/worker/picture/synthetic.h"

namespace rushes::worker {
namespace {

constexpr WorkingSpace kSpaces[] = {WorkingSpace::kAcescct, WorkingSpace::kLogC3, WorkingSpace::kSrgb};

// Academy S-2016-001 and the ARRI LogC3 tables, to the digits that delivery tools print.
TEST(Curves, KnownValues) {
  EXPECT_NEAR(curve_encode(WorkingSpace::kAcescct, 0.18F), 0.4135884F, 1e-6F);
  EXPECT_NEAR(curve_encode(WorkingSpace::kAcescct, 0.0F), 0.0729055F, 1e-6F);
  EXPECT_NEAR(curve_decode(WorkingSpace::kAcescct, 1.0F), 222.8609F, 1e-2F);
  EXPECT_NEAR(curve_encode(WorkingSpace::kLogC3, 0.18F), 0.391007F, 1e-5F);
  EXPECT_NEAR(curve_decode(WorkingSpace::kLogC3, 1.0F), 55.08F, 1e-2F);
  EXPECT_NEAR(curve_encode(WorkingSpace::kSrgb, 0.18F), 0.461356F, 1e-5F);
  EXPECT_NEAR(curve_decode(WorkingSpace::kSrgb, 0.5F), 0.214041F, 1e-5F);
}

TEST(Curves, AgreeWithTheMathLibrary) {
  for (double x = 0.0079; x < 70000.0; x *= 1.013) {
    const double expected = (std::log2(static_cast<double>(static_cast<float>(x))) + 9.72) / 17.52;
    ASSERT_EQ(curve_encode(WorkingSpace::kAcescct, static_cast<float>(x)), static_cast<float>(expected)) << x;
  }
  for (double code = 0.16; code < 1.6; code += 0.00037) {
    const double expected = std::exp2(static_cast<double>(static_cast<float>(code)) * 17.52 - 9.72);
    const float found = curve_decode(WorkingSpace::kAcescct, static_cast<float>(code));
    ASSERT_NEAR(found, expected, expected * 6e-8) << code;
  }
}

RC_GTEST_PROP(Curves, AreInvertedAndIncreasing, ()) {
  const auto space = *rc::gen::elementOf(std::vector<WorkingSpace>(std::begin(kSpaces), std::end(kSpaces)));
  const float x = static_cast<float>(*rc::gen::inRange(-4000000, 65504000)) * 1e-3F *
                  (*rc::gen::arbitrary<bool>() ? 1e-3F : 1.0F);
  const float code = curve_encode(space, x);
  // One float step of the code is this much light.
  const float step =
      curve_decode(space, std::nextafter(code, 1e9F)) - curve_decode(space, std::nextafter(code, -1e9F));
  RC_ASSERT(std::fabs(curve_decode(space, code) - x) <= step + 1e-6F + 2e-6F * std::fabs(x));
  RC_ASSERT(curve_encode(space, std::nextafter(x, 1e9F)) >= code);
  RC_ASSERT(curve_encode(space, x + 0.01F * std::fabs(x) + 0.001F) > code);
}

TEST(Curves, WildInputStaysDefined) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (const WorkingSpace space : kSpaces) {
    EXPECT_TRUE(std::isnan(curve_encode(space, std::nanf(""))));
    EXPECT_TRUE(std::isnan(curve_decode(space, std::nanf(""))));
    EXPECT_EQ(curve_encode(space, infinity), infinity);
    EXPECT_EQ(curve_decode(space, infinity), infinity);
    EXPECT_EQ(curve_decode(space, 1e30F), infinity);
    EXPECT_LT(curve_decode(space, -1e3F), -10.0F);
  }
}

// The matrices against OCIO's built-in transform, an independent implementation.
TEST(Encode, AcescctAgreesWithOcio) {
  namespace ocio = OCIO_NAMESPACE;
  const auto config = ocio::Config::CreateFromFile(testing::ocio_config().c_str());
  const auto cpu = config->getProcessor("ACES2065-1", "ACEScct")->getDefaultCPUProcessor();
  const Clip light = testing::rolling_ball(32, 18, 1);
  Clip expected = light;
  ocio::PackedImageDesc image(expected.pixels.data(), expected.width, expected.height, 3);
  cpu->apply(image);
  const Clip code = encode_clip(WorkingSpace::kAcescct, light);
  for (std::size_t i = 0; i < code.pixels.size(); ++i) ASSERT_NEAR(code.pixels[i], expected.pixels[i], 2e-5F);
}

TEST(Encode, RoundTripsInEverySpace) {
  Clip light = testing::rolling_ball(32, 18, 2);
  light.at(0, 0, 0)[2] = -0.01F;
  for (const WorkingSpace space : kSpaces) {
    const Clip back = decode_clip(space, encode_clip(space, light));
    for (std::size_t i = 0; i < light.pixels.size(); ++i) {
      ASSERT_NEAR(back.pixels[i], light.pixels[i], 1e-5F + 1e-5F * std::fabs(light.pixels[i]))
          << to_string(space);
    }
  }
}

TEST(Encode, GreyStaysGrey) {
  for (const WorkingSpace space : kSpaces) {
    const float grey[3] = {0.18F, 0.18F, 0.18F};
    float code[3];
    encode_pixels(space, grey, code, 1);
    for (const float value : code) EXPECT_NEAR(value, curve_encode(space, 0.18F), 1e-5F);
  }
}

TEST(ModelTensor, IsPlanarAndCentred) {
  const Clip light = testing::rolling_ball(12, 8, 5);
  const std::vector<float> tensor = to_model_input(WorkingSpace::kAcescct, light);
  ASSERT_EQ(tensor.size(), light.pixels.size());
  const Clip code = encode_clip(WorkingSpace::kAcescct, light);
  const std::size_t plane = tensor.size() / 3;
  EXPECT_EQ(tensor[2 * plane + (3 * 8 + 4) * 12 + 7], code.at(3, 4, 7)[2] * 2.0F - 1.0F);
  const Clip back = from_model_output(WorkingSpace::kAcescct, tensor.data(), 12, 8, 5, light.fps);
  for (std::size_t i = 0; i < light.pixels.size(); ++i) {
    ASSERT_NEAR(back.pixels[i], light.pixels[i], 1e-5F + 1e-5F * light.pixels[i]);
  }
}

TEST(Primaries, PublishedMatrices) {
  const Matrix3 ap1_to_ap0 = *primaries_matrix(kAp1, kAp0);
  const double expected[9] = {0.6954522414, 0.1406786965,  0.1638690622, 0.0447945634, 0.8596711185,
                              0.0955343182, -0.0055258826, 0.0040252103, 1.0015006723};
  for (std::size_t i = 0; i < 9; ++i) EXPECT_NEAR(ap1_to_ap0[i], expected[i], 1e-9);
  const Matrix3 rec709_to_ap0 = *primaries_matrix(kRec709, kAp0);
  for (std::size_t row = 0; row < 3; ++row) {  // white to white
    EXPECT_NEAR(rec709_to_ap0[row * 3] + rec709_to_ap0[row * 3 + 1] + rec709_to_ap0[row * 3 + 2], 1.0, 1e-9);
  }
  EXPECT_FALSE(primaries_matrix(Primaries{{0.3, 0.3}, {0.3, 0.3}, {0.3, 0.3}, {0.3, 0.3}}, kAp0));
  EXPECT_FALSE(primaries_matrix(Primaries{{0.6, 0.3}, {0.3, 0.6}, {0.1, 0.1}, {0.3, 0.0}}, kAp0));
}

struct Golden {
  float grey, hdr1000, sdr;
};

// OpenColorIO 2.1.2 with the built-in ACES 1.1 output transforms.
TEST(DisplayView, GoldenGreys) {
  const auto sdr = DisplayView::sdr(testing::ocio_config());
  ASSERT_TRUE(sdr) << sdr.error().message;
  const auto hdr = DisplayView::open(testing::ocio_config(), "Rec.2100-PQ", "ACES 1.1 HDR 1000");
  ASSERT_TRUE(hdr) << hdr.error().message;
  for (const Golden& golden :
       {Golden{0.18F, 0.3326F, 0.3560F}, Golden{1.0F, 0.5153F, 0.8120F}, Golden{16.0F, 0.7000F, 0.9997F}}) {
    Clip clip(1, 1, 1);
    clip.pixels = {golden.grey, golden.grey, golden.grey};
    const std::vector<float> sdr_code = *sdr->apply(clip, 0);
    for (const float value : sdr_code) EXPECT_NEAR(value, golden.sdr, 1e-3F);
    const std::vector<float> hdr_code = *hdr->apply(clip, 0);
    for (const float value : hdr_code) EXPECT_NEAR(value, golden.hdr1000, 1e-3F);
    const std::vector<std::uint8_t> bytes = *sdr->apply_8bit(clip, 0);
    EXPECT_EQ(bytes[1], static_cast<int>(std::lround(sdr_code[1] * 255.0F)));
  }
}

TEST(DisplayView, ErrorsNameWhatExists) {
  EXPECT_EQ(DisplayView::sdr("/no/such/farm.ocio").error().kind, ErrorKind::kNotFound);
  const auto wrong = DisplayView::open(testing::ocio_config(), "sRGB", "Filmic");
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().message.find("ACES 1.1 SDR"), std::string::npos);
  const testing::ScratchFolder folder;
  const std::string broken = folder.file("broken.ocio");
  std::filesystem::copy_file(test::source_folder().string() + "/CMakeLists.txt", broken);
  EXPECT_EQ(DisplayView::sdr(broken).error().kind, ErrorKind::kInvalid);
}

TEST(DisplayView, BlackNanAndHighlightsIn8Bit) {
  const auto sdr = DisplayView::sdr(testing::ocio_config());
  ASSERT_TRUE(sdr);
  Clip clip(3, 1, 1);
  clip.pixels = {0, 0, 0, std::nanf(""), std::nanf(""), std::nanf(""), 60000, 60000, 60000};
  const auto pixels = sdr->apply_8bit(clip, 0);
  ASSERT_TRUE(pixels);
  EXPECT_EQ((*pixels)[0], 0);
  EXPECT_EQ((*pixels)[8], 255);
}

}  // namespace
}  // namespace rushes::worker
