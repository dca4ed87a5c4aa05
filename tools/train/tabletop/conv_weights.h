// The gradients of weights and biases (see conv.cpp).
#pragma once

#include <utility>

#include "tools/train/tabletop/conv_grid.h"

namespace conv {

// Places of the grid from `begin` on become right tiles [output tile][16 pairs of places][step], zeros from `end` on
// up to `all` places.
inline void pair_up(const bf16* dy, long channels, long begin, long end, long all, bf16* out) {
  for (long n = 0; n < channels; n += kColumns) {
    const __mmask16 mask = lanes::first(channels - n);
    for (long p = begin; p < end; p += 2, out += 2 * kColumns) {
      const bf16* from = dy + p * channels + n;
      _mm512_storeu_si512(out, tiles::pairs(_mm256_maskz_loadu_epi16(mask, from),
                                            _mm256_maskz_loadu_epi16(mask, from + channels)));
    }
    std::memset(out, 0, (all - (end - begin)) * kColumns * 2);
    out += (all - (end - begin)) * kColumns;
  }
}

// Rows of channels, `row` apart, of places begin.. of the grid.
inline void turn(const bf16* x, long channels, long begin, long count, bf16* out, long row) {
  for (long p = 0; p < count; p += 16)
    for (long c = 0; c < channels; c += 16)
      tiles::transpose(x + (begin + p) * channels + c, channels, out + c * row + p, row);
}

// Tiles of sums of the gradient of the weights: [frame of the kernel][16 inputs][row, column of the kernel][16
// outputs], so that neighbours read nearly the same inputs.
struct Sums {
  explicit Sums(const Sizes& s)
      : places(s.high * s.wide),
        high((s.inputs + kRows - 1) / kRows),
        across((s.outputs + kColumns - 1) / kColumns),
        frame(places * high * across * kSums) {}
  long places, high, across, frame;
};

// To dweight [outputs, inputs, taps], where `skipped` taps, which are zero, come before those of s.
inline void store_gradient(const Sizes& s, const float* values, long skipped, float* dweight) {
  const Sums sums(s);
  const long taps = skipped + s.taps();
  for (long n = 0; n < sums.across; ++n) {
    const long count = std::min(kColumns, s.outputs - n * kColumns);
    for (long c = 0; c < s.inputs; ++c) {
      float* to = dweight + (n * kColumns * s.inputs + c) * taps;
      for (long first = 0; first < taps; first += 16) {
        __m512 rows[16];  // of taps, then of outputs
        for (long i = 0; i < 16; ++i) {
          const long tap = first + i - skipped;
          const long row = (tap / sums.places * sums.high + c / kRows) * sums.places + tap % sums.places;
          rows[i] = tap >= 0 && tap < s.taps()
                        ? _mm512_load_ps(values + (row * sums.across + n) * kSums + c % kRows * kColumns)
                        : _mm512_setzero_ps();
        }
        tiles::transpose(rows);
        const __mmask16 mask = lanes::first(taps - first);
        for (long o = 0; o < count; ++o)
          _mm512_mask_storeu_ps(to + o * s.inputs * taps + first, mask, rows[o]);
      }
    }
  }
}

// Places are the depth of these products. Frames are taken in groups that follow each other in memory: single
// pictures, if large, else whole videos.
struct Group {
  Group(const Sizes& s, const Grid& g)
      : single(g.picture >= 512),
        length((single ? 1 : s.frames) * g.picture),
        all(rounded(length, kDepth) + kDepth),
        row(rounded(2 * g.lead + all + 16, 64) + 32),
        turned((s.inputs + kRows - 1) / kRows * kRows * row),
        paired((s.outputs + kColumns - 1) / kColumns * kColumns * all) {}
  bool single;
  long length;          // places
  long all;             // with zeros behind, in the gradients of outputs
  long row;             // of turned inputs; an odd number of cache lines
  long turned, paired;  // values of a group
};

// Steps through `count` groups for gradients of outputs whose first frames, `skipped` places, meet no inputs.
inline std::vector<tiles::Step> depth_of(const Group& group, long count, long skipped) {
  std::vector<tiles::Step> depth;
  for (long q = 0; q < count; ++q)
    for (long k = 0; k < group.length - skipped; k += kDepth)
      depth.push_back({q * group.turned + k, q * group.paired + (skipped + k) * kColumns});
  return depth;
}

// Adds the products along `depth` of inputs x and gradients dy for one frame of the kernel. Few steps are taken at a
// time, so that what all taps read stays near.
inline void add_products(const Sizes& s, const Grid& g, const Group& group, const bf16* x, const bf16* dy,
                         const std::vector<tiles::Step>& depth, bool adds, float* values) {
  constexpr long kNear = 12;
  const Sums sums(s);
  const long all = static_cast<long>(depth.size()), parts = (all + kNear - 1) / kNear,
             part = (all + parts - 1) / parts;
  const auto left = [&](long m) {
    const long tap = m % sums.places;
    const long place = (tap / s.wide - g.above) * g.pitch + tap % s.wide - g.left;
    return x + g.lead + place + m / sums.places * kRows * group.row;
  };
  for (long k = 0; k < all; k += part) {
    for (long n = 0; n < sums.across; n += 2) {
      const bf16* right = dy + n * kColumns * group.all;
      const long wide = std::min(2L, sums.across - n);
      for (long m = 0; m < sums.places * sums.high; m += 2) {
        const long tall = std::min(2L, sums.places * sums.high - m);
        float *to = values + (m * sums.across + n) * kSums, *below = to + sums.across * kSums;
        tiles::multiply({{left(m), left(m + tall - 1)},
                         group.row,
                         {right, right + kColumns * group.all},
                         depth.data() + k,
                         std::min(part, all - k),
                         {{to, to + kSums}, {below, below + kSums}},
                         adds || k > 0},
                        tall, wide);
      }
    }
  }
}

// Gradients of the weights as tiles of sums.
inline void sum_gradient(const Sizes& s, const Grid& g, const bf16* x, const bf16* dy, float* sums) {
  static thread_local tiles::Scratch<bf16> turned_memory, paired_memory;
  const Group group(s, g);
  const long in_video = group.single ? s.frames : 1, count = s.batch * in_video, frame = Sums(s).frame;
  const long kept = group.single ? s.time : count;  // turned groups that are needed at a time
  bf16* turned = turned_memory.get(kept * group.turned);
  bf16* paired = paired_memory.get((group.single ? 1 : count) * group.paired);
  std::vector<bool> begun(static_cast<std::size_t>(s.time));
  for (long q = 0; q < count; ++q) {
    bf16* pairs = paired + (group.single ? 0 : q * group.paired);
    turn(x, s.inputs, q * group.length, 2 * g.lead + group.length + kDepth, turned + q % kept * group.turned,
         group.row);
    pair_up(dy, s.outputs, g.lead + q * group.length, g.lead + (q + 1) * group.length, group.all, pairs);
    if (!group.single) continue;
    for (long i = std::max(0L, s.time - 1 - q % in_video); i < s.time; ++i) {
      const bf16* left = turned + (q - (s.time - 1 - i)) % kept * group.turned;
      add_products(s, g, group, left, paired, depth_of(group, 1, 0), begun[i], sums + i * frame);
      begun[i] = true;
    }
  }
  for (long i = 0; i < s.time; ++i) {
    const std::vector<tiles::Step> depth = depth_of(group, count, (s.time - 1 - i) * g.picture);
    if (!group.single && !depth.empty()) {
      add_products(s, g, group, turned, paired, depth, false, sums + i * frame);
    } else if (!begun[i]) {
      std::memset(sums + i * frame, 0, frame * 4);
    }
  }
}

// dweight [outputs, inputs, taps]: with `skipped` taps before those of s.
inline void weight_gradient(Sizes s, const Grid& g, const bf16* x, const bf16* dy, long skipped,
                            float* dweight) {
  static thread_local tiles::Scratch<float> memory;
  if (s.time == 1) std::swap(s.frames, s.batch);  // frames do not meet: all are one group
  float* sums = memory.get(s.time * Sums(s).frame);
  sum_gradient(s, g, x, dy, sums);
  store_gradient(s, sums, skipped, dweight);
}

// Sums over places, picture by picture for the sake of accuracy.
inline void bias_gradient(const bf16* dy, long pictures, long places, long channels, float* dbias) {
  for (long c = 0; c < channels; c += lanes::kLanes) {
    lanes::Floats sum = {};
    for (long p = 0; p < pictures; ++p) {
      lanes::Floats even = {}, odd = {};  // so that no addition waits for the one before
      const bf16* from = dy + p * places * channels + c;
      for (long i = 0; i + 1 < places; i += 2) {
        even += lanes::load(from + i * channels, channels - c);
        odd += lanes::load(from + (i + 1) * channels, channels - c);
      }
      if (places % 2 == 1) even += lanes::load(from + (places - 1) * channels, channels - c);
      sum += even + odd;
    }
    lanes::store(sum, dbias + c, channels - c);
  }
}

}  // namespace conv
