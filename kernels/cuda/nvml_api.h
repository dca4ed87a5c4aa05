// NVML as Rushes calls it (nvml.h, API 12 and 13): devices as their driver tells them, without a context on them. The
// library comes with the driver and is opened at run time. Status 0 is success.
#pragma once

#include <cstddef>

namespace rushes::kernels::cuda {

struct NvmlMemory {  // nvmlMemory_t
  unsigned long long total, free, used;
};

struct NvmlApi {
  int (*init)() = nullptr;                                           // nvmlInit_v2
  const char* (*error_text)(int status) = nullptr;                   // nvmlErrorString
  int (*driver_version)(char* text, unsigned bytes) = nullptr;       // nvmlSystemGetDriverVersion
  int (*device_by_index)(unsigned index, void** device) = nullptr;   // nvmlDeviceGetHandleByIndex_v2
  int (*device_by_uuid)(const char* uuid, void** device) = nullptr;  // nvmlDeviceGetHandleByUUID
  int (*uuid)(void* device, char* text, unsigned bytes) = nullptr;  // nvmlDeviceGetUUID: "GPU-...", "MIG-..."
  int (*name)(void* device, char* text, unsigned bytes) = nullptr;  // nvmlDeviceGetName
  int (*capability)(void* device, int* major, int* minor) = nullptr;  // nvmlDeviceGetCudaComputeCapability
  int (*memory)(void* device, NvmlMemory* memory) = nullptr;          // nvmlDeviceGetMemoryInfo
  int (*temperature)(void* device, int sensor,
                     unsigned* celsius) = nullptr;  // nvmlDeviceGetTemperature, sensor 0
  // nvmlDeviceGetTotalEccErrors: kind 1 = uncorrected, counter 0 = since the driver was loaded. A device without ECC
  // answers 3 (not supported).
  int (*ecc_errors)(void* device, int kind, int counter, unsigned long long* count) = nullptr;
};

}  // namespace rushes::kernels::cuda
