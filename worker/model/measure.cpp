#include "worker/model/measure.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <numeric>

#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/dry_device.h"
#include "kernels/cuda/workspace.h"
#include "worker/model/guidance.h"
#include "worker/model/model.h"
#include "worker/model/sampler.h"

namespace rushes::worker {
namespace {

using config::ModelMemory;
static_assert(ModelMemory::kLibraries == kernels::cuda::kMostDnnWorkspace);
using kernels::Backend;
using kernels::Precision;

// A GPU of its own, empty at the start. A model has one precision for its transformer and one for its VAE.
struct DryGpu {
  explicit DryGpu(bool eight_bit = false) {
    kernels::cuda::CudaOptions options;
    options.eight_bit = eight_bit;
    compute = kernels::cuda::make_cuda_backend(api.get(), options);
    options.precision = Precision::kF32;
    pixels = kernels::cuda::make_cuda_backend(api.get(), options);
  }
  std::unique_ptr<kernels::cuda::DeviceApi> api = kernels::cuda::make_dry_device();
  std::unique_ptr<Backend> compute, pixels;
};

// One run on a GPU that holds the weights; it reserves so many bytes before it begins.
using Run = std::function<Status(DryGpu& gpu, const std::function<void()>& reserve)>;

// Pieces of memory do not fit each other without gaps: the peak of what is held at once is tried first, then more. What
// the libraries use is reserved beside it (CudaBackend::reserve).
Result<std::uint64_t> least_reservation(const Run& run) {
  std::uint64_t reserved = 0, peak = 0;
  for (int tries = 0; tries < 60; ++tries) {
    DryGpu gpu;
    std::uint64_t weights = 0, before = 0;
    const auto reserve = [&] {
      weights = gpu.compute->memory().in_use_bytes;
      gpu.compute->reserve(weights + reserved);
      before = gpu.compute->memory().pooled_bytes;
    };
    if (Status ran = run(gpu, reserve); !ran) return tl::unexpected(ran.error());
    const kernels::Memory memory = gpu.compute->memory();
    if (reserved > 0 && memory.pooled_bytes == before) break;
    if (peak == 0) {
      peak = memory.peak_bytes - weights;
      reserved = peak > ModelMemory::kLibraries ? peak - ModelMemory::kLibraries : peak / 2;
    }
    reserved += peak / 50;
  }
  return reserved;
}

// The peak where memory is one piece, as it is after a reservation.
Result<std::uint64_t> peak_of(const Run& run, bool eight_bit) {
  constexpr std::size_t kMore = std::size_t{1} << 36;  // than any run takes
  DryGpu gpu(eight_bit);
  std::uint64_t held = 0;
  // Up to the peak of loading, which rounding weights leaves behind: that of the run lies above.
  kernels::Tensor ballast;
  const auto reserve = [&] {
    const kernels::Memory loaded = gpu.compute->memory();
    const auto values = static_cast<std::int64_t>((loaded.peak_bytes - loaded.in_use_bytes) / 4 + 1);
    ballast = gpu.compute->empty(kernels::DType::kF32, {values});
    held = gpu.compute->memory().in_use_bytes;
    gpu.compute->reserve(kMore);
  };
  if (Status ran = run(gpu, reserve); !ran) return tl::unexpected(ran.error());
  return gpu.compute->memory().peak_bytes - held;
}

Result<TensorFile> open_file(const config::ModelManifest& manifest, const char* role) {
  return TensorFile::open(manifest.files.at(role).path.string());
}

// The line y = x c that is nearest to the points by relative distance; a Gaussian elimination of the normal equations.
template <std::size_t kCount>
std::array<double, kCount> fit(const std::vector<std::array<double, kCount>>& xs,
                               const std::vector<double>& ys) {
  std::array<std::array<double, kCount + 1>, kCount> m{};
  for (std::size_t n = 0; n < xs.size(); ++n)
    for (std::size_t i = 0; i < kCount; ++i) {
      for (std::size_t j = 0; j < kCount; ++j) m[i][j] += xs[n][i] * xs[n][j] / (ys[n] * ys[n]);
      m[i][kCount] += xs[n][i] / ys[n];
    }
  for (std::size_t i = 0; i < kCount; ++i)  // symmetric and positive definite: no pivots are sought
    for (std::size_t row = 0; row < kCount; ++row) {
      if (row == i) continue;
      const double factor = m[row][i] / m[i][i];
      for (std::size_t j = i; j <= kCount; ++j) m[row][j] -= factor * m[i][j];
    }
  std::array<double, kCount> c{};
  for (std::size_t i = 0; i < kCount; ++i) c[i] = m[i][kCount] / m[i][i];
  return c;
}

std::uint64_t bytes_of(double value) {
  return static_cast<std::uint64_t>(std::llround(std::max(0.0, value)));
}

Result<std::uint64_t> weights_of(const config::ModelManifest& manifest) {
  DryGpu gpu;
  auto model = Model::open(manifest, *gpu.compute, *gpu.pixels);
  if (!model) return tl::unexpected(model.error());
  return gpu.compute->memory().in_use_bytes;
}

Result<std::uint64_t> measure_step(const config::ModelManifest& manifest, bool eight_bit, std::int64_t frames,
                                   std::int64_t rows, std::int64_t columns) {
  auto file = open_file(manifest, "transformer");
  if (!file) return tl::unexpected(file.error());
  // In a step the pieces fit each other without gaps.
  const auto steps = [&](DryGpu& gpu, const std::function<void()>& reserve) -> Status {
    Backend& backend = *gpu.compute;
    auto model = Transformer::load(backend, *file, manifest.head_dim, manifest.text_len);
    if (!model) return tl::unexpected(model.error());
    if (eight_bit) model->compute_in_8_bits({});
    reserve();
    const TransformerSizes& sizes = model->sizes();
    const std::vector<float> words(static_cast<std::size_t>(sizes.text_len * sizes.text_dim));
    auto prompt = model->prompt(words, sizes.text_len), null = model->prompt(words, sizes.text_len);
    if (!prompt) return tl::unexpected(prompt.error());
    if (!null) return tl::unexpected(null.error());
    const kernels::Tensor x = backend.empty(kernels::DType::kF32, {sizes.in_dim, frames, rows, columns});
    // The solver with the longest history; it is complete in the third step.
    auto schedule = config::make_schedule(config::SigmaList::kUniPC, 3, 5.0);
    if (!schedule) return tl::unexpected(schedule.error());
    const kernels::Tensor latent = x.slice(0, sizes.out_dim);
    Sampler sampler(backend, config::Sampler::kUniPc, *schedule, latent.shape());
    StepRecord record;
    while (!sampler.done()) {
      auto velocity = guided_velocity(backend, *model, x, {{sampler.timestep()}, {}}, *prompt, &*null, 2.0F,
                                      {}, {}, &record);
      if (!velocity) return tl::unexpected(velocity.error());
      if (Status step = sampler.step(latent, *velocity); !step) return step;
    }
    return {};
  };
  return peak_of(steps, eight_bit);
}

Result<std::uint64_t> measure_vae(const config::ModelManifest& manifest,
                                  const std::function<Status(Vae&)>& run) {
  auto file = open_file(manifest, "vae");
  if (!file) return tl::unexpected(file.error());
  const std::vector<float> mean(manifest.vae.mean.begin(), manifest.vae.mean.end()),
      std(manifest.vae.std.begin(), manifest.vae.std.end());
  return least_reservation([&](DryGpu& gpu, const std::function<void()>& reserve) -> Status {
    auto vae = Vae::load(*gpu.pixels, *file, mean, std);
    if (!vae) return tl::unexpected(vae.error());
    reserve();
    return run(*vae);
  });
}

Result<std::uint64_t> measure_decode(const config::ModelManifest& manifest, std::int64_t rows,
                                     std::int64_t columns, std::int64_t box_rows, std::int64_t box_columns) {
  return measure_vae(manifest, [&](Vae& vae) {
    const auto source = [&](std::int64_t, std::int64_t count) -> Result<Volume> {
      return Volume::zeros(vae.latent_channels(), count, rows, columns);
    };
    const auto sink = [](std::int64_t, const Volume&) -> Status { return {}; };
    vae.set_memory_limit(1);  // one latent frame at a time
    return vae.decode({3, rows, columns}, {0, 0, box_rows, box_columns}, source, sink);
  });
}

Result<std::uint64_t> measure_encode(const config::ModelManifest& manifest, std::int64_t rows,
                                     std::int64_t columns) {
  return measure_vae(manifest, [&](Vae& vae) {
    const auto source = [](std::int64_t, std::int64_t count, const FrameBox& box) -> Result<Volume> {
      return Volume::zeros(3, count, box.rows, box.columns);
    };
    const auto sink = [](std::int64_t, const Volume&) -> Status { return {}; };
    return vae.encode({vae.frames_of(2), rows * vae.space_stride(), columns * vae.space_stride()}, source,
                      sink, std::filesystem::temp_directory_path());
  });
}

Status fit_step(const config::ModelManifest& manifest, ModelMemory& memory) {
  struct Size {
    std::int64_t frames, rows, columns;
  };
  std::vector<std::array<double, 2>> xs;
  std::vector<double> ys;
  for (const Size& size : {Size{9, 32, 64}, {21, 64, 64}, {21, 64, 128}}) {
    std::uint64_t most = 0;  // of a host that computes in bf16 and of one that computes in 8 bits
    for (const bool eight_bit : {false, true}) {
      auto bytes = measure_step(manifest, eight_bit, size.frames, size.rows, size.columns);
      if (!bytes) return tl::unexpected(bytes.error());
      most = std::max(most, *bytes);
    }
    xs.push_back({1, static_cast<double>(size.frames * size.rows * size.columns) / 4});
    ys.push_back(static_cast<double>(most));
  }
  const auto line = fit(xs, ys);
  memory.step = bytes_of(line[0]);
  memory.token = bytes_of(line[1]);
  return {};
}

Status fit_vae(const config::ModelManifest& manifest, ModelMemory& memory) {
  struct Size {
    std::int64_t rows, columns, box_rows, box_columns;
  };
  std::vector<std::array<double, 3>> xs;
  std::vector<double> ys;
  for (const Size& s : {Size{30, 52, 30, 52},
                        {60, 104, 60, 104},
                        {60, 104, 30, 52},
                        {68, 120, 64, 64},
                        {90, 160, 90, 160},
                        {135, 240, 64, 64},
                        {135, 240, 30, 52}}) {
    auto bytes = measure_decode(manifest, s.rows, s.columns, s.box_rows, s.box_columns);
    if (!bytes) return tl::unexpected(bytes.error());
    xs.push_back(
        {1, static_cast<double>(s.box_rows * s.box_columns), static_cast<double>(s.rows * s.columns)});
    ys.push_back(static_cast<double>(*bytes));
  }
  const auto plane = fit(xs, ys);
  // Raised until no point lies above it: a gap that is a little too small costs a whole allocation more.
  double raise = 1.02;
  for (std::size_t n = 0; n < xs.size(); ++n)
    raise =
        std::max(raise, 1.02 * ys[n] / std::inner_product(plane.begin(), plane.end(), xs[n].begin(), 0.0));
  memory.vae = bytes_of(raise * plane[0]);
  memory.box_latent = bytes_of(raise * plane[1]);
  memory.frame_latent = bytes_of(raise * plane[2]);
  return {};
}

}  // namespace

Result<config::ModelMemory> measure_memory(const config::ModelManifest& manifest) {
  ModelMemory memory;
  auto weights = weights_of(manifest);
  if (!weights) return tl::unexpected(weights.error());
  memory.measured = true;
  memory.weights = *weights;
  if (Status step = fit_step(manifest, memory); !step) return tl::unexpected(step.error());
  if (Status vae = fit_vae(manifest, memory); !vae) return tl::unexpected(vae.error());
  // The encoder may take more: the VAE's own share covers it.
  constexpr std::int64_t kRows = 68, kColumns = 120;
  auto encode = measure_encode(manifest, kRows, kColumns);
  if (!encode) return tl::unexpected(encode.error());
  const std::uint64_t promised = memory.encode_bytes(kRows * kColumns, 2);
  if (*encode > promised) memory.vae += *encode - promised;
  return memory;
}

}  // namespace rushes::worker
