// The shortcuts around the VAE's levels: blocks of (time, space, space) places of a fine video and the channels of a
// coarse one. Videos are [batch, frames, rows, columns, channels] of T, float or bfloat16 (as uint16_t).
//
// Value (k, c) of a block, with k its place and c the channel, is number c * places + k; `places * fine / coarse` of
// these in turn belong to one coarse channel. The fine video lacks the first time - 1 frames.
#pragma once

#include <algorithm>
#include <vector>

#include "tools/train/tabletop/lanes.h"

namespace folds {

struct Fold {  // as fused.py passes it; frames, rows and columns are the coarse video's
  long batch, frames, rows, columns, fine, coarse, time, space;
  long places() const { return time * space * space; }
  long group() const { return places() * fine / coarse; }  // values of a coarse channel; divides places()
  long parts() const { return places() / group(); }  // coarse channels to which values of a fine one belong
  long fine_frames() const { return (frames - 1) * time + 1; }
};

// Calls function(coarse place, fine place, k) for all places of the fine video, block by block, and done(coarse place)
// before or after each block.
template <bool Before, class Function, class Done>
void walk(const Fold& f, const Function& function, const Done& done) {
  long at = 0;
  for (long b = 0; b < f.batch; ++b) {
    for (long t = 0; t < f.frames; ++t) {
      for (long h = 0; h < f.rows; ++h) {
        for (long w = 0; w < f.columns; ++w, ++at) {
          if (Before) done(at);
          for (long k = 0; k < f.places(); ++k) {
            const long frame = t * f.time + k / (f.space * f.space) - (f.time - 1);
            if (frame < 0) continue;
            const long row = h * f.space + k / f.space % f.space, column = w * f.space + k % f.space;
            function(((b * f.fine_frames() + frame) * f.rows * f.space + row) * f.columns * f.space + column,
                     k);
          }
          if (!Before) done(at);
        }
      }
    }
  }
}

// coarse = other + scale * the sums of fine values; other may be null.
template <class T>
void fold_down(const Fold& f, const T* fine, const T* other, float scale, T* coarse) {
  const long parts = f.parts(), blocks = (f.fine + lanes::kLanes - 1) / lanes::kLanes,
             width = blocks * lanes::kLanes;
  std::vector<float> sums(static_cast<std::size_t>(parts * width)),
      row(static_cast<std::size_t>(f.coarse + 16));
  walk<false>(
      f,
      [&](long place, long k) {
        float* to = sums.data() + k / f.group() * width;
        for (long c = 0; c < f.fine; c += lanes::kLanes)
          lanes::store(lanes::load(to + c, 16) + lanes::load(fine + place * f.fine + c, f.fine - c), to + c,
                       16);
      },
      [&](long place) {
        for (long part = 0; part < parts; ++part)
          for (long c = 0; c < f.fine; ++c) row[c * parts + part] = sums[part * width + c];
        for (long c = 0; c < f.coarse; c += lanes::kLanes) {
          const long at = place * f.coarse + c, left = f.coarse - c;
          lanes::Floats value = lanes::load(row.data() + c, 16) * scale;
          if (other) value += lanes::load(other + at, left);
          lanes::store(value, coarse + at, left);
        }
        std::fill(sums.begin(), sums.end(), 0.0f);
      });
}

// fine = other + scale * the coarse values that they belong to; other may be null.
template <class T>
void fold_up(const Fold& f, const T* coarse, const T* other, float scale, T* fine) {
  const long parts = f.parts(), width = (f.fine + lanes::kLanes - 1) / lanes::kLanes * lanes::kLanes;
  std::vector<float> values(static_cast<std::size_t>(parts * width)),
      row(static_cast<std::size_t>(f.coarse + 16));
  walk<true>(
      f,
      [&](long place, long k) {
        const float* from = values.data() + k / f.group() * width;
        for (long c = 0; c < f.fine; c += lanes::kLanes) {
          const long at = place * f.fine + c, left = f.fine - c;
          lanes::Floats value = lanes::load(from + c, 16);
          if (other) value += lanes::load(other + at, left);
          lanes::store(value, fine + at, left);
        }
      },
      [&](long place) {
        for (long c = 0; c < f.coarse; c += lanes::kLanes)
          lanes::store(lanes::load(coarse + place * f.coarse + c, f.coarse - c) * scale, row.data() + c, 16);
        for (long part = 0; part < parts; ++part)
          for (long c = 0; c < f.fine; ++c) values[part * width + c] = row[c * parts + part];
      });
}

}  // namespace folds
