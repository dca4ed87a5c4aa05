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
  insert_free(static_cast<std::byte*>(start), size);
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
void Arena::insert_free(std::byte* start, std::size_t bytes) {
  auto next = free_.lower_bound(start);
  if (next != free_.end() && start + bytes == next->first && !slabs_.contains(next->first)) {
    bytes += next->second;
    next = free_.erase(next);
  }
  if (next != free_.begin() && !slabs_.contains(start)) {
    const auto previous = std::prev(next);
    if (previous->first + previous->second == start) {
      previous->second += bytes;
      return;
    }
  }
  free_.emplace(start, bytes);
}

std::map<std::byte*, std::size_t>::iterator Arena::best_fit(std::size_t bytes) {
  auto best = free_.end();
  for (auto it = free_.begin(); it != free_.end(); ++it)
    if (it->second >= bytes && (best == free_.end() || it->second < best->second)) best = it;
  return best;
}

std::byte* Arena::take(std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  const std::size_t range = range_bytes(bytes);
  if (range < bytes) throw std::bad_alloc();
  auto block = best_fit(range);
  if (block == free_.end()) {
    add_slab(range);
    block = best_fit(range);
  }
  std::byte* start = block->first;
  const std::size_t rest = block->second - range;
  free_.erase(block);
  if (rest) free_.emplace(start + range, rest);
  memory_.in_use_bytes += range;
  memory_.peak_bytes = std::max(memory_.peak_bytes, memory_.in_use_bytes);
  const int error = api_.begin_range(start, range - round_up(api_.red_zone_bytes(), kAlignment), stream_);
  if (error) {
    memory_.in_use_bytes -= range;
    insert_free(start, range);
    check(api_, error, "begin_range");
  }
  return start;
}

void Arena::give_back(std::byte* start, std::size_t bytes) noexcept {
  const std::lock_guard lock(mutex_);
  const std::size_t range = range_bytes(bytes);
  // A damaged red zone shows where somebody waits for the stream.
  (void)api_.end_range(start, range - round_up(api_.red_zone_bytes(), kAlignment), stream_);
  memory_.in_use_bytes -= range;
  insert_free(start, range);
}

void Arena::reserve(std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  if (memory_.pooled_bytes >= bytes) return;
  (void)release_unused_slabs();
  add_slab(bytes - std::min(bytes, memory_.in_use_bytes));
}

Memory Arena::memory() const {
  const std::lock_guard lock(mutex_);
  return memory_;
}

}  // namespace rushes::kernels::cuda
