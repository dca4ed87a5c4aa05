#include "kernels/cuda/rows.h"

#include <ptx/warp.h>

#include "kernels/cuda/forms.h"
// After warp.h:
#include "kernels/cuda/vector_access.h"

namespace rushes::kernels::cuda {
namespace {

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

template <int kWide, typename Prepare>
RUSHES_DEVICE void layer_norm_row(const NormArguments& a, const Place& p, int cols, Prepare prepare) {
  Share<kWide, Prepare> share(a.x, p.row * a.cols, cols, p, prepare);
  float sum = 0.0f;
  share.each([&](const float(&v)[kWide], int) {
    RUSHES_UNROLL
    for (int i = 0; i < kWide; ++i) sum += v[i];
  });
  const float mean = over_row<Add>(sum, p) / static_cast<float>(a.cols);
  const float variance = over_row<Add>(sum_of_squares(share, mean), p) / static_cast<float>(a.cols);
  const float factor = 1.0f / sqrtf(variance + a.eps);
  share.each([&](float(&v)[kWide], int column) {
    float out[kWide], q[kWide], r[kWide];
    RUSHES_UNROLL
    for (int i = 0; i < kWide; ++i) out[i] = (v[i] - mean) * factor;
    if (a.weight) {
      device::load_floats<kWide>(q, a.weight, column);
      device::load_floats<kWide>(r, a.bias, column);
      RUSHES_UNROLL
      for (int i = 0; i < kWide; ++i) out[i] = out[i] * q[i] + r[i];
    }
    if (a.scale.data) {
      device::load_row_parameters<kWide>(q, a.scale, p.row, a.cols, column);
      RUSHES_UNROLL
      for (int i = 0; i < kWide; ++i) out[i] *= 1.0f + q[i];
    }
    if (a.shift.data) {
      device::load_row_parameters<kWide>(q, a.shift, p.row, a.cols, column);
      RUSHES_UNROLL
      for (int i = 0; i < kWide; ++i) out[i] += q[i];
    }
    device::store<kWide>(out, a.y, p.row * a.cols + column);
  });
}

template <Norm kNorm, int kWide>
RUSHES_DEVICE void rms_norm_row(const NormArguments& a, const Place& p, int cols) {
  Share<kWide> share(a.x, p.row * a.cols, cols, p);
  const float squares = over_row<Add>(sum_of_squares(share, 0.0f), p);
  const float factor = kNorm == kChannelNorm
                           ? sqrtf(static_cast<float>(a.cols)) / fmaxf(sqrtf(squares), 1e-12f)
                           : 1.0f / sqrtf(squares / static_cast<float>(a.cols) + a.eps);
  const float* angles = a.table + p.row % a.length * a.width;
  share.each([&](float(&v)[kWide], int column) {
    float out[kWide], q[kWide];
    device::load_floats<kWide>(q, a.weight, column);
    RUSHES_UNROLL
    for (int i = 0; i < kWide; ++i) out[i] = v[i] * factor * q[i];
    if constexpr (kNorm == kChannelNorm) {
      RUSHES_UNROLL
      for (int i = 0; i < kWide; ++i) out[i] = device::activated(out[i], a.activation);
    }
    if constexpr (kNorm == kRmsNormRope) {
      device::load_floats<kWide>(q, angles, column % a.width);
      RUSHES_UNROLL
      for (int i = 0; i < kWide; i += 2) {
        const float x = out[i], y = out[i + 1];
        out[i] = x * q[i] - y * q[i + 1];
        out[i + 1] = x * q[i + 1] + y * q[i];
      }
    }
    device::store<kWide>(out, a.y, p.row * a.cols + column);
  });
}

template <Norm kNorm, int kWide>
RUSHES_DEVICE void norm_row(const NormArguments& a) {
  const Place p = place(a.warps);
  const int cols = p.row < a.rows || RUSHES_MUTATION(44)
                       ? a.cols
                       : 0;  // rows behind the last one take part without a column
  if constexpr (kNorm == kLayerNorm) {
    layer_norm_row<kWide>(a, p, cols, AsStored{});
  } else if constexpr (kNorm == kAddGatedLayerNorm) {
    layer_norm_row<kWide>(a, p, cols, Added{a, p.row});
  } else {
    rms_norm_row<kNorm, kWide>(a, p, cols);
  }
}

// Columns that are not wide go one by one, in a rotation by pairs.
template <Norm kNorm>
RUSHES_KERNEL(kRowThreads)
norm_kernel(RUSHES_ARGUMENTS(NormArguments) a) {
  if (a.wide) {
    norm_row<kNorm, 8>(a);
  } else {
    norm_row<kNorm, kNorm == kRmsNormRope ? 2 : 1>(a);
  }
}

// Whether key j is among the tiles [begin, end) of a list, which ascend.
RUSHES_DEVICE bool listed(const std::int32_t* tile, int begin, int end, int key_tile) {
  while (begin < end) {
    const int middle = (begin + end) / 2;
    if (tile[middle] == key_tile) return true;
    if (tile[middle] < key_tile) {
      begin = middle + 1;
    } else {
      end = middle;
    }
  }
  return false;
}

// What a row of scores attends to. Tiles are multiples of 16 keys: eight keys from a multiple of 8 lie in one.
struct Attended {
  const float* bias;         // of key 0; may be null
  const std::int32_t* mask;  // of key 0; may be null
  const std::int32_t* tile;  // null: all
  int begin, end, key_tile, keys;
  float scale;

  // Scores of eight keys, scaled, -inf where the query does not attend.
  RUSHES_DEVICE void operator()(float (&v)[8], int key, bool) const {
    const bool kept = !tile || listed(tile, begin, end, key / key_tile);
    RUSHES_UNROLL
    for (int i = 0; i < 8; ++i) {
      v[i] *= scale;
      if (bias && key + i < keys) v[i] += bias[key + i];
      if (!kept || key + i >= keys || (mask && mask[key + i] == 0)) v[i] = -INFINITY;
    }
  }
};

RUSHES_KERNEL(kRowThreads) softmax_kernel(RUSHES_ARGUMENTS(SoftmaxArguments) a) {
  const Place p = place(a.warps);
  const bool inside = p.row < a.rows;
  const std::int64_t row = inside ? p.row : 0;
  const int entry = static_cast<int>(row / a.queries),
            query = a.first_query + static_cast<int>(row % a.queries);
  const int head = a.heads == 1 ? 0 : entry, batch = a.heads == 1 ? a.batch + entry : a.batch;
  Attended attended{nullptr, nullptr, nullptr, 0, 0, a.key_tile, a.lk, a.scale};
  if (a.relative_bias)
    attended.bias = a.relative_bias + static_cast<std::int64_t>(head) * (a.lq + a.lk - 1) + a.lq - 1 - query;
  if (a.key_mask) attended.mask = a.key_mask + static_cast<std::int64_t>(batch) * a.lk;
  if (a.first) {
    const int list = head * ((a.lq + a.query_tile - 1) / a.query_tile) + query / a.query_tile;
    attended.tile = a.tile, attended.begin = a.first[list], attended.end = a.first[list + 1];
  }
  const Vector scores{const_cast<float*>(a.s), kWordF32};
  Share<8, Attended> share(scores, row * a.stride, inside ? a.stride : 0, p, attended);
  float top = -INFINITY, total = 0.0f;
  share.each([&](const float(&v)[8], int) {
    RUSHES_UNROLL
    for (int i = 0; i < 8; ++i) top = fmaxf(top, v[i]);
  });
  top = over_row<Max>(top, p);
  share.each([&](float(&v)[8], int) {
    RUSHES_UNROLL
    for (int i = 0; i < 8; ++i) total += expf(v[i] - top);
  });
  const float factor = 1.0f / over_row<Add>(total, p);
  share.each([&](float(&v)[8], int key) {
    RUSHES_UNROLL
    for (int i = 0; i < 8; ++i) v[i] = expf(v[i] - top) * factor;
    device::store<8>(v, a.p, row * a.stride + key);
  });
}

}  // namespace

void RUSHES_FORM::add_rows(KernelTable& table) {
  table.norm[kLayerNorm] = RUSHES_HANDLE("layer_norm", false, norm_kernel<kLayerNorm>);
  table.norm[kAddGatedLayerNorm] =
      RUSHES_HANDLE("add_gated_layer_norm", false, norm_kernel<kAddGatedLayerNorm>);
  table.norm[kRmsNorm] = RUSHES_HANDLE("rms_norm", false, norm_kernel<kRmsNorm>);
  table.norm[kRmsNormRope] = RUSHES_HANDLE("rms_norm_rope", false, norm_kernel<kRmsNormRope>);
  table.norm[kChannelNorm] = RUSHES_HANDLE("channel_norm", false, norm_kernel<kChannelNorm>);
  table.softmax = RUSHES_HANDLE("softmax", false, softmax_kernel);
}

}  // namespace rushes::kernels::cuda
