// The Hopper attention kernel's body for one block of three warpgroups: see kernels/cuda/attention_hopper.h.
//
// Include <ptx/hopper.h> first. RUSHES_MUTATION(n) is false except in tests, which plant mistake n there.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/cuda/attention_hopper.h"
#include "kernels/cuda/quad.h"

namespace rushes::kernels::device::hopper {

using cuda::HopperAttentionArguments;
using cuda::HopperForm;

constexpr int kQueries = cuda::kHopperQueries;
constexpr int kStages = 2;
constexpr int kBox = 64;       // keys of a box where a list is followed
constexpr int kRow = 128;      // bytes: 64 columns, one row of a swizzled tile
constexpr int kConsumers = 2;  // warpgroups that multiply
constexpr int kTurn = 1;       // the named barriers of their turns: 1 and 2

// A form's numbers as constants of device code.
template <int kWidth_, int kKeys_, int kCluster_, bool kListed_>
struct Form {
  static constexpr HopperForm kForm{kWidth_, kKeys_, kCluster_, kListed_};
  static constexpr int kWidth = kWidth_, kKeys = kKeys_, kCluster = kCluster_;
  static constexpr bool kListed = kListed_;
  static constexpr int kBoxKeys = kForm.box_keys(), kBoxHalves = kForm.box_halves();
  static constexpr int kQueryBytes = kForm.query_bytes(), kTile = kForm.tile_bytes();
  // Where they lie in shared memory.
  static constexpr int kKeyTiles = kQueryBytes, kValueTiles = kKeyTiles + kStages * kTile;
  static constexpr int kControl = kValueTiles + kStages * kTile;
  static_assert(kCluster == 1 || (kCluster == kWidth / 64 && !kListed),
                "a block of a cluster copies one half");
  static_assert(!kListed || kKeys == 2 * kBox, "a step of a list has two boxes");
};

struct Ring {
  Mbarrier full[kStages], free[kStages];
};
// Behind the tiles in shared memory.
struct Control {
  Mbarrier query;
  Ring key, value;
  int steps;     // of kKeys keys
  int tail;      // keys of the last step, which is the first one computed
  int from, to;  // the list of key tiles
};
static_assert(sizeof(Control) <= 128);

// The block's queries, and its list of key tiles.
struct Place {
  RUSHES_DEVICE explicit Place(const HopperAttentionArguments& a) {
    const int per_tile = (a.query_tile + kQueries - 1) / kQueries;
    const int query_tile = block_x() / per_tile, next = (query_tile + 1) * a.query_tile;
    begin = query_tile * a.query_tile + block_x() % per_tile * kQueries;
    end = next < a.lq ? next : a.lq;
    head = block_y(), batch = RUSHES_MUTATION(31) ? 0 : block_z();
    const int tiles = (a.lq + a.query_tile - 1) / a.query_tile;
    list = (RUSHES_MUTATION(32) ? 0 : head) * tiles + query_tile;
  }
  int begin, end, head, batch, list;
};

// How many steps there are, and how many keys the last one has.
template <int kKeys, bool kListed>
RUSHES_DEVICE void count_steps(const HopperAttentionArguments& a, const Place& place, Control& control) {
  if constexpr (kListed) {
    const int from = control.from = a.first[place.list], to = control.to = a.first[place.list + 1];
    const int left = a.lk - a.tile[to - 1] * a.key_tile, last = left < a.key_tile ? left : a.key_tile;
    const int boxes = (to - from - 1) * (a.key_tile / kBox) + (last + kBox - 1) / kBox;
    control.steps = (boxes + 1) / 2;
    control.tail = (boxes - 1) % 2 * kBox + (last - 1) % kBox + 1;
  } else {
    control.steps = (a.lk + kKeys - 1) / kKeys;
    control.tail = a.lk - (control.steps - 1) * kKeys;
  }
}

// ---- the producer: one thread

// The first key of box `box` of a step.
template <typename Form>
RUSHES_DEVICE int box_begin(const HopperAttentionArguments& a, const Control& control, int step, int box) {
  if constexpr (Form::kListed) {
    const int per_tile = a.key_tile / kBox, number = 2 * step + box;
    const int entry = control.from + number / per_tile - (RUSHES_MUTATION(13) && number > 1 ? 1 : 0);
    // Behind the list: a box of zeros, for its weights are zero, but 0 * NaN is not.
    return entry < control.to ? a.tile[entry] * a.key_tile + number % per_tile * kBox : a.lk;
  } else {
    return step * Form::kKeys;
  }
}

// Copies the tile of `step` into turn `turn` of a ring.
template <typename Form>
RUSHES_DEVICE void copy_tile(const HopperAttentionArguments& a, const Place& place, const Control& control,
                             const cuda::TensorMap* map, unsigned char* stages, Ring& ring, int turn,
                             int step) {
  constexpr int kKeys = Form::kKeys, kTile = Form::kTile;
  const int stage = turn % kStages;
  unsigned char* to = stages + stage * kTile;
  if (!RUSHES_MUTATION(22)) mbarrier_wait(&ring.free[stage], (turn / kStages + 1) % 2);
  if (RUSHES_MUTATION(3)) {
    mbarrier_arrive(&ring.full[stage]);
  } else {
    mbarrier_arrive_expect(&ring.full[stage], RUSHES_MUTATION(6) ? kTile - kKeys * kRow : kTile);
  }
  if constexpr (Form::kCluster > 1) {  // each block copies one half, for both
    const int half = cluster_rank();
    const std::uint16_t blocks = RUSHES_MUTATION(19) ? 1 << half : (1 << Form::kCluster) - 1;
    tma_load_multicast(to + half * kKeys * kRow, map, &ring.full[stage], 0, step * kKeys, half, place.head,
                       place.batch, blocks);
  } else {
    RUSHES_UNROLL
    for (int box = 0; box < kKeys / Form::kBoxKeys; ++box) {
      const int begin = box_begin<Form>(a, control, step, box);
      RUSHES_UNROLL
      for (int half = 0; half < Form::kWidth / 64; half += Form::kBoxHalves)
        tma_load(to + (half * kKeys + box * Form::kBoxKeys) * kRow, map, &ring.full[stage], 0, begin, half,
                 place.head, place.batch);
    }
  }
}

// The last step comes first, so that only the consumers' first step has keys to mask. Keys run one step ahead of values,
// as they are used.
template <typename Form>
RUSHES_DEVICE void produce(const HopperAttentionArguments& a, const Place& place, unsigned char* memory,
                           Control& control) {
  const int steps = control.steps;
  tma_prefetch(&a.v);
  mbarrier_arrive_expect(&control.query, Form::kQueryBytes);
  tma_load(memory, &a.q, &control.query, 0, place.begin, 0, place.head, place.batch);
  RUSHES_UNROLL_NONE
  for (int turn = 0; turn <= steps; ++turn) {
    if (turn < steps)
      copy_tile<Form>(a, place, control, &a.k, memory + Form::kKeyTiles, control.key, turn, steps - 1 - turn);
    if (turn > 0)
      copy_tile<Form>(a, place, control, &a.v, memory + Form::kValueTiles, control.value, turn - 1,
                      steps - turn);
  }
}

// ---- consumers: a warpgroup of 64 queries each

// A stage has been read by this warp.
template <int kCluster>
RUSHES_DEVICE void release(Mbarrier* free) {
  const int lane = thread_index() % 32;
  if constexpr (kCluster > 1) {  // every block of the cluster writes into it
    if (RUSHES_MUTATION(21)) {
      if (lane < kCluster) mbarrier_arrive(free);
    } else if (lane < kCluster) {
      mbarrier_arrive_at(free, lane);
    }
  } else {
    if (lane == 0) mbarrier_arrive(free);
  }
}

// s = q k^T. Operands by rows of 64 columns, one half of the width after the other.
template <int kWidth, int kKeys>
RUSHES_DEVICE void multiply_keys(float (&s)[kKeys / 2], std::uint64_t q, std::uint64_t k) {
  RUSHES_UNROLL
  for (int step = 0; step < kWidth / 16; ++step) {
    const int half = step / 4, within = step % 4 * (RUSHES_MUTATION(9) ? 64 : 32);
    wgmma_ss(s, q + static_cast<std::uint64_t>((half * kQueries * kRow + within) >> 4),
             k + static_cast<std::uint64_t>((half * kKeys * kRow + within) >> 4), step > 0);
  }
}
// o += p v
template <int kWidth, int kKeys>
RUSHES_DEVICE void multiply_values(float (&o)[kWidth / 2], const std::uint32_t (&p)[kKeys / 4],
                                   std::uint64_t v) {
  RUSHES_UNROLL
  for (int step = 0; step < kKeys / 16; ++step)
    wgmma_rs(o, p + 4 * step, v + static_cast<std::uint64_t>((step * 16 * kRow) >> 4), true);
}

// A thread has rows l / 4 and l / 4 + 8 of its warp's 16, and of every eight columns a pair.
struct Softmax {
  float max[2] = {-INFINITY, -INFINITY}, total[2] = {0.0f, 0.0f};
  float rescale[2] = {1.0f, 1.0f};
};
template <int kKeys>
RUSHES_DEVICE void mask_keys(float (&s)[kKeys / 2], int keys) {
  const int pair = thread_index() % 4 * 2;
  RUSHES_UNROLL
  for (int i = 0; i < kKeys / 2; ++i)
    if (i / 4 * 8 + pair + i % 2 >= keys) s[i] = -INFINITY;
}
// s becomes 2^(factor (s - max)).
template <int kKeys, bool kFirst>
RUSHES_DEVICE void exponentiate(float (&s)[kKeys / 2], Softmax& state, float factor) {
  RUSHES_UNROLL
  for (int r = 0; r < 2; ++r) {
    float top = kFirst ? s[2 * r] : state.max[r];
    RUSHES_UNROLL
    for (int n = 0; n < kKeys / 8; ++n) top = fmaxf(fmaxf(top, s[4 * n + 2 * r]), s[4 * n + 2 * r + 1]);
    if (!RUSHES_MUTATION(33)) {
      top = fmaxf(top, shuffle_xor(top, 1));
      top = fmaxf(top, shuffle_xor(top, 2));
    }
    if constexpr (!kFirst) {
      state.rescale[r] = fast_exp2((state.max[r] - top) * factor);
      if (!RUSHES_MUTATION(11)) state.total[r] *= state.rescale[r];
    }
    state.max[r] = top;
    const float base = top * factor;
    RUSHES_UNROLL
    for (int n = 0; n < kKeys / 8; ++n) RUSHES_UNROLL
    for (int i = 4 * n + 2 * r; i < 4 * n + 2 * r + 2; ++i) {
      s[i] = fast_exp2(s[i] * factor - base);
      state.total[r] += s[i];
    }
  }
}
// The accumulator's layout is that of a left operand: pairs become its registers.
template <int kKeys>
RUSHES_DEVICE void pack_weights(std::uint32_t (&p)[kKeys / 4], const float (&s)[kKeys / 2]) {
  RUSHES_UNROLL
  for (int i = 0; i < kKeys / 4; ++i)
    p[i] = RUSHES_MUTATION(29) ? pack_bf16(s[2 * i + 1], s[2 * i]) : pack_bf16(s[2 * i], s[2 * i + 1]);
}

template <int kWidth>
RUSHES_DEVICE void store_rows(const HopperAttentionArguments& a, const Place& place,
                              const float (&o)[kWidth / 2], Softmax& state, int first_row) {
  const int quad = thread_index() % 4;
  RUSHES_UNROLL
  for (int r = 0; r < 2; ++r) {
    const int row = first_row + (RUSHES_MUTATION(7) ? 4 : 8) * r;
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
        words[i] = pack_bf16(o[4 * (n + i) + 2 * r] * factor, o[4 * (n + i) + 2 * r + 1] * factor);
      transpose_quad(words);
      if (row < place.end) store_16(to + (n + quad) * 8, words);
    }
    if (a.log_sum && row < place.end && quad == 0)
      a.log_sum[(static_cast<std::int64_t>(place.batch) * a.heads + place.head) * a.lq + row] =
          state.max[r] * a.scale + fast_log2(total) * (RUSHES_MUTATION(28) ? 1.0f : cuda::kLn2);
  }
}

template <typename Form>
RUSHES_DEVICE void consume(const HopperAttentionArguments& a, const Place& place, unsigned char* memory,
                           Control& control, int group) {
  constexpr int kWidth = Form::kWidth, kKeys = Form::kKeys, kCluster = Form::kCluster, kTile = Form::kTile;
  constexpr int kGroup = 8 * kRow;
  constexpr int kBoth = kConsumers * 128;
  const int steps = control.steps, mine = kTurn + group, other = kTurn + 1 - group;
  const float factor = a.scale * (RUSHES_MUTATION(20) ? 1.0f : 1.4426950408889634f);
  const std::uint64_t q = matrix_descriptor(memory + group * 64 * kRow, 16, kGroup);
  const std::uint64_t k = matrix_descriptor(memory + Form::kKeyTiles, 16, kGroup,
                                            RUSHES_MUTATION(16) ? Swizzle::k64 : Swizzle::k128);
  const std::uint64_t v = RUSHES_MUTATION(1)
                              ? matrix_descriptor(memory + Form::kValueTiles, kGroup, kKeys * kRow)
                              : matrix_descriptor(memory + Form::kValueTiles, kKeys * kRow, kGroup);
  const auto stage_of = [](int turn) { return static_cast<std::uint64_t>(turn % kStages * (kTile >> 4)); };
  const auto round_of = [](int turn) { return turn / kStages % 2; };

  float s[kKeys / 2], o[kWidth / 2];
  std::uint32_t p[kKeys / 4];
  Softmax state;
  RUSHES_UNROLL
  for (int i = 0; i < kWidth / 2; ++i) o[i] = 0.0f;

  if (group == 1 && !RUSHES_MUTATION(23)) named_barrier_arrive<kBoth>(other);  // the first warpgroup begins
  if (!RUSHES_MUTATION(26)) mbarrier_wait(&control.query, 0);
  mbarrier_wait(&control.key.full[0], RUSHES_MUTATION(2) ? 1 : 0);
  named_barrier_sync<kBoth>(mine);
  if (!RUSHES_MUTATION(12)) wgmma_fence(s);
  multiply_keys<kWidth, kKeys>(s, q, k);
  wgmma_commit();
  if (group == 0 || steps > 1) named_barrier_arrive<kBoth>(other);
  wgmma_wait<0>(s);
  release<kCluster>(&control.key.free[0]);
  if (control.tail < kKeys && !RUSHES_MUTATION(8)) mask_keys<kKeys>(s, control.tail);
  exponentiate<kKeys, true>(s, state, factor);
  pack_weights<kKeys>(p, s);

  RUSHES_UNROLL_NONE
  for (int turn = 1; turn < steps; ++turn) {
    const int stage = turn % kStages, last = (turn - 1) % kStages;
    mbarrier_wait(&control.key.full[stage], round_of(turn));
    named_barrier_sync<kBoth>(mine);
    wgmma_fence(s);
    multiply_keys<kWidth, kKeys>(s, q, k + stage_of(turn));
    wgmma_commit();
    if (!RUSHES_MUTATION(27)) mbarrier_wait(&control.value.full[last], round_of(turn - 1));
    wgmma_fence(o, p);
    multiply_values<kWidth, kKeys>(o, p, v + stage_of(turn - 1));
    wgmma_commit();
    if (group == 0 || turn + 1 < steps || RUSHES_MUTATION(24)) named_barrier_arrive<kBoth>(other);
    if (RUSHES_MUTATION(25)) release<kCluster>(&control.key.free[stage]);
    if (RUSHES_MUTATION(14)) {
      wgmma_wait<2>(s);
    } else {
      wgmma_wait<1>(s);
    }
    if (!RUSHES_MUTATION(4) && !RUSHES_MUTATION(25)) release<kCluster>(&control.key.free[stage]);
    exponentiate<kKeys, false>(s, state, factor);
    if (RUSHES_MUTATION(35)) pack_weights<kKeys>(p, s);
    if (RUSHES_MUTATION(15)) {
      wgmma_wait<1>(o);
    } else {
      wgmma_wait<0>(o);
    }
    if (!RUSHES_MUTATION(5)) release<kCluster>(&control.value.free[last]);
    RUSHES_UNROLL
    for (int i = 0; i < kWidth / 2; ++i)
      if (!RUSHES_MUTATION(10)) o[i] *= state.rescale[i / 2 % 2];
    pack_weights<kKeys>(p, s);
  }
  const int last = (steps - 1) % kStages;
  mbarrier_wait(&control.value.full[last], round_of(steps - 1));
  wgmma_fence(o, p);
  multiply_values<kWidth, kKeys>(o, p, v + stage_of(steps - 1));
  wgmma_commit();
  wgmma_wait<0>(o);
  release<kCluster>(&control.value.free[last]);
  const int first_row = place.begin + group * 64 + thread_index() % 128 / 32 * 16 + thread_index() % 32 / 4;
  store_rows<kWidth>(a, place, o, state, first_row);
}

template <int kCluster>
RUSHES_DEVICE void prepare_control(Control& control) {
  constexpr int kReaders = kCluster * kConsumers * 4;  // warps
  mbarrier_init(&control.query, 1);
  RUSHES_UNROLL
  for (int stage = 0; stage < kStages; ++stage) {
    mbarrier_init(&control.key.full[stage], 1);
    mbarrier_init(&control.key.free[stage], kReaders);
    mbarrier_init(&control.value.full[stage], 1);
    mbarrier_init(&control.value.free[stage], kReaders);
  }
  if (!RUSHES_MUTATION(34)) fence_mbarrier_init();
}

template <typename Form>
RUSHES_DEVICE void attention_block(const HopperAttentionArguments& a) {
  constexpr int kCluster = Form::kCluster;
  unsigned char* memory = shared_memory();
  Control& control = *reinterpret_cast<Control*>(memory + Form::kControl);
  const Place place(a);
  // A block without queries still copies its half for the other block of the cluster.
  if (kCluster == 1 && place.begin >= place.end) return;
  if (thread_index() == 0) {
    prepare_control<kCluster>(control);
    count_steps<Form::kKeys, Form::kListed>(a, place, control);
  }
  if constexpr (kCluster > 1) {
    if (RUSHES_MUTATION(17)) {
      sync_block();
    } else {
      cluster_arrive();
      cluster_wait();
    }
  } else {
    sync_block();
  }
  const int group = uniform(thread_index() / 128);
  if (group == 0) {
    if (!RUSHES_MUTATION(30)) release_registers<24>();
    if (thread_index() == 0) produce<Form>(a, place, memory, control);
  } else {
    claim_registers<240>();
    consume<Form>(a, place, memory, control, group - 1);
  }
  if constexpr (kCluster > 1) {  // no block ends while another one writes into it
    if (!RUSHES_MUTATION(18)) {
      cluster_arrive();
      cluster_wait();
    }
  }
}

}  // namespace rushes::kernels::device::hopper
