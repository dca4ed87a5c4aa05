#include "kernels/cuda/device_fault.h"

namespace rushes::kernels::cuda {

namespace {

const char* advice(int error) {
  switch (error) {
    case kOldDriver:
      return "install an NVIDIA driver for CUDA 13 (580 or later)";
    case kNoDevice:
    case kInvalidDevice:
      return "the device is gone or not visible: look at nvidia-smi and at Xid lines of the kernel log, then "
             "start "
             "this process again";
    case kInCapture:
      return "a fault of Rushes: something waited or took memory while a step was recorded";
    case kInvalidValue:
      return "a fault of Rushes: report it with this line";
    default:
      return "the device's state is lost: end this process and start it again; if it comes back, look at Xid "
             "lines of "
             "the kernel log";
  }
}

}  // namespace

DeviceMemoryFault::DeviceMemoryFault(const std::string& message) noexcept {
  message.copy(message_.data(), message_.size() - 1);
}

void check(DeviceApi& api, int error, const char* call) {
  if (error == kSuccess) return;
  if (error == kOutOfMemory)
    throw DeviceMemoryFault(std::string("the GPU has no memory left: ") + call + " answered " +
                            api.error_name(error) + " (" + std::to_string(error) + ")");
  throw DeviceFault(error, std::string("cuda: ") + call + " answered " + api.error_name(error) + " (" +
                               std::to_string(error) + "): " + advice(error));
}

}  // namespace rushes::kernels::cuda
