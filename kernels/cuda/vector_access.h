// How kernels read and write vectors: one number at a time, or eight where the host found everything aligned ("wide").
//
// Include <ptx/warp.h> first.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/cuda/vector.h"

namespace rushes::kernels::device {

// A thread's share of elements that each thread computes alone: from the first in steps of the grid.
RUSHES_DEVICE std::int64_t first_element() {
  return static_cast<std::int64_t>(block_x()) * block_threads() + thread_index();
}
RUSHES_DEVICE std::int64_t element_step() { return static_cast<std::int64_t>(grid_x()) * block_threads(); }

struct alignas(16) FourFloats {
  float v[4];
};
struct alignas(16) FourWords {
  std::uint32_t v[4];
};

template <typename Chunk, typename T>
RUSHES_DEVICE Chunk* chunk(T* at) {
  expect_aligned(at);
  return reinterpret_cast<Chunk*>(at);
}

template <int kWide>
RUSHES_DEVICE void load(float (&v)[kWide], const cuda::Vector& x, std::int64_t at) {
  if constexpr (kWide == 8) {
    if (x.word == cuda::kWordF32) {
      const auto* from = chunk<const FourFloats>(static_cast<const float*>(x.data) + at);
      const FourFloats low = from[0], high = from[1];
      RUSHES_UNROLL
      for (int i = 0; i < 4; ++i) v[i] = low.v[i], v[4 + i] = high.v[i];
    } else {
      const FourWords words = *chunk<const FourWords>(static_cast<const std::uint16_t*>(x.data) + at);
      RUSHES_UNROLL
      for (int i = 0; i < 4; ++i) {
        v[2 * i] = bf16_value(static_cast<std::uint16_t>(words.v[i]));
        v[2 * i + 1] = bf16_value(static_cast<std::uint16_t>(words.v[i] >> 16));
      }
    }
  } else {
    RUSHES_UNROLL
    for (int i = 0; i < kWide; ++i)
      v[i] = x.word == cuda::kWordF32 ? static_cast<const float*>(x.data)[at + i]
                                      : bf16_value(static_cast<const std::uint16_t*>(x.data)[at + i]);
  }
}

template <int kWide>
RUSHES_DEVICE void store(const float (&v)[kWide], const cuda::Vector& x, std::int64_t at) {
  if constexpr (kWide == 8) {
    if (x.word == cuda::kWordF32) {
      auto* to = chunk<FourFloats>(static_cast<float*>(x.data) + at);
      to[0] = {v[0], v[1], v[2], v[3]};
      to[1] = {v[4], v[5], v[6], v[7]};
    } else {
      *chunk<FourWords>(static_cast<std::uint16_t*>(x.data) + at) = {
          pack_bf16(v[0], v[1]), pack_bf16(v[2], v[3]), pack_bf16(v[4], v[5]), pack_bf16(v[6], v[7])};
    }
  } else {
    RUSHES_UNROLL
    for (int i = 0; i < kWide; ++i) {
      if (x.word == cuda::kWordF32) {
        static_cast<float*>(x.data)[at + i] = v[i];
      } else {
        static_cast<std::uint16_t*>(x.data)[at + i] = bf16_bits(v[i]);
      }
    }
  }
}

// Parameters of fp32 beside a row, columns `at`...
template <int kWide>
RUSHES_DEVICE void load_floats(float (&v)[kWide], const float* x, std::int64_t at) {
  load<kWide>(v, {const_cast<float*>(x), cuda::kWordF32}, at);
}
template <int kWide>
RUSHES_DEVICE void load_row_parameters(float (&v)[kWide], const cuda::RowParameters& p, std::int64_t row,
                                       int cols, int column) {
  const std::int64_t group = p.group ? p.group[row] : p.groups == 1 ? 0 : row;
  if (group >= 0 && group < p.groups) {
    load_floats<kWide>(v, p.data, group * cols + column);
  } else {
    RUSHES_UNROLL
    for (int i = 0; i < kWide; ++i) v[i] = NAN;
  }
}

// Functions of one number, numbered as kernels::Activation.
RUSHES_DEVICE float gelu_tanh(float x) {
  return 0.5f * x * (1.0f + tanhf(0.7978845608028654f * (x + 0.044715f * x * x * x)));
}
RUSHES_DEVICE float activated(float x, int activation) {
  if (activation == 1) return x / (1.0f + expf(-x));
  if (activation == 2) return gelu_tanh(x);
  if (activation == 3) return 0.5f * x * (1.0f + erff(x * 0.7071067811865476f));
  return x;
}

}  // namespace rushes::kernels::device
