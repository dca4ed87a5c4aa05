#include "kernels/backends.h"

namespace rushes::kernels {

Status check_backend(const BackendOptions& options) {
  if (options.kind == config::Backend::kCuda)
    return fail(ErrorKind::kExhausted, "backend cuda: this build has no CUDA engine; use --backend cpu");
  return {};
}

Result<std::unique_ptr<Backend>> make_backend(const BackendOptions& options) {
  if (Status status = check_backend(options); !status) return tl::unexpected(status.error());
  if (options.kind == config::Backend::kReference) return make_reference_backend(options.precision);
  return make_cpu_backend({options.threads, options.precision});
}

}  // namespace rushes::kernels
