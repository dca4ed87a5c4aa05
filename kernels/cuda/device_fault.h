// What a device or one of its libraries answered, as an exception: the caller that faces a thread or a wire turns it
// into a value.
//
// Thread contract: plain values.
#pragma once

#include <array>
#include <new>
#include <stdexcept>
#include <string>

#include "kernels/cuda/device_api.h"

namespace rushes::kernels::cuda {

// The message names the call, the answer and what to do.
class DeviceFault : public std::runtime_error {
 public:
  DeviceFault(int code, const std::string& message) : std::runtime_error(message), code_(code) {}
  int code() const { return code_; }  // cudaError_t, or the library's status

 private:
  int code_;
};

// The device has no room. Like any std::bad_alloc it leaves the device as it was.
class DeviceMemoryFault : public std::bad_alloc {
 public:
  explicit DeviceMemoryFault(const std::string& message) noexcept;  // cut to 199 bytes
  const char* what() const noexcept override { return message_.data(); }

 private:
  std::array<char, 200> message_{};  // copied without memory
};

// Throws DeviceMemoryFault for kOutOfMemory, DeviceFault for everything else but success.
void check(DeviceApi& api, int error, const char* call);

}  // namespace rushes::kernels::cuda
