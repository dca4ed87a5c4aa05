// The names of kernels/cuda/warp.h on the CPU: a block of threads as fibers that meet in every warp
// operation.
//
// Catches wrong fragment layouts, missing waits (copies arrive only when their group is waited for), missing
// barriers (fibers run one at a time, each as far as it can) and deadlocks. Knows nothing of speed or of real
// encodings.
//
// Thread contract: one block at a time, one thread.
#pragma once

#include <ucontext.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <vector>

#include "kernels/tensor.h"

#define RUSHES_DEVICE inline
#define RUSHES_UNROLL

namespace rushes::kernels::device {

class EmulatedBlock {
 public:
  static void run(int threads, std::function<void()> body) {
    EmulatedBlock block(threads, std::move(body));
    current() = &block;
    block.schedule();
    current() = nullptr;
  }
  static EmulatedBlock*& current() {
    static EmulatedBlock* block = nullptr;
    return block;
  }

  struct Copy {
    void* to;
    const void* from;
    bool valid;
  };
  struct Fiber {
    ucontext_t context{};
    std::vector<char> stack = std::vector<char>(256 << 10);
    bool done = false;
    std::vector<std::vector<Copy>> groups;  // committed, oldest first
    std::vector<Copy> open;
    unsigned steps = 0;  // warp operations so far
  };
  // What the lanes of a warp show each other. Two sets take turns: a lane that is a step ahead writes the
  // other one.
  struct Warp {
    float value[32];
    const std::uint16_t* row[32];
    std::uint32_t a[32][4], b[32][2];
  };

  int thread() const { return running_; }
  Fiber& fiber() { return fibers_[static_cast<std::size_t>(running_)]; }
  // Begins a warp operation: the set to write to, and to read from after sync_warp.
  Warp& next_warp_step() { return warps_[static_cast<std::size_t>(running_ / 32)][fiber().steps++ % 2]; }
  void sync_warp() { meet(warp_barriers_[static_cast<std::size_t>(running_ / 32)], 32); }
  void sync_all() { meet(block_barrier_, static_cast<int>(fibers_.size())); }

 private:
  struct Barrier {
    int arrived = 0;
    std::uint64_t round = 0;
  };

  EmulatedBlock(int threads, std::function<void()> body)
      : body_(std::move(body)),
        fibers_(static_cast<std::size_t>(threads)),
        warps_(static_cast<std::size_t>(threads / 32)),
        warp_barriers_(static_cast<std::size_t>(threads / 32)) {}

  static void enter() {
    current()->body_();
    current()->fiber().done = true;
    current()->progress_ = true;
    swapcontext(&current()->fiber().context, &current()->scheduler_);
  }

  void schedule() {
    for (Fiber& fiber : fibers_) {
      getcontext(&fiber.context);
      fiber.context.uc_stack.ss_sp = fiber.stack.data();
      fiber.context.uc_stack.ss_size = fiber.stack.size();
      makecontext(&fiber.context, enter, 0);
    }
    for (bool alive = true; alive;) {
      alive = false;
      progress_ = false;
      for (running_ = 0; running_ < static_cast<int>(fibers_.size()); ++running_) {
        if (fiber().done) continue;
        alive = true;
        swapcontext(&scheduler_, &fiber().context);
      }
      if (alive && !progress_) throw std::runtime_error("the emulated block is deadlocked");
    }
  }

  void meet(Barrier& barrier, int size) {
    const std::uint64_t round = barrier.round;
    progress_ = true;
    if (++barrier.arrived == size) {
      barrier.arrived = 0;
      ++barrier.round;
      return;
    }
    while (barrier.round == round) swapcontext(&fiber().context, &scheduler_);
    progress_ = true;
  }

  std::function<void()> body_;
  std::vector<Fiber> fibers_;
  std::vector<std::array<Warp, 2>> warps_;
  std::vector<Barrier> warp_barriers_;
  Barrier block_barrier_;
  ucontext_t scheduler_{};
  int running_ = 0;
  bool progress_ = false;
};

inline int thread_index() { return EmulatedBlock::current()->thread(); }
inline void sync_block() { EmulatedBlock::current()->sync_all(); }
inline float fast_exp2(float x) { return std::exp2(x); }
inline std::uint32_t pack_bf16(float low, float high) {
  return float_to_bf16(low) | static_cast<std::uint32_t>(float_to_bf16(high)) << 16;
}

inline float shuffle_xor(float value, int mask) {
  EmulatedBlock& block = *EmulatedBlock::current();
  const int lane = block.thread() % 32;
  EmulatedBlock::Warp& warp = block.next_warp_step();
  warp.value[lane] = value;
  block.sync_warp();
  return warp.value[lane ^ mask];
}

inline void copy_async_16(void* shared, const void* global, bool valid) {
  EmulatedBlock::current()->fiber().open.push_back({shared, global, valid});
}
inline void commit_copies() {
  auto& fiber = EmulatedBlock::current()->fiber();
  fiber.groups.push_back(std::move(fiber.open));
  fiber.open.clear();
}
template <int kPending>
inline void wait_copies() {
  auto& groups = EmulatedBlock::current()->fiber().groups;
  while (groups.size() > static_cast<std::size_t>(kPending)) {
    for (const auto& copy : groups.front()) {
      if (copy.valid) {
        std::memcpy(copy.to, copy.from, 16);
      } else {
        std::memset(copy.to, 0, 16);
      }
    }
    groups.erase(groups.begin());
  }
}

inline void load_matrices(std::uint32_t (&r)[4], const void* row) {
  EmulatedBlock& block = *EmulatedBlock::current();
  const int lane = block.thread() % 32;
  EmulatedBlock::Warp& warp = block.next_warp_step();
  warp.row[lane] = static_cast<const std::uint16_t*>(row);
  block.sync_warp();
  for (int i = 0; i < 4; ++i) {
    const std::uint16_t* from = warp.row[8 * i + lane / 4] + 2 * (lane % 4);
    r[i] = from[0] | static_cast<std::uint32_t>(from[1]) << 16;
  }
}
inline void load_matrices_transposed(std::uint32_t (&r)[4], const void* row) {
  EmulatedBlock& block = *EmulatedBlock::current();
  const int lane = block.thread() % 32;
  EmulatedBlock::Warp& warp = block.next_warp_step();
  warp.row[lane] = static_cast<const std::uint16_t*>(row);
  block.sync_warp();
  for (int i = 0; i < 4; ++i) {
    const auto at = [&](int j) { return warp.row[8 * i + 2 * (lane % 4) + j][lane / 4]; };
    r[i] = at(0) | static_cast<std::uint32_t>(at(1)) << 16;
  }
}

inline void multiply_add(float (&d)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1) {
  EmulatedBlock& block = *EmulatedBlock::current();
  EmulatedBlock::Warp& warp = block.next_warp_step();
  const int lane = block.thread() % 32;
  std::memcpy(warp.a[lane], a, sizeof a);
  warp.b[lane][0] = b0, warp.b[lane][1] = b1;
  block.sync_warp();
  const auto half = [](std::uint32_t word, int i) {
    return bf16_to_float(static_cast<std::uint16_t>(word >> 16 * i));
  };
  for (int i = 0; i < 4; ++i) {
    const int row = lane / 4 + 8 * (i / 2), column = 2 * (lane % 4) + i % 2;
    for (int k = 0; k < 16; ++k) {
      const float x = half(warp.a[row % 8 * 4 + k % 8 / 2][row / 8 + 2 * (k / 8)], k % 2);
      const float y = half(warp.b[column * 4 + k % 8 / 2][k / 8], k % 2);
      d[i] += x * y;
    }
  }
}

}  // namespace rushes::kernels::device
