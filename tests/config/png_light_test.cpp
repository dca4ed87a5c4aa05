// What PNG files say of their light: taken as it was meant, or refused by name; never read as other colours.
#include "config/png_light.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <array>
#include <cmath>
#include <random>

#include "config/whole_picture.h"
#include "tests/config/test_pictures.h"

namespace rushes::config {
namespace {

using testing::HasSubstr;

std::string number32(std::uint32_t number) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(number >> shift & 0xFF);
  return bytes;
}

std::string chunk(const std::string& type, const std::string& data) {
  const std::string body = type + data;
  return number32(static_cast<std::uint32_t>(data.size())) + body +
         number32(static_cast<std::uint32_t>(
             ::crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()))));
}

// A picture without a word about its light, and with these chunks behind IHDR.
std::string png_with(const std::string& chunks) {
  constexpr std::size_t kBehindHeader = 8 + 12 + 13;
  std::string bytes = replaced_light(encoded_png(2, 1, {255, 0, 0, 96, 96, 96}), {});
  return bytes.insert(kBehindHeader, chunks);
}

std::string cicp(int primaries, int transfer, int matrix = 0, int range = 1) {
  std::string data;
  for (const int point : {primaries, transfer, matrix, range}) data += static_cast<char>(point);
  return chunk("cICP", data);
}
std::string gama(std::uint32_t gamma) { return chunk("gAMA", number32(gamma)); }
std::string srgb() { return chunk("sRGB", std::string(1, '\0')); }
std::string chrm(const Primaries& p) {
  std::string data;
  for (const Chromaticity& point : {p.white, p.red, p.green, p.blue})
    for (const double value : {point.x, point.y})
      data += number32(static_cast<std::uint32_t>(std::lround(value * 100'000)));
  return chunk("cHRM", data);
}

std::string fixed(double value) {
  return number32(static_cast<std::uint32_t>(static_cast<std::int32_t>(std::lround(value * 65536))));
}

using Colorants = std::array<std::array<double, 3>, 3>;
constexpr Colorants kSrgb{
    {{0.43607, 0.22249, 0.01392}, {0.38515, 0.71687, 0.09708}, {0.14307, 0.06061, 0.71410}}};
constexpr Colorants kP3{
    {{0.51512, 0.24120, -0.00105}, {0.29198, 0.69225, 0.04189}, {0.15710, 0.06657, 0.78407}}};
constexpr Colorants kAdobe{
    {{0.60974, 0.31111, 0.01947}, {0.20528, 0.62567, 0.06087}, {0.14919, 0.06322, 0.74457}}};

std::string parametric_srgb() {
  std::string data = std::string("para\0\0\0\0\0\3\0\0", 12);
  for (const double value : {2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045}) data += fixed(value);
  return data;
}
std::string table(double gamma) {  // 0: sRGB's
  constexpr int kCount = 1024;
  std::string data = std::string("curv\0\0\0\0", 8) + number32(kCount);
  for (int i = 0; i < kCount; ++i) {
    const double x = i / (kCount - 1.0);
    const double light = gamma > 0      ? std::pow(x, gamma)
                         : x <= 0.04045 ? x / 12.92
                                        : std::pow((x + 0.055) / 1.055, 2.4);
    const auto value = static_cast<std::uint32_t>(std::lround(light * 65535));
    data += static_cast<char>(value >> 8);
    data += static_cast<char>(value & 0xFF);
  }
  return data;
}
std::string one_gamma() { return std::string("curv\0\0\0\0\0\0\0\1\2\x33", 14); }  // 2.2

std::string profile(const std::vector<std::pair<std::string, std::string>>& tags,
                    const std::string& space = "RGB ") {
  std::string header(128, '\0');
  header.replace(16, 4, space);
  header.replace(36, 4, "acsp");
  std::string list = number32(static_cast<std::uint32_t>(tags.size())), data;
  for (const auto& [name, element] : tags) {
    list += name + number32(static_cast<std::uint32_t>(132 + 12 * tags.size() + data.size())) +
            number32(static_cast<std::uint32_t>(element.size()));
    data += element;
  }
  return header + list + data;
}
std::string matrix_profile(const Colorants& colorants, const std::string& curve,
                           const std::string& name = "Mine") {
  const auto xyz = [&](std::size_t i) {
    return std::string("XYZ \0\0\0\0", 8) + fixed(colorants[i][0]) + fixed(colorants[i][1]) +
           fixed(colorants[i][2]);
  };
  const std::string described =
      std::string("desc\0\0\0\0", 8) + number32(static_cast<std::uint32_t>(name.size() + 1)) + name + '\0';
  return profile({{"desc", described},
                  {"rXYZ", xyz(0)},
                  {"gXYZ", xyz(1)},
                  {"bXYZ", xyz(2)},
                  {"rTRC", curve},
                  {"gTRC", curve},
                  {"bTRC", curve}});
}
std::string iccp(const std::string& profile, const std::string& name = "ICC Profile") {
  uLongf size = ::compressBound(profile.size());
  std::string packed(size, '\0');
  ::compress(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(profile.data()),
             profile.size());
  packed.resize(size);
  return chunk("iCCP", name + std::string(2, '\0') + packed);
}

struct Read {
  std::string refusal;
  ErrorKind kind = ErrorKind::kInternal;
  CodedLight light;
  std::vector<std::uint8_t> pixels;
};
Read read(const std::string& bytes) {
  Read result;
  const auto light = decode_png(bytes, [&](int width, int height) {
    result.pixels.resize(static_cast<std::size_t>(width * height * 3));
    return result.pixels.data();
  });
  if (light)
    result.light = *light;
  else
    result.refusal = light.error().message, result.kind = light.error().kind;
  return result;
}
const std::vector<std::uint8_t> kCodes{255, 0, 0, 96, 96, 96};

void is_taken(const std::string& chunks, const Primaries& primaries,
              const std::vector<std::uint8_t>& codes = kCodes) {
  const Read taken = read(png_with(chunks));
  EXPECT_EQ(taken.refusal, "");
  EXPECT_EQ(taken.light, (CodedLight{primaries, codes != kCodes}));
  EXPECT_EQ(taken.pixels, codes);
}
void is_refused(const std::string& chunks, const std::string& words) {
  const Read refused = read(png_with(chunks));
  EXPECT_EQ(refused.kind, ErrorKind::kInvalid) << refused.refusal;
  EXPECT_THAT(refused.refusal, HasSubstr(words));
  EXPECT_THAT(refused.refusal, HasSubstr("; convert the picture to sRGB, or write scene-linear EXR"));
}

TEST(PngLight, OfAFileThatSaysNothingIsSrgb) {
  is_taken("", kRec709);
  is_taken(srgb(), kRec709);
  is_taken(gama(45455), kRec709);
  is_taken(gama(45455) + chrm(kRec709), kRec709);
  is_taken(gama(45000), kRec709);
  for (std::uint32_t gamma = 40'000; gamma < 51'000; gamma += 3) {  // where libpng begins to convert
    const Read found = read(png_with(gama(gamma)));
    EXPECT_EQ(found.light.power, found.pixels != kCodes) << gamma;
  }
}

TEST(PngLight, CicpIsTakenWhereItsMeaningIsKnown) {
  is_taken(cicp(1, 13), kRec709);
  is_taken(cicp(12, 13), kP3D65);
  is_taken(cicp(9, 13), kRec2020);
  is_taken(cicp(1, 8), kRec709, {255, 0, 0, 164, 164, 164});  // 96/255 of the light as a power
}

TEST(PngLight, OtherCicpIsRefusedByName) {
  is_refused(cicp(9, 16), "cICP: expected the curve 13 (sRGB) or 8 (linear), found 16 (PQ)");
  is_refused(cicp(9, 18), "found 18 (HLG)");
  is_refused(cicp(1, 1), "found 1 (BT.709)");
  is_refused(cicp(11, 13),
             "expected the primaries 1 (BT.709), 9 (BT.2020) or 12 (P3-D65), found 11 (DCI-P3)");
  is_refused(cicp(1, 13, 1), "expected RGB in full range (0, 1), found 1, 1");
  is_refused(cicp(1, 13, 0, 0), "found 0, 0");
  EXPECT_EQ(read(png_with(chunk("cICP", "abc"))).kind, ErrorKind::kCorrupt);
}

TEST(PngLight, ProfilesOfSrgbAndDisplayP3AreTaken) {
  for (const std::string& curve : {parametric_srgb(), table(0)}) {
    is_taken(iccp(matrix_profile(kSrgb, curve)), kRec709);
    is_taken(iccp(matrix_profile(kP3, curve)), kP3D65);
  }
  is_taken(iccp(profile({{"kTRC", table(0)}}, "GRAY")), kRec709);
  is_taken(iccp(profile({{"A2B0", std::string(40, 'x')}}), "sRGB v4"), kRec709);
}

TEST(PngLight, OtherProfilesAreRefusedByName) {
  is_refused(iccp(matrix_profile(kAdobe, one_gamma(), "Adobe RGB (1998)")),
             "iCCP: expected a profile of sRGB or Display P3, found \"Adobe RGB (1998)\"");
  is_refused(iccp(matrix_profile(kSrgb, one_gamma(), "sRGB gamma 2.2")), "found \"sRGB gamma 2.2\"");
  is_refused(iccp(matrix_profile(kSrgb, table(1), "sRGB linear"), "sRGB linear"), "found \"sRGB linear\"");
  is_refused(iccp(matrix_profile(kP3, table(2.6))), "found \"Mine\"");
  is_refused(iccp(profile({{"kTRC", table(2.2)}}, "GRAY"), "Grey"), "found \"Grey\"");
  is_refused(iccp(profile({}, "CMYK"), ""), "found a profile without a name");
  is_refused(iccp("no profile", "sRGB"), "found \"sRGB\"");
  is_refused(iccp(std::string(3u << 20, 'x'), "Huge"), "found \"Huge\"");
  EXPECT_THAT(read(png_with(chunk("iCCP", std::string("name\0\0not zlib", 14)))).refusal,
              HasSubstr("a broken PNG file: iCCP holds a broken profile"));
  EXPECT_THAT(read(png_with(chunk("iCCP", std::string(100, 'x')))).refusal,
              HasSubstr("iCCP holds no profile"));
}

TEST(PngLight, OtherChromaticitiesAreKept) {
  const Primaries adobe{{0.64, 0.33}, {0.21, 0.71}, {0.15, 0.06}, {0.3127, 0.3290}};
  is_taken(chrm(adobe), adobe);
  is_taken(gama(45455) + chrm(kP3D65), kP3D65);
  is_taken(gama(100'000) + chrm(kP3D65), kP3D65, {255, 0, 0, 164, 164, 164});
  const Primaries pro{{0.7347, 0.2653}, {0.1596, 0.8404}, {0.0366, 0.0001}, {0.3457, 0.3585}};
  is_taken(chrm(pro), pro);
}

TEST(PngLight, HostileChromaticitiesAreRefused) {
  const char* words = "cHRM: expected three primaries that span a gamut, and a white inside";
  is_refused(chrm({{0.3, 0.3}, {0.3, 0.3}, {0.3, 0.3}, {0.3127, 0.3290}}), words);
  is_refused(chrm({{0.64, 0.33}, {0.30, 0.60}, {0.15, 0.06}, {0.3127, 0.00001}}), words);
  is_refused(chrm({{0.64, 0.33}, {0.30, 0.60}, {0.15, 0.06}, {0.21, 0.49}}), words);
  is_refused(chunk("cHRM", std::string(32, '\xFF')), words);
  is_refused(chunk("cHRM", std::string(32, '\0')), words);
  is_refused(gama(0), "gAMA: expected an exponent of 0.1 to 10, found 0.0");
  is_refused(gama(0x7FFFFFFF), "gAMA: expected");
}

// PNG, third edition: cICP before iCCP before sRGB before gAMA and cHRM, in whatever order they stand in the file.
TEST(PngLight, TheFirstOfTheStandardsOrderDecides) {
  const std::string adobe = iccp(matrix_profile(kAdobe, one_gamma())),
                    p3 = iccp(matrix_profile(kP3, table(0)));
  is_taken(adobe + gama(100'000) + cicp(12, 13), kP3D65);
  is_taken(gama(100'000) + chrm(kRec2020) + p3, kP3D65);
  is_taken(srgb() + p3, kP3D65);
  is_taken(gama(45455) + chrm(kRec2020) + srgb(), kRec709);
  is_refused(srgb() + cicp(9, 16), "16 (PQ)");
}

TEST(PngLight, AChunkWithAnotherCrcIsBroken) {
  for (std::string one : {cicp(12, 13), iccp(matrix_profile(kP3, table(0))), gama(100'000), chrm(kP3D65)}) {
    one.back() = static_cast<char>(~one.back());
    const Read broken = read(png_with(one));
    EXPECT_EQ(broken.kind, ErrorKind::kCorrupt);
    EXPECT_THAT(broken.refusal, HasSubstr("has another CRC than its bytes"));
  }
}

TEST(PngLight, DamageNeverLeavesTheBytes) {
  std::mt19937 random(5);
  const std::string good = matrix_profile(kP3, parametric_srgb());
  for (int i = 0; i < 3000; ++i) {
    std::string damaged = good;
    for (int k = 0; k < 3; ++k) damaged[random() % damaged.size()] = static_cast<char>(random());
    damaged.resize(random() % 4 == 0 ? random() % damaged.size() : damaged.size());
    read(png_with(iccp(damaged)));
  }
  const std::string png = png_with(iccp(good) + chrm(kP3D65) + gama(45455));
  for (std::size_t size = 0; size <= png.size(); ++size) {
    const auto light = png_light(std::string_view(png).substr(0, size));
    if (light) replaced_light(std::string_view(png).substr(0, size), *light);
  }
}

}  // namespace
}  // namespace rushes::config
