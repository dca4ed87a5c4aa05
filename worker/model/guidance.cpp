#include "worker/model/guidance.h"

namespace rushes::worker {

Result<kernels::Tensor> guided_velocity(kernels::Backend& backend, Transformer& model,
                                        const kernels::Tensor& x, const Timesteps& timesteps,
                                        const PromptContext& positive, const PromptContext* negative,
                                        float guidance, const TokenOrigin& origin, const StopCheck& stop) {
  auto conditional = model.velocity(x, timesteps, positive, origin, {}, stop);
  if (!conditional || !negative || guidance == 1.0f) return conditional;
  auto unconditional = model.velocity(x, timesteps, *negative, origin, {}, stop);
  if (!unconditional) return unconditional;
  const kernels::Tensor &v = *conditional, &base = *unconditional;
  backend.combine({{1.0f, v}, {-1.0f, base}}, v);
  backend.combine({{1.0f, base}, {guidance, v}}, v);
  return conditional;
}

}  // namespace rushes::worker
