#include "kernels/backends.h"

#include <new>

#include "kernels/cuda/cuda_backend.h"

namespace rushes::kernels {

Status check_backend(const BackendOptions& options) {
  if (options.kind != config::Backend::kCuda) return {};
  const std::string why = cuda::CudaDevice::why_not(cuda::device_api(), options.device);
  if (!why.empty()) return fail(ErrorKind::kExhausted, why);
  return {};
}

Result<std::unique_ptr<Backend>> make_backend(const BackendOptions& options) {
  if (options.kind == config::Backend::kReference) return make_reference_backend(options.precision);
  if (options.kind == config::Backend::kCpu) return make_cpu_backend({options.threads, options.precision});
  try {
    cuda::CudaOptions cuda;
    cuda.device = options.device, cuda.precision = options.precision;
    cuda.library_attention = options.library_attention;
    cuda.eight_bit = options.eight_bit, cuda.exceptions = options.exceptions;
    return cuda::make_cuda_backend(cuda::device_api(), cuda);
  } catch (const cuda::DeviceFault& fault) {
    return fail(ErrorKind::kExhausted, fault.what());
  } catch (const std::bad_alloc&) {
    return fail(ErrorKind::kExhausted,
                "backend cuda: device " + std::to_string(options.device) +
                    " has no memory left; end what else computes on it, or use --backend cpu");
  }
}

}  // namespace rushes::kernels
