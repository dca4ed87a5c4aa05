// Causal convolutions of videos in bfloat16 with float weights and their gradients, as products of tiles.
//
// Pictures lie in memory as [batch, frames, rows, columns, channels]. They are copied once into a grid with zeros
// around every picture: a row is followed by the zeros left of the next one, a picture by those above the next one.
// In the grid every tap of a convolution reads at a fixed distance from its output, and the taps of one kernel row
// read neighbours: they are one longer row of values to the product.
//
// Plain C functions for ctypes (conv.py), one thread. A step of 2 in space gives the outputs at odd places (the
// border is on the right and below), in time those at frames 2, 4 and so on. Sizes are multiples of 4 channels.
// Without AVX-512 BF16 nothing is here but the answer that it is not.
#include "tools/train/tabletop/tiles.h"

#if defined(__AVX512BF16__)

#include "tools/train/tabletop/conv_grid.h"
#include "tools/train/tabletop/conv_weights.h"

namespace {

using namespace conv;

// Where weights are: value of output n, input k and tap i is at n * output + k * input + i, or, for the convolution
// that gives the gradient of the inputs, with taps in reverse order.
struct Weights {
  const float* values;
  long inputs, outputs, output, input;
  bool reversed;
};

// Steps of products that one kernel row takes.
long row_steps(const Sizes& s, long inputs) { return (s.wide * inputs + kDepth - 1) / kDepth; }

// The taps of one input for 16 outputs, of which `count` exist: [tap][output].
void read_taps(const Weights& w, const float* from, long taps, long count, float* to) {
  for (long first = 0; first < taps; first += 16) {
    __m512 rows[16];
    for (long n = 0; n < 16; ++n)
      rows[n] =
          _mm512_maskz_loadu_ps(n < count ? lanes::first(taps - first) : 0, from + n * w.output + first);
    tiles::transpose(rows);
    for (long tap = 0; tap < 16; ++tap) _mm512_storeu_ps(to + (first + tap) * kColumns, rows[tap]);
  }
}

// Right tiles [output tile][frame and row of the kernel][step]; the depth is (column of the kernel, input).
const bf16* pack(const Sizes& s, const Weights& w, bf16* packed) {
  const long steps = row_steps(s, w.inputs), kernel_rows = s.time * s.high, taps = s.taps();
  const long tiles_across = (w.outputs + kColumns - 1) / kColumns, size = rounded(taps, 16) * kColumns;
  std::vector<float> values(static_cast<std::size_t>(2 * size));
  std::memset(packed, 0, tiles_across * kernel_rows * steps * kTile * 2);
  for (long tile = 0; tile < tiles_across; ++tile) {
    bf16* out = packed + tile * kernel_rows * steps * kTile;
    for (long k = 0; k < w.inputs; k += 2) {
      const float* from = w.values + tile * kColumns * w.output + k * w.input;
      for (long odd = 0; odd < 2; ++odd)
        read_taps(w, from + odd * w.input, taps, w.outputs - tile * kColumns, values.data() + odd * size);
      for (long tap = 0; tap < taps; ++tap) {
        const float* at = values.data() + (w.reversed ? taps - 1 - tap : tap) * kColumns;
        const long depth = tap % s.wide * w.inputs + k;
        bf16* to = out + (tap / s.wide * steps + depth / kDepth) * kTile + depth % kDepth * kColumns;
        _mm512_storeu_si512(to, tiles::pairs((__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(at)),
                                             (__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(at + size))));
      }
    }
  }
  return packed;
}

// What a product reads: pictures of `picture` values with rows `row` apart, places `place` apart, whose first tap
// (without its frame) is at `first` for output (0, 0). A run of outputs has places at equal distances.
struct Source {
  const bf16* values;
  long picture, row, place, first, run, next_run;
};

// A copy where the values under a kernel row follow each other, place by place: a picture whose rows are no multiple
// of a tile high becomes a single run.
Source gathered(const Sizes& s, const Grid& g, const bf16* grid, long channels) {
  static thread_local tiles::Scratch<bf16> memory;
  const long place = s.wide * channels, row = s.columns * place, height = s.rows + 2 * g.above;
  const long behind = (kRows * place) + kDepth;  // what the last tile may read
  bf16* copy = memory.get(s.batch * s.frames * height * row + behind);
  bf16* to = copy;
  for (long p = 0; p < s.batch * s.frames; ++p) {
    for (long h = 0; h < height; ++h) {
      const bf16* from = grid + (g.lead + p * g.picture + (h - g.above) * g.pitch - g.left) * channels;
      for (long w = 0; w < s.columns; ++w, to += place, from += channels) std::memcpy(to, from, place * 2);
    }
  }
  std::memset(to, 0, behind * 2);
  return {copy, height * row, row, place, 0, s.rows * s.columns, 0};
}

Source source_of(const Sizes& s, const Grid& g, const bf16* grid, long channels, long step) {
  if (g.left > 0 && step == 1 && s.columns % kRows != 0) return gathered(s, g, grid, channels);
  const bool flat = g.left == 0 && step == 1;
  const long columns = s.columns / step;
  return {grid,
          g.picture * channels,
          g.pitch * channels,
          step * channels,
          (g.lead - g.above * g.pitch - g.left + (step - 1) * (g.pitch + 1)) * channels,
          flat ? s.rows * columns : columns,
          flat ? 0 : step * g.pitch * channels};
}

struct Tile {
  long from;  // in the source, for the kernel's frame that is the output's own
  long to;    // the place of the first output
  long rows;
};

// The tiles of output frame t of all videos.
std::vector<Tile> tiles_of(const Sizes& s, const Source& x, long t, long frame, long places, long frames) {
  std::vector<Tile> list;
  for (long b = 0; b < s.batch; ++b)
    for (long done = 0; done < places; done += x.run)
      for (long at = 0; at < x.run; at += kRows)
        list.push_back(
            {x.first + (b * s.frames + frame) * x.picture + done / x.run * x.next_run + at * x.place,
             (b * frames + t) * places + done + at, std::min(kRows, x.run - at)});
  return list;
}

// What is added to the sums of outputs, and where they go: [place, outputs].
struct Output {
  const float* bias;     // or null
  const bf16* residual;  // or null
  bf16* values;
  long outputs;
};

void store(const Output& y, const Tile& tile, const float* sums, long column) {
  const long left = y.outputs - column, first = tile.to * y.outputs + column;
  const lanes::Floats bias = y.bias ? lanes::load(y.bias + column, left) : lanes::Floats{};
  for (long r = 0; r < tile.rows; ++r) {
    const long at = first + r * y.outputs;
    lanes::Floats value = lanes::load(sums + r * kColumns, kColumns) + bias;
    if (y.residual) value += lanes::load(y.residual + at, left);
    lanes::store(value, y.values + at, left);
  }
}

// The convolution of a grid. Frame i of the kernel meets frame t + first + i of the videos.
void convolve(const Sizes& s, const Grid& g, const bf16* grid, const Weights& w, long first, bool stepped,
              const Output& y) {
  static thread_local tiles::Scratch<bf16> weights;
  const long step = stepped ? s.step_space : 1, steps = row_steps(s, w.inputs);
  const long tiles_across = (w.outputs + kColumns - 1) / kColumns, all_steps = s.time * s.high * steps;
  const bf16* packed = pack(s, w, weights.get(tiles_across * all_steps * kTile));
  const Source x = source_of(s, g, grid, w.inputs, step);
  std::vector<tiles::Step> depth;
  for (long row = 0; row < s.time * s.high; ++row)
    for (long k = 0; k < steps; ++k)
      depth.push_back({(row / s.high + first) * x.picture + row % s.high * x.row + k * kDepth,
                       static_cast<long>(depth.size()) * kTile});

  alignas(64) float sums[2][2][kSums];
  const long frames = stepped ? s.out_frames() : s.frames, places = s.rows / step * (s.columns / step);
  for (long t = 0; t < frames; ++t) {
    const long frame = stepped && s.step_time > 1 ? 2 * t + 2 : t;
    const long from = std::max(0L, -first - frame) * s.high * steps;  // frames before and after are zeros
    const long to = std::min(s.time, s.frames - first - frame) * s.high * steps;
    const std::vector<Tile> list = tiles_of(s, x, t, frame, places, frames);
    for (std::size_t i = 0; i < list.size(); i += 2) {
      const long tall = i + 1 < list.size() ? 2 : 1;
      for (long n = 0; n < tiles_across; n += 2) {
        const long across = std::min(2L, tiles_across - n);
        const bf16* right = packed + n * all_steps * kTile;
        tiles::multiply({{x.values + list[i].from, x.values + list[i + tall - 1].from},
                         x.place,
                         {right, right + all_steps * kTile},
                         depth.data() + from,
                         to - from,
                         {{sums[0][0], sums[0][1]}, {sums[1][0], sums[1][1]}},
                         false},
                        tall, across);
        for (long a = 0; a < tall; ++a)
          for (long b = 0; b < across; ++b) store(y, list[i + a], sums[a][b], (n + b) * kColumns);
      }
    }
  }
}

// Frames that do not meet are videos of their own; of a single frame only the kernel's last frame sees anything.
// `skipped` is the number of taps that see nothing.
Sizes reduced(const Sizes& s, long* skipped) {
  Sizes one = s;
  *skipped = s.frames == 1 ? (s.time - 1) * s.high * s.wide : 0;
  if (s.frames == 1) one.time = 1;
  if (one.time == 1) one.batch = s.batch * s.frames, one.frames = 1;
  return one;
}

}  // namespace

extern "C" {

// 2 AMX, 1 AVX-512 BF16, 0 neither.
long conv_means() { return tiles::amx_allowed() ? 2 : 1; }

void conv_without_amx(long chosen) { tiles::without_amx() = chosen != 0; }

// Values of the grid that holds the inputs.
long conv_grid(const Sizes* s) { return (Grid(*s).places + 64) * s->inputs; }

// y [batch, out frames, out rows, out columns, outputs]; gamma of norm and SiLU before it, or null; weight [outputs,
// inputs, taps], bias; residual (like y) or null. `grid` is written, for the backward call.
void conv_forward(const Sizes* sizes, const bf16* x, const float* gamma, const float* weight,
                  const float* bias, const bf16* residual, bf16* grid, bf16* y) {
  const tiles::Session session;
  long skipped = 0;
  const Sizes s = reduced(*sizes, &skipped);
  const Grid g(s);
  fill(s, g, x, s.inputs, gamma, s.doubled != 0, grid);
  const long taps = sizes->taps();
  convolve(s, g, grid, {weight + skipped, s.inputs, s.outputs, s.inputs * taps, taps, false}, 1 - s.time,
           true, {bias, residual, y, s.outputs});
}

// dx like x or null; dweight, dbias and (with a gamma) dgamma are written. `added` (like x, or null) is added to dx;
// it is null where x is doubled.
void conv_backward(const Sizes* sizes, const bf16* dy, const bf16* grid, const float* weight, const bf16* x,
                   const float* gamma, const bf16* added, bf16* dx, float* dweight, float* dbias,
                   float* dgamma) {
  static thread_local tiles::Scratch<bf16> dy_memory, normed_memory;
  const tiles::Session session;
  long skipped = 0;
  const Sizes s = reduced(*sizes, &skipped);
  const Grid g(s);
  bf16* dy_grid = dy_memory.get((g.places + 64) * s.outputs);
  spread(s, g, dy, s.outputs, dy_grid);
  weight_gradient(s, g, grid, dy_grid, skipped, dweight);
  bias_gradient(dy, s.batch * s.out_frames(), s.out_rows() * s.out_columns(), s.outputs, dbias);
  if (!dx) return;
  const long taps = sizes->taps(), places = s.batch * s.frames * s.rows * s.columns;
  const bool direct = !gamma && !s.doubled;
  bf16* inner = direct ? dx : normed_memory.get(places * s.inputs);  // the gradient of what the grid holds
  convolve(s, g, dy_grid, {weight + skipped, s.outputs, s.inputs, taps, s.inputs * taps, true}, 0, false,
           {nullptr, direct ? added : nullptr, inner, s.inputs});
  if (gamma) rows::norm_silu_back(inner, x, gamma, added, dx, dgamma, places, static_cast<int>(s.inputs));
  if (s.doubled) halve(inner, s.batch * s.frames, s.rows / 2, s.columns / 2, s.inputs, dx);
}

}  // extern "C"

#else

extern "C" long conv_means() { return 0; }

#endif
