// y = silu(x / |x| * sqrt(channels) * gamma) over the channels of x [places, channels], and its gradients. T is float
// or bfloat16 (as uint16_t), sums and gamma are float. At most 1024 channels.
#pragma once

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "tools/train/tabletop/lanes.h"

namespace rows {

constexpr int kMostBlocks = 64;  // of sixteen channels
constexpr int kPlaces = 32;      // whose lengths are taken at a time

// sqrt(channels) / |x| of `count` places. Blocks: of sixteen channels.
template <int Blocks, class T>
void inverse_lengths(const T* x, int count, int channels, float* inverses) {
  for (int p = 0; p < count; ++p, x += channels) {
    lanes::Floats squares = {};
    for (int b = 0; b < Blocks; ++b) {
      const lanes::Floats v = lanes::load(x + b * lanes::kLanes, channels - b * lanes::kLanes);
      squares += v * v;
    }
    inverses[p] = lanes::sum(squares);
  }
  const auto scale = static_cast<float>(channels);
  for (int p = 0; p < kPlaces; ++p) inverses[p] = std::sqrt(scale / std::max(inverses[p], 1e-24f));
}

template <int Blocks, class T>
void norm_silu(const T* x, const float* gamma, T* y, long places, int channels) {
  float inverses[kPlaces] = {};
  lanes::Floats scales[Blocks];
  for (int b = 0; b < Blocks; ++b)
    scales[b] = lanes::load(gamma + b * lanes::kLanes, channels - b * lanes::kLanes);
  for (long from = 0; from < places; from += kPlaces) {
    const int count = static_cast<int>(std::min<long>(kPlaces, places - from));
    inverse_lengths<Blocks>(x, count, channels, inverses);
    for (int p = 0; p < count; ++p, x += channels, y += channels) {
      for (int b = 0; b < Blocks; ++b) {
        const int c = b * lanes::kLanes, left = channels - c;
        const lanes::Floats v = lanes::load(x + c, left) * inverses[p] * scales[b];
        lanes::store(v * lanes::sigmoid_of<T>(v), y + c, left);
      }
    }
  }
}

// dx (plus `added`, or null) is written, sums of dgamma are added to.
template <int Blocks, class T>
void norm_silu_back(const T* dy, const T* x, const float* gamma, const T* added, T* dx, lanes::Floats* sums,
                    long places, int channels) {
  float inverses[kPlaces] = {};
  lanes::Floats scales[Blocks], totals[Blocks];
  for (int b = 0; b < Blocks; ++b) {
    scales[b] = lanes::load(gamma + b * lanes::kLanes, channels - b * lanes::kLanes);
    totals[b] = sums[b];
  }
  for (long from = 0; from < places; from += kPlaces) {
    const int count = static_cast<int>(std::min<long>(kPlaces, places - from));
    inverse_lengths<Blocks>(x, count, channels, inverses);
    for (int p = 0; p < count; ++p, x += channels, dy += channels, dx += channels) {
      lanes::Floats dot = {}, normal[Blocks], g[Blocks];  // g: the gradient of the normed values
      for (int b = 0; b < Blocks; ++b) {
        const int c = b * lanes::kLanes, left = channels - c;
        normal[b] = lanes::load(x + c, left) * inverses[p];
        const lanes::Floats v = normal[b] * scales[b], gate = lanes::sigmoid_of<T>(v);
        const lanes::Floats dv = lanes::load(dy + c, left) * gate * (1.0f + v * (1.0f - gate));
        totals[b] += dv * normal[b];
        g[b] = dv * scales[b];
        dot += g[b] * normal[b];
      }
      const float mean = lanes::sum(dot) / static_cast<float>(channels);
      for (int b = 0; b < Blocks; ++b) {
        const int c = b * lanes::kLanes, left = channels - c;
        lanes::Floats value = (g[b] - normal[b] * mean) * inverses[p];
        if (added) value += lanes::load(added + c, left);
        lanes::store(value, dx + c, left);
      }
      if (added) added += channels;
    }
  }
  for (int b = 0; b < Blocks; ++b) sums[b] = totals[b];
}

// Calls function(blocks as a constant) for the smallest number of blocks that holds the channels.
template <class Function>
void with_blocks(int channels, const Function& function) {
  const int blocks = (channels + lanes::kLanes - 1) / lanes::kLanes;
  if (blocks == 1) return function(std::integral_constant<int, 1>());
  if (blocks == 2) return function(std::integral_constant<int, 2>());
  if (blocks <= 4) return function(std::integral_constant<int, 4>());
  if (blocks <= 8) return function(std::integral_constant<int, 8>());
  return function(std::integral_constant<int, kMostBlocks>());
}

template <class T>
void norm_silu(const T* x, const float* gamma, T* y, long places, int channels) {
  with_blocks(channels, [&](auto blocks) { norm_silu<blocks>(x, gamma, y, places, channels); });
}

// dx and dgamma are written; `added`, if not null, is added to dx.
template <class T>
void norm_silu_back(const T* dy, const T* x, const float* gamma, const T* added, T* dx, float* dgamma,
                    long places, int channels) {
  with_blocks(channels, [&](auto blocks) {
    lanes::Floats sums[blocks] = {};
    norm_silu_back<blocks>(dy, x, gamma, added, dx, sums, places, channels);
    for (int b = 0; b < blocks; ++b)
      lanes::store(sums[b], dgamma + b * lanes::kLanes, channels - b * lanes::kLanes);
  });
}

}  // namespace rows
