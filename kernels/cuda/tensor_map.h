// What the tensor memory accelerator (TMA) needs to know of a tensor.
//
// Thread contract: plain values.
#pragma once

#include <cstdint>

namespace rushes::kernels::cuda {

// A tile of a 2-byte or 1-byte tensor for the tensor memory accelerator (cuTensorMapEncodeTiled): rank <= 5, the
// fastest dimension first; out-of-range elements are read as zeros. Swizzle: 128 bytes.
struct TensorMapShape {
  int rank = 0;
  int element_bytes = 2;
  const void* start = nullptr;  // 16-byte aligned
  std::uint64_t size[5] = {};
  std::uint64_t stride_bytes[5] = {};  // of dimensions 1..; [0] is element_bytes
  std::uint32_t box[5] = {};
};
struct alignas(128) TensorMap {
  unsigned char bytes[128];  // CUtensorMap
};

}  // namespace rushes::kernels::cuda
