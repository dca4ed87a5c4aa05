// The body of attention in 8 bits for one block: see kernels/cuda/attention_s8.h.
//
// Include <ptx/warp.h> first; for the form with e4m3 attention_s8_e4m3.h too.
#pragma once

#include "kernels/cuda/attention_block.h"
#include "kernels/cuda/attention_s8.h"
#include "kernels/cuda/log_sum8.h"
#include "kernels/eight_bit.h"

namespace rushes::kernels::device {

using cuda::Attention8Arguments;

// v: channels by keys in e4m3, keys by channels in bf16.
template <int kWidth, bool kE4m3>
struct SharedTiles8 {
  std::int8_t k[kStages][kKeys][kWidth + 16];
  std::uint8_t v[kStages][kWidth][kKeys + 16];
};
template <int kWidth>
struct SharedTiles8<kWidth, false> {
  std::int8_t k[kStages][kKeys][kWidth + 16];
  std::uint16_t v[kStages][kKeys][kWidth + 8];
};

// `bytes` bytes of each of kRows rows that lie row_stride apart; zeros from row `rows` or byte `within` on. Both ends are
// 16-byte aligned.
template <int kThreads, int kRows, int kBytes, typename T>
RUSHES_DEVICE void load_bytes(T (&to)[kRows][kBytes + 16], const T* from, int row_stride, int rows,
                              int within) {
  static_assert(sizeof(T) == 1);
  constexpr int kChunks = kBytes / 16;
  const int stride = renewed(row_stride);
  RUSHES_UNROLL
  for (int i = 0; i < kRows * kChunks / kThreads; ++i) {
    const int chunk = i * kThreads + thread_index(), row = chunk / kChunks, at = chunk % kChunks * 16;
    const bool valid = row < rows && at < within;
    copy_async_16(&to[row][at], valid ? from + row * stride + at : from, valid);
  }
}

// As WarpState; q in int8. `factor`: of a row's scores.
template <int kWidth>
struct WarpState8 {
  std::uint32_t q[kWidth / 32][4];
  float factor[2];
  float sum[kWidth / 8][4];
  float max[2], total[2];  // max: of scores without `factor`
};

template <int kWidth>
RUSHES_DEVICE void load_queries8(WarpState8<kWidth>& state, const std::int8_t* q, const float* scale,
                                 int row_stride, int row, int rows, int quad) {
  RUSHES_UNROLL
  for (int step = 0; step < kWidth / 32; ++step) {
    RUSHES_UNROLL
    for (int i = 0; i < 4; ++i) {
      const int r = row + i % 2 * 8, column = step * 32 + i / 2 * 16 + quad * 4;
      state.q[step][i] = r < rows ? *reinterpret_cast<const std::uint32_t*>(
                                        q + static_cast<std::int64_t>(r) * row_stride + column)
                                  : 0u;
    }
  }
  RUSHES_UNROLL
  for (int r = 0; r < 2; ++r) {
    state.factor[r] = row + 8 * r < rows ? scale[row + 8 * r] : 1.0f;
    state.max[r] = -INFINITY, state.total[r] = 0.0f;
  }
  RUSHES_UNROLL
  for (int n = 0; n < kWidth / 8; ++n) RUSHES_UNROLL
  for (int i = 0; i < 4; ++i) state.sum[n][i] = 0.0f;
}

// s = q k^T with the scales of groups of keys; -infinity from `keys` on.
template <int kWidth>
RUSHES_DEVICE void multiply_keys8(float (&s)[kKeys / 8][4], const WarpState8<kWidth>& state,
                                  const std::int8_t (&k)[kKeys][kWidth + 16], const float* k_scale, int keys,
                                  int lane) {
  const int matrix = lane / 8, row = lane % 8, pair = lane % 4 * 2;
  RUSHES_UNROLL
  for (int n = 0; n < kKeys / 16; ++n) {
    std::int32_t sums[2][4] = {};
    RUSHES_UNROLL
    for (int step = 0; step < kWidth / 32; ++step) {
      std::uint32_t b[4];
      load_matrices(b, &k[n * 16 + matrix / 2 * 8 + row][step * 32 + matrix % 2 * 16]);
      multiply_add_s8(sums[0], state.q[step], b[0], b[1]);
      multiply_add_s8(sums[1], state.q[step], b[2], b[3]);
    }
    // A group of keys is what one turn multiplies.
    const float scale = n * kKeyGroup < keys ? k_scale[RUSHES_MUTATION(55) ? 0 : n] : 1.0f;
    RUSHES_UNROLL
    for (int half = 0; half < 2; ++half) RUSHES_UNROLL
    for (int i = 0; i < 4; ++i)
      s[2 * n + half][i] = n * 16 + half * 8 + pair + i % 2 < keys || RUSHES_MUTATION(56)
                               ? static_cast<float>(sums[half][i]) * scale
                               : -INFINITY;
  }
}

// s becomes the weights 2^(kWeightBits + factor (s - max)); what was summed up before is rescaled by `rescale`.
template <int kWidth>
RUSHES_DEVICE void advance_softmax8(WarpState8<kWidth>& state, float (&s)[kKeys / 8][4],
                                    float (&rescale)[2]) {
  RUSHES_UNROLL
  for (int r = 0; r < 2; ++r) {
    float top = state.max[r];
    RUSHES_UNROLL
    for (int n = 0; n < kKeys / 8; ++n) top = fmaxf(top, fmaxf(s[n][2 * r], s[n][2 * r + 1]));
    top = fmaxf(top, shuffle_xor(top, 1));
    top = fmaxf(top, shuffle_xor(top, 2));
    const float factor = RUSHES_MUTATION(57) ? state.factor[0] : state.factor[r];
    rescale[r] = fast_exp2((state.max[r] - top) * factor);
    state.max[r] = top;
    state.total[r] *= rescale[r];
    const float base = kWeightBits - top * factor;
    RUSHES_UNROLL
    for (int n = 0; n < kKeys / 8; ++n) RUSHES_UNROLL
    for (int i = 2 * r; i < 2 * r + 2; ++i) {
      s[n][i] = fast_exp2(s[n][i] * factor + base);
      state.total[r] += s[n][i];
    }
  }
}

// sum = sum rescale + p v, in bf16; in e4m3: attention_s8_e4m3.h.
template <int kWidth>
RUSHES_DEVICE void add_values8(WarpState8<kWidth>& state, const float (&s)[kKeys / 8][4],
                               const std::uint16_t (&v)[kKeys][kWidth + 8], const float (&rescale)[2],
                               int lane) {
  const int matrix = lane / 8, row = lane % 8;
  RUSHES_UNROLL
  for (int n = 0; n < kWidth / 8; ++n) RUSHES_UNROLL
  for (int i = 0; i < 4; ++i) state.sum[n][i] *= rescale[i / 2];
  RUSHES_UNROLL
  for (int step = 0; step < kKeys / 16; ++step) {
    const float(&low)[4] = s[2 * step], (&high)[4] = s[2 * step + 1];
    const std::uint32_t p[4] = {pack_bf16(low[0], low[1]), pack_bf16(low[2], low[3]),
                                pack_bf16(high[0], high[1]), pack_bf16(high[2], high[3])};
    RUSHES_UNROLL
    for (int n = 0; n < kWidth / 16; ++n) {
      std::uint32_t b[4];
      load_matrices_transposed(b, &v[step * 16 + matrix % 2 * 8 + row][n * 16 + matrix / 2 * 8]);
      multiply_add(state.sum[2 * n], p, b[0], b[1]);
      multiply_add(state.sum[2 * n + 1], p, b[2], b[3]);
    }
  }
}

// v_scale: of channels, or null. Leaves the sums over all threads of a row in `total`.
template <int kWidth>
RUSHES_DEVICE void store_rows8(WarpState8<kWidth>& state, const float* v_scale, std::uint16_t* y,
                               int row_stride, int row, int rows, int pair) {
  RUSHES_UNROLL
  for (int r = 0; r < 2; ++r) {
    float total = state.total[r];
    total += shuffle_xor(total, 1);
    total += shuffle_xor(total, 2);
    const float factor = 1.0f / total;
    state.total[r] = total;
    if (row + 8 * r >= rows) continue;
    std::uint16_t* to = y + static_cast<std::int64_t>(row + 8 * r) * row_stride + pair;
    RUSHES_UNROLL
    for (int n = 0; n < kWidth / 8; ++n) {
      const float low = v_scale ? v_scale[n * 8 + pair] : 1.0f,
                  high = v_scale ? v_scale[n * 8 + pair + 1] : 1.0f;
      *reinterpret_cast<std::uint32_t*>(to + n * 8) =
          pack_bf16(state.sum[n][2 * r] * (factor * low), state.sum[n][2 * r + 1] * (factor * high));
    }
  }
}

// As attention_block().
template <int kWidth, bool kE4m3>
RUSHES_DEVICE void attention8_block(const Attention8Arguments& a, SharedTiles8<kWidth, kE4m3>& shared,
                                    int block, int head, int batch) {
  constexpr int kThreads = cuda::kAttentionThreads<kWidth>, kQueries = kThreads / 2;
  const int per_tile = (a.query_tile + kQueries - 1) / kQueries;
  const int query_tile = block / per_tile, begin = query_tile * a.query_tile + block % per_tile * kQueries;
  int end = (query_tile + 1) * a.query_tile;
  end = end < a.lq ? end : a.lq;
  if (begin >= end) return;
  const int rows = end - begin < kQueries ? end - begin : kQueries;
  const int row_stride = a.heads * kWidth;
  const std::int64_t heads_before = static_cast<std::int64_t>(batch) * a.heads + head;
  const auto at = [&](int length, int index) {
    return (static_cast<std::int64_t>(batch) * length + index) * row_stride + head * kWidth;
  };
  const float* k_scale = a.k_scale + heads_before * (a.padded / kKeyGroup);
  const int query_tiles = (a.lq + a.query_tile - 1) / a.query_tile, list = head * query_tiles + query_tile;
  const int offset = a.first ? a.first[list] : 0;
  KeySteps ahead(a.first ? a.tile + offset : nullptr, a.first ? a.first[list + 1] - offset : 1, a.key_tile,
                 a.lk);
  KeySteps now = ahead;
  const auto load = [&](int stage) {
    load_bytes<kThreads, kKeys, kWidth>(shared.k[stage], a.k + at(a.lk, ahead.begin()), row_stride,
                                        ahead.keys(), kWidth);
    if constexpr (kE4m3) {
      load_bytes<kThreads, kWidth, kKeys>(shared.v[stage],
                                          a.v + heads_before * kWidth * a.padded + ahead.begin(), a.padded,
                                          kWidth, ahead.keys());
    } else {
      load_stage<kWidth>(shared.v[stage], a.v16 + at(a.lk, ahead.begin()), row_stride, ahead.keys());
    }
    commit_copies();
    ahead.next();
  };
  const int lane = thread_index() % 32, row = thread_index() / 32 * 16 + lane / 4;
  const bool has_rows = thread_index() / 32 * 16 < rows;  // of this warp
  load(0);
  WarpState8<kWidth> state;
  load_queries8<kWidth>(state, a.q + at(a.lq, begin), a.q_scale + heads_before * a.lq + begin, row_stride,
                        row, rows, lane % 4);
  for (int step = 0; !now.done(); now.next(), ++step) {
    const int stage = step % kStages;
    if (!ahead.done()) {
      load((step + 1) % kStages);
      wait_copies<1>();
    } else {
      wait_copies<0>();
    }
    sync_block();
    if (has_rows) {
      float s[kKeys / 8][4], rescale[2];
      multiply_keys8<kWidth>(s, state, shared.k[stage], k_scale + now.begin() / kKeyGroup, now.keys(), lane);
      advance_softmax8<kWidth>(state, s, rescale);
      add_values8<kWidth>(state, s, shared.v[stage], rescale, lane);
    }
    sync_block();  // the next load overwrites this stage
  }
  if (!has_rows) return;
  store_rows8<kWidth>(state, kE4m3 ? a.v_scale + heads_before * kWidth : nullptr, a.y + at(a.lq, begin),
                      row_stride, row, rows, lane % 4 * 2);
  if (!a.log_sum) return;
  RUSHES_UNROLL
  for (int r = 0; r < 2; ++r)
    store_log_sum8(a, kWidth, heads_before, batch, head, begin + row + 8 * r, begin + rows, lane % 4,
                   state.max[r] * state.factor[r], state.total[r]);
}

}  // namespace rushes::kernels::device
