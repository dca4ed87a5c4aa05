// The reading half of exr.h.
#include <ImfChannelList.h>
#include <ImfChromaticitiesAttribute.h>
#include <ImfFloatAttribute.h>
#include <ImfFrameBuffer.h>
#include <ImfHeader.h>
#include <ImfInputFile.h>
#include <ImfIntAttribute.h>
#include <ImfMultiPartInputFile.h>
#include <ImfRationalAttribute.h>
#include <ImfStandardAttributes.h>
#include <ImfStringAttribute.h>
#include <ImfTimeCodeAttribute.h>
#include <ImfVecAttribute.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <new>

#include "config/exr_source.h"
#include "worker/picture/atomic_file.h"
#include "worker/picture/exr.h"

namespace rushes::worker {
namespace {

using config::ExrBytes;

const char* compression_name(Imf::Compression compression) {
  switch (compression) {
    case Imf::NO_COMPRESSION:
      return "none";
    case Imf::RLE_COMPRESSION:
      return "rle";
    case Imf::ZIPS_COMPRESSION:
      return "zips";
    case Imf::ZIP_COMPRESSION:
      return "zip";
    case Imf::PIZ_COMPRESSION:
      return "piz";
    case Imf::PXR24_COMPRESSION:
      return "pxr24";
    case Imf::B44_COMPRESSION:
      return "b44";
    case Imf::B44A_COMPRESSION:
      return "b44a";
    case Imf::DWAA_COMPRESSION:
      return "dwaa";
    case Imf::DWAB_COMPRESSION:
      return "dwab";
    default:
      return "unknown";
  }
}

ExrHeader::Box box(const Imath::Box2i& b) { return {b.min.x, b.min.y, b.max.x, b.max.y}; }

// Coordinates as they were written: float in the file, so compare and compute on 1e-6 steps.
Chromaticity chromaticity(const Imath::V2f& v) {
  const auto clean = [](float f) { return std::round(static_cast<double>(f) * 1e6) / 1e6; };
  return {clean(v.x), clean(v.y)};
}

void read_attributes(const Imf::Header& header, ExrHeader& out) {
  for (auto it = header.begin(); it != header.end(); ++it) {
    const std::string name = it.name();
    const Imf::Attribute& attribute = it.attribute();
    if (const auto* text = dynamic_cast<const Imf::StringAttribute*>(&attribute)) {
      out.texts[name] = text->value();
    } else if (const auto* whole = dynamic_cast<const Imf::IntAttribute*>(&attribute)) {
      out.texts[name] = std::to_string(whole->value());
      if (name == "imageCounter") out.image_counter = whole->value();
      if (name == "acesImageContainerFlag") out.aces_container_flag = whole->value();
    } else if (const auto* real = dynamic_cast<const Imf::FloatAttribute*>(&attribute)) {
      out.texts[name] = std::to_string(real->value());
    } else if (const auto* pair = dynamic_cast<const Imf::V2iAttribute*>(&attribute)) {
      out.texts[name] = std::to_string(pair->value().x) + "x" + std::to_string(pair->value().y);
    }
  }
}

ExrHeader describe(const Imf::Header& header, int parts) {
  ExrHeader out;
  out.data_window = box(header.dataWindow());
  out.display_window = box(header.displayWindow());
  out.compression = compression_name(header.compression());
  out.type = config::exr_type(header);
  out.parts = parts;
  for (auto it = header.channels().begin(); it != header.channels().end(); ++it) {
    const Imf::PixelType type = it.channel().type;
    out.channels.push_back({it.name(), type == Imf::HALF ? "half" : type == Imf::FLOAT ? "float" : "uint"});
  }
  if (Imf::hasChromaticities(header)) {
    const Imf::Chromaticities& c = Imf::chromaticities(header);
    out.chromaticities =
        Primaries{chromaticity(c.red), chromaticity(c.green), chromaticity(c.blue), chromaticity(c.white)};
  }
  if (Imf::hasAdoptedNeutral(header)) out.adopted_neutral = chromaticity(Imf::adoptedNeutral(header));
  if (Imf::hasFramesPerSecond(header)) {
    const Imf::Rational rate = Imf::framesPerSecond(header);
    if (rate.n > 0 && rate.d > 0 && rate.d <= 0x7FFFFFFFU) {
      out.frames_per_second = config::Rate{rate.n, static_cast<std::int32_t>(rate.d)};
    }
  }
  if (Imf::hasTimeCode(header)) {
    const Imf::TimeCode& code = Imf::timeCode(header);
    const int shared = frames_per_address(out.frames_per_second.value_or(config::Rate{}));
    const int place = (code.fieldPhase() ? 1 : 0) + (shared > 2 ? 2 * code.binaryGroup(1) : 0);
    out.time_code = config::Timecode{code.hours(), code.minutes(), code.seconds(),
                                     code.frame() * shared + (shared > 1 ? place : 0), code.dropFrame()};
  }
  read_attributes(header, out);
  return out;
}

// What the file's RGB has to be multiplied with to be AP0; nothing when it is AP0 already. The header was checked.
Result<std::optional<Matrix3>> conversion(const Imf::Header& header, const ExrHeader& described) {
  const std::string light = config::exr_light(header);
  const Primaries from = light == "lin_ap0_scene"      ? kAp0
                         : light == "lin_ap1_scene"    ? kAp1
                         : light == "lin_rec709_scene" ? kRec709
                                                       : described.chromaticities.value_or(kRec709);
  if (from == kAp0) return std::optional<Matrix3>{};
  return primaries_matrix(from, kAp0).map([](const Matrix3& matrix) { return std::optional(matrix); });
}

void convert(float* light, std::size_t pixels, const Matrix3& m) {
  for (std::size_t i = 0; i < pixels; ++i, light += kChannels) {
    const double r = light[0], g = light[1], b = light[2];
    light[0] = static_cast<float>(m[0] * r + m[1] * g + m[2] * b);
    light[1] = static_cast<float>(m[3] * r + m[4] * g + m[5] * b);
    light[2] = static_cast<float>(m[6] * r + m[7] * g + m[8] * b);
  }
}

// What `read` gives, with the library's exceptions as errors.
template <class Read>
auto guarded(const std::string& name, const Read& read) -> decltype(read()) {
  try {
    auto result = read();
    if (!result) return with_context(result.error(), name);
    return result;
  } catch (const std::bad_alloc&) {
    return fail(ErrorKind::kExhausted, name + ": not enough memory to read it");
  } catch (const std::exception& error) {
    return fail(ErrorKind::kCorrupt, name + ": not a readable EXR file: " + error.what());
  }
}

Result<ExrFrame> read_frame(std::string_view bytes, const std::string& name) {
  ExrBytes stream(bytes, name);
  Imf::InputFile file(stream, 0);
  ExrFrame out;
  out.header = describe(file.header(), 1);
  if (auto status = config::check_exr_header(file.header()); !status)
    return tl::unexpected<Error>(status.error());
  auto to_ap0 = conversion(file.header(), out.header);
  if (!to_ap0) return tl::unexpected<Error>(to_ap0.error());
  auto clip = make_clip(out.header.width(), out.header.height(), 1,
                        out.header.frames_per_second.value_or(config::Rate{}));
  if (!clip) return tl::unexpected<Error>(clip.error());
  out.clip = std::move(*clip);
  const Imath::Box2i window = file.header().dataWindow();
  Imf::FrameBuffer buffer;
  const std::size_t pixel_bytes = sizeof(float) * kChannels;
  for (std::size_t c = 0; c < kChannels; ++c) {
    buffer.insert(std::string(1, "RGB"[c]),
                  Imf::Slice::Make(Imf::FLOAT, out.clip.pixels.data() + c, window, pixel_bytes,
                                   pixel_bytes * static_cast<std::size_t>(out.clip.width)));
  }
  file.setFrameBuffer(buffer);
  file.readPixels(window.min.y, window.max.y);
  if (*to_ap0) convert(out.clip.pixels.data(), out.clip.pixels.size() / kChannels, **to_ap0);
  return out;
}

}  // namespace

std::string ExrHeader::text(const std::string& name) const {
  const auto it = texts.find(name);
  return it == texts.end() ? std::string() : it->second;
}

Result<ExrHeader> read_exr_header(const std::string& path) {
  config::bound_exr_library();
  auto bytes = read_file(path, kMaxPictureFileBytes);
  if (!bytes) return tl::unexpected<Error>(bytes.error());
  try {
    ExrBytes stream(*bytes, path);
    Imf::MultiPartInputFile file(stream, 0);
    return describe(file.header(0), file.parts());
  } catch (const std::exception& error) {
    return fail(ErrorKind::kCorrupt, path + ": not a readable EXR file: " + error.what());
  }
}

Result<ExrFrame> decode_exr(std::string_view bytes, const std::string& name) {
  config::bound_exr_library();
  return guarded(name, [&] { return read_frame(bytes, name); });
}

Result<ExrFrame> read_exr(const std::string& path) {
  auto bytes = read_file(path, kMaxPictureFileBytes);
  if (!bytes) return tl::unexpected<Error>(bytes.error());
  return decode_exr(*bytes, path);
}

struct ExrRows::File {
  File(std::string_view bytes, const std::string& file_name)
      : name(file_name), stream(bytes, file_name), input(stream, 0) {}
  std::string name;
  ExrBytes stream;
  Imf::InputFile input;
  Imath::Box2i window;
  std::optional<Matrix3> to_ap0;
  std::vector<float> row;  // where the library puts any row
};

ExrRows::ExrRows(std::unique_ptr<File> file) : file_(std::move(file)) {}
ExrRows::ExrRows(ExrRows&& other) noexcept = default;
ExrRows::~ExrRows() = default;
int ExrRows::width() const { return file_->window.max.x - file_->window.min.x + 1; }
int ExrRows::height() const { return file_->window.max.y - file_->window.min.y + 1; }

Result<ExrRows> ExrRows::open(std::string_view bytes, const std::string& name) {
  config::bound_exr_library();
  return guarded(name, [&]() -> Result<ExrRows> {
    ExrRows rows(std::make_unique<File>(bytes, name));
    File& file = *rows.file_;
    const Imf::Header& header = file.input.header();
    if (auto status = config::check_exr_header(header); !status) return tl::unexpected<Error>(status.error());
    auto to_ap0 = conversion(header, describe(header, 1));
    if (!to_ap0) return tl::unexpected<Error>(to_ap0.error());
    file.to_ap0 = *to_ap0;
    file.window = header.dataWindow();
    file.row.resize(static_cast<std::size_t>(rows.width()) * kChannels);
    constexpr std::size_t kPixel = sizeof(float) * kChannels;
    char* origin =
        reinterpret_cast<char*>(file.row.data()) - std::ptrdiff_t{file.window.min.x} * std::ptrdiff_t{kPixel};
    Imf::FrameBuffer buffer;
    for (std::size_t c = 0; c < kChannels; ++c)
      buffer.insert(std::string(1, "RGB"[c]), Imf::Slice(Imf::FLOAT, origin + c * sizeof(float), kPixel, 0));
    file.input.setFrameBuffer(buffer);
    return rows;
  });
}

Status ExrRows::read(int y, int first, int count, float* light) {
  assert(y >= 0 && y < height() && first >= 0 && count >= 0 && first <= width() - count);
  return guarded(file_->name, [&]() -> Status {
    file_->input.readPixels(file_->window.min.y + y);
    std::copy_n(file_->row.data() + std::ptrdiff_t{first} * kChannels, std::ptrdiff_t{count} * kChannels,
                light);
    if (file_->to_ap0) convert(light, static_cast<std::size_t>(count), *file_->to_ap0);
    return {};
  });
}

}  // namespace rushes::worker
