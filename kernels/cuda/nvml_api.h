// NVML as Rushes calls it (nvml.h, API 12 and 13): the state of a device beside its computing. The library comes with
// the driver and is opened at run time. Status 0 is success.
#pragma once

#include <cstddef>

namespace rushes::kernels::cuda {

struct NvmlApi {
  int (*init)() = nullptr;                                               // nvmlInit_v2
  int (*shutdown)() = nullptr;                                           // nvmlShutdown
  int (*driver_version)(char* text, unsigned bytes) = nullptr;           // nvmlSystemGetDriverVersion
  int (*device_by_bus_id)(const char* bus_id, void** device) = nullptr;  // nvmlDeviceGetHandleByPciBusId_v2
  int (*temperature)(void* device, int sensor,
                     unsigned* celsius) = nullptr;  // nvmlDeviceGetTemperature, sensor 0
  // nvmlDeviceGetTotalEccErrors: kind 1 = uncorrected, counter 0 = since the driver was loaded. A device without ECC
  // answers 3 (not supported).
  int (*ecc_errors)(void* device, int kind, int counter, unsigned long long* count) = nullptr;
};

}  // namespace rushes::kernels::cuda
