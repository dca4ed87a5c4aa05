// What the device and its libraries call themselves.
#include "tools/gpu_check/verbs.h"

namespace rushes::gpu_check {

namespace {

// 130100 -> "13.1.0"
std::string three_parts(std::size_t version) {
  return std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
         std::to_string(version % 100);
}

std::string driver_text(cuda::DeviceApi& api) {
  std::string why;
  char text[80] = {};
  const cuda::NvmlApi* nvml = api.nvml(&why);
  if (!nvml || nvml->init() != 0 || nvml->driver_version(text, sizeof text) != 0) return "";
  return text;
}

}  // namespace

Reply device_info(Machine& machine) {
  cuda::DeviceApi& api = machine.api();
  const cuda::DeviceInfo& info = machine.device().info();
  int cuda_version = 0;
  cuda::check(api, api.driver_version(&cuda_version), "cudaDriverGetVersion");
  std::string why;
  const cuda::BlasApi* blas = api.blas(&why);
  const cuda::DnnApi* dnn = api.dnn(&why);
  Reply reply;
  reply.add("emulated", machine.emulated()).add("device", info.name).add("bus_id", info.bus_id);
  reply.add("capability", std::to_string(info.major) + "." + std::to_string(info.minor));
  reply.add("multiprocessors", info.multiprocessors)
      .add("bytes", info.total_bytes)
      .add("l2_bytes", info.l2_bytes);
  std::size_t free = 0, total = 0;
  cuda::check(api, api.memory_info(&free, &total), "cudaMemGetInfo");
  reply.add("free_bytes", free).add("driver", driver_text(api));
  reply.add("driver_cuda",
            std::to_string(cuda_version / 1000) + "." + std::to_string(cuda_version % 1000 / 10));
  if (blas) reply.add("cublaslt", three_parts(blas->version()));
  if (dnn) reply.add("cudnn", three_parts(dnn->version()));
  return reply;
}

}  // namespace rushes::gpu_check
