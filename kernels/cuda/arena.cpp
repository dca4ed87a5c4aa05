#include "kernels/cuda/arena.h"

#include <algorithm>
#include <new>

#include "kernels/cuda/device_fault.h"

namespace rushes::kernels::cuda {

namespace {

constexpr std::size_t kAlignment = 256;
constexpr std::size_t kPage = std::size_t{2} << 20;        // what a device hands out
constexpr std::size_t kSlabBytes = std::size_t{64} << 20;  // unless more is asked for

std::size_t round_up(std::size_t value, std::size_t step) { return (value + step - 1) / step * step; }

}  // namespace

Arena::~Arena() {
  (void)api_.set_device(device_);
  for (const auto& [start, bytes] : slabs_) (void)api_.free(start);
}

std::size_t Arena::range_bytes(std::size_t bytes) const {
  return round_up(std::max<std::size_t>(bytes, 1), kAlignment) + round_up(api_.red_zone_bytes(), kAlignment);
}

void Arena::add_slab(std::size_t bytes) {
  check(api_, api_.set_device(device_), "cudaSetDevice");
  std::size_t size = round_up(std::max(bytes, kSlabBytes), kPage);
  void* start = nullptr;
  int error = api_.malloc(&start, size);
  if (error == kOutOfMemory && release_unused_slabs()) error = api_.malloc(&start, size);
  if (error == kOutOfMemory && size > bytes) error = api_.malloc(&start, size = bytes);
  if (error == kOutOfMemory)
    throw DeviceMemoryFault("the GPU has no room for " + std::to_string(size >> 20) +
                            " MiB more; this engine has " + std::to_string(memory_.pooled_bytes >> 20) +
                            " MiB of it");
  check(api_, error, "cudaMalloc");
  slabs_.emplace(static_cast<std::byte*>(start), size);
  memory_.pooled_bytes += size;
  insert_free(free_, static_cast<std::byte*>(start), size);
}

// True if the device has more memory afterwards.
bool Arena::release_unused_slabs() {
  bool released = false;
  for (auto slab = slabs_.begin(); slab != slabs_.end();) {
    const auto block = free_.find(slab->first);
    if (block == free_.end() || block->second != slab->second || api_.free(slab->first) != kSuccess) {
      ++slab;
      continue;
    }
    memory_.pooled_bytes -= slab->second;
    free_.erase(block);
    slab = slabs_.erase(slab);
    released = true;
  }
  return released;
}

// Slabs are separate allocations: neighbours merge inside one only.
void Arena::insert_free(Ranges& free, std::byte* start, std::size_t bytes) const {
  auto next = free.lower_bound(start);
  if (next != free.end() && start + bytes == next->first && !slabs_.contains(next->first)) {
    bytes += next->second;
    next = free.erase(next);
  }
  if (next != free.begin() && !slabs_.contains(start)) {
    const auto previous = std::prev(next);
    if (previous->first + previous->second == start) {
      previous->second += bytes;
      return;
    }
  }
  free.emplace(start, bytes);
}

namespace {

// The smallest free range that is large enough, or a null pointer.
std::byte* cut_best_fit(std::map<std::byte*, std::size_t>& free, std::size_t bytes) {
  auto best = free.end();
  for (auto it = free.begin(); it != free.end(); ++it)
    if (it->second >= bytes && (best == free.end() || it->second < best->second)) best = it;
  if (best == free.end()) return nullptr;
  const auto [start, size] = *best;
  free.erase(best);
  if (size > bytes) free.emplace(start + bytes, size - bytes);
  return start;
}

}  // namespace

// A free range of the hold in use together with the arena's behind it, the largest that it has: else every piece that is a
// little too small would stay a gap. Null where there is none.
std::byte* Arena::extend_hold(std::size_t range) {
  Ranges& held = used_->free_;
  auto best = held.end();
  for (auto it = held.begin(); it != held.end(); ++it) {
    const auto next = free_.find(it->first + it->second);
    const bool fits =
        next != free_.end() && !slabs_.contains(next->first) && it->second + next->second >= range;
    if (fits && (best == held.end() || it->second > best->second)) best = it;
  }
  if (best == held.end()) return nullptr;
  const auto [start, bytes] = *best;
  const auto next = free_.find(start + bytes);
  const std::size_t more = range - bytes, rest = next->second - more;
  used_->own_.emplace(next->first, more);
  if (rest) free_.emplace(next->first + more, rest);
  free_.erase(next);
  held.erase(best);
  memory_.in_use_bytes += more;
  memory_.peak_bytes = std::max(memory_.peak_bytes, memory_.in_use_bytes);
  return start;
}

std::byte* Arena::cut(std::size_t range) {
  if (used_) {
    if (std::byte* start = cut_best_fit(used_->free_, range)) return start;
    if (std::byte* start = extend_hold(range)) return start;
  }
  std::byte* start = cut_best_fit(free_, range);
  if (!start) {
    add_slab(range);
    start = cut_best_fit(free_, range);
  }
  memory_.in_use_bytes += range;
  memory_.peak_bytes = std::max(memory_.peak_bytes, memory_.in_use_bytes);
  if (used_) used_->own_.emplace(start, range);
  return start;
}

void Arena::put_back(std::byte* start, std::size_t range) {
  for (Hold* hold : holds_)
    if (hold->owns(start)) return insert_free(hold->free_, start, range);
  memory_.in_use_bytes -= range;
  insert_free(free_, start, range);
}

std::byte* Arena::take(std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  const std::size_t range = range_bytes(bytes);
  if (range < bytes) throw std::bad_alloc();
  std::byte* start = cut(range);
  const int error = api_.begin_range(start, range - round_up(api_.red_zone_bytes(), kAlignment), stream_);
  if (error) {
    put_back(start, range);
    check(api_, error, "begin_range");
  }
  return start;
}

void Arena::give_back(std::byte* start, std::size_t bytes) noexcept {
  const std::lock_guard lock(mutex_);
  const std::size_t range = range_bytes(bytes);
  // A damaged red zone shows where somebody waits for the stream.
  (void)api_.end_range(start, range - round_up(api_.red_zone_bytes(), kAlignment), stream_);
  put_back(start, range);
}

void Arena::reserve(std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  const std::size_t more = bytes - std::min(bytes, memory_.in_use_bytes);
  std::size_t largest = 0;
  for (const auto& [start, size] : free_) largest = std::max(largest, size);
  if (largest >= more) return;
  (void)release_unused_slabs();
  add_slab(more);
}

Memory Arena::memory() const {
  const std::lock_guard lock(mutex_);
  return memory_;
}

// ---- holds

Arena::Hold::Hold(Arena& arena) : arena_(arena) {
  const std::lock_guard lock(arena_.mutex_);
  arena_.holds_.insert(this);
}

Arena::Hold::~Hold() {
  const std::lock_guard lock(arena_.mutex_);
  arena_.holds_.erase(this);
  for (const auto& [start, bytes] : free_) arena_.put_back(start, bytes);
}

bool Arena::Hold::owns(std::byte* start) const {
  const auto after = own_.upper_bound(start);
  if (after == own_.begin()) return false;
  const auto& [first, bytes] = *std::prev(after);
  return start < first + bytes;
}

Arena::Hold::Use::Use(Hold& hold) : arena_(hold.arena_) {
  const std::lock_guard lock(arena_.mutex_);
  arena_.used_ = &hold;
}

Arena::Hold::Use::~Use() {
  const std::lock_guard lock(arena_.mutex_);
  arena_.used_ = nullptr;
}

}  // namespace rushes::kernels::cuda
