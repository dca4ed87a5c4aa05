#include "tools/gpu_check/checked_api.h"

#include <algorithm>

#include "kernels/cuda/device_fault.h"

namespace rushes::gpu_check {

namespace {
constexpr int kPattern = 0xa5;
}  // namespace

CheckedApi::CheckedApi(cuda::DeviceApi& behind) : ForwardingApi(behind) {
  cuda::check(behind_, behind_.set_device(0), "cudaSetDevice");
  cuda::check(behind_, behind_.malloc_host(&pinned_, kZone), "cudaMallocHost");
}

CheckedApi::~CheckedApi() { (void)behind_.free_host(pinned_); }

int CheckedApi::begin_range(void* start, std::size_t bytes, cuda::Stream stream) {
  if (const int error = behind_.memset_async(start, 0xff, bytes, stream)) return error;
  return behind_.memset_async(static_cast<std::byte*>(start) + bytes, kPattern, kZone, stream);
}

int CheckedApi::end_range(void* start, std::size_t bytes, cuda::Stream stream) {
  const std::byte* zone = static_cast<const std::byte*>(start) + bytes;
  if (const int error = behind_.memcpy_async(pinned_, zone, kZone, cuda::CopyKind::kToHost, stream))
    return error;
  if (const int error = behind_.stream_synchronize(stream)) return error;
  const auto* found = static_cast<const unsigned char*>(pinned_);
  damaged_ += std::any_of(found, found + kZone, [](unsigned char value) { return value != kPattern; });
  return cuda::kSuccess;
}

}  // namespace rushes::gpu_check
