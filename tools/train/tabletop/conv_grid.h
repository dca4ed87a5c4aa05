// The grid that convolutions read (see conv.cpp) and how it is filled.
#pragma once

#include "tools/train/tabletop/norm_silu.h"
#include "tools/train/tabletop/tiles.h"

namespace conv {

using tiles::bf16, tiles::kColumns, tiles::kDepth, tiles::kRows, tiles::kSums, tiles::kTile, tiles::rounded;

struct Sizes {  // as conv.py passes it
  long batch, frames, rows, columns, inputs, outputs;
  long time, high, wide;       // of the kernel
  long step_time, step_space;  // 1 or 2
  long doubled;                // 1: x has half as many rows and columns, each of which counts twice
  long out_frames() const { return step_time == 1 ? frames : (frames - 1) / 2; }
  long out_rows() const { return rows / step_space; }
  long out_columns() const { return columns / step_space; }
  long taps() const { return time * high * wide; }
};

// Places in the grid; it begins with `lead` zeros and ends with `tail` of them.
struct Grid {
  explicit Grid(const Sizes& s)
      : above(s.high / 2),
        left(s.wide / 2),
        pitch(s.columns + left),
        picture(rounded((s.rows + above) * pitch, 2)),
        lead(above * pitch + left),
        tail(lead + 64),
        places(lead + s.batch * s.frames * picture + tail) {}
  long above, left;  // zeros around a picture
  long pitch, picture, lead, tail, places;
};

inline void clear_ends(const Grid& g, long channels, bf16* grid) {
  std::memset(grid, 0, g.lead * channels * 2);
  std::memset(grid + (g.places - g.tail) * channels, 0, g.tail * channels * 2);
}

// A row of places, each twice.
inline void double_row(const bf16* x, long places, long channels, bf16* to) {
  for (long w = 0; w < places; ++w, x += channels, to += 2 * channels) {
    std::memcpy(to, x, channels * 2);
    std::memcpy(to + channels, x, channels * 2);
  }
}

// x [batch, frames, rows, columns, channels], through norm and SiLU where there is a gamma, or doubled.
inline void fill(const Sizes& s, const Grid& g, const bf16* x, long channels, const float* gamma,
                 bool doubled, bf16* grid) {
  const long row = s.columns * channels, pitch = g.pitch * channels;
  clear_ends(g, channels, grid);
  for (long p = 0; p < s.batch * s.frames; ++p) {
    bf16* to = grid + (g.lead + p * g.picture) * channels;
    bf16* end = to + g.picture * channels;
    for (long h = 0; h < s.rows; ++h, to += pitch) {
      if (doubled && h % 2 == 1) {
        std::memcpy(to, to - pitch, row * 2);
      } else if (doubled) {
        double_row(x, s.columns / 2, channels, to);
        x += row / 2;
      } else {
        if (gamma) {
          rows::norm_silu(x, gamma, to, s.columns, static_cast<int>(channels));
        } else {
          std::memcpy(to, x, row * 2);
        }
        x += row;
      }
      std::memset(to + row, 0, (pitch - row) * 2);
    }
    std::memset(to, 0, (end - to) * 2);
  }
}

// Outputs dy [batch, out frames, out rows, out columns, channels] at their places among the inputs, zeros between.
inline void spread(const Sizes& s, const Grid& g, const bf16* dy, long channels, bf16* grid) {
  if (s.step_time == 1 && s.step_space == 1) return fill(s, g, dy, channels, nullptr, false, grid);
  std::memset(grid, 0, g.places * channels * 2);
  const long step = s.step_space, frames = s.out_frames();
  for (long p = 0; p < s.batch * frames; ++p) {
    const long picture = p / frames * s.frames + (s.step_time == 1 ? p % frames : 2 * (p % frames) + 2);
    for (long h = 0; h < s.out_rows(); ++h) {
      const long row = g.lead + picture * g.picture + (h * step + step - 1) * g.pitch + step - 1;
      for (long w = 0; w < s.out_columns(); ++w, dy += channels)
        std::memcpy(grid + (row + w * step) * channels, dy, channels * 2);
    }
  }
}

// dx of what was doubled: sums over the four copies of every place in `from` [pictures, 2 rows, 2 columns, channels].
inline void halve(const bf16* from, long pictures, long high, long wide, long channels, bf16* dx) {
  const long row = 2 * wide * channels;
  for (long h = 0; h < pictures * high; ++h, from += 2 * row) {
    for (long w = 0; w < wide; ++w, dx += channels) {
      const bf16* corner = from + 2 * w * channels;
      for (long c = 0; c < channels; c += lanes::kLanes) {
        const long left = channels - c;
        const lanes::Floats above = lanes::load(corner + c, left) + lanes::load(corner + channels + c, left);
        const lanes::Floats below =
            lanes::load(corner + row + c, left) + lanes::load(corner + row + channels + c, left);
        lanes::store(above + below, dx + c, left);
      }
    }
  }
}

}  // namespace conv
