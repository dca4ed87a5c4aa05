// Device memory in the order of one stream.
//
// Slabs come from DeviceApi::malloc and are kept; ranges are cut out of them by best fit and merged with their
// neighbours when given back. A range that was given back is taken again at once: the stream runs the old work before
// the new. After a first run of the same operations no slab is added.
//
// Thread contract: callable from any thread; one lock. A range belongs to one thread.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <vector>

#include "kernels/backend.h"
#include "kernels/cuda/device_api.h"

namespace rushes::kernels::cuda {

class Arena {
 public:
  Arena(DeviceApi& api, int device, Stream stream) : api_(api), device_(device), stream_(stream) {}
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // At least `bytes` bytes, aligned to 256. Throws std::bad_alloc when the device has no more, DeviceFault when it is
  // gone.
  std::byte* take(std::size_t bytes);
  void give_back(std::byte* start, std::size_t bytes) noexcept;  // `bytes` as it was taken
  void reserve(std::size_t bytes);
  Memory memory() const;

 private:
  std::size_t range_bytes(std::size_t bytes) const;  // rounded, with the red zone
  void add_slab(std::size_t bytes);
  bool release_unused_slabs();
  void insert_free(std::byte* start, std::size_t bytes);
  std::map<std::byte*, std::size_t>::iterator best_fit(std::size_t bytes);

  DeviceApi& api_;
  const int device_;
  const Stream stream_;
  mutable std::mutex mutex_;
  std::map<std::byte*, std::size_t> slabs_, free_;
  Memory memory_;
};

}  // namespace rushes::kernels::cuda
