#include "kernels/cuda/device_api.h"

namespace rushes::kernels::cuda {

#ifdef RUSHES_HAS_CUDA
DeviceApi* bind_cuda();  // bind_cuda.cpp
#endif

namespace {

DeviceApi*& installed() {
#ifdef RUSHES_HAS_CUDA
  static DeviceApi* api = bind_cuda();
#else
  static DeviceApi* api = nullptr;
#endif
  return api;
}

}  // namespace

DeviceApi* device_api() { return installed(); }
void install(DeviceApi* api) { installed() = api; }

}  // namespace rushes::kernels::cuda
