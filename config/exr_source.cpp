#include "config/exr_source.h"

#include <Iex.h>
#include <ImfChannelList.h>
#include <ImfChromaticitiesAttribute.h>
#include <ImfPartType.h>
#include <ImfStandardAttributes.h>
#include <ImfStringAttribute.h>

#include <algorithm>
#include <cstring>
#include <mutex>

#include "config/limits.h"
#include "config/primaries.h"

namespace rushes::config {

bool ExrBytes::read(char target[], int count) {
  const auto size = static_cast<std::size_t>(count);
  if (count < 0 || position_ > bytes_.size() || size > bytes_.size() - position_)
    throw Iex::InputExc("the file ends too early");
  std::memcpy(target, bytes_.data() + position_, size);
  position_ += size;
  return position_ < bytes_.size();
}

void bound_exr_library() {
  static std::once_flag once;
  std::call_once(once, [] {
    Imf::Header::setMaxImageSize(kMaxPictureSide, kMaxPictureSide);
    Imf::Header::setMaxTileSize(kMaxPictureSide, kMaxPictureSide);
  });
}

std::string exr_type(const Imf::Header& header) {
  if (header.hasType()) return header.type();
  return header.hasTileDescription() ? Imf::TILEDIMAGE : Imf::SCANLINEIMAGE;
}

std::string exr_light(const Imf::Header& header) {
  const auto* id = header.findTypedAttribute<Imf::StringAttribute>("colorInteropID");
  return id != nullptr ? id->value() : "";
}

namespace {

Status check_size(const Imf::Header& header) {
  const Imath::Box2i& window = header.dataWindow();
  const std::int64_t width = std::int64_t{window.max.x} - window.min.x + 1,
                     height = std::int64_t{window.max.y} - window.min.y + 1;
  if (width < 1 || height < 1 || width > kMaxPictureSide || height > kMaxPictureSide ||
      width * height > kMaxPicturePixels)
    return fail(ErrorKind::kInvalid, "expected at most " + std::to_string(kMaxPictureSide) +
                                         " pixels a side and " + std::to_string(kMaxPicturePixels) +
                                         " pixels, found " + std::to_string(width) + "x" +
                                         std::to_string(height));
  std::int64_t row = 0;
  for (auto it = header.channels().begin(); it != header.channels().end(); ++it)
    row += width * (it.channel().type == Imf::HALF ? 2 : 4);
  if (row > kMaxExrRowBytes)
    return fail(ErrorKind::kInvalid, "expected at most " + std::to_string(kMaxExrRowBytes >> 20) +
                                         " MiB in a row of all channels, found " + std::to_string(row >> 20) +
                                         " MiB; keep R, G and B");
  return {};
}

Primaries primaries_of(const Imf::Chromaticities& c) {
  const auto point = [](const Imath::V2f& v) { return Chromaticity{double{v.x}, double{v.y}}; };
  return {point(c.red), point(c.green), point(c.blue), point(c.white)};
}

Status check_light(const Imf::Header& header) {
  const std::string light = exr_light(header);
  if (light == "lin_ap0_scene" || light == "lin_ap1_scene" || light == "lin_rec709_scene") return {};
  if (!light.empty() && light != "unknown")
    return fail(ErrorKind::kInvalid,
                "colorInteropID: expected scene-linear light (lin_ap0_scene, lin_ap1_scene, "
                "lin_rec709_scene), found \"" +
                    light + "\"");
  if (Imf::hasChromaticities(header) && !spans_gamut(primaries_of(Imf::chromaticities(header))))
    return fail(ErrorKind::kInvalid,
                "chromaticities: expected three primaries that span a gamut, and a white");
  return {};
}

}  // namespace

Status check_exr_header(const Imf::Header& header) {
  if (const std::string type = exr_type(header); type != Imf::SCANLINEIMAGE && type != Imf::TILEDIMAGE)
    return fail(ErrorKind::kInvalid, "expected a flat picture, found type " + type);
  if (Status size = check_size(header); !size) return size;
  for (const char* name : {"R", "G", "B"}) {
    const Imf::Channel* channel = header.channels().findChannel(name);
    if (channel == nullptr || channel->type == Imf::UINT || channel->xSampling != 1 ||
        channel->ySampling != 1)
      return fail(ErrorKind::kInvalid,
                  std::string("expected channels R, G and B as half or float at full size, ") +
                      "found no such channel " + name);
  }
  return check_light(header);
}

namespace {

// Rows of a block (OpenEXR file layout).
std::uint64_t rows_of_block(Imf::Compression compression) {
  switch (compression) {
    case Imf::NO_COMPRESSION:
    case Imf::RLE_COMPRESSION:
    case Imf::ZIPS_COMPRESSION:
      return 1;
    case Imf::ZIP_COMPRESSION:
    case Imf::PXR24_COMPRESSION:
      return 16;
    case Imf::PIZ_COMPRESSION:
    case Imf::B44_COMPRESSION:
    case Imf::B44A_COMPRESSION:
    case Imf::DWAA_COMPRESSION:
      return 32;
    default:
      return 256;
  }
}

}  // namespace

std::uint64_t exr_reading_bytes(const Imf::Header& header) {
  constexpr std::uint64_t kCopies = 5;  // of a block: packed, unpacked, and what the slowest decoder works in
  constexpr std::uint64_t kRgbFloat = 12;
  const Imath::Box2i& window = header.dataWindow();
  const std::uint64_t width = static_cast<std::uint64_t>(std::int64_t{window.max.x} - window.min.x + 1),
                      height = static_cast<std::uint64_t>(std::int64_t{window.max.y} - window.min.y + 1);
  std::uint64_t pixel = 0;
  for (auto it = header.channels().begin(); it != header.channels().end(); ++it)
    pixel += it.channel().type == Imf::HALF ? 2 : 4;
  if (!header.hasTileDescription())
    return kCopies * std::min(height, rows_of_block(header.compression())) * width * pixel;
  // A tile has its whole size also where it reaches over the edge; the row of tiles is kept as R, G and B.
  const std::uint64_t wide = header.tileDescription().xSize, high = header.tileDescription().ySize;
  return kCopies * wide * high * pixel + std::min(height, high) * width * kRgbFloat;
}

}  // namespace rushes::config
