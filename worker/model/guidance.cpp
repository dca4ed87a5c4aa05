#include "worker/model/guidance.h"

namespace rushes::worker {

Result<kernels::Tensor> guided_velocity(kernels::Backend& backend, Transformer& model,
                                        const kernels::Tensor& x, const Timesteps& timesteps,
                                        const PromptContext& positive, const PromptContext* negative,
                                        float guidance, const TokenOrigin& origin, const StopCheck& stop,
                                        StepRecord* record) {
  const bool guided = negative && guidance != 1.0f;
  StepRecord once;
  StepRecord& own = record ? *record : once;
  auto inputs = model.inputs(x, timesteps, origin, own.waves);
  if (!inputs) return tl::unexpected(inputs.error());
  if (auto ok = model.check(x, positive); !ok) return tl::unexpected(ok.error());
  if (guided)
    if (auto ok = model.check(x, *negative); !ok) return tl::unexpected(ok.error());
  return guarded("velocity", [&]() -> Result<kernels::Tensor> {
    if (own.velocity.empty()) {
      const kernels::Shape shape = {model.sizes().out_dim, x.dim(1), x.dim(2), x.dim(3)};
      own.waves = inputs->waves, own.rope = inputs->rope;
      own.velocity = backend.empty(kernels::DType::kF32, shape);
      if (guided) own.base = backend.empty(kernels::DType::kF32, shape);
      if (record) own.recording = backend.make_recording();
    }
    kernels::PassParts parts = model.parts(*inputs, positive, {}, own.velocity);
    if (guided)
      for (auto& part : model.parts(*inputs, *negative, {}, own.base)) parts.push_back(std::move(part));
    if (auto ran = run_parts(backend, own.recording.get(), parts, stop); !ran)
      return tl::unexpected(ran.error());
    const kernels::Tensor &v = own.velocity, &base = own.base;
    if (guided) {
      backend.combine({{1.0f, v}, {-1.0f, base}}, v);
      backend.combine({{1.0f, base}, {guidance, v}}, v);
    }
    return v;
  });
}

}  // namespace rushes::worker
