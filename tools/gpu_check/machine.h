// The device that everything runs on: GPU 0, or one in software.
//
// Thread contract: one thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "kernels/backend.h"
#include "kernels/cuda/cuda_device.h"
#include "tests/kernels/emulator/software_device.h"
#include "tools/gpu_check/checked_api.h"
#include "tools/gpu_check/request.h"
#include "tools/gpu_check/timed_api.h"

namespace rushes::gpu_check {

class Machine {
 public:
  // Throws DeviceFault where there is no GPU that can be used.
  Machine(bool emulate, bool portable, std::uint64_t seed);

  bool emulated() const { return software_ != nullptr; }
  cuda::DeviceApi& api() { return *api_; }
  TimedApi& timed() { return *timed_; }
  cuda::CudaDevice& device() { return *device_; }  // on timed()
  cuda::Attention8Form attention8_form() const {
    return cuda::attention8_form(10 * device_->info().major + device_->info().minor);
  }
  kernels::Backend& backend(kernels::Precision precision);
  // For results alone: outputs start as NaN, and what is written behind them is noticed, as damaged() counts.
  kernels::Backend& checked_backend(kernels::Precision precision);
  std::int64_t damaged() const { return checked_ ? checked_->damaged() : 0; }
  // What the software device noticed; empty on a GPU.
  std::string fault() const { return software_ ? software_->fault() : ""; }

  // Milliseconds of `work` by events on the device's stream.
  double milliseconds(const std::function<void()>& work);
  // What `work` started, by kernel: name, calls and milliseconds.
  std::vector<Reply> split(const std::function<void()>& work);

 private:
  std::unique_ptr<emulator::SoftwareDevice> software_;
  cuda::DeviceApi* api_;
  std::unique_ptr<TimedApi> timed_;
  std::shared_ptr<cuda::CudaDevice> device_;
  std::unique_ptr<CheckedApi> checked_;            // on a GPU; the software device checks by itself
  std::unique_ptr<kernels::Backend> backends_[2];  // by precision
  std::unique_ptr<kernels::Backend> checked_backends_[2];
};

// Device memory of its own, beside the arena.
class DeviceBytes {
 public:
  DeviceBytes(cuda::DeviceApi& api, std::size_t bytes);
  ~DeviceBytes() { (void)api_.free(start_); }
  DeviceBytes(const DeviceBytes&) = delete;
  DeviceBytes& operator=(const DeviceBytes&) = delete;
  std::byte* at(std::size_t offset) const { return static_cast<std::byte*>(start_) + offset; }

 private:
  cuda::DeviceApi& api_;
  void* start_ = nullptr;
};

}  // namespace rushes::gpu_check
