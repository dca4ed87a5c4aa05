#include "kernels/cuda/rows.h"

#include <ptx/warp.h>

#include "kernels/cuda/forms.h"
// After warp.h:
#include "kernels/cuda/rows_block.h"

namespace rushes::kernels::cuda {
namespace {

using namespace rows;  // NOLINT(google-build-using-namespace): of this file's kernels

template <int kWide, typename Prepare>
RUSHES_DEVICE void layer_norm_row(const NormArguments& a, const Place& p, int cols, Prepare prepare) {
  LayerNormRow<kWide, Prepare> row(a, p, cols, prepare);
  row.each(
      [&](const float(&out)[kWide], int column) { device::store<kWide>(out, a.y, p.row * a.cols + column); });
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
