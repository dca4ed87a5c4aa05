// The row operations of the transformer's training, each one pass over memory forward and one backward, and the
// VAE's norm with SiLU (norm_silu.h) and its shortcuts (folds.h). PyTorch runs every multiplication and addition of
// them as a pass of its own, which on a CPU takes twice the time of the products.
//
// Plain C functions for ctypes (fused.py): contiguous arrays, sizes by value, one thread. T is float or
// bfloat16 (as uint16_t); residual stream, modulation and gradients of parameters are float. Formulas:
// transformer.py's sources.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "tools/train/tabletop/folds.h"
#include "tools/train/tabletop/norm_silu.h"

namespace {

inline float load(float x) { return x; }
inline float load(std::uint16_t x) {
  const std::uint32_t bits = std::uint32_t{x} << 16;
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}
inline void store(float x, float* out) { *out = x; }
inline void store(float x, std::uint16_t* out) {  // to nearest, ties to even
  std::uint32_t bits;
  std::memcpy(&bits, &x, 4);
  *out = static_cast<std::uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

// y = (x - mean) / deviation * (1 + scale) + shift; scale and shift change every `group` rows.
template <class T>
void norm_modulate(const float* x, const float* scale, const float* shift, T* y, float* statistics, int rows,
                   int group, int dim) {
  for (int r = 0; r < rows; ++r, x += dim, y += dim, statistics += 2) {
    const float* s = scale + static_cast<long>(r / group) * dim;
    const float* b = shift + static_cast<long>(r / group) * dim;
    float sum = 0, square = 0;
    for (int i = 0; i < dim; ++i) sum += x[i];
    const float mean = sum / static_cast<float>(dim);
    for (int i = 0; i < dim; ++i) square += (x[i] - mean) * (x[i] - mean);
    const float inverse = 1 / std::sqrt(square / static_cast<float>(dim) + 1e-6f);
    statistics[0] = mean, statistics[1] = inverse;
    for (int i = 0; i < dim; ++i) store((x[i] - mean) * inverse * (1 + s[i]) + b[i], y + i);
  }
}

// dx += is not done here: dx is written. dscale and dshift are sums and must come in as zeros.
template <class T>
void norm_modulate_back(const T* dy, const float* x, const float* statistics, const float* scale, float* dx,
                        float* dscale, float* dshift, int rows, int group, int dim) {
  std::vector<float> g(static_cast<std::size_t>(dim)), h(static_cast<std::size_t>(dim));
  for (int r = 0; r < rows; ++r, x += dim, dy += dim, dx += dim, statistics += 2) {
    const long at = static_cast<long>(r / group) * dim;
    const float mean = statistics[0], inverse = statistics[1];
    float sum = 0, dot = 0;
    for (int i = 0; i < dim; ++i) {
      const float d = load(dy[i]), normal = (x[i] - mean) * inverse;
      dscale[at + i] += d * normal;
      dshift[at + i] += d;
      g[i] = d * (1 + scale[at + i]);
      h[i] = normal;
      sum += g[i];
      dot += g[i] * normal;
    }
    sum /= static_cast<float>(dim), dot /= static_cast<float>(dim);
    for (int i = 0; i < dim; ++i) dx[i] = inverse * (g[i] - sum - h[i] * dot);
  }
}

// out = x + y * gate; gate changes every `group` rows.
template <class T>
void gate_add(const float* x, const T* y, const float* gate, float* out, int rows, int group, int dim) {
  for (int r = 0; r < rows; ++r, x += dim, y += dim, out += dim) {
    const float* g = gate + static_cast<long>(r / group) * dim;
    for (int i = 0; i < dim; ++i) out[i] = x[i] + load(y[i]) * g[i];
  }
}

template <class T>
void gate_add_back(const float* dout, const T* y, const float* gate, T* dy, float* dgate, int rows, int group,
                   int dim) {
  for (int r = 0; r < rows; ++r, dout += dim, y += dim, dy += dim) {
    const long at = static_cast<long>(r / group) * dim;
    for (int i = 0; i < dim; ++i) {
      dgate[at + i] += dout[i] * load(y[i]);
      store(dout[i] * gate[at + i], dy + i);
    }
  }
}

// x [batch, length, heads * width] -> x / rms(x) * weight, split into heads, turned by RoPE: out [batch,
// heads, length, width]. Without a table (cosine null) nothing turns.
template <class T>
void heads(const T* x, const float* weight, const float* cosine, const float* sine, T* out, float* inverses,
           int batch, int length, int count, int width) {
  const int dim = count * width, half = width / 2;
  std::vector<float> row(static_cast<std::size_t>(dim));
  for (int b = 0; b < batch; ++b) {
    for (int l = 0; l < length; ++l, x += dim) {
      float square = 0;
      for (int i = 0; i < dim; ++i) square += load(x[i]) * load(x[i]);
      const float inverse = 1 / std::sqrt(square / static_cast<float>(dim) + 1e-6f);
      *inverses++ = inverse;
      for (int i = 0; i < dim; ++i) row[i] = load(x[i]) * inverse * weight[i];
      for (int h = 0; h < count; ++h) {
        T* to = out + ((static_cast<long>(b) * count + h) * length + l) * width;
        const float* from = row.data() + static_cast<long>(h) * width;
        if (cosine == nullptr) {
          for (int i = 0; i < width; ++i) store(from[i], to + i);
          continue;
        }
        const float *c = cosine + static_cast<long>(l) * half, *s = sine + static_cast<long>(l) * half;
        for (int i = 0; i < half; ++i) {
          store(from[2 * i] * c[i] - from[2 * i + 1] * s[i], to + 2 * i);
          store(from[2 * i] * s[i] + from[2 * i + 1] * c[i], to + 2 * i + 1);
        }
      }
    }
  }
}

template <class T>
void heads_back(const T* dout, const T* x, const float* weight, const float* cosine, const float* sine,
                const float* inverses, T* dx, float* dweight, int batch, int length, int count, int width) {
  const int dim = count * width, half = width / 2;
  std::vector<float> row(static_cast<std::size_t>(dim));
  for (int b = 0; b < batch; ++b) {
    for (int l = 0; l < length; ++l, x += dim, dx += dim) {
      for (int h = 0; h < count; ++h) {
        const T* from = dout + ((static_cast<long>(b) * count + h) * length + l) * width;
        float* to = row.data() + static_cast<long>(h) * width;
        if (cosine == nullptr) {
          for (int i = 0; i < width; ++i) to[i] = load(from[i]);
          continue;
        }
        const float *c = cosine + static_cast<long>(l) * half, *s = sine + static_cast<long>(l) * half;
        for (int i = 0; i < half; ++i) {
          const float even = load(from[2 * i]), odd = load(from[2 * i + 1]);
          to[2 * i] = even * c[i] + odd * s[i];
          to[2 * i + 1] = odd * c[i] - even * s[i];
        }
      }
      const float inverse = *inverses++;
      float dot = 0;
      for (int i = 0; i < dim; ++i) {
        const float normal = load(x[i]) * inverse;
        dweight[i] += row[i] * normal;
        row[i] *= weight[i];
        dot += row[i] * normal;
      }
      dot /= static_cast<float>(dim);
      for (int i = 0; i < dim; ++i) store(inverse * (row[i] - load(x[i]) * inverse * dot), dx + i);
    }
  }
}

// tanh GELU.
template <class T>
void gelu(const T* x, T* y, long count) {
  for (long i = 0; i < count; ++i) {
    const float v = load(x[i]);
    store(0.5f * v * (1 + std::tanh(0.7978845608028654f * (v + 0.044715f * v * v * v))), y + i);
  }
}

template <class T>
void gelu_back(const T* dy, const T* x, T* dx, long count) {
  for (long i = 0; i < count; ++i) {
    const float v = load(x[i]), tanh = std::tanh(0.7978845608028654f * (v + 0.044715f * v * v * v));
    const float inner = 0.7978845608028654f * (1 + 0.134145f * v * v);
    store(load(dy[i]) * (0.5f * (1 + tanh) + 0.5f * v * (1 - tanh * tanh) * inner), dx + i);
  }
}

}  // namespace

// NOLINTBEGIN(bugprone-macro-parentheses): T is a type
#define RUSHES_EXPORT(T, suffix)                                                                             \
  void norm_modulate_##suffix(const float* x, const float* scale, const float* shift, T* y,                  \
                              float* statistics, int rows, int group, int dim) {                             \
    norm_modulate(x, scale, shift, y, statistics, rows, group, dim);                                         \
  }                                                                                                          \
  void norm_modulate_back_##suffix(const T* dy, const float* x, const float* statistics, const float* scale, \
                                   float* dx, float* dscale, float* dshift, int rows, int group, int dim) {  \
    norm_modulate_back(dy, x, statistics, scale, dx, dscale, dshift, rows, group, dim);                      \
  }                                                                                                          \
  void gate_add_##suffix(const float* x, const T* y, const float* gate, float* out, int rows, int group,     \
                         int dim) {                                                                          \
    gate_add(x, y, gate, out, rows, group, dim);                                                             \
  }                                                                                                          \
  void gate_add_back_##suffix(const float* dout, const T* y, const float* gate, T* dy, float* dgate,         \
                              int rows, int group, int dim) {                                                \
    gate_add_back(dout, y, gate, dy, dgate, rows, group, dim);                                               \
  }                                                                                                          \
  void heads_##suffix(const T* x, const float* weight, const float* cosine, const float* sine, T* out,       \
                      float* inverses, int batch, int length, int count, int width) {                        \
    heads(x, weight, cosine, sine, out, inverses, batch, length, count, width);                              \
  }                                                                                                          \
  void heads_back_##suffix(const T* dout, const T* x, const float* weight, const float* cosine,              \
                           const float* sine, const float* inverses, T* dx, float* dweight, int batch,       \
                           int length, int count, int width) {                                               \
    heads_back(dout, x, weight, cosine, sine, inverses, dx, dweight, batch, length, count, width);           \
  }                                                                                                          \
  void gelu_##suffix(const T* x, T* y, long count) { gelu(x, y, count); }                                    \
  void gelu_back_##suffix(const T* dy, const T* x, T* dx, long count) { gelu_back(dy, x, dx, count); }       \
  void norm_silu_##suffix(const T* x, const float* gamma, T* y, long places, int channels) {                 \
    rows::norm_silu(x, gamma, y, places, channels);                                                          \
  }                                                                                                          \
  void norm_silu_back_##suffix(const T* dy, const T* x, const float* gamma, T* dx, float* dgamma,            \
                               long places, int channels) {                                                  \
    rows::norm_silu_back<T>(dy, x, gamma, nullptr, dx, dgamma, places, channels);                            \
  }                                                                                                          \
  void fold_down_##suffix(const folds::Fold* f, const T* fine, const T* other, float scale, T* coarse) {     \
    folds::fold_down(*f, fine, other, scale, coarse);                                                        \
  }                                                                                                          \
  void fold_up_##suffix(const folds::Fold* f, const T* coarse, const T* other, float scale, T* fine) {       \
    folds::fold_up(*f, coarse, other, scale, fine);                                                          \
  }
// NOLINTEND(bugprone-macro-parentheses)

extern "C" {
RUSHES_EXPORT(float, f32)
RUSHES_EXPORT(std::uint16_t, bf16)
}
