// Classifier-free guidance: v = v_null + g·(v_cond - v_null).
//
// Two passes of the transformer with the same latent; with g = 1 or without a negative prompt only one.
// The sum is taken in fp32 as written, on the backend: nothing is waited for.
//
// Thread contract: as the backend, one thread at a time.
#pragma once

#include "worker/model/transformer.h"

namespace rushes::worker {

// As Transformer::velocity.
Result<kernels::Tensor> guided_velocity(kernels::Backend& backend, Transformer& model,
                                        const kernels::Tensor& x, const Timesteps& timesteps,
                                        const PromptContext& positive, const PromptContext* negative,
                                        float guidance, const TokenOrigin& origin = {},
                                        const StopCheck& stop = {});

}  // namespace rushes::worker
