#include "worker/engine/eight_bit_layers.h"

#include <algorithm>
#include <cstdio>
#include <new>
#include <numeric>

#include "kernels/cuda/cuda_backend.h"
#include "kernels/eight_bit_gate.h"

namespace rushes::worker {
namespace {

using kernels::Backend;
using kernels::DType;
using kernels::EightBitVerdict;
using kernels::Tensor;

constexpr const char* kPrompt = "a red ball rests on a wooden table, daylight, static camera";
constexpr std::uint64_t kSeed = 20'261, kControlSeed = 20'262;
constexpr std::int64_t kMostScale = 16;

struct Grid {
  std::int64_t frames = 0, rows = 0, columns = 0;  // latents
};

// The model's own picture, enlarged where its window has fewer tokens than 8 bits are used for; as few frames as that needs.
Grid judged_grid(const Model& model, const TransformerSizes& sizes) {
  const config::ModelManifest& manifest = model.manifest();
  const std::int64_t window = manifest.latent_frames(manifest.frames) / sizes.patch.t;
  for (std::int64_t scale = 1;; scale *= 2) {
    const std::int64_t rows = scale * manifest.size.height / manifest.vae.stride[1] / sizes.patch.h,
                       columns = scale * manifest.size.width / manifest.vae.stride[2] / sizes.patch.w;
    const std::int64_t area = std::max<std::int64_t>(rows * columns, 1),
                       frames = (kernels::cuda::kFewestKeys8 + area - 1) / area;
    if (frames <= window || scale == kMostScale)
      return {frames * sizes.patch.t, rows * sizes.patch.h, columns * sizes.patch.w};
  }
}

// Each query's attention is its own, so the others need not be computed.
Tensor some_queries(Backend& backend, const Tensor& q) {
  const Tensor some = kernels::some_rows(backend, q.reshape({q.dim(1), q.dim(2) * q.dim(3)}));
  return some.reshape({1, some.dim(0), q.dim(2), q.dim(3)});
}

const EightBitVerdict& worse(const EightBitVerdict& a, const EightBitVerdict& b) {
  if (!a.near_enough() || !b.near_enough()) return a.near_enough() ? b : a;
  return a.distance >= b.distance ? a : b;
}

// The model's latents half-way from noise, by one step; the whole way would cost a render.
Status two_passes(Model& model) {
  const TransformerSizes& sizes = model.transformer().sizes();
  const Grid grid = judged_grid(model, sizes);
  auto states = model.encode_text(kPrompt);
  if (!states) return tl::unexpected(states.error());
  Volume condition;
  if (model.takes_condition())
    condition = Volume::zeros(sizes.in_dim - model.latent_channels(), grid.frames, grid.rows, grid.columns);
  auto begun = model.begin_steps({model.latent_channels(), grid.frames, grid.rows, grid.columns}, condition,
                                 *states, nullptr);
  if (!begun) return tl::unexpected(begun.error());
  const Steps& steps = **begun;
  const Tensor& latent = steps.latent;
  kernels::NoiseSource source;
  source.seed = kSeed;
  const auto noise = [&](const Tensor& x, std::uint64_t seed) {
    source.seed = seed;
    model.compute().fill_noise(
        x, std::vector<kernels::NoiseSource>(static_cast<std::size_t>(grid.frames), source), {});
  };
  noise(latent, kSeed);
  VaceControl control;
  if (sizes.vace_dim) {
    control.latent =
        model.compute().empty(DType::kF32, {sizes.vace_dim, grid.frames, grid.rows, grid.columns});
    noise(control.latent, kControlSeed);
  }
  for (const float timestep : {1000.0f, 500.0f}) {
    // Not Model::velocity(): what is recorded cannot be looked at.
    auto velocity = model.transformer().velocity(steps.input, {{timestep}, {}}, steps.prompt, {}, control);
    if (!velocity) return tl::unexpected(velocity.error());
    model.compute().combine({{1.0f, latent}, {-0.5f, *velocity}}, latent);
  }
  model.compute().synchronize();
  model.end_steps();
  return {};
}

std::string summary(const std::string& name, const char* what, const LayerVerdicts& verdicts) {
  char text[300];
  std::snprintf(text, sizeof text,
                "8 bits: model %.64s: %s of %d of %d layers, the worst of them %.1e from bf16", name.c_str(),
                what, verdicts.judged - static_cast<int>(verdicts.in_bf16.size()), verdicts.judged,
                verdicts.worst);
  return text;
}

using Found = std::map<int, EightBitVerdict>;  // by layer

void add(Found& found, int layer, const EightBitVerdict& verdict) {
  const auto [known, is_new] = found.try_emplace(layer, verdict);
  if (!is_new) known->second = worse(known->second, verdict);
}

LayerVerdicts verdicts_of(const Found& found) {
  LayerVerdicts verdicts;
  verdicts.judged = static_cast<int>(found.size());
  for (const auto& [layer, verdict] : found) {
    if (verdict.near_enough()) {
      verdicts.worst = std::max(verdicts.worst, verdict.distance);
    } else {
      verdicts.in_bf16.push_back(layer);
      verdicts.lines.push_back(verdict.text(layer));
    }
  }
  return verdicts;
}

std::string numbers(const std::vector<int>& layers) {
  std::string text;
  for (const int layer : layers) text += " " + std::to_string(layer);
  return text;
}

constexpr std::size_t kMostLines = 8;  // of one model's layers

Result<JudgedModels> judge_all(const std::vector<std::filesystem::path>& roots,
                               kernels::BackendOptions options, Backend& pixels) {
  auto bf16 = kernels::make_backend(options);
  if (!bf16) return tl::unexpected(bf16.error());
  options.eight_bit = true;
  auto eight_bit = kernels::make_backend(options);
  if (!eight_bit) return tl::unexpected(eight_bit.error());
  JudgedModels judged;
  for (const std::string& name : config::list_models(roots)) {
    const auto leave_out = [&](const std::string& why) {
      judged.notes.push_back("8 bits: model " + name + " was not judged: " + why);
    };
    const auto manifest = config::find_model(name, roots);
    if (!manifest) continue;  // the agent says why it is not offered
    try {
      auto model = Model::open(*manifest, **bf16, pixels);
      auto verdicts = model ? judge_layers(**model, **eight_bit, **bf16)
                            : Result<ModelVerdicts>(tl::unexpected(model.error()));
      if (!verdicts) {
        leave_out(verdicts.error().message);
        continue;
      }
      const auto note = [&](const char* what, const LayerVerdicts& of) {
        if (of.judged) judged.notes.push_back(summary(name, what, of));
        for (std::size_t i = 0; i < std::min(kMostLines, of.lines.size()); ++i)
          judged.notes.push_back("8 bits: model " + name + ", " + of.lines[i]);
      };
      note("attention", verdicts->attention);
      note("products", verdicts->products);
      const std::string text = config::model_digest(*manifest);
      const auto digest = digest_from_hex(std::string_view(text).substr(config::kDigestPrefix.size()));
      if (!digest) return tl::unexpected(digest.error());
      judged.judged.insert(*digest);
      LayersInBf16 kept{std::move(verdicts->attention.in_bf16), std::move(verdicts->products.in_bf16)};
      if (!kept.empty()) judged.in_bf16[*digest] = std::move(kept);
    } catch (const std::bad_alloc&) {
      leave_out("this GPU has too little memory for it");
    }
  }
  return judged;
}

}  // namespace

std::string to_string(const EightBitLayers& layers) {
  std::string text;
  for (const auto& [digest, kept] : layers) {
    text += (text.empty() ? "" : "; ") + to_hex(digest).substr(0, 12) + " keeps ";
    if (!kept.attention.empty()) text += "attention of layers" + numbers(kept.attention);
    if (!kept.attention.empty() && !kept.products.empty()) text += ", ";
    if (!kept.products.empty()) text += "products of layers" + numbers(kept.products);
    text += " in bf16";
  }
  return text;
}

Result<ModelVerdicts> judge_layers(Model& model, Backend& eight_bit, Backend& bf16) {
  Transformer& transformer = model.transformer();
  Found attention, products;
  transformer.set_probes(
      [&](int layer, const Tensor& q, const Tensor& k, const Tensor& v,
          const kernels::AttentionOptions& options) {
        if (k.dim(1) < kernels::cuda::kFewestKeys8 || (k.dim(3) != 64 && k.dim(3) != 128)) return;
        add(attention, layer,
            kernels::judge_eight_bit(eight_bit, bf16, some_queries(bf16, q), k, v, options));
      },
      [&](int layer, const Tensor& x, const kernels::Linear& weights) {
        const auto verdict = kernels::judge_eight_bit_product(eight_bit, bf16, x, weights);
        if (verdict) add(products, layer, *verdict);
      });
  const Status passes = two_passes(model);
  transformer.set_probes({}, {});
  if (!passes) return tl::unexpected(passes.error());
  return ModelVerdicts{verdicts_of(attention), verdicts_of(products)};
}

Result<JudgedModels> judge_models(const std::vector<std::filesystem::path>& roots,
                                  const kernels::BackendOptions& plain, Backend& pixels) {
  try {
    return judge_all(roots, plain, pixels);
  } catch (const kernels::cuda::DeviceFault& fault) {
    return fail(ErrorKind::kExhausted, fault.what());
  }
}

}  // namespace rushes::worker
