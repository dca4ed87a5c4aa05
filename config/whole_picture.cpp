#include "config/whole_picture.h"

#include <ImfFrameBuffer.h>
#include <ImfInputPart.h>
#include <ImfMultiPartInputFile.h>
#include <png.h>

#include <cmath>
#include <new>
#include <vector>

#include "config/exr_source.h"
#include "config/limits.h"
#include "config/picture.h"
#include "config/png_light.h"

namespace rushes::config {
namespace {

constexpr std::size_t kRgb = 3;
constexpr const char* kNoMemory = "not enough memory to read it";

// What is no number in one pixel is none in the whole take; what no half holds is no light that a delivery can have.
Status check_light_of_row(const std::vector<float>& row, int y) {
  constexpr float kLargestHalf = 65504;
  for (std::size_t i = 0; i < row.size(); ++i)
    if (!(std::fabs(row[i]) <= kLargestHalf))
      return fail(ErrorKind::kInvalid, "expected light that a half can hold (up to 65504), found " +
                                           std::to_string(row[i]) + " in " + "RGB"[i % kRgb] + " at column " +
                                           std::to_string(i / kRgb) + ", row " + std::to_string(y));
  return {};
}

// A key frame is what the file's pixels show, so they must be the frame: all of it, nothing more, and square.
Status check_framing(const Imf::Header& header) {
  const auto text = [](const Imath::Box2i& box) {
    return std::to_string(box.min.x) + "," + std::to_string(box.min.y) + " to " + std::to_string(box.max.x) +
           "," + std::to_string(box.max.y);
  };
  if (header.dataWindow() != header.displayWindow())
    return fail(ErrorKind::kInvalid, "expected a data window that is the display window (" +
                                         text(header.displayWindow()) + "), found " +
                                         text(header.dataWindow()) +
                                         "; write the picture without cropped edges or overscan");
  if (std::fabs(header.pixelAspectRatio() - 1) > 1e-3F)
    return fail(ErrorKind::kInvalid, "expected square pixels, found pixelAspectRatio " +
                                         std::to_string(header.pixelAspectRatio()) +
                                         "; write the picture unsqueezed");
  return {};
}

// Every row into the same one: the picture is decoded and not kept.
Result<PictureLoad> read_rows(const std::string& bytes) {
  ExrBytes stream(bytes, "picture");
  Imf::MultiPartInputFile file(stream, 0);
  const Imf::Header& header = file.header(0);
  // Before the part is opened, which takes memory for rows of all channels.
  if (Status good = check_exr_header(header); !good) return tl::unexpected(good.error());
  if (Status framed = check_framing(header); !framed) return tl::unexpected(framed.error());
  const Imath::Box2i window = header.dataWindow();
  const std::int64_t width = std::int64_t{window.max.x} - window.min.x + 1,
                     height = std::int64_t{window.max.y} - window.min.y + 1;
  if (Status fits = check_aspect(width, height); !fits) return tl::unexpected(fits.error());
  Imf::InputPart part(file, 0);
  std::vector<float> row(static_cast<std::size_t>(width) * kRgb);
  constexpr std::size_t kPixel = sizeof(float) * kRgb;
  char* origin = reinterpret_cast<char*>(row.data()) - std::ptrdiff_t{window.min.x} * std::ptrdiff_t{kPixel};
  Imf::FrameBuffer buffer;
  for (std::size_t c = 0; c < kRgb; ++c)
    buffer.insert(std::string(1, "RGB"[c]), Imf::Slice(Imf::FLOAT, origin + c * sizeof(float), kPixel, 0));
  part.setFrameBuffer(buffer);
  for (int y = window.min.y; y <= window.max.y; ++y) {
    part.readPixels(y);
    if (Status light = check_light_of_row(row, y - window.min.y); !light)
      return tl::unexpected(light.error());
  }
  return PictureLoad{static_cast<std::uint64_t>(width * height), bytes.size() + exr_reading_bytes(header)};
}

Result<PictureLoad> check_exr(const std::string& bytes) {
  bound_exr_library();
  try {
    return read_rows(bytes);
  } catch (const std::bad_alloc&) {
    return fail(ErrorKind::kExhausted, kNoMemory);
  } catch (const std::exception& error) {
    return fail(ErrorKind::kCorrupt, std::string("a broken EXR file: ") + error.what());
  }
}

Result<PictureLoad> check_png(const std::string& bytes) {
  std::vector<std::uint8_t> pixels;
  const auto read = decode_png(bytes, [&](int width, int height) {
    pixels.resize(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * kRgb);
    return pixels.data();
  });
  if (!read) return tl::unexpected(read.error());
  const auto light = png_light(bytes);
  const std::size_t copies = light && light->replaced ? 2 : 1;  // of the file
  return PictureLoad{pixels.size() / kRgb, pixels.size() + copies * bytes.size()};
}

Status read_png(std::string_view bytes, const std::function<std::uint8_t*(int width, int height)>& room) {
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  if (png_image_begin_read_from_memory(&png, bytes.data(), bytes.size()) == 0)
    return fail(ErrorKind::kCorrupt, std::string("a broken PNG file: ") + png.message);
  const std::int64_t pixels = std::int64_t{png.width} * png.height;
  if (png.width > kMaxPictureSide || png.height > kMaxPictureSide || pixels > kMaxPicturePixels) {
    const std::string found = std::to_string(png.width) + "x" + std::to_string(png.height);
    png_image_free(&png);
    return fail(ErrorKind::kInvalid,
                "expected at most " + std::to_string(kMaxPicturePixels) + " pixels, found " + found);
  }
  png.format = PNG_FORMAT_RGB;
  png.flags |= PNG_IMAGE_FLAG_16BIT_sRGB;  // one that says nothing of its light is sRGB in 16 bits as in 8
  try {
    const png_color black{0, 0, 0};
    std::uint8_t* target = room(static_cast<int>(png.width), static_cast<int>(png.height));
    if (png_image_finish_read(&png, &black, target, 0, nullptr) == 0)
      return fail(ErrorKind::kCorrupt, std::string("a broken PNG file: ") + png.message);
    return {};
  } catch (const std::bad_alloc&) {
    png_image_free(&png);
    return fail(ErrorKind::kExhausted, kNoMemory);
  }
}

}  // namespace

Result<CodedLight> decode_png(std::string_view bytes,
                              const std::function<std::uint8_t*(int width, int height)>& room) {
  try {
    const auto light = png_light(bytes);
    if (!light) return tl::unexpected(light.error());
    const Status read =
        light->replaced ? read_png(replaced_light(bytes, *light), room) : read_png(bytes, room);
    if (!read) return tl::unexpected(read.error());
    return light->light;
  } catch (const std::bad_alloc&) {
    return fail(ErrorKind::kExhausted, kNoMemory);
  }
}

Result<PictureLoad> check_whole_picture(const std::string& bytes) {
  if (Status begins = check_picture(std::string_view(bytes).substr(0, kPictureBegin), bytes.size()); !begins)
    return tl::unexpected(begins.error());
  auto whole = bytes.starts_with("\x89PNG") ? check_png(bytes) : check_exr(bytes);
  if (whole || whole.error().kind != ErrorKind::kCorrupt) return whole;
  return fail(ErrorKind::kInvalid,
              "expected a whole picture, found " + whole.error().message + "; write the file again");
}

}  // namespace rushes::config
