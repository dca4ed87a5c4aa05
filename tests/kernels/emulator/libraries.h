// cuBLASLt, cuDNN and NVML in software: the libraries' functions as Rushes calls them, computed plainly on the newest
// SoftwareDevice.
//
// Every descriptor is checked where the libraries would look at it; what is missing or does not fit is refused with a
// status and noted as SoftwareDevice::fault(). Stricter than NVIDIA's: a descriptor must live as long as another one
// refers to it, and pointers must lie in device memory that was allocated.
//
// Thread contract: as SoftwareDevice.
#pragma once

#include <cstring>
#include <vector>

#include "kernels/cuda/blas_api.h"
#include "kernels/cuda/dnn_api.h"
#include "kernels/cuda/nvml_api.h"
#include "kernels/tensor.h"

namespace rushes::emulator {

const kernels::cuda::BlasApi& software_blas();
const kernels::cuda::DnnApi& software_dnn();
const kernels::cuda::NvmlApi& software_nvml();

// `count` numbers of device memory, fp32 or bf16.
inline std::vector<float> widened(const void* start, bool bf16, std::size_t count) {
  std::vector<float> values(count);
  if (!bf16) {
    std::memcpy(values.data(), start, count * sizeof(float));
  } else {
    for (std::size_t i = 0; i < count; ++i)
      values[i] = kernels::bf16_to_float(static_cast<const std::uint16_t*>(start)[i]);
  }
  return values;
}
inline void put_rounded(void* start, bool bf16, std::size_t at, double value) {
  if (bf16) {
    static_cast<std::uint16_t*>(start)[at] = kernels::float_to_bf16(static_cast<float>(value));
  } else {
    static_cast<float*>(start)[at] = static_cast<float>(value);
  }
}

}  // namespace rushes::emulator
