#include "worker/model/guidance.h"

namespace rushes::worker {

Result<std::vector<float>> guided_velocity(kernels::Backend& backend, Transformer& model,
                                           const kernels::Tensor& x, const Timesteps& timesteps,
                                           const PromptContext& positive, const PromptContext* negative,
                                           float guidance, const TokenOrigin& origin, const StopCheck& stop) {
  auto conditional = model.velocity(x, timesteps, positive, origin, {}, stop);
  if (!conditional) return tl::unexpected(conditional.error());
  std::vector<float> v(static_cast<std::size_t>(conditional->elements()));
  backend.download(*conditional, v.data());
  if (!negative || guidance == 1.0f) return v;
  auto unconditional = model.velocity(x, timesteps, *negative, origin, {}, stop);
  if (!unconditional) return tl::unexpected(unconditional.error());
  std::vector<float> base(v.size());
  backend.download(*unconditional, base.data());
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = base[i] + guidance * (v[i] - base[i]);
  return v;
}

}  // namespace rushes::worker
