// What kernels over rows share: how threads divide rows, sums over a row, layer norm.
//
// Include <ptx/warp.h> first.
#pragma once

#include "kernels/cuda/rows.h"
#include "kernels/cuda/vector_access.h"

namespace rushes::kernels::cuda::rows {

// Where a thread stands: its row, and its place among the threads of that row.
struct Place {
  std::int64_t row;
  int warps, lane, lanes;
};
RUSHES_DEVICE Place place(int warps) {
  const int warp = device::thread_index() / 32;
  return {static_cast<std::int64_t>(device::block_x()) * (kRowWarps / warps) + warp / warps, warps,
          warp % warps * 32 + device::thread_index() % 32, 32 * warps};
}

struct Add {
  RUSHES_DEVICE static float of(float a, float b) { return a + b; }
};
struct Max {
  RUSHES_DEVICE static float of(float a, float b) { return fmaxf(a, b); }
};
// Over all threads of a row; every thread of the block takes part.
template <typename Operation>
RUSHES_DEVICE float over_row(float value, const Place& p) {
  RUSHES_UNROLL
  for (int mask = 16; mask > 0; mask /= 2) value = Operation::of(value, device::shuffle_xor(value, mask));
  if (p.warps == 1) return value;
  auto* shared = reinterpret_cast<float*>(device::shared_memory());
  const int warp = device::thread_index() / 32, first = RUSHES_MUTATION(43) ? 0 : warp / p.warps * p.warps;
  if (!RUSHES_MUTATION(41)) device::sync_block();  // the one before has been read
  if (device::thread_index() % 32 == 0) shared[warp] = value;
  if (!RUSHES_MUTATION(42)) device::sync_block();
  value = shared[first];
  for (int i = 1; i < p.warps; ++i) value = Operation::of(value, shared[first + i]);
  return value;
}

struct AsStored {
  template <int kWide>
  RUSHES_DEVICE void operator()(float (&)[kWide], int, bool) const {}
};

// A thread's share of one row, kWide columns at a time: the first four times in registers, the others read again.
// `prepare(v, column, again)` is done to what was read.
template <int kWide, typename Prepare = AsStored>
class Share {
 public:
  RUSHES_DEVICE Share(const Vector& x, std::int64_t start, int cols, const Place& p, Prepare prepare = {})
      : x_(x), start_(start), cols_(cols), first_(p.lane * kWide), step_(p.lanes * kWide), prepare_(prepare) {
    RUSHES_UNROLL
    for (int i = 0; i < kKept; ++i)
      if (first_ + i * step_ < cols_) read(kept_[i], first_ + i * step_, false);
  }
  template <typename F>
  RUSHES_DEVICE void each(F f) {  // f(float (&)[kWide], column)
    RUSHES_UNROLL
    for (int i = 0; i < kKept; ++i)
      if (first_ + i * step_ < cols_) f(kept_[i], first_ + i * step_);
    for (int column = first_ + kKept * step_; column < cols_; column += step_) {
      float v[kWide];
      read(v, column, again_);
      f(v, column);
    }
    again_ = true;
  }

 private:
  RUSHES_DEVICE void read(float (&v)[kWide], int column, bool again) {
    device::load<kWide>(v, x_, start_ + column);
    prepare_(v, column, again);
  }

  static constexpr int kKept = kLaneColumns / 8;
  const Vector& x_;
  std::int64_t start_;
  int cols_, first_, step_;
  Prepare prepare_;
  bool again_ = false;
  float kept_[kKept][kWide];
};

// What a residual stream becomes: the row with its update, written back by the thread that alone reads it again.
struct Added {
  const NormArguments& a;
  std::int64_t row;

  template <int kWide>
  RUSHES_DEVICE void operator()(float (&v)[kWide], int column, bool again) const {
    if (again && !RUSHES_MUTATION(45)) return;
    float update[kWide], gate[kWide];
    device::load<kWide>(update, a.update, row * a.cols + column);
    RUSHES_UNROLL
    for (int i = 0; i < kWide; ++i) gate[i] = 1.0f;
    if (a.gate.data) device::load_row_parameters<kWide>(gate, a.gate, row, a.cols, column);
    RUSHES_UNROLL
    for (int i = 0; i < kWide; ++i) v[i] = v[i] + gate[i] * update[i];
    device::store<kWide>(v, a.x, row * a.cols + column);
  }
};

template <int kWide, typename Prepare>
RUSHES_DEVICE float sum_of_squares(Share<kWide, Prepare>& share, float middle) {
  float sum = 0.0f;
  share.each([&](const float(&v)[kWide], int) {
    RUSHES_UNROLL
    for (int i = 0; i < kWide; ++i) sum += (v[i] - middle) * (v[i] - middle);
  });
  return sum;
}

// (x - mean) / sqrt(var + eps) of a row, with what follows it.
template <int kWide, typename Prepare>
class LayerNormRow {
 public:
  RUSHES_DEVICE LayerNormRow(const NormArguments& a, const Place& p, int cols, Prepare prepare)
      : a_(a), row_(p.row), share_(a.x, p.row * a.cols, cols, p, prepare) {
    float sum = 0.0f;
    share_.each([&](const float(&v)[kWide], int) {
      RUSHES_UNROLL
      for (int i = 0; i < kWide; ++i) sum += v[i];
    });
    mean_ = over_row<Add>(sum, p) / static_cast<float>(a.cols);
    const float variance = over_row<Add>(sum_of_squares(share_, mean_), p) / static_cast<float>(a.cols);
    factor_ = 1.0f / sqrtf(variance + a.eps);
  }
  template <typename F>
  RUSHES_DEVICE void each(F f) {  // f(const float (&)[kWide], column)
    share_.each([&](float(&v)[kWide], int column) {
      float out[kWide], q[kWide], r[kWide];
      RUSHES_UNROLL
      for (int i = 0; i < kWide; ++i) out[i] = (v[i] - mean_) * factor_;
      if (a_.weight) {
        device::load_floats<kWide>(q, a_.weight, column);
        device::load_floats<kWide>(r, a_.bias, column);
        RUSHES_UNROLL
        for (int i = 0; i < kWide; ++i) out[i] = out[i] * q[i] + r[i];
      }
      if (a_.scale.data) {
        device::load_row_parameters<kWide>(q, a_.scale, row_, a_.cols, column);
        RUSHES_UNROLL
        for (int i = 0; i < kWide; ++i) out[i] *= 1.0f + q[i];
      }
      if (a_.shift.data) {
        device::load_row_parameters<kWide>(q, a_.shift, row_, a_.cols, column);
        RUSHES_UNROLL
        for (int i = 0; i < kWide; ++i) out[i] += q[i];
      }
      f(out, column);
    });
  }

 private:
  const NormArguments& a_;
  std::int64_t row_;
  Share<kWide, Prepare> share_;
  float mean_, factor_;
};

}  // namespace rushes::kernels::cuda::rows
