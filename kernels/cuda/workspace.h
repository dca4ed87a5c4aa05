// How much memory the libraries may ask for beside operands and results of one call.
//
// cuBLASLt: what NVIDIA advises for compute capability 9.0. cuDNN: an engine that wants more is passed over.
#pragma once

#include <cstddef>

namespace rushes::kernels::cuda {

inline constexpr std::size_t kMostBlasWorkspace = std::size_t{32} << 20;
inline constexpr std::size_t kMostDnnWorkspace = std::size_t{256} << 20;

}  // namespace rushes::kernels::cuda
