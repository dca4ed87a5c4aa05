// Runs a kernel's blocks and threads on the CPU.
//
// Blocks of a cluster run together, each thread on a fiber: one at a time, each until it waits. The order in which
// threads and blocks take turns comes from a seed, so that a missing barrier shows for some seed: for a third of them some
// warps pause, and a cluster's block begins late; for a third one warp runs as far ahead of the others as it can. Shared
// memory starts as NaN and ends at a checked border. A kernel whose threads depend on each other finds its neighbours
// through `self()`; kernels/cuda/ptx/*.h have their emulated forms in ptx/.
//
// A wrong kernel throws KernelFault: deadlock (with what each thread waits for), lanes of one warp in different
// operations, a write behind shared memory.
//
// Thread contract: one grid at a time in a process.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels/cuda/kernel.h"
#include "tests/kernels/emulator/fiber.h"

namespace rushes::emulator {

struct KernelFault : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// What the lanes of a warp show each other in one operation. Two take turns: a lane that is an operation ahead writes
// the other one.
struct LaneBoard {
  const char* operation = nullptr;  // of the lanes that wrote
  unsigned written = 0;             // bit i: lane i
  std::array<std::array<std::uint32_t, 16>, 32> words{};
};
struct Warp {
  std::array<LaneBoard, 2> boards;
  unsigned arrived = 0;
  std::uint64_t round = 0;
};

struct Barrier {
  unsigned arrived = 0;
  std::uint64_t round = 0;
};

// The mistake of a kernel that is planted now (RUSHES_MUTATION); 0: none.
inline int planted = 0;

class Block;

// Copies into shared memory that a thread asked for and has not waited for.
struct AsyncCopy {
  void* to;
  const void* from;
  bool valid;
};

struct Thread {
  Block* block = nullptr;
  std::uint32_t index = 0;  // in the block
  std::uint32_t lane() const { return index % 32; }
  const char* waits_for = nullptr;
  std::uint64_t operations = 0;  // of its warp, so far
  std::vector<AsyncCopy> open;
  std::vector<std::vector<AsyncCopy>> groups;  // committed, oldest first
  std::unique_ptr<Fiber> fiber;
};

class Cluster;

class Block {
 public:
  Block(Cluster& cluster, std::uint32_t threads, std::uint32_t shared_bytes);
  void begin(const std::uint32_t (&index)[3], const std::uint32_t (&grid)[3], std::uint32_t rank,
             const std::function<void()>* body);
  void check_border() const;

  std::uint32_t index[3] = {}, grid[3] = {};
  std::uint32_t rank = 0;  // in the cluster
  std::vector<Thread> threads;
  std::vector<Warp> warps;
  std::array<Barrier, 16> barriers;  // 0 is __syncthreads
  std::byte* shared() { return shared_.get(); }
  std::uint32_t shared_bytes() const { return shared_bytes_; }
  Cluster& cluster() const { return cluster_; }

 private:
  Cluster& cluster_;
  std::uint32_t shared_bytes_;
  struct Free {
    void operator()(std::byte* memory) const;
  };
  std::unique_ptr<std::byte, Free> shared_;
};

class AsyncMachine;  // async.h

class Cluster {
 public:
  std::vector<std::unique_ptr<Block>> blocks;
  std::shared_ptr<AsyncMachine> async;  // of the run
  void run(std::uint64_t seed);         // until every thread is done
};

Thread& self();                    // the thread that runs
void note_progress();              // what another thread may wait for has changed
void wait_turn(const char* what);  // lets the others run

// Waits until `ready()`; `what` is said in a deadlock.
template <typename Ready>
void wait_until(const char* what, Ready ready) {
  while (!ready()) wait_turn(what);
  note_progress();
}
// All `threads` of the barrier's round.
void meet(Barrier& barrier, std::uint32_t threads, const char* what);
// The board of this warp's next operation, with `words` of the calling lane; complete (all 32 lanes) on return.
LaneBoard& show(const char* operation, const std::uint32_t* words, std::size_t count);

// Throws KernelFault.
void run_grid(const kernels::cuda::KernelCode& kernel, const kernels::cuda::LaunchShape& shape,
              const void* arguments, std::uint64_t seed);

}  // namespace rushes::emulator
