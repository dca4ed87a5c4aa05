// Vectors on a device, for tests that start kernels by hand.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "kernels/cuda/device_api.h"

namespace rushes::kernels::cuda {

// One stream of a device; copies are waited for.
class Queue {
 public:
  explicit Queue(DeviceApi& device) : api(device) { EXPECT_EQ(api.stream_create(&stream), kSuccess); }
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
    EXPECT_EQ(queue_.api.malloc(&data_, count * sizeof(T)), kSuccess);
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
    const std::size_t bytes = count_ * sizeof(T);
    void* pinned = nullptr;
    ASSERT_EQ(queue_.api.malloc_host(&pinned, bytes), kSuccess);
    if (from) std::memcpy(pinned, from, bytes);
    EXPECT_EQ(from ? queue_.api.memcpy_async(data_, pinned, bytes, CopyKind::kToDevice, queue_.stream)
                   : queue_.api.memcpy_async(pinned, data_, bytes, CopyKind::kToHost, queue_.stream),
              kSuccess);
    EXPECT_EQ(queue_.api.stream_synchronize(queue_.stream), kSuccess);
    if (to) std::memcpy(to, pinned, bytes);
    (void)queue_.api.free_host(pinned);
  }

  Queue& queue_;
  std::size_t count_;
  void* data_ = nullptr;
};

}  // namespace rushes::kernels::cuda
