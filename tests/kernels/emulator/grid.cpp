#include "tests/kernels/emulator/grid.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <numeric>
#include <random>

#include "tests/kernels/emulator/async.h"

namespace rushes::emulator {

namespace {

constexpr std::size_t kBorder = 256;            // bytes behind shared memory
constexpr unsigned char kBorderByte = 0xcd;     // what they hold
constexpr unsigned char kUnwritten = 0xff;      // NaN as fp32, bf16 and fp16
constexpr std::size_t kSharedAlignment = 1024;  // of swizzled tiles

Thread* current = nullptr;
bool progress = false;

// Names of what threads wait for, with how many: "12 x block barrier, 4 x mbarrier".
std::string waiting(const Cluster& cluster) {
  std::map<std::string, int> counts;
  for (const auto& block : cluster.blocks)
    for (const Thread& thread : block->threads)
      if (!thread.fiber->done()) ++counts[thread.waits_for ? thread.waits_for : "nothing"];
  std::string text;
  for (const auto& [what, count] : counts)
    text += (text.empty() ? "" : ", ") + std::to_string(count) + " x " + what;
  return text;
}

}  // namespace

void Block::Free::operator()(std::byte* memory) const { std::free(memory); }

Block::Block(Cluster& cluster, std::uint32_t count, std::uint32_t shared_bytes)
    : threads(count), warps((count + 31) / 32), cluster_(cluster), shared_bytes_(shared_bytes) {
  const std::size_t bytes =
      (shared_bytes + kBorder + kSharedAlignment - 1) / kSharedAlignment * kSharedAlignment;
  shared_.reset(static_cast<std::byte*>(std::aligned_alloc(kSharedAlignment, bytes)));
  for (std::uint32_t i = 0; i < count; ++i) {
    threads[i].block = this;
    threads[i].index = i;
    threads[i].fiber = std::make_unique<Fiber>();
  }
}

void Block::begin(const std::uint32_t (&at)[3], const std::uint32_t (&of)[3], std::uint32_t in_cluster,
                  const std::function<void()>* body) {
  std::copy_n(at, 3, index);
  std::copy_n(of, 3, grid);
  rank = in_cluster;
  std::memset(shared_.get(), kUnwritten, shared_bytes_);
  std::memset(shared_.get() + shared_bytes_, kBorderByte, kBorder);
  std::fill(warps.begin(), warps.end(), Warp{});
  barriers.fill({});
  for (Thread& thread : threads) {
    thread.waits_for = nullptr;
    thread.operations = 0;
    thread.open.clear();
    thread.groups.clear();
    thread.fiber->start(body);
  }
}

void Block::check_border() const {
  const std::byte* border = shared_.get() + shared_bytes_;
  if (std::any_of(border, border + kBorder, [](std::byte b) { return b != std::byte{kBorderByte}; }))
    throw KernelFault("a thread wrote behind the block's shared memory of " + std::to_string(shared_bytes_) +
                      " bytes");
}

namespace {

// Which warps pause: a part of them, or all of one block of a cluster; drawn anew now and then.
class Pauses {
 public:
  Pauses(std::uint64_t seed, const Cluster& cluster)
      : random_(seed), on_(seed % 3 == 2), warps_(cluster.blocks[0]->warps.size()) {
    paused_.resize(cluster.blocks.size() * warps_);
    if (on_ && cluster.blocks.size() > 1)
      std::fill_n(paused_.begin() + static_cast<std::ptrdiff_t>(random_() % cluster.blocks.size() * warps_),
                  warps_, true);
  }
  bool of(const Thread& thread) const {
    return on_ && paused_[thread.block->rank * warps_ + thread.index / 32];
  }
  void next_round() {
    if (!on_ || left_-- > 0) return;
    left_ = 8 << random_() % 5;
    const bool whole_block = paused_.size() > warps_ && random_() % 2;
    const std::size_t block = random_() % (paused_.size() / warps_);
    for (std::size_t i = 0; i < paused_.size(); ++i)
      paused_[i] = whole_block ? i / warps_ == block : random_() % 4 == 0;
  }
  bool end() {  // whether any was paused
    const bool any = on_ && std::find(paused_.begin(), paused_.end(), true) != paused_.end();
    std::fill(paused_.begin(), paused_.end(), false);
    return any;
  }

 private:
  std::mt19937_64 random_;
  bool on_;
  std::size_t warps_;
  std::vector<bool> paused_;
  int left_ = 16;  // rounds
};

}  // namespace

namespace {

// The threads in the order of their turns. One group: each thread runs until it waits, then the next one. A group for
// each warp: it goes on as long as its threads get anywhere, so that one warp is always far ahead of the others.
std::vector<std::vector<Thread*>> turns(const Cluster& cluster, std::uint64_t seed) {
  std::vector<std::vector<Thread*>> warps;
  for (const auto& block : cluster.blocks)
    for (Thread& thread : block->threads) {
      if (thread.index % 32 == 0) warps.emplace_back();
      warps.back().push_back(&thread);
    }
  if (seed / 3 % 3 == 1) {
    std::shuffle(warps.begin(), warps.end(), std::mt19937_64(seed));
    return warps;
  }
  std::vector<Thread*> all;
  for (const auto& warp : warps) all.insert(all.end(), warp.begin(), warp.end());
  if (seed % 3 == 1) std::reverse(all.begin(), all.end());
  if (seed % 3 == 2) std::shuffle(all.begin(), all.end(), std::mt19937_64(seed));
  return {std::move(all)};
}

}  // namespace

void Cluster::run(std::uint64_t seed) {
  async = std::make_shared<AsyncMachine>(*this, seed);
  std::vector<std::vector<Thread*>> groups = turns(*this, seed);
  const bool far_ahead = groups.size() > 1;
  Pauses pauses(seed, *this);
  while (!groups.empty()) {
    progress = false;
    async->turn();
    bool any = progress;
    for (std::vector<Thread*>& group : groups) do {
        progress = false;
        for (Thread* thread : group) {
          if (pauses.of(*thread)) continue;
          current = thread;
          thread->fiber->resume();
          if (thread->fiber->done()) progress = true;
        }
        std::erase_if(group, [](const Thread* thread) { return thread->fiber->done(); });
        any = any || progress;
      } while (far_ahead && progress);
    std::erase_if(groups, [](const auto& group) { return group.empty(); });
    if (!any && !groups.empty() && !async->land_one() && !pauses.end())
      throw KernelFault("deadlock: " + waiting(*this));
    pauses.next_round();  // after the look at those of this round
  }
  async->check_end();
  for (const auto& block : blocks) block->check_border();
}

Thread& self() { return *current; }

void note_progress() { progress = true; }

void wait_turn(const char* what) {
  if (!current->fiber) throw KernelFault(std::string("a kernel of independent threads waits for ") + what);
  current->waits_for = what;
  Fiber::yield();
  current->waits_for = nullptr;
}

void meet(Barrier& barrier, std::uint32_t threads, const char* what) {
  const std::uint64_t round = barrier.round;
  note_progress();
  if (++barrier.arrived == threads) {
    barrier.arrived = 0;
    ++barrier.round;
    return;
  }
  wait_until(what, [&] { return barrier.round != round; });
}

LaneBoard& show(const char* operation, const std::uint32_t* words, std::size_t count) {
  Thread& thread = self();
  Warp& warp = thread.block->warps[thread.index / 32];
  LaneBoard& board = warp.boards[thread.operations++ % 2];
  if (warp.arrived == 0) board.operation = operation;
  if (std::strcmp(board.operation, operation) != 0)
    throw KernelFault(std::string("lanes of one warp are in different operations: ") + board.operation +
                      " and " + operation);
  std::copy_n(words, count, board.words[thread.lane()].begin());
  const std::uint64_t round = warp.round;
  note_progress();
  if (++warp.arrived == 32) {
    warp.arrived = 0;
    ++warp.round;
  } else {
    wait_until(operation, [&] { return warp.round != round; });
  }
  return board;
}

namespace {

// Threads that never meet need no fiber.
void run_independent(const std::function<void()>& body, const kernels::cuda::LaunchShape& shape) {
  static std::map<std::uint32_t, std::unique_ptr<Block>> kept;  // by threads
  static Cluster none;
  auto& block = kept[shape.threads];
  if (!block) {
    block = std::make_unique<Block>(none, 0, 0);
    block->threads.resize(shape.threads);
    for (std::uint32_t i = 0; i < shape.threads; ++i)
      block->threads[i].block = block.get(), block->threads[i].index = i;
  }
  std::copy_n(shape.grid, 3, block->grid);
  for (block->index[2] = 0; block->index[2] < shape.grid[2]; ++block->index[2])
    for (block->index[1] = 0; block->index[1] < shape.grid[1]; ++block->index[1])
      for (block->index[0] = 0; block->index[0] < shape.grid[0]; ++block->index[0])
        for (Thread& thread : block->threads) {
          current = &thread;
          body();
        }
}

}  // namespace

void run_grid(const kernels::cuda::KernelCode& kernel, const kernels::cuda::LaunchShape& shape,
              const void* arguments, std::uint64_t seed) {
  const auto thread_body = reinterpret_cast<void (*)(const void*)>(const_cast<void*>(kernel.function));
  const std::function<void()> body = [&] { thread_body(arguments); };
  if (kernel.independent) return run_independent(body, shape);
  Cluster cluster;
  for (std::uint32_t i = 0; i < shape.cluster; ++i)
    cluster.blocks.push_back(std::make_unique<Block>(cluster, shape.threads, shape.shared_bytes));
  const std::uint32_t clusters = shape.grid[0] / shape.cluster * shape.grid[1] * shape.grid[2];
  for (std::uint32_t n = 0; n < clusters; ++n) {
    const std::uint32_t number = seed % 2 ? clusters - 1 - n : n, row = shape.grid[0] / shape.cluster;
    for (std::uint32_t rank = 0; rank < shape.cluster; ++rank)
      cluster.blocks[rank]->begin(
          {number % row * shape.cluster + rank, number / row % shape.grid[1], number / row / shape.grid[1]},
          shape.grid, rank, &body);
    try {
      cluster.run(seed);
    } catch (const KernelFault& fault) {
      throw KernelFault(std::string(kernel.name) + ": " + fault.what());
    }
  }
}

}  // namespace rushes::emulator
