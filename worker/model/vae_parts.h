// Pieces of frames, for both directions of the VAE: boxes of features on the device, parts of volumes on the
// host. Private to vae.cpp and vae_encode.cpp.
//
// Thread contract: pure functions; those with a backend as the backend.
#pragma once

#include <algorithm>

#include "kernels/backend.h"
#include "worker/model/vae.h"

namespace rushes::worker {

inline constexpr std::int64_t kColours = 3;

// A box in positions of one level's resolution.
struct LevelBox {
  std::int64_t top = 0, left = 0, bottom = 0, right = 0;

  LevelBox grown(std::int64_t reach, std::int64_t rows, std::int64_t columns) const {
    return {std::max<std::int64_t>(0, top - reach), std::max<std::int64_t>(0, left - reach),
            std::min(rows, bottom + reach), std::min(columns, right + reach)};
  }
  LevelBox scaled(std::int64_t n) const { return {top * n, left * n, bottom * n, right * n}; }
  bool operator==(const LevelBox&) const = default;
};

inline LevelBox level_box(const FrameBox& box) {
  return {box.row, box.column, box.row + box.rows, box.column + box.columns};
}

// The part `to` of x, which covers `from`.
inline kernels::Tensor crop(kernels::Backend& backend, const kernels::Tensor& x, const LevelBox& from,
                            const LevelBox& to) {
  if (from == to) return x;
  const kernels::Tensor y =
      backend.empty(x.dtype(), {x.dim(0), to.bottom - to.top, to.right - to.left, x.dim(3)});
  backend.copy_box(x, {0, to.top - from.top, to.left - from.left, 0}, y, {0, 0, 0, 0}, y.shape());
  return y;
}

// Frames [first, first + count) of the box of a volume.
inline Volume take_part(const Volume& whole, std::int64_t first, std::int64_t count, const FrameBox& box) {
  Volume part = Volume::zeros(whole.channels, count, box.rows, box.columns);
  for (std::int64_t c = 0; c < whole.channels; ++c)
    for (std::int64_t t = 0; t < count; ++t)
      for (std::int64_t y = 0; y < box.rows; ++y)
        std::copy_n(whole.values.begin() +
                        static_cast<std::ptrdiff_t>(whole.offset(c, first + t, box.row + y, box.column)),
                    box.columns, part.values.begin() + static_cast<std::ptrdiff_t>(part.offset(c, t, y, 0)));
  return part;
}

// Puts whole frames into a volume, from frame `first` on.
inline void store_frames(const Volume& part, std::int64_t first, Volume& whole) {
  const std::int64_t size = part.frames * part.rows * part.columns;
  for (std::int64_t c = 0; c < part.channels; ++c)
    std::copy_n(part.values.begin() + c * size, size,
                whole.values.begin() + static_cast<std::ptrdiff_t>(whole.offset(c, first, 0, 0)));
}

inline Volume download_volume(kernels::Backend& backend, const kernels::Tensor& x) {
  Volume volume = Volume::zeros(x.dim(0), x.dim(1), x.dim(2), x.dim(3));
  backend.download(x, volume.values.data());
  return volume;
}

}  // namespace rushes::worker
