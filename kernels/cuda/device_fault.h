// What a device or one of its libraries answered, as an exception: the caller that faces a thread or a wire turns it
// into a value.
//
// Thread contract: plain values.
#pragma once

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

// Throws std::bad_alloc for kOutOfMemory, DeviceFault for everything else but success.
void check(DeviceApi& api, int error, const char* call);

}  // namespace rushes::kernels::cuda
