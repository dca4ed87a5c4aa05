// EXR files that come from outside: bytes in memory for the library, its bounds, and what Rushes takes of them. The farm,
// which checks a picture where it enters, and the worker, which reads it, ask here.
//
// Thread contract: one ExrBytes belongs to one thread; the functions are pure, and what bound_exr_library() sets is set once.
#pragma once

#include <ImfHeader.h>
#include <ImfIO.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "config/result.h"

namespace rushes::config {

// The bytes outlive it. Reading beyond their end throws, as the library expects.
class ExrBytes : public Imf::IStream {
 public:
  ExrBytes(std::string_view bytes, const std::string& name) : Imf::IStream(name.c_str()), bytes_(bytes) {}
  bool read(char target[], int count) override;
  std::uint64_t tellg() override { return position_; }
  void seekg(std::uint64_t position) override { position_ = position; }
  void clear() override {}

 private:
  const std::string_view bytes_;
  std::uint64_t position_ = 0;
};

// The library's own bound, checked before it takes memory for line offsets.
void bound_exr_library();

// "scanlineimage", "tiledimage", ...
std::string exr_type(const Imf::Header& header);
// colorInteropID: empty where the file does not say it.
std::string exr_light(const Imf::Header& header);

// Whether the header is that of a picture that is read: flat, R, G and B at full size, within kMaxPictureSide,
// kMaxPicturePixels and a row of kMaxExrRowBytes, of scene-linear light: colorInteropID lin_ap0_scene, lin_ap1_scene,
// lin_rec709_scene, or chromaticities that span a gamut, or neither. Error: kInvalid.
inline constexpr std::int64_t kMaxExrRowBytes = std::int64_t{8} << 20;  // of all channels together
Status check_exr_header(const Imf::Header& header);

// Bytes that the library holds at most while such a picture is read row by row: a block of rows, or a row of tiles.
std::uint64_t exr_reading_bytes(const Imf::Header& header);

}  // namespace rushes::config
