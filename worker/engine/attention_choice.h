// Whether a worker's GPUs compute dense attention with our kernels or with cuDNN's, where worker.yaml says `attention: fastest`.
//
// The two differ in bits, so the choice is part of the numeric class. It is made by the first engine of a kind of GPU that
// starts, before a slot is offered, and kept in the worker's folder; the other engines wait for it, and later starts read it.
// What it was measured with stands beside it: with another driver, library, build or set of models it is measured again.
//
// The file, FOLDER/attention.yaml, one entry for each kind of GPU:
//   version: 1
//   choices:
//     - device: "NVIDIA H200"
//       capability: "9.0"
//       driver: "580.95.05, CUDA 13.0"
//       engines: "cuBLASLt 13.1.0, cuDNN 9.19.0, 132 multiprocessors"
//       build: "0.9.0"
//       shapes: "4x64 135:135, 4x64 135:48"   # heads x width, queries : keys
//       own_ms: 0.0211                        # all shapes together, medians
//       library_ms: 0.0188
//       attention: library
//
// Thread contract: one thread; processes that share the folder take turns (attention.lock).
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "config/result.h"
#include "config/worker.h"
#include "kernels/cuda/attention_timing.h"

namespace rushes::worker {

struct AttentionChoice {
  bool library = false;            // EngineOptions::library_attention
  std::vector<std::string> notes;  // lines for the worker's log; empty where nothing was to be chosen
};

// What the models in these roots compute that both forms can: self-attention at their native size (at most kMostTokens
// tokens) and at a quarter of it, cross-attention to their text; heads of 64 and 128. A model that cannot be read is left
// out: it is not offered either.
inline constexpr std::int64_t kMostTokens = 32'768;
std::vector<kernels::cuda::AttentionShape> attention_shapes(const std::vector<std::filesystem::path>& roots);

// `build`: of the kernels. Error: kExhausted, the device cannot be used.
Result<AttentionChoice> choose_attention(config::Attention wanted, kernels::cuda::DeviceApi& api, int device,
                                         const std::vector<kernels::cuda::AttentionShape>& shapes,
                                         const std::filesystem::path& folder, const std::string& build);

}  // namespace rushes::worker
