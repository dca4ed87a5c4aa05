#include "worker/picture/png_image.h"

#include <png.h>

#include "config/whole_picture.h"
#include "worker/picture/atomic_file.h"

namespace rushes::worker {

Result<Image8> display_image(ClipView clip, int t, const DisplayView& view) {
  auto pixels = view.apply_8bit(clip, t);
  if (!pixels) return tl::unexpected<Error>(pixels.error());
  Image8 image;
  image.width = clip.width();
  image.height = clip.height();
  image.pixels = std::move(*pixels);
  return image;
}

Result<std::string> encode_png(const Image8& image) {
  if (image.light != CodedLight{}) return fail(ErrorKind::kInvalid, "PNG: expected codes of sRGB");
  if (image.width < 1 || image.height < 1 || image.width > kMaxPictureSide ||
      image.height > kMaxPictureSide) {
    return fail(ErrorKind::kInvalid, "PNG: expected sides of 1 to " + std::to_string(kMaxPictureSide) +
                                         ", found " + std::to_string(image.width) + "x" +
                                         std::to_string(image.height));
  }
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  png.width = static_cast<png_uint_32>(image.width);
  png.height = static_cast<png_uint_32>(image.height);
  png.format = PNG_FORMAT_RGB;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(png);
  std::string bytes(size, '\0');
  const int done = png_image_write_to_memory(&png, bytes.data(), &size, 0, image.pixels.data(), 0, nullptr);
  if (done == 0) return fail(ErrorKind::kInternal, std::string("PNG: ") + png.message);
  bytes.resize(size);
  return bytes;
}

Status write_png(const std::string& path, const Image8& image) {
  auto bytes = encode_png(image);
  if (!bytes) return with_context(bytes.error(), path);
  return write_file(path, *bytes);
}

Result<Image8> read_png(const std::string& path) {
  auto bytes = read_file(path, std::size_t{512} << 20);
  if (!bytes) return tl::unexpected<Error>(bytes.error());
  return decode_png(*bytes, path);
}

Result<Image8> decode_png(std::string_view bytes, const std::string& path) {
  Image8 image;
  const auto light = config::decode_png(bytes, [&](int width, int height) {
    image = Image8(width, height);
    return image.pixels.data();
  });
  if (!light) return with_context(light.error(), path);
  image.light = *light;
  return image;
}

Result<Clip> clip_from_display(const Image8& image, config::Rate fps) {
  const auto codes = DisplayCodes::of(image.light);
  if (!codes) return tl::unexpected<Error>(codes.error());
  Clip clip(image.width, image.height, 1, fps);
  codes->decode(image.pixels.data(), clip.pixels.data(), clip.pixels.size() / kChannels);
  return clip;
}

}  // namespace rushes::worker
