#include "tests/kernels/emulator/async.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "kernels/tensor.h"
#include "tests/kernels/emulator/e4m3_sum.h"

namespace rushes::emulator {

using kernels::cuda::TensorMapShape;

namespace {

constexpr int kRegisters = 65536;                // of a multiprocessor
constexpr std::uint32_t kUnderWay = 0x7fbadbad;  // a signalling NaN: arithmetic changes it

std::string text(std::uint64_t number) { return std::to_string(number); }

// 16-byte words of a row of 128 (64) bytes are exchanged by the row's number in 1024 (512) bytes.
std::uint64_t swizzled(std::uint64_t at, int bits) {
  return at ^ ((at >> 7 & ((std::uint64_t{1} << bits) - 1)) << 4);
}

}  // namespace

AsyncMachine& machine() { return *self().block->cluster().async; }

AsyncMachine::AsyncMachine(Cluster& cluster, std::uint64_t seed)
    : cluster_(cluster), random_(seed), eager_(seed % 2 != 0), sides_(cluster.blocks.size()) {
  for (std::size_t rank = 0; rank < sides_.size(); ++rank) {
    const std::size_t threads = cluster.blocks[rank]->threads.size();
    cluster_threads_ += static_cast<std::uint32_t>(threads);
    sides_[rank].lanes.resize(threads);
    sides_[rank].warps.resize((threads + 31) / 32);
    const int each = std::min(255, kRegisters / static_cast<int>(threads)) / 8 * 8;
    for (Lane& lane : sides_[rank].lanes) lane.registers = each;
    sides_[rank].free_registers = kRegisters - each * static_cast<int>(threads);
  }
}

bool AsyncMachine::ended(const Block& block) {
  return std::all_of(block.threads.begin(), block.threads.end(),
                     [](const Thread& thread) { return thread.fiber->done(); });
}

Offset AsyncMachine::offset(const void* shared) const {
  const Block& block = *self().block;
  const auto* at = static_cast<const std::byte*>(shared);
  const std::byte* base = const_cast<Block&>(block).shared();
  if (at < base || at >= base + block.shared_bytes())
    throw KernelFault("an address outside the block's shared memory");
  return static_cast<Offset>(at - base);
}

// ---- barriers in shared memory

void AsyncMachine::barrier_init(Offset barrier, int arrivals) {
  if (barrier % 8) throw KernelFault("an mbarrier that is not aligned to 8 bytes");
  MemoryBarrier& made = side().barriers[barrier] = {};
  made.arrivals = made.missing = arrivals;
  made.hidden_by = &self();
}

void AsyncMachine::fence_barrier_init() {
  for (auto& [at, barrier] : side().barriers)
    if (barrier.hidden_by == &self()) barrier.hidden_by = nullptr;
}

AsyncMachine::MemoryBarrier& AsyncMachine::barrier_of(std::uint32_t rank, Offset barrier, const char* who,
                                                      bool check_visible) {
  if (rank >= sides_.size()) throw KernelFault(std::string(who) + " names a block outside the cluster");
  if (rank != self().block->rank && ended(*cluster_.blocks[rank]))
    throw KernelFault(std::string(who) + " reaches a block that has ended");
  const auto found = sides_[rank].barriers.find(barrier);
  if (found == sides_[rank].barriers.end())
    throw KernelFault(std::string(who) + " reaches an mbarrier that is not initialised");
  if (check_visible && found->second.hidden_by)
    throw KernelFault(std::string(who) + " reaches an mbarrier whose initialisation has no fence");
  return found->second;
}

void AsyncMachine::settle(MemoryBarrier& barrier) {
  if (barrier.missing > 0) return;
  if (barrier.bytes < 0)
    throw KernelFault(text(static_cast<std::uint64_t>(-barrier.bytes)) +
                      " bytes more than the mbarrier expects");
  if (barrier.bytes > 0) return;
  barrier.missing = barrier.arrivals;
  ++barrier.phase;
  note_progress();
}

void AsyncMachine::barrier_arrive(Offset at, std::uint32_t rank, int bytes) {
  MemoryBarrier& barrier = barrier_of(rank, at, "an arrival", rank != self().block->rank);
  if (barrier.missing == 0) throw KernelFault("an arrival too many at an mbarrier");
  barrier.bytes += bytes;
  --barrier.missing;
  note_progress();
  settle(barrier);
}

void AsyncMachine::barrier_wait(Offset at, int parity) {
  const std::uint32_t rank = self().block->rank;
  wait_until("mbarrier", [&] {
    return barrier_of(rank, at, "a wait", false).phase % 2 != static_cast<std::uint64_t>(parity);
  });
}

// ---- copies

std::string wrong_with(const TensorMapShape& shape) {
  if (shape.rank < 1 || shape.rank > 5) return "rank";
  if (reinterpret_cast<std::uintptr_t>(shape.start) % 16) return "start is not aligned to 16 bytes";
  if (shape.box[0] * static_cast<std::uint32_t>(shape.element_bytes) > 128)
    return "the box is wider than 128 bytes, which the swizzle does not take";
  for (int i = 0; i < shape.rank; ++i) {
    if (shape.box[i] < 1 || shape.box[i] > 256) return "a box has 1 to 256 elements in each dimension";
    if (shape.size[i] < 1 || shape.size[i] > std::uint64_t{1} << 32) return "size";
    if (i > 0 && shape.stride_bytes[i] % 16) return "a stride is not a multiple of 16 bytes";
    if (i > 0 && shape.stride_bytes[i] >= std::uint64_t{1} << 40) return "stride";
  }
  return "";
}

void AsyncMachine::load(const Copy& copy) {
  if (copy.to % 1024) throw KernelFault("TMA writes to a place that is not aligned to 1024 bytes");
  if (copy.blocks == 0 || copy.blocks >> sides_.size())
    throw KernelFault("TMA names a block outside the cluster");
  (void)barrier_of(self().block->rank, copy.barrier, "TMA", true);
  copies_.push_back(copy);
  note_progress();
}

void AsyncMachine::write_box(const Copy& copy, Block& block) const {
  const TensorMapShape& map = copy.map;
  std::uint32_t box[5] = {1, 1, 1, 1, 1};
  for (int i = 0; i < map.rank; ++i) box[i] = map.box[i];
  const auto element = static_cast<std::uint32_t>(map.element_bytes);
  std::uint32_t rows = 1;
  for (int i = 1; i < 5; ++i) rows *= box[i];
  const std::uint32_t row_bytes = box[0] * element;
  if (copy.to + rows * row_bytes > block.shared_bytes()) throw KernelFault("TMA writes behind shared memory");
  for (std::uint32_t row = 0; row < rows; ++row) {
    const auto* from = static_cast<const std::byte*>(map.start);
    bool inside = true;
    for (std::uint32_t i = 1, left = row; i < 5 && inside; left /= box[i], ++i) {
      const std::int64_t at = copy.start[i] + static_cast<std::int64_t>(left % box[i]);
      const std::uint64_t size = i < static_cast<std::uint32_t>(map.rank) ? map.size[i] : 1;
      inside = at >= 0 && at < static_cast<std::int64_t>(size);
      if (inside) from += at * static_cast<std::int64_t>(map.stride_bytes[i]);
    }
    for (std::uint32_t x = 0; x < box[0]; ++x) {
      const std::int64_t at = copy.start[0] + static_cast<std::int64_t>(x);
      std::byte* to = block.shared() + swizzled(copy.to + row * row_bytes + x * element, 3);
      if (inside && at >= 0 && at < static_cast<std::int64_t>(map.size[0])) {
        std::memcpy(to, from + at * static_cast<std::int64_t>(element), element);
      } else {
        std::memset(to, 0, element);
      }
    }
  }
}

void AsyncMachine::land(const Copy& copy) {
  std::int64_t bytes = copy.map.element_bytes;
  for (int i = 0; i < copy.map.rank; ++i) bytes *= copy.map.box[i];
  for (std::uint32_t rank = 0; rank < sides_.size(); ++rank) {
    if (!(copy.blocks >> rank & 1)) continue;
    if (ended(*cluster_.blocks[rank])) throw KernelFault("TMA reaches a block that has ended");
    MemoryBarrier& barrier = barrier_of(rank, copy.barrier, "TMA", true);
    write_box(copy, *cluster_.blocks[rank]);
    barrier.bytes -= bytes;
    note_progress();
    settle(barrier);
  }
}

bool AsyncMachine::land_one() {
  if (copies_.empty()) return false;
  const std::size_t chosen = random_() % copies_.size();
  const Copy copy = copies_[chosen];
  copies_.erase(copies_.begin() + static_cast<std::ptrdiff_t>(chosen));
  land(copy);
  return true;
}

void AsyncMachine::turn() {
  while (eager_ && !copies_.empty() && random_() % 2) land_one();
}

// ---- shared memory that threads write and TMA or products read

void AsyncMachine::stored(Offset to, std::uint32_t bytes) {
  side().dirty.push_back({to, to + bytes, &self()});
}

void AsyncMachine::fence_proxy() {
  std::erase_if(side().dirty, [](const Dirty& dirty) { return dirty.by == &self(); });
}

template <typename T>
void AsyncMachine::read_16(const Block& block, std::uint64_t at, int swizzle_bits, T* out) const {
  at = swizzled(at, swizzle_bits);
  if (at + 16 > block.shared_bytes()) throw KernelFault("a product reads behind shared memory");
  for (const Dirty& dirty : sides_[block.rank].dirty)
    if (at < dirty.to && dirty.from < at + 16)
      throw KernelFault("a product reads shared memory that a thread wrote without a proxy fence");
  std::memcpy(out, const_cast<Block&>(block).shared() + at, 16);
}

// ---- products

void AsyncMachine::product_fence() { lane().fenced = true; }

void AsyncMachine::issue(const Product& product, void* d, const std::uint32_t* a) {
  Thread& thread = self();
  Lane& mine = lane();
  if (!mine.fenced) throw KernelFault("a product without wgmma.fence since its registers were free");
  WarpQueue& queue = side().warps[thread.index / 32];
  const std::uint64_t number = mine.issued++;
  const auto log = [&](WarpQueue& of) -> Issued* {
    return number < of.products.size() ? &of.products[number] : nullptr;
  };
  for (std::uint32_t other = thread.index / 128 * 4; other < thread.index / 128 * 4 + 4; ++other)
    if (other < side().warps.size())
      if (const Issued* theirs = log(side().warps[other]); theirs && !(theirs->product == product))
        throw KernelFault("warps of one warpgroup issue different products");
  if (!log(queue)) {
    const bool begins = number == mine.committed;  // a group
    const Issued* before = begins ? nullptr : &queue.products.back();
    Issued next;
    next.product = product;
    next.early = before ? before->early : random_() % 2;
    next.delay = before || random_() % 4 ? 0 : static_cast<int>(random_() % 1024);
    queue.products.push_back(next);
  }
  Issued& issued = queue.products[number];
  issued.d[thread.lane()] = d;
  if (a) {
    std::copy_n(a, 4, issued.a[thread.lane()]);
    mine.operands.push_back({number, a, {a[0], a[1], a[2], a[3]}});
  }
  const auto count = static_cast<std::size_t>(product.columns / 2);
  auto [entry, fresh] = mine.under_way.try_emplace(d);
  if (fresh) {
    const std::vector<std::uint32_t> pattern(count, kUnderWay);
    entry->second.words.resize(count);
    std::memcpy(entry->second.words.data(), d, 4 * count);
    std::memcpy(d, pattern.data(), 4 * count);
  }
  entry->second.last = number;
  if (entry->second.words.size() != count) throw KernelFault("products of different widths share registers");
  if (++issued.lanes < 32 || !issued.early) return;
  for (; queue.computed <= number; ++queue.computed)
    compute(*thread.block, thread.index / 32, queue.products[queue.computed]);
}

void AsyncMachine::commit() {
  Lane& mine = lane();
  mine.groups.push_back(mine.committed = mine.issued);
}

void AsyncMachine::wait_products(std::size_t pending) {
  Thread& thread = self();
  Lane& mine = lane();
  mine.fenced = false;
  std::uint64_t until = 0;
  bool any = false;
  for (; mine.groups.size() > pending; mine.groups.pop_front()) until = mine.groups.front(), any = true;
  if (!any) return;
  WarpQueue& queue = side().warps[thread.index / 32];
  while (queue.computed < until) {
    const std::uint64_t number = queue.computed;
    wait_until("the other lanes' product",
               [&] { return queue.products[number].lanes == 32 || queue.computed > number; });
    if (queue.computed > number) continue;
    if (queue.products[number].delay > 0) {
      --queue.products[number].delay;
      note_progress();
      wait_turn("a product");
      continue;
    }
    compute(*thread.block, thread.index / 32, queue.products[number]);
    ++queue.computed;
  }
  for (; !mine.operands.empty() && mine.operands.front().product < until; mine.operands.pop_front())
    if (!std::equal(mine.operands.front().words.begin(), mine.operands.front().words.end(),
                    mine.operands.front().registers))
      throw KernelFault("an operand in registers was written while its product was under way");
  for (auto it = mine.under_way.begin(); it != mine.under_way.end();) {
    auto& [d, accumulator] = *it;
    if (accumulator.last >= until) {
      ++it;
      continue;
    }
    std::vector<std::uint32_t> found(accumulator.words.size());
    std::memcpy(found.data(), d, 4 * found.size());
    for (const std::uint32_t word : found)
      if (word != kUnderWay) throw KernelFault("an accumulator was written while its product was under way");
    std::memcpy(d, accumulator.words.data(), 4 * found.size());
    it = mine.under_way.erase(it);
  }
}

namespace {

// An operand in shared memory.
struct Matrix {
  explicit Matrix(std::uint64_t d)
      : start((d & 0x3fff) << 4), block((d >> 16 & 0x3fff) << 4), group((d >> 32 & 0x3fff) << 4) {
    const std::uint64_t swizzle = d >> 62;
    if (swizzle != 1 && swizzle != 2) throw KernelFault("a descriptor without a swizzle");
    bits = swizzle == 1 ? 3 : 2;
  }
  // K-major: byte `at` of a row.
  std::uint64_t row(std::uint64_t number, std::uint64_t at) const {
    return start + number / 8 * group + number % 8 * 128 + at;
  }
  std::uint64_t start, block, group;
  int bits;
};

// Element (row, column) of a warp's 16 rows of a sum.
std::uint32_t& element(const std::array<std::uint32_t*, 32>& fragments, std::size_t row, std::size_t column) {
  return fragments[row % 8 * 4 + column % 8 / 2][column / 8 * 4 + row / 8 * 2 + column % 2];
}

}  // namespace

// One warp's 16 rows of a product.
void AsyncMachine::compute(Block& block, std::uint32_t warp, Issued& issued) {
  Fragments fragments;
  for (std::uint32_t lane = 0; lane < 32; ++lane)
    fragments[lane] = sides_[block.rank].lanes[warp * 32 + lane].under_way.at(issued.d[lane]).words.data();
  if (issued.product.numbers == Numbers::kBf16) {
    multiply_bf16(block, warp, issued, fragments);
  } else {
    multiply_bytes(block, warp, issued, fragments);
  }
}

void AsyncMachine::multiply_bf16(const Block& block, std::uint32_t warp, const Issued& issued,
                                 const Fragments& fragments) const {
  const Product& product = issued.product;
  const auto columns = static_cast<std::size_t>(product.columns);
  float a[16][16], eight[8];
  const auto read_8 = [&](std::uint64_t at, int bits) {
    std::uint16_t words[8];
    read_16(block, at, bits, words);
    for (int i = 0; i < 8; ++i) eight[i] = kernels::bf16_to_float(words[i]);
  };
  if (product.a_in_registers) {
    for (std::uint32_t row = 0; row < 16; ++row)
      for (std::uint32_t k = 0; k < 16; ++k) {
        const std::uint32_t word = issued.a[row % 8 * 4 + k % 8 / 2][row / 8 + 2 * (k / 8)];
        a[row][k] = kernels::bf16_to_float(static_cast<std::uint16_t>(word >> 16 * (k % 2)));
      }
  } else {
    const Matrix from(product.a);
    for (std::uint64_t row = 0; row < 16; ++row)
      for (std::uint64_t k = 0; k < 16; k += 8) {
        read_8(from.row(warp % 4 * 16 + row, k * 2), from.bits);
        std::copy_n(eight, 8, &a[row][k]);
      }
  }
  const Matrix from(product.b);
  std::vector<float> b(16 * columns);
  for (std::uint64_t n = 0; n < columns; n += product.a_in_registers ? 8 : 1)
    for (std::uint64_t k = 0; k < 16; k += product.a_in_registers ? 1 : 8) {
      if (product.a_in_registers) {  // MN-major
        read_8(from.start + n / 64 * from.block + k / 8 * from.group + k % 8 * 128 + n % 64 * 2, from.bits);
        std::copy_n(eight, 8, &b[k * columns + n]);
      } else {
        read_8(from.row(n, k * 2), from.bits);
        for (std::uint64_t i = 0; i < 8; ++i) b[(k + i) * columns + n] = eight[i];
      }
    }
  std::vector<float> sums(columns);
  for (std::uint32_t row = 0; row < 16; ++row) {
    for (std::size_t n = 0; n < columns; ++n)
      sums[n] = product.add ? std::bit_cast<float>(element(fragments, row, n)) : 0.0f;
    for (std::size_t k = 0; k < 16; ++k) {
      const float factor = a[row][k];
      const float* right = &b[k * columns];
      for (std::size_t n = 0; n < columns; ++n) sums[n] += factor * right[n];
    }
    for (std::size_t n = 0; n < columns; ++n)
      element(fragments, row, n) = std::bit_cast<std::uint32_t>(sums[n]);
  }
}

// 32 of K; b is K-major always.
void AsyncMachine::multiply_bytes(const Block& block, std::uint32_t warp, const Issued& issued,
                                  const Fragments& fragments) const {
  constexpr std::uint32_t kDepth = 32;
  const Product& product = issued.product;
  const bool integers = product.numbers == Numbers::kS8;
  const auto columns = static_cast<std::uint64_t>(product.columns);
  const auto value = [&](std::uint8_t byte) {
    return integers ? static_cast<float>(static_cast<std::int8_t>(byte)) : e4m3_value(byte);
  };
  const auto read_row = [&](std::uint64_t descriptor, std::uint64_t row, float* out) {
    const Matrix from(descriptor);
    std::uint8_t bytes[kDepth];
    for (std::uint64_t k = 0; k < kDepth; k += 16) read_16(block, from.row(row, k), from.bits, bytes + k);
    std::transform(bytes, bytes + kDepth, out, value);
  };
  std::vector<float> b(columns * kDepth);
  for (std::uint64_t n = 0; n < columns; ++n) read_row(product.b, n, &b[n * kDepth]);
  for (std::uint32_t row = 0; row < 16; ++row) {
    float a[kDepth];
    if (product.a_in_registers) {
      for (std::uint32_t k = 0; k < kDepth; ++k)
        a[k] = value(static_cast<std::uint8_t>(issued.a[row % 8 * 4 + k % 16 / 4][row / 8 + 2 * (k / 16)] >>
                                               8 * (k % 4)));
    } else {
      read_row(product.a, warp % 4 * 16 + row, a);
    }
    for (std::uint64_t n = 0; n < columns; ++n) {
      std::uint32_t& word = element(fragments, row, n);
      // Of products of eight bits: exact in double.
      double sum = !product.add ? 0.0
                   : integers   ? static_cast<double>(std::bit_cast<std::int32_t>(word))
                                : static_cast<double>(std::bit_cast<float>(word));
      for (std::uint32_t k = 0; k < kDepth; ++k)
        sum += static_cast<double>(a[k]) * static_cast<double>(b[n * kDepth + k]);
      word = integers ? std::bit_cast<std::uint32_t>(static_cast<std::int32_t>(sum))
                      : std::bit_cast<std::uint32_t>(e4m3_sum(sum));
    }
  }
}

// ---- threads

void AsyncMachine::named_arrive(int id, std::uint32_t threads, bool wait) {
  if (id < 1 || id > 15 || threads % 32) throw KernelFault("a named barrier that no block has");
  NamedBarrier& barrier = side().named[id];
  if (barrier.arrived.empty()) barrier.threads = threads;
  if (barrier.threads != threads) throw KernelFault("threads expect different counts at a named barrier");
  if (!barrier.arrived.insert(self().index).second)
    throw KernelFault("a thread arrives twice in one round of a named barrier");
  note_progress();
  const std::uint64_t round = barrier.round;
  if (barrier.arrived.size() == threads) {
    barrier.arrived.clear();
    ++barrier.round;
  }
  if (wait) wait_until("named barrier", [&] { return barrier.round != round; });
}

void AsyncMachine::set_registers(int count) {
  if (count % 8 || count < 24 || count > 256)
    throw KernelFault("setmaxnreg takes multiples of 8 from 24 to 256");
  const std::uint32_t none = 0;
  (void)show("setmaxnreg", &none, 1);
  Lane& mine = lane();
  const int more = count - mine.registers;
  wait_until("registers", [&] { return more <= side().free_registers; });
  side().free_registers -= more;
  mine.registers = count;
}

void AsyncMachine::cluster_arrive() {
  Lane& mine = lane();
  if (mine.in_cluster_round) throw KernelFault("a thread arrives twice at the cluster's barrier");
  mine.in_cluster_round = true;
  mine.cluster_rounds = cluster_round_;
  note_progress();
  if (++cluster_arrived_ == cluster_threads_) cluster_arrived_ = 0, ++cluster_round_;
}

void AsyncMachine::cluster_wait() {
  Lane& mine = lane();
  if (!mine.in_cluster_round) throw KernelFault("a thread waits for a cluster's barrier without an arrival");
  wait_until("cluster barrier", [&] { return cluster_round_ != mine.cluster_rounds; });
  mine.in_cluster_round = false;
}

void AsyncMachine::check_end() {
  if (!copies_.empty()) throw KernelFault("the block ended while a copy into it was under way");
  for (const Side& side : sides_) {
    for (const Lane& lane : side.lanes)
      if (!lane.under_way.empty()) throw KernelFault("a thread ended while its product was under way");
    for (const auto& [id, barrier] : side.named)
      if (!barrier.arrived.empty())
        throw KernelFault("named barrier " + text(static_cast<std::uint64_t>(id)) + " was left half full");
  }
}

}  // namespace rushes::emulator
