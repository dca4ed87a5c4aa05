// The attention kernel's body for one block: see kernels/cuda/attention.h.
//
// Include <ptx/warp.h> first.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/cuda/attention.h"

namespace rushes::kernels::device {

constexpr int kKeys = 64;  // per step
constexpr int kStages = 2;

using cuda::AttentionArguments;

// Rows are padded by 16 bytes, so that eight rows of a matrix lie in different banks.
template <int kWidth>
struct SharedTiles {
  std::uint16_t k[kStages][kKeys][kWidth + 8];
  std::uint16_t v[kStages][kKeys][kWidth + 8];
};

// The steps of at most kKeys keys that a list of key tiles falls into.
class KeySteps {
 public:
  RUSHES_DEVICE KeySteps(const std::int32_t* tile, int count, int key_tile, int lk)
      : tile_(tile), count_(count), key_tile_(key_tile), lk_(lk) {
    enter();
  }
  RUSHES_DEVICE bool done() const { return index_ == count_; }
  RUSHES_DEVICE int begin() const { return begin_; }
  RUSHES_DEVICE int keys() const { return end_ - begin_ < kKeys ? end_ - begin_ : kKeys; }
  RUSHES_DEVICE void next() {
    begin_ += kKeys;
    if (begin_ >= end_) {
      ++index_;
      enter();
    }
  }

 private:
  RUSHES_DEVICE void enter() {
    if (done()) return;
    begin_ = (tile_ ? tile_[index_] : index_) * key_tile_;
    end_ = begin_ + key_tile_ < lk_ ? begin_ + key_tile_ : lk_;
  }

  const std::int32_t* tile_;
  int count_, key_tile_, lk_;
  int index_ = 0, begin_ = 0, end_ = 0;
};

template <int kWidth>
RUSHES_DEVICE void load_stage(std::uint16_t (&to)[kKeys][kWidth + 8], const std::uint16_t* from,
                              int row_stride, int keys) {
  constexpr int kChunks = kWidth / 8, kThreads = cuda::kAttentionThreads<kWidth>;
  RUSHES_UNROLL
  for (int i = 0; i < kKeys * kChunks / kThreads; ++i) {
    const int chunk = i * kThreads + thread_index(), key = chunk / kChunks, column = chunk % kChunks * 8;
    const bool valid = key < keys;
    copy_async_16(&to[key][column], from + (valid ? static_cast<std::int64_t>(key) * row_stride : 0) + column,
                  valid);
  }
}

// One warp's 16 queries: fragments of q, running sums, maxima (in units of log2) and totals of rows l / 4 and
// l / 4 + 8.
template <int kWidth>
struct WarpState {
  std::uint32_t q[kWidth / 16][4];
  float sum[kWidth / 8][4];
  float max[2], total[2];
};

template <int kWidth>
RUSHES_DEVICE void load_queries(WarpState<kWidth>& state, const std::uint16_t* q, int row_stride, int row,
                                int rows, int pair) {
  RUSHES_UNROLL
  for (int step = 0; step < kWidth / 16; ++step) {
    RUSHES_UNROLL
    for (int i = 0; i < 4; ++i) {
      const int r = row + (i % 2) * 8, column = step * 16 + (i / 2) * 8 + pair;
      state.q[step][i] = r < rows ? *reinterpret_cast<const std::uint32_t*>(
                                        q + static_cast<std::int64_t>(r) * row_stride + column)
                                  : 0u;
    }
  }
  RUSHES_UNROLL
  for (int n = 0; n < kWidth / 8; ++n) RUSHES_UNROLL
  for (int i = 0; i < 4; ++i) state.sum[n][i] = 0.0f;
  state.max[0] = state.max[1] = -INFINITY;
  state.total[0] = state.total[1] = 0.0f;
}

// Adds one step of keys to the running softmax.
template <int kWidth>
RUSHES_DEVICE void add_keys(WarpState<kWidth>& state, const std::uint16_t (&k)[kKeys][kWidth + 8],
                            const std::uint16_t (&v)[kKeys][kWidth + 8], int keys, float scale_log2,
                            int lane) {
  const int matrix = lane / 8, row = lane % 8, pair = lane % 4 * 2;
  float s[kKeys / 8][4];
  RUSHES_UNROLL
  for (int n = 0; n < kKeys / 16; ++n) {
    RUSHES_UNROLL
    for (int i = 0; i < 4; ++i) s[2 * n][i] = s[2 * n + 1][i] = 0.0f;
    RUSHES_UNROLL
    for (int step = 0; step < kWidth / 16; ++step) {
      std::uint32_t b[4];
      load_matrices(b, &k[n * 16 + matrix / 2 * 8 + row][step * 16 + matrix % 2 * 8]);
      multiply_add(s[2 * n], state.q[step], b[0], b[1]);
      multiply_add(s[2 * n + 1], state.q[step], b[2], b[3]);
    }
  }
  float top[2] = {-INFINITY, -INFINITY};
  RUSHES_UNROLL
  for (int n = 0; n < kKeys / 8; ++n) RUSHES_UNROLL
  for (int i = 0; i < 4; ++i) {
    s[n][i] = n * 8 + pair + i % 2 < keys ? s[n][i] * scale_log2 : -INFINITY;
    top[i / 2] = fmaxf(top[i / 2], s[n][i]);
  }
  float rescale[2];
  RUSHES_UNROLL
  for (int r = 0; r < 2; ++r) {
    top[r] = fmaxf(top[r], shuffle_xor(top[r], 1));
    top[r] = fmaxf(top[r], shuffle_xor(top[r], 2));
    top[r] = fmaxf(top[r], state.max[r]);
    rescale[r] = fast_exp2(state.max[r] - top[r]);
    state.max[r] = top[r];
    state.total[r] *= rescale[r];
  }
  RUSHES_UNROLL
  for (int n = 0; n < kKeys / 8; ++n) RUSHES_UNROLL
  for (int i = 0; i < 4; ++i) {
    s[n][i] = fast_exp2(s[n][i] - top[i / 2]);
    state.total[i / 2] += s[n][i];
  }
  RUSHES_UNROLL
  for (int n = 0; n < kWidth / 8; ++n) RUSHES_UNROLL
  for (int i = 0; i < 4; ++i) state.sum[n][i] *= rescale[i / 2];
  RUSHES_UNROLL
  for (int step = 0; step < kKeys / 16; ++step) {
    const std::uint32_t p[4] = {
        pack_bf16(s[2 * step][0], s[2 * step][1]), pack_bf16(s[2 * step][2], s[2 * step][3]),
        pack_bf16(s[2 * step + 1][0], s[2 * step + 1][1]), pack_bf16(s[2 * step + 1][2], s[2 * step + 1][3])};
    RUSHES_UNROLL
    for (int n = 0; n < kWidth / 16; ++n) {
      std::uint32_t b[4];
      load_matrices_transposed(b, &v[step * 16 + matrix % 2 * 8 + row][n * 16 + matrix / 2 * 8]);
      multiply_add(state.sum[2 * n], p, b[0], b[1]);
      multiply_add(state.sum[2 * n + 1], p, b[2], b[3]);
    }
  }
}

// y, log_sum (or null): of the block's first row.
template <int kWidth>
RUSHES_DEVICE void store_rows(WarpState<kWidth>& state, std::uint16_t* y, float* log_sum, int row_stride,
                              int row, int rows, int pair) {
  RUSHES_UNROLL
  for (int r = 0; r < 2; ++r) {
    float total = state.total[r];
    total += shuffle_xor(total, 1);
    total += shuffle_xor(total, 2);
    const float factor = 1.0f / total;
    if (row + 8 * r >= rows) continue;
    std::uint16_t* to = y + static_cast<std::int64_t>(row + 8 * r) * row_stride + pair;
    RUSHES_UNROLL
    for (int n = 0; n < kWidth / 8; ++n) {
      *reinterpret_cast<std::uint32_t*>(to + n * 8) =
          pack_bf16(state.sum[n][2 * r] * factor, state.sum[n][2 * r + 1] * factor);
    }
    if (log_sum && pair == 0) log_sum[row + 8 * r] = (state.max[r] + fast_log2(total)) * cuda::kLn2;
  }
}

// `block` counts blocks of queries; a block never crosses a query tile of the plan.
template <int kWidth>
RUSHES_DEVICE void attention_block(const AttentionArguments& a, SharedTiles<kWidth>& shared, int block,
                                   int head, int batch) {
  constexpr int kQueries = cuda::kAttentionThreads<kWidth> / 2;
  const int per_tile = (a.query_tile + kQueries - 1) / kQueries;
  const int query_tile = block / per_tile, begin = query_tile * a.query_tile + block % per_tile * kQueries;
  int end = (query_tile + 1) * a.query_tile;
  end = end < a.lq ? end : a.lq;
  if (begin >= end) return;
  const int rows = end - begin < kQueries ? end - begin : kQueries;
  const int row_stride = a.heads * kWidth;
  const auto at = [&](int length, int index) {
    return (static_cast<std::int64_t>(batch) * length + index) * row_stride + head * kWidth;
  };
  const int query_tiles = (a.lq + a.query_tile - 1) / a.query_tile, list = head * query_tiles + query_tile;
  const int offset = a.first ? a.first[list] : 0;
  KeySteps ahead(a.first ? a.tile + offset : nullptr, a.first ? a.first[list + 1] - offset : 1, a.key_tile,
                 a.lk);
  KeySteps now = ahead;
  const auto load = [&](int stage) {
    load_stage<kWidth>(shared.k[stage], a.k + at(a.lk, ahead.begin()), row_stride, ahead.keys());
    load_stage<kWidth>(shared.v[stage], a.v + at(a.lk, ahead.begin()), row_stride, ahead.keys());
    commit_copies();
    ahead.next();
  };
  const int lane = thread_index() % 32, row = thread_index() / 32 * 16 + lane / 4, pair = lane % 4 * 2;
  const bool has_rows = thread_index() / 32 * 16 < rows;  // of this warp
  load(0);
  WarpState<kWidth> state;
  load_queries<kWidth>(state, a.q + at(a.lq, begin), row_stride, row, rows, pair);
  for (int step = 0; !now.done(); now.next(), ++step) {
    const int stage = step % kStages;
    if (!ahead.done()) {
      load((step + 1) % kStages);
      wait_copies<1>();
    } else {
      wait_copies<0>();
    }
    sync_block();
    if (has_rows)
      add_keys<kWidth>(state, shared.k[stage], shared.v[stage], now.keys(), a.scale * 1.4426950408889634f,
                       lane);
    sync_block();  // the next load overwrites this stage
  }
  float* log_sum =
      a.log_sum ? a.log_sum + (static_cast<std::int64_t>(batch) * a.heads + head) * a.lq + begin : nullptr;
  if (has_rows) store_rows<kWidth>(state, a.y + at(a.lq, begin), log_sum, row_stride, row, rows, pair);
}

}  // namespace rushes::kernels::device
