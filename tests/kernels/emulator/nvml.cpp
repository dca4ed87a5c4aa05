// NVML in software: the devices of the host that SoftwareOptions describe.
#include <charconv>
#include <cstdio>
#include <string>

#include "tests/kernels/emulator/libraries.h"
#include "tests/kernels/emulator/software_device.h"

namespace rushes::emulator {

namespace {

constexpr int kSuccess = 0, kInvalid = 2, kUnsupported = 3, kNotFound = 6, kLost = 15;  // nvmlReturn_t

const SoftwareOptions& host() { return SoftwareDevice::current()->options(); }

// A handle is the device's number plus one.
int number(void* device) { return static_cast<int>(reinterpret_cast<std::uintptr_t>(device)) - 1; }

int find(int device, void** handle) {
  if (device < 0 || device >= (host().host_devices ? host().host_devices : host().devices)) return kInvalid;
  *handle = reinterpret_cast<void*>(static_cast<std::uintptr_t>(device) + 1);
  return host().lost && host().lost(device) ? kLost : kSuccess;
}

int put(const std::string& from, char* text, unsigned bytes) {
  return static_cast<unsigned>(std::snprintf(text, bytes, "%s", from.c_str())) < bytes ? kSuccess : kInvalid;
}

int find_by_uuid(const char* uuid, void** handle) {
  const std::string_view text = uuid, front = host().uuid;
  int device = -1;
  if (text.substr(0, front.size()) != front) return kNotFound;
  const char* end = text.data() + text.size();
  if (std::from_chars(text.data() + front.size(), end, device).ptr != end) return kNotFound;
  return find(device, handle);
}

const char* error_text(int status) {
  switch (status) {
    case kSuccess:
      return "Success";
    case kUnsupported:
      return "Not Supported";
    case kNotFound:
      return "Not Found";
    case kLost:
      return "GPU is lost";
    default:
      return "Invalid Argument";
  }
}

}  // namespace

const kernels::cuda::NvmlApi& software_nvml() {
  static const kernels::cuda::NvmlApi api = {
      [] { return kSuccess; },
      error_text,
      [](char* text, unsigned bytes) { return put(host().driver_text, text, bytes); },
      [](unsigned index, void** device) { return find(static_cast<int>(index), device); },
      find_by_uuid,
      [](void* device, char* text, unsigned bytes) {
        return put(host().uuid + std::to_string(number(device)), text, bytes);
      },
      [](void*, char* text, unsigned bytes) { return put("Software device", text, bytes); },
      [](void*, int* major, int* minor) {
        *major = host().major, *minor = host().minor;
        return kSuccess;
      },
      [](void*, kernels::cuda::NvmlMemory* memory) {
        *memory = {host().memory_bytes, host().memory_bytes, 0};
        return kSuccess;
      },
      [](void*, int, unsigned* celsius) {
        *celsius = 40;
        return kSuccess;
      },
      [](void*, int, int, unsigned long long*) { return kUnsupported; },  // no ECC
  };
  return api;
}

}  // namespace rushes::emulator
