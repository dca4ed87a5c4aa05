// Vectors on a device, for tests that start kernels by hand. What a device refuses is thrown as DeviceFault.
#pragma once

#include <cstring>
#include <vector>

#include "kernels/cuda/device_fault.h"

namespace rushes::kernels::cuda {

// One stream of a device; copies are waited for.
class Queue {
 public:
  explicit Queue(DeviceApi& device) : api(device) {
    check(api, api.stream_create(&stream), "cudaStreamCreate");
  }
  ~Queue() { (void)api.stream_destroy(stream); }
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  DeviceApi& api;
  Stream stream = nullptr;
};

template <typename T>
class DeviceVector {
 public:
  DeviceVector(Queue& queue, std::size_t count) : queue_(queue), count_(count) {
    check(queue_.api, queue_.api.malloc(&data_, count * sizeof(T)), "cudaMalloc");
  }
  DeviceVector(Queue& queue, const std::vector<T>& values) : DeviceVector(queue, values.size()) {
    move(values.data(), nullptr);
  }
  ~DeviceVector() { (void)queue_.api.free(data_); }
  DeviceVector(const DeviceVector&) = delete;
  DeviceVector& operator=(const DeviceVector&) = delete;

  T* data() const { return static_cast<T*>(data_); }
  std::vector<T> values() const {
    std::vector<T> out(count_);
    move(nullptr, out.data());
    return out;
  }

 private:
  void move(const T* from, T* to) const {
    DeviceApi& api = queue_.api;
    const std::size_t bytes = count_ * sizeof(T);
    void* pinned = nullptr;
    check(api, api.malloc_host(&pinned, bytes), "cudaMallocHost");
    if (from) std::memcpy(pinned, from, bytes);
    check(api,
          from ? api.memcpy_async(data_, pinned, bytes, CopyKind::kToDevice, queue_.stream)
               : api.memcpy_async(pinned, data_, bytes, CopyKind::kToHost, queue_.stream),
          "cudaMemcpyAsync");
    check(api, api.stream_synchronize(queue_.stream), "cudaStreamSynchronize");
    if (to) std::memcpy(to, pinned, bytes);
    (void)api.free_host(pinned);
  }

  Queue& queue_;
  std::size_t count_;
  void* data_ = nullptr;
};

}  // namespace rushes::kernels::cuda
