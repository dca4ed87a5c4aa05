// The body of Hopper's attention in 8 bits for one block, a warpgroup: see kernels/cuda/attention_s8_hopper.h.
//
// Include <ptx/hopper.h> and <ptx/e4m3.h> first. RUSHES_MUTATION(n) is false except in tests, which plant mistake n there.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/cuda/attention_s8_hopper.h"
#include "kernels/cuda/log_sum8.h"
#include "kernels/cuda/quad.h"
#include "kernels/eight_bit.h"

namespace rushes::kernels::device::hopper8 {

using cuda::HopperAttention8Arguments;

constexpr int kQueries = cuda::kHopper8Queries, kKeys = cuda::kHopper8Keys, kWidth = cuda::kHopper8Width;
constexpr int kStages = 2, kTile = cuda::kHopper8TileBytes;
constexpr int kRow = 128;  // bytes, of every swizzled tile: channels of queries and keys, keys of values
constexpr int kKeyTiles = cuda::kHopper8QueryBytes, kValueTiles = kKeyTiles + kStages * kTile;
constexpr int kControl = kValueTiles + kStages * kTile;

// Behind the tiles in shared memory.
struct Control {
  Mbarrier query, key[kStages], value[kStages];  // full
};
static_assert(kControl + sizeof(Control) <= cuda::kHopper8SharedBytes);

// The block's queries, and its keys.
struct Place {
  RUSHES_DEVICE explicit Place(const cuda::Attention8Arguments& a) {
    const int per_tile = (a.query_tile + kQueries - 1) / kQueries;
    const int query_tile = block_x() / per_tile, next = (query_tile + 1) * a.query_tile;
    begin = query_tile * a.query_tile + block_x() % per_tile * kQueries;
    end = next < a.lq ? next : a.lq;
    head = block_y(), batch = block_z();
    heads_before = static_cast<std::int64_t>(batch) * a.heads + head;
    if (a.first) {
      const int tiles = (a.lq + a.query_tile - 1) / a.query_tile, list = head * tiles + query_tile;
      tile = a.tile + a.first[list];
      const int count = a.first[list + 1] - a.first[list];
      const int left = a.lk - tile[count - 1] * a.key_tile, last = left < a.key_tile ? left : a.key_tile;
      per_key_tile = a.key_tile / kKeys;
      steps = (count - 1) * per_key_tile + (last + kKeys - 1) / kKeys;
      tail = (last - 1) % kKeys + 1;
    } else {
      steps = (a.lk + kKeys - 1) / kKeys;
      tail = a.lk - (steps - 1) * kKeys;
    }
  }
  // The first key of a step. The last step, which comes first, may be ragged.
  RUSHES_DEVICE int key(int turn) const {
    const int step = RUSHES_MUTATION(61) ? turn : steps - 1 - turn;
    return tile ? (tile[step / per_key_tile] * per_key_tile + step % per_key_tile) * kKeys : step * kKeys;
  }
  int begin, end, head, batch;
  std::int64_t heads_before;
  const std::int32_t* tile = nullptr;
  int per_key_tile = 1;  // steps
  int steps, tail;       // tail: keys of the last step
};

// By one thread: the keys and values of turn `turn`, where there is one.
RUSHES_DEVICE void copy_turn(const HopperAttention8Arguments& a, const Place& place, unsigned char* memory,
                             Control& control, int turn) {
  if (turn >= place.steps) return;
  const int stage = turn % kStages, key = place.key(turn);
  mbarrier_arrive_expect(&control.key[stage], RUSHES_MUTATION(62) ? kTile / 2 : kTile);
  tma_load(memory + kKeyTiles + stage * kTile, &a.k, &control.key[stage], 0, key, 0, place.head, place.batch);
  mbarrier_arrive_expect(&control.value[stage], kTile);
  tma_load(memory + kValueTiles + stage * kTile, &a.v, &control.value[stage], key, 0, 0, place.head,
           place.batch);
}

// A thread has rows l / 4 and l / 4 + 8 of its warp's 16, and of every eight columns a pair.
struct Softmax {
  float factor[2];  // of a row's scores
  float max[2] = {-INFINITY, -INFINITY}, total[2] = {0.0f, 0.0f};
  float rescale[2];
};

// x = s with the scales of groups of keys; -infinity from `keys` on.
RUSHES_DEVICE void scale_scores(float (&x)[kKeys / 2], const std::int32_t (&s)[kKeys / 2],
                                const float* k_scale, int keys) {
  const int pair = thread_index() % 4 * 2;
  RUSHES_UNROLL
  for (int group = 0; group < kKeys / kKeyGroup; ++group) {
    const float scale = k_scale[RUSHES_MUTATION(63) ? 0 : group];
    RUSHES_UNROLL
    for (int i = group * 8; i < group * 8 + 8; ++i) x[i] = static_cast<float>(s[i]) * scale;
  }
  if (keys == kKeys || RUSHES_MUTATION(64)) return;
  RUSHES_UNROLL
  for (int i = 0; i < kKeys / 2; ++i)
    if (i / 4 * 8 + pair + i % 2 >= keys) x[i] = -INFINITY;
}

// x becomes the weights 2^(kWeightBits + factor (x - max)).
RUSHES_DEVICE void exponentiate(float (&x)[kKeys / 2], Softmax& state) {
  RUSHES_UNROLL
  for (int r = 0; r < 2; ++r) {
    float top = state.max[r];
    RUSHES_UNROLL
    for (int n = 0; n < kKeys / 8; ++n) top = fmaxf(fmaxf(top, x[4 * n + 2 * r]), x[4 * n + 2 * r + 1]);
    top = fmaxf(top, shuffle_xor(top, 1));
    top = fmaxf(top, shuffle_xor(top, 2));
    state.rescale[r] = fast_exp2((state.max[r] - top) * state.factor[r]);
    state.total[r] *= state.rescale[r];
    state.max[r] = top;
    const float base = kWeightBits - top * state.factor[r];
    RUSHES_UNROLL
    for (int n = 0; n < kKeys / 8; ++n) RUSHES_UNROLL
    for (int i = 4 * n + 2 * r; i < 4 * n + 2 * r + 2; ++i) {
      x[i] = fast_exp2(x[i] * state.factor[r] + base);
      state.total[r] += x[i];
    }
  }
}

// Rows l / 4 and + 8 of 16 keys, then of 16 more: value_place().
RUSHES_DEVICE void pack_weights(std::uint32_t (&p)[kKeys / 8], const float (&x)[kKeys / 2]) {
  RUSHES_UNROLL
  for (int i = 0; i < kKeys / 8; ++i) {
    const int low = i / 4 * 16 + i % 4 / 2 * 8 + i % 2 * 2, high = low + 4;
    p[i] = RUSHES_MUTATION(65) ? pack_e4m3(x[low], x[high], x[low + 1], x[high + 1])
                               : pack_e4m3(x[low], x[low + 1], x[high], x[high + 1]);
  }
}

RUSHES_DEVICE void store_rows(const cuda::Attention8Arguments& a, const Place& place,
                              const float (&o)[kWidth / 2], const Softmax& state, int first_row) {
  const int quad = thread_index() % 4;
  const float* v_scale = a.v_scale + place.heads_before * kWidth + quad * 2;
  RUSHES_UNROLL
  for (int r = 0; r < 2; ++r) {
    const int row = first_row + 8 * r;
    float total = state.total[r];
    total += shuffle_xor(total, 1);
    total += shuffle_xor(total, 2);
    const float factor = fast_reciprocal(total);
    std::uint16_t* to =
        a.y + ((static_cast<std::int64_t>(place.batch) * a.lq + row) * a.heads + place.head) * kWidth;
    RUSHES_UNROLL
    for (int n = 0; n < kWidth / 8; n += 4) {
      std::uint32_t words[4];
      RUSHES_UNROLL
      for (int i = 0; i < 4; ++i)
        words[i] = pack_bf16(o[4 * (n + i) + 2 * r] * (factor * v_scale[(n + i) * 8]),
                             o[4 * (n + i) + 2 * r + 1] * (factor * v_scale[(n + i) * 8 + 1]));
      transpose_quad(words);
      if (row < place.end) store_16(to + (n + quad) * 8, words);
    }
    if (a.log_sum)
      store_log_sum8(a, kWidth, place.heads_before, place.batch, place.head, row, place.end, quad,
                     state.max[r] * state.factor[r], total);
  }
}

RUSHES_DEVICE void prepare(const HopperAttention8Arguments& a, const Place& place, unsigned char* memory,
                           Control& control) {
  mbarrier_init(&control.query, 1);
  RUSHES_UNROLL
  for (int stage = 0; stage < kStages; ++stage) {
    mbarrier_init(&control.key[stage], 1);
    mbarrier_init(&control.value[stage], 1);
  }
  if (!RUSHES_MUTATION(66)) fence_mbarrier_init();
  mbarrier_arrive_expect(&control.query, cuda::kHopper8QueryBytes);
  tma_load(memory, &a.q, &control.query, 0, place.begin, 0, place.head, place.batch);
  RUSHES_UNROLL
  for (int turn = 0; turn < kStages; ++turn) copy_turn(a, place, memory, control, turn);
}

RUSHES_DEVICE void attention_block(const HopperAttention8Arguments& arguments) {
  const cuda::Attention8Arguments& a = arguments.a;
  unsigned char* memory = shared_memory();
  Control& control = *reinterpret_cast<Control*>(memory + kControl);
  const Place place(a);
  if (place.begin >= place.end) return;
  if (thread_index() == 0) prepare(arguments, place, memory, control);
  sync_block();

  const int first_row = place.begin + thread_index() / 32 * 16 + thread_index() % 32 / 4;
  const float* k_scale = a.k_scale + place.heads_before * (a.padded / kKeyGroup);
  const std::uint64_t q = matrix_descriptor(memory, 16, 8 * kRow);
  const std::uint64_t k = matrix_descriptor(memory + kKeyTiles, 16, 8 * kRow);
  const std::uint64_t v = matrix_descriptor(memory + kValueTiles, 16, 8 * kRow);
  Softmax state;
  RUSHES_UNROLL
  for (int r = 0; r < 2; ++r)
    state.factor[r] =
        first_row + 8 * r < place.end ? a.q_scale[place.heads_before * a.lq + first_row + 8 * r] : 1.0f;
  float o[kWidth / 2];
  RUSHES_UNROLL
  for (int i = 0; i < kWidth / 2; ++i) o[i] = 0.0f;
  if (!RUSHES_MUTATION(67)) mbarrier_wait(&control.query, 0);

  RUSHES_UNROLL_NONE
  for (int turn = 0; turn < place.steps; ++turn) {
    const int stage = turn % kStages, parity = turn / kStages % 2;
    const auto tile = static_cast<std::uint64_t>(stage * (kTile >> 4));
    std::int32_t s[kKeys / 2];
    float x[kKeys / 2];
    std::uint32_t p[kKeys / 8];
    if (!RUSHES_MUTATION(68)) mbarrier_wait(&control.key[stage], parity);
    wgmma_fence(s);
    RUSHES_UNROLL
    for (int step = 0; step < kWidth / 32; ++step) {
      const auto within = static_cast<std::uint64_t>(step * (RUSHES_MUTATION(69) ? 16 : 32) >> 4);
      wgmma_ss_s8(s, q + within, k + tile + within, step > 0);
    }
    wgmma_commit();
    if (!RUSHES_MUTATION(70)) wgmma_wait<0>(s);
    scale_scores(x, s, k_scale + place.key(turn) / kKeyGroup, turn == 0 ? place.tail : kKeys);
    exponentiate(x, state);
    pack_weights(p, x);

    float part[kWidth / 2];
    if (!RUSHES_MUTATION(71)) mbarrier_wait(&control.value[stage], parity);
    wgmma_fence(part, p);
    RUSHES_UNROLL
    for (int step = 0; step < kKeys / 32; ++step)
      wgmma_rs_e4m3(part, p + 4 * step, v + tile + static_cast<std::uint64_t>(step * 32 >> 4), step > 0);
    wgmma_commit();
    wgmma_wait<0>(part);
    if (!RUSHES_MUTATION(72)) sync_block();  // all have read this stage
    if (thread_index() == 0) copy_turn(arguments, place, memory, control, turn + kStages);
    RUSHES_UNROLL
    for (int i = 0; i < kWidth / 2; ++i)
      o[i] = o[i] * (RUSHES_MUTATION(73) ? 1.0f : state.rescale[i / 2 % 2]) + part[i];
  }
  store_rows(a, place, o, state, first_row);
}

}  // namespace rushes::kernels::device::hopper8
