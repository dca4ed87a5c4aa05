// Classifier-free guidance: v = v_null + g·(v_cond - v_null).
//
// Two runs of the transformer over the same latent; with g = 1 or without a negative prompt only one.
// The sum is taken in fp32 as written, on the backend: nothing is waited for.
//
// Thread contract: as the backend, one thread at a time.
#pragma once

#include "worker/model/transformer.h"

namespace rushes::worker {

// What steps over the same tensors keep for each other, begun empty: a backend that can records the pass (Backend::run_pass).
struct StepRecord {
  kernels::RecordingPtr recording;  // null where the backend has none
  kernels::Tensor waves, rope, velocity, base;
};

// As Transformer::velocity. With a `record` all calls have the same x, prompts and origin, one timestep each, and the
// result is the same tensor every time.
Result<kernels::Tensor> guided_velocity(kernels::Backend& backend, Transformer& model,
                                        const kernels::Tensor& x, const Timesteps& timesteps,
                                        const PromptContext& positive, const PromptContext* negative,
                                        float guidance, const TokenOrigin& origin = {},
                                        const StopCheck& stop = {}, StepRecord* record = nullptr);

}  // namespace rushes::worker
