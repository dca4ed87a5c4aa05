// What runs beside the threads of a Hopper block: barriers in shared memory, copies of the tensor memory accelerator,
// products of warpgroups, named barriers, clusters.
//
// Time: a copy lands at a turn drawn from the seed, or when nobody else can go on; a group of products is computed when
// it is issued, when it is waited for, or some turns later. So a missing wait reads what is not there yet, or what is
// already overwritten. Products read shared memory by their descriptors' addresses alone. Accumulators hold a pattern of
// NaN while a product is under way.
//
// KernelFault: an arrival too many, more bytes than expected, a copy or arrival at a block that has ended or at a barrier
// that is not initialised (or not yet visible), a product without its fence, registers of a product written under way,
// warps of a warpgroup that issue different products, operands outside shared memory, data that a product reads before
// the proxy fence of the thread that wrote it (store_shared_16), a copy, a product or a named barrier that is left open
// at the end.
//
// Thread contract: as the grid: one at a time.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "kernels/cuda/tensor_map.h"
#include "tests/kernels/emulator/grid.h"

namespace rushes::emulator {

using Offset = std::uint32_t;  // an address in shared memory

struct Copy {
  kernels::cuda::TensorMapShape map;
  int start[5];
  Offset to, barrier;
  std::uint32_t blocks;  // bit i: rank i of the cluster
};
// What a product multiplies: bf16 and e4m3 with sums in fp32, s8 with sums in int32.
enum class Numbers : std::uint8_t { kBf16, kS8, kE4m3 };
struct Product {
  int columns;
  bool a_in_registers, add;
  std::uint64_t a, b;  // descriptors; a: 0 where it is in registers
  Numbers numbers = Numbers::kBf16;
  bool operator==(const Product&) const = default;
};

class AsyncMachine {
 public:
  AsyncMachine(Cluster& cluster, std::uint64_t seed);

  // Of the grid: before each round of turns; when no thread can go on (false: nothing is under way); at the end.
  void turn();
  bool land_one();
  void check_end();

  // Of the running thread; see kernels/cuda/ptx/hopper.h.
  Offset offset(const void* shared) const;
  void barrier_init(Offset barrier, int arrivals);
  void fence_barrier_init();
  void barrier_arrive(Offset barrier, std::uint32_t rank, int bytes);
  void barrier_wait(Offset barrier, int parity);
  void load(const Copy& copy);
  void stored(Offset to, std::uint32_t bytes);
  void fence_proxy();
  void product_fence();
  void issue(const Product& product, void* d, const std::uint32_t* a);  // d: columns / 2 words
  void commit();
  void wait_products(std::size_t pending);
  void named_arrive(int id, std::uint32_t threads, bool wait);
  void set_registers(int count);
  void cluster_arrive();
  void cluster_wait();

 private:
  struct MemoryBarrier {
    int arrivals = 0, missing = 0;  // of a phase; of this one
    std::int64_t bytes = 0;         // expected and not there yet
    std::uint64_t phase = 0;
    const Thread* hidden_by = nullptr;  // initialised by it, without a fence since
  };
  struct NamedBarrier {
    std::uint32_t threads = 0;
    std::set<std::uint32_t> arrived;
    std::uint64_t round = 0;
  };
  struct Accumulator {
    std::vector<std::uint32_t> words;  // bits of fp32 or int32
    std::uint64_t last = 0;            // product
  };
  struct Operand {
    std::uint64_t product;
    const std::uint32_t* registers;
    std::array<std::uint32_t, 4> words;  // when it was issued
  };
  struct Lane {  // of a thread
    std::uint64_t issued = 0, committed = 0;
    std::deque<std::uint64_t> groups;  // products before the end of each committed one
    std::map<void*, Accumulator> under_way;
    std::deque<Operand> operands;  // in registers, of products under way
    bool fenced = false;
    int registers = 0;
    std::uint64_t cluster_rounds = 0;
    bool in_cluster_round = false;
  };
  struct Issued {
    Product product;
    std::uint32_t lanes = 0;  // how many
    void* d[32] = {};
    std::uint32_t a[32][4] = {};
    bool early = false;  // computed when it is issued
    int delay = 0;       // otherwise: after so many turns of waiting lanes
  };
  struct WarpQueue {
    std::vector<Issued> products;
    std::uint64_t computed = 0;
  };
  struct Dirty {
    Offset from, to;
    const Thread* by;
  };
  struct Side {  // of a block
    std::map<Offset, MemoryBarrier> barriers;
    std::map<int, NamedBarrier> named;
    std::vector<Lane> lanes;
    std::vector<WarpQueue> warps;
    std::vector<Dirty> dirty;
    int free_registers = 0;
  };

  Side& side() { return sides_[self().block->rank]; }
  Lane& lane() { return side().lanes[self().index]; }
  MemoryBarrier& barrier_of(std::uint32_t rank, Offset barrier, const char* who, bool check_visible);
  void settle(MemoryBarrier& barrier);
  void land(const Copy& copy);
  void write_box(const Copy& copy, Block& block) const;
  void compute(Block& block, std::uint32_t warp, Issued& issued);
  // 16 bytes.
  template <typename T>
  void read_16(const Block& block, std::uint64_t at, int swizzle_bits, T* out) const;
  using Fragments = std::array<std::uint32_t*, 32>;  // the words of each lane's accumulator
  void multiply_bf16(const Block& block, std::uint32_t warp, const Issued& issued,
                     const Fragments& fragments) const;
  void multiply_bytes(const Block& block, std::uint32_t warp, const Issued& issued,
                      const Fragments& fragments) const;
  static bool ended(const Block& block);

  Cluster& cluster_;
  std::mt19937_64 random_;
  bool eager_;  // copies may land before anybody is stuck
  std::vector<Copy> copies_;
  std::vector<Side> sides_;
  std::uint64_t cluster_round_ = 0;
  std::uint32_t cluster_arrived_ = 0, cluster_threads_ = 0;
};

AsyncMachine& machine();  // of the running thread's cluster

// The rules of cuTensorMapEncodeTiled; empty when the map keeps them.
std::string wrong_with(const kernels::cuda::TensorMapShape& shape);

}  // namespace rushes::emulator
