#include <cuda_runtime.h>

#include <string>

#include "kernels/cuda/attention.h"
#include "kernels/cuda/warp.h"
// After warp.h:
#include "kernels/cuda/attention_block.h"

namespace rushes::kernels {

namespace {

template <int kWidth>
__global__ void __launch_bounds__(device::kThreads)
    attention_kernel(const device::AttentionArguments arguments) {
  extern __shared__ __align__(16) unsigned char memory[];
  device::attention_block<kWidth>(arguments, *reinterpret_cast<device::SharedTiles<kWidth>*>(memory),
                                  static_cast<int>(blockIdx.x), static_cast<int>(blockIdx.y),
                                  static_cast<int>(blockIdx.z));
}

template <int kWidth>
cudaError_t launch(const device::AttentionArguments& a, int batch, cudaStream_t stream) {
  constexpr int kShared = sizeof(device::SharedTiles<kWidth>);
  const cudaError_t error =
      cudaFuncSetAttribute(attention_kernel<kWidth>, cudaFuncAttributeMaxDynamicSharedMemorySize, kShared);
  if (error != cudaSuccess) return error;
  const int tiles = (a.lq + a.query_tile - 1) / a.query_tile;
  const int blocks = tiles * ((a.query_tile + device::kQueries - 1) / device::kQueries);
  // Blocks of queries are the fastest index: neighbours share one head's keys in the L2 cache.
  const dim3 grid(static_cast<unsigned>(blocks), static_cast<unsigned>(a.heads),
                  static_cast<unsigned>(batch));
  attention_kernel<kWidth><<<grid, device::kThreads, kShared, stream>>>(a);
  return cudaGetLastError();
}

}  // namespace

int cuda_device_count() {
  int count = 0, able = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess) return 0;
  for (int i = 0; i < count; ++i) {
    int major = 0;
    if (cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, i) == cudaSuccess && major >= 8)
      ++able;
  }
  return able;
}

Status cuda_attention(const CudaAttention& c, void* stream) {
  if ((c.first == nullptr) != (c.tile == nullptr)) {
    return fail(ErrorKind::kInvalid, "cuda attention: `first` and `tile` come together");
  }
  if (c.lq < 1 || c.lk < 1 || c.heads < 1 || c.batch < 1 || c.query_tile < 1 || c.key_tile < 1) {
    return fail(ErrorKind::kInvalid, "cuda attention: lengths, heads, batch and tiles must be at least 1");
  }
  const bool dense = c.first == nullptr;
  const device::AttentionArguments arguments{static_cast<const std::uint16_t*>(c.q),
                                             static_cast<const std::uint16_t*>(c.k),
                                             static_cast<const std::uint16_t*>(c.v),
                                             static_cast<std::uint16_t*>(c.y),
                                             c.heads,
                                             c.lq,
                                             c.lk,
                                             c.scale,
                                             c.first,
                                             c.tile,
                                             dense ? c.lq : c.query_tile,
                                             dense ? c.lk : c.key_tile};
  const auto queue = static_cast<cudaStream_t>(stream);
  cudaError_t error = cudaSuccess;
  if (c.width == 64) {
    error = launch<64>(arguments, c.batch, queue);
  } else if (c.width == 128) {
    error = launch<128>(arguments, c.batch, queue);
  } else {
    return fail(ErrorKind::kInvalid,
                "cuda attention: heads of width " + std::to_string(c.width) + ", expected 64 or 128");
  }
  if (error != cudaSuccess) {
    return fail(ErrorKind::kInternal, std::string("cuda attention: ") + cudaGetErrorString(error));
  }
  return {};
}

}  // namespace rushes::kernels
