// Device memory in the order of one stream.
//
// Slabs come from DeviceApi::malloc and are kept; ranges are cut out of them by best fit and merged with their
// neighbours when given back. A range that was given back is taken again at once: the stream runs the old work before
// the new. After a first run of the same operations no slab is added.
//
// A Hold keeps what is taken while it is in use: a recorded graph runs on the same addresses again and again.
//
// Thread contract: callable from any thread; one lock. A range belongs to one thread. Who uses a Hold lets no other
// thread take (CudaDevice::enter).
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <set>
#include <vector>

#include "kernels/backend.h"
#include "kernels/cuda/device_api.h"

namespace rushes::kernels::cuda {

class Arena {
 public:
  class Hold;

  Arena(DeviceApi& api, int device, Stream stream) : api_(api), device_(device), stream_(stream) {}
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // At least `bytes` bytes, aligned to 256. Throws std::bad_alloc when the device has no more, DeviceFault when it is
  // gone.
  std::byte* take(std::size_t bytes);
  void give_back(std::byte* start, std::size_t bytes) noexcept;  // `bytes` as it was taken
  // What is missing of `bytes` in use lies in one piece from now on: pieces between weights are of no use to large tensors.
  void reserve(std::size_t bytes);
  Memory memory() const;

 private:
  using Ranges = std::map<std::byte*, std::size_t>;  // start, bytes
  std::size_t range_bytes(std::size_t bytes) const;  // rounded, with the red zone
  void add_slab(std::size_t bytes);
  bool release_unused_slabs();
  void insert_free(Ranges& free, std::byte* start, std::size_t bytes) const;
  std::byte* cut(std::size_t range);
  std::byte* extend_hold(std::size_t range);
  void put_back(std::byte* start, std::size_t range);

  DeviceApi& api_;
  const int device_;
  const Stream stream_;
  mutable std::mutex mutex_;
  Ranges slabs_, free_;
  std::set<Hold*> holds_;
  Hold* used_ = nullptr;
  Memory memory_;
};

// Ranges that were taken during use() come back to it, and are its own until its end; the arena sees them in use.
class Arena::Hold {
 public:
  explicit Hold(Arena& arena);  // outlived by the arena
  ~Hold();                      // what is still taken comes back to the arena later
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;

  // While it lives, take() looks here first, and keeps here what it takes elsewhere. One at a time in an arena.
  class Use {
   public:
    explicit Use(Hold& hold);
    ~Use();
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    Arena& arena_;
  };

 private:
  friend class Arena;
  bool owns(std::byte* start) const;
  Arena& arena_;
  Ranges own_, free_;  // all of it; the part that nobody has taken
};

}  // namespace rushes::kernels::cuda
