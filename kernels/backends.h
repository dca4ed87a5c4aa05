// The one place that chooses a backend.
//
// Thread contract: callable from any thread; the backend belongs to the caller.
#pragma once

#include <memory>
#include <string>

#include "config/backend.h"
#include "config/result.h"
#include "kernels/backend.h"

namespace rushes::kernels {

struct BackendOptions {
  config::Backend kind = config::Backend::kCpu;
  int device = 0;  // number of the GPU, 0-based; without meaning for the others
  Precision precision = Precision::kF32;
  int threads = 0;  // of the CPU backend; 0: as many as this process may use
  // Of the CUDA backend (CudaOptions): numeric classes of their own.
  bool library_attention = false, eight_bit = false;
  std::string exceptions = {};
};

// Whether make_backend() can make such a backend here. Error: kExhausted, with what to use instead.
Status check_backend(const BackendOptions& options);

// Error: as check_backend().
Result<std::unique_ptr<Backend>> make_backend(const BackendOptions& options);

}  // namespace rushes::kernels
