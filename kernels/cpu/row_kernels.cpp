#include "kernels/cpu/row_kernels.h"

#include <algorithm>
#include <cmath>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/row_kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// After highway.h:
#include <hwy/contrib/math/math-inl.h>

HWY_BEFORE_NAMESPACE();
namespace rushes::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::ScalableTag<float>;
using Vector = hn::Vec<Floats>;

std::string instruction_set() {
  return HWY_TARGET == HWY_AVX3 ? "avx512" : HWY_TARGET == HWY_AVX2 ? "avx2" : "scalar";
}

std::int64_t lanes() { return static_cast<std::int64_t>(hn::Lanes(Floats())); }

// out[i] = f(x[i]) with a masked tail.
template <typename F>
HWY_INLINE void map_row(const float* x, std::int64_t count, float* out, F f) {
  const Floats d;
  std::int64_t i = 0;
  for (; i + lanes() <= count; i += lanes()) hn::StoreU(f(hn::LoadU(d, x + i), i), d, out + i);
  if (i < count) {
    const auto tail = hn::FirstN(d, static_cast<std::size_t>(count - i));
    hn::BlendedStore(f(hn::MaskedLoad(tail, d, x + i), i), tail, d, out + i);
  }
}

// Loads a parameter row beside map_row's `i`; lanes past the end are zero.
HWY_INLINE Vector load_at(const float* p, std::int64_t i, std::int64_t count) {
  const Floats d;
  if (i + lanes() <= count) return hn::LoadU(d, p + i);
  return hn::MaskedLoad(hn::FirstN(d, static_cast<std::size_t>(count - i)), d, p + i);
}

// Sum of f(x[i]) in four chains per lane.
template <typename F>
HWY_INLINE float sum_row(const float* x, std::int64_t count, F f) {
  const Floats d;
  Vector sum[4] = {hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
  std::int64_t i = 0;
  for (; i + 4 * lanes() <= count; i += 4 * lanes()) {
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) sum[j] = hn::Add(sum[j], f(hn::LoadU(d, x + i + j * lanes())));
  }
  for (; i + lanes() <= count; i += lanes()) sum[0] = hn::Add(sum[0], f(hn::LoadU(d, x + i)));
  if (i < count) {
    const auto tail = hn::FirstN(d, static_cast<std::size_t>(count - i));
    sum[1] = hn::Add(sum[1], hn::IfThenElseZero(tail, f(hn::MaskedLoad(tail, d, x + i))));
  }
  const Vector all = hn::Add(hn::Add(sum[0], sum[1]), hn::Add(sum[2], sum[3]));
  return hn::GetLane(hn::SumOfLanes(d, all));
}

HWY_INLINE float sum_of_squares(const float* x, std::int64_t count) {
  return sum_row(x, count, [](Vector v) { return hn::Mul(v, v); });
}

// x / (1 + e^-z). Highway's Exp is defined up to 104; e^88 still fits fp32.
HWY_INLINE Vector times_sigmoid(Vector x, Vector z) {
  const Floats d;
  return hn::Div(x, hn::Add(hn::Set(d, 1.0f), hn::Exp(d, hn::Min(hn::Neg(z), hn::Set(d, 88.0f)))));
}

// x/2 (1 + tanh u) = x / (1 + e^-2u): no cancellation for negative u.
HWY_INLINE Vector gelu_tanh(Vector x) {
  const Floats d;
  const Vector inner = hn::MulAdd(hn::Mul(hn::Set(d, 0.044715f), hn::Mul(x, x)), x, x);
  return times_sigmoid(x, hn::Mul(hn::Set(d, 1.5957691216057308f), inner));
}

void activate(const float* x, std::int64_t count, Activation act, float* y) {
  switch (act) {
    case Activation::kNone:
      if (x != y) std::copy_n(x, count, y);
      return;
    case Activation::kSilu:
      map_row(x, count, y, [](Vector v, std::int64_t) { return times_sigmoid(v, v); });
      return;
    case Activation::kGeluTanh:
      map_row(x, count, y, [](Vector v, std::int64_t) { return gelu_tanh(v); });
      return;
    case Activation::kGeluErf:  // CLIP projection only: a few rows per shot
      for (std::int64_t i = 0; i < count; ++i) y[i] = 0.5f * x[i] * std::erfc(-0.70710678118654752f * x[i]);
      return;
  }
}

void gelu_gate(const float* gate, const float* a, std::int64_t count, float* y) {
  map_row(gate, count, y,
          [=](Vector v, std::int64_t i) { return hn::Mul(load_at(a, i, count), gelu_tanh(v)); });
}

void layer_norm(const float* x, std::int64_t count, const NormRow& p, float eps, float* y) {
  const Floats d;
  const float size = static_cast<float>(count);
  const float mean = sum_row(x, count, [](Vector v) { return v; }) / size;
  const Vector center = hn::Set(d, mean);
  const float variance = sum_row(x, count,
                                 [=](Vector v) {
                                   const Vector off = hn::Sub(v, center);
                                   return hn::Mul(off, off);
                                 }) /
                         size;
  const Vector factor = hn::Set(d, 1.0f / std::sqrt(variance + eps));
  const Vector one = hn::Set(d, 1.0f);
  map_row(x, count, y, [=, &p](Vector v, std::int64_t i) {
    Vector value = hn::Mul(hn::Sub(v, center), factor);
    if (p.weight) value = hn::MulAdd(value, load_at(p.weight, i, count), load_at(p.bias, i, count));
    if (p.scale) value = hn::Mul(value, hn::Add(one, load_at(p.scale, i, count)));
    if (p.shift) value = hn::Add(value, load_at(p.shift, i, count));
    return value;
  });
}

void rms_norm(const float* x, std::int64_t count, const float* weight, float eps, float* y) {
  const float mean = sum_of_squares(x, count) / static_cast<float>(count);
  const Vector factor = hn::Set(Floats(), 1.0f / std::sqrt(mean + eps));
  map_row(x, count, y,
          [=](Vector v, std::int64_t i) { return hn::Mul(hn::Mul(v, factor), load_at(weight, i, count)); });
}

void rms_norm_rope(const float* x, std::int64_t heads, std::int64_t width, const float* weight, float eps,
                   const float* table, float* y) {
  rms_norm(x, heads * width, weight, eps, y);
  for (std::int64_t h = 0; h < heads; ++h, y += width) {
    for (std::int64_t c = 0; c < width; c += 2) {
      const float a = y[c], b = y[c + 1], cosine = table[c], sine = table[c + 1];
      y[c] = a * cosine - b * sine;
      y[c + 1] = a * sine + b * cosine;
    }
  }
}

void channel_norm(const float* x, std::int64_t rows, std::int64_t count, const float* gamma, Activation act,
                  float* y) {
  const Floats d;
  const float root = std::sqrt(static_cast<float>(count));
  for (std::int64_t r = 0; r < rows; ++r, x += count, y += count) {
    const float norm = std::sqrt(sum_of_squares(x, count));
    const Vector factor = hn::Set(d, root / std::max(norm, 1e-12f));
    if (act == Activation::kSilu) {
      map_row(x, count, y, [=](Vector v, std::int64_t i) {
        const Vector value = hn::Mul(hn::Mul(v, factor), load_at(gamma, i, count));
        return times_sigmoid(value, value);
      });
    } else {
      map_row(x, count, y, [=](Vector v, std::int64_t i) {
        return hn::Mul(hn::Mul(v, factor), load_at(gamma, i, count));
      });
    }
  }
}

void combine(std::span<const RowTerm> terms, std::int64_t count, float* out) {
  const Floats d;
  map_row(terms[0].x, count, out, [=](Vector v, std::int64_t i) {
    Vector sum = hn::Mul(hn::Set(d, terms[0].factor), v);
    for (const RowTerm& term : terms.subspan(1))
      sum = hn::Add(sum, hn::Mul(hn::Set(d, term.factor), load_at(term.x, i, count)));
    return sum;
  });
}

void add_gated(float* x, const float* y, const float* gate, std::int64_t count) {
  if (!gate) {
    map_row(x, count, x, [=](Vector v, std::int64_t i) { return hn::Add(v, load_at(y, i, count)); });
  } else {
    map_row(x, count, x, [=](Vector v, std::int64_t i) {
      return hn::MulAdd(load_at(gate, i, count), load_at(y, i, count), v);
    });
  }
}

void affine(const float* x, const float* scale, const float* shift, std::int64_t count, float* y) {
  map_row(x, count, y, [=](Vector v, std::int64_t i) {
    if (scale) v = hn::Mul(v, load_at(scale, i, count));
    if (shift) v = hn::Add(v, load_at(shift, i, count));
    return v;
  });
}

void finish(const float* c, std::int64_t ldc, std::int64_t rows, std::int64_t cols, const TileOutput& o) {
  for (std::int64_t r = 0; r < rows; ++r, c += ldc) {
    float* y = o.y + r * o.stride;
    const float* residual = o.residual ? o.residual + r * o.stride : nullptr;
    const float* bias = o.bias;
    map_row(c, cols, y, [=, act = o.act](Vector v, std::int64_t i) {
      if (bias) v = hn::Add(v, load_at(bias, i, cols));
      if (act == Activation::kSilu) v = times_sigmoid(v, v);
      if (act == Activation::kGeluTanh) v = gelu_tanh(v);
      if (residual) v = hn::Add(v, load_at(residual, i, cols));
      return v;
    });
    if (o.act == Activation::kGeluErf) activate(y, cols, o.act, y);
  }
}

float softmax(float* s, std::int64_t count, float scale, const float* bias, const float* mask, float& max,
              float& sum) {
  const Floats d;
  const Vector factor = hn::Set(d, scale), lowest = hn::Set(d, -std::numeric_limits<float>::infinity());
  Vector top = lowest;
  map_row(s, count, s, [&](Vector v, std::int64_t i) {
    v = hn::Mul(v, factor);
    if (bias) v = hn::Add(v, load_at(bias, i, count));
    if (mask) v = hn::Add(v, load_at(mask, i, count));
    const auto valid = hn::FirstN(d, static_cast<std::size_t>(std::min(lanes(), count - i)));
    top = hn::Max(top, hn::IfThenElse(valid, v, lowest));
    return v;
  });
  const float next = std::max(max, hn::GetLane(hn::MaxOfLanes(d, top)));
  if (next == -std::numeric_limits<float>::infinity()) {
    std::fill_n(s, count, 0.0f);
    return 1.0f;
  }
  const Vector base = hn::Set(d, next);
  map_row(s, count, s, [=](Vector v, std::int64_t) { return hn::Exp(d, hn::Sub(v, base)); });
  const float rescale = max == next ? 1.0f : std::exp(max - next);
  sum = sum * rescale + sum_row(s, count, [](Vector v) { return v; });
  max = next;
  return rescale;
}

}  // namespace rushes::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rushes::kernels {

HWY_EXPORT(instruction_set);
HWY_EXPORT(activate);
HWY_EXPORT(gelu_gate);
HWY_EXPORT(layer_norm);
HWY_EXPORT(rms_norm);
HWY_EXPORT(rms_norm_rope);
HWY_EXPORT(channel_norm);
HWY_EXPORT(combine);
HWY_EXPORT(add_gated);
HWY_EXPORT(affine);
HWY_EXPORT(finish);
HWY_EXPORT(softmax);

std::string cpu_instruction_set() { return HWY_DYNAMIC_DISPATCH(instruction_set)(); }

void layer_norm_row(const float* x, std::int64_t count, const NormRow& parameters, float eps, float* y) {
  HWY_DYNAMIC_DISPATCH(layer_norm)(x, count, parameters, eps, y);
}

void rms_norm_row(const float* x, std::int64_t count, const float* weight, float eps, float* y) {
  HWY_DYNAMIC_DISPATCH(rms_norm)(x, count, weight, eps, y);
}

void rms_norm_rope_row(const float* x, std::int64_t heads, std::int64_t width, const float* weight, float eps,
                       const float* table, float* y) {
  HWY_DYNAMIC_DISPATCH(rms_norm_rope)(x, heads, width, weight, eps, table, y);
}

void channel_norm_rows(const float* x, std::int64_t rows, std::int64_t count, const float* gamma,
                       Activation act, float* y) {
  HWY_DYNAMIC_DISPATCH(channel_norm)(x, rows, count, gamma, act, y);
}

void activate_row(const float* x, std::int64_t count, Activation act, float* y) {
  HWY_DYNAMIC_DISPATCH(activate)(x, count, act, y);
}

void gelu_gate_row(const float* gate, const float* a, std::int64_t count, float* y) {
  HWY_DYNAMIC_DISPATCH(gelu_gate)(gate, a, count, y);
}

void combine_row(std::span<const RowTerm> terms, std::int64_t count, float* out) {
  HWY_DYNAMIC_DISPATCH(combine)(terms, count, out);
}

void add_gated_row(float* x, const float* y, const float* gate, std::int64_t count) {
  HWY_DYNAMIC_DISPATCH(add_gated)(x, y, gate, count);
}

void affine_row(const float* x, const float* scale, const float* shift, std::int64_t count, float* y) {
  HWY_DYNAMIC_DISPATCH(affine)(x, scale, shift, count, y);
}

void finish_tile(const float* c, std::int64_t ldc, std::int64_t rows, std::int64_t cols,
                 const TileOutput& output) {
  HWY_DYNAMIC_DISPATCH(finish)(c, ldc, rows, cols, output);
}

float softmax_row(float* s, std::int64_t count, float scale, const float* bias, const float* mask, float& max,
                  float& sum) {
  return HWY_DYNAMIC_DISPATCH(softmax)(s, count, scale, bias, mask, max, sum);
}

}  // namespace rushes::kernels
#endif
