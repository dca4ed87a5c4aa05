// One GPU of this process: its stream, its memory, its libraries. The backends of a process on one GPU share it, so that
// their tensors flow between them in the stream's order.
//
// Thread contract: a call holds enter() while it queues its work; the device is closed with its last owner.
#pragma once

#include <functional>
#include <memory>
#include <mutex>

#include "kernels/cuda/arena.h"
#include "kernels/cuda/device_fault.h"
#include "kernels/cuda/kernel_table.h"

namespace rushes::kernels::cuda {

class Products;          // products.h
class Dnn;               // dnn.h
class Convolutions;      // convolutions.h
class LibraryAttention;  // library_attention.h

class CudaDevice {
 public:
  // Empty where such a device can compute here, otherwise what is missing and what to do. Null `api`: a build without
  // the CUDA toolkit.
  static std::string why_not(DeviceApi* api, int number);
  // The one of this process with that number. Throws DeviceFault with why_not().
  static std::shared_ptr<CudaDevice> open(DeviceApi* api, int number);
  ~CudaDevice();
  CudaDevice(const CudaDevice&) = delete;
  CudaDevice& operator=(const CudaDevice&) = delete;

  // Makes the device the thread's current one; while the lock is held no other thread queues work.
  [[nodiscard]] std::unique_lock<std::recursive_mutex> enter();

  DeviceApi& api() { return api_; }
  const DeviceInfo& info() const { return info_; }
  // What libraries choose engines by, and with them the order of sums: "cuBLASLt 13.1.0, cuDNN 9.19.0, 132
  // multiprocessors".
  std::string engines() const;
  Stream stream() const { return stream_; }
  Arena& arena() { return *arena_; }
  Products& products() { return *products_; }
  Dnn& dnn() { return *dnn_; }
  Convolutions& convolutions() { return *convolutions_; }
  LibraryAttention& library_attention() { return *library_attention_; }
  const KernelTable& kernels() { return api_.kernels(); }

  template <typename Arguments>
  void launch(const Kernel<Arguments>& kernel, const LaunchShape& shape, const Arguments& arguments) {
    check(api_, cuda::launch(api_, kernel, shape, arguments, stream_), kernel.name);
  }
  void clear(void* start, std::size_t bytes);  // to zeros
  void synchronize();
  void pace();  // Backend::pace
  // Queues `bytes` bytes to `to`; write(pinned, offset, bytes) puts a piece of them into pinned memory, pieces are
  // multiples of 64 bytes but the last. Waits only where the pinned memory is full.
  using Write = std::function<void(std::byte* pinned, std::size_t offset, std::size_t bytes)>;
  void upload(void* to, std::size_t bytes, const Write& write);
  // Waits; read(pinned, offset, bytes) takes the pieces.
  using Read = std::function<void(const std::byte* pinned, std::size_t offset, std::size_t bytes)>;
  void download(const void* from, std::size_t bytes, const Read& read);

 private:
  CudaDevice(DeviceApi& api, int number);
  void close() noexcept;

  DeviceApi& api_;
  const int number_;
  DeviceInfo info_;
  std::recursive_mutex mutex_;
  Stream stream_ = nullptr;
  Event paces_[2] = {};  // by turns
  int turn_ = 0;
  void* pinned_ = nullptr;
  std::size_t pinned_used_ = 0;  // by copies that may still be under way
  std::unique_ptr<Arena> arena_;
  std::unique_ptr<Products> products_;
  std::unique_ptr<Dnn> dnn_;
  std::unique_ptr<Convolutions> convolutions_;
  std::unique_ptr<LibraryAttention> library_attention_;
};

// Memory of the device until the end of a scope; work that was queued before may still use it.
class Scratch {
 public:
  Scratch(CudaDevice& device, std::size_t bytes)
      : device_(device), bytes_(bytes), start_(device.arena().take(bytes)) {}
  ~Scratch() { device_.arena().give_back(start_, bytes_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  std::byte* data() const { return start_; }

 private:
  CudaDevice& device_;
  std::size_t bytes_;
  std::byte* start_;
};

}  // namespace rushes::kernels::cuda
