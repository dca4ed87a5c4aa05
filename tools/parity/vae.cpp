// Golden files of the video VAE, both forms.
#include <algorithm>

#include "tools/parity/parity.h"
#include "worker/model/vae.h"

namespace rushes::parity {

using worker::TensorFile;
using worker::Volume;

namespace {

// The first frame alone, or the first frame followed by zeros.
Volume first_frame(const Volume& video, std::int64_t frames) {
  Volume out = Volume::zeros(video.channels, frames, video.rows, video.columns);
  for (std::int64_t c = 0; c < video.channels; ++c)
    std::copy_n(video.values.begin() + static_cast<std::ptrdiff_t>(video.offset(c, 0, 0, 0)),
                video.rows * video.columns,
                out.values.begin() + static_cast<std::ptrdiff_t>(out.offset(c, 0, 0, 0)));
  return out;
}

}  // namespace

Outputs recompute_vae(const TensorFile& file, const Engine& engine) {
  auto mean = file.floats("in.mean"), std = file.floats("in.std");
  if (!mean) return tl::unexpected(mean.error());
  if (!std) return tl::unexpected(std.error());
  auto vae = worker::Vae::load(*engine.backend, file, *mean, *std);
  if (!vae) return tl::unexpected(vae.error());
  auto video = volume(file, "in.video"), latent = volume(file, "in.latent");
  if (!video) return tl::unexpected(video.error());
  if (!latent) return tl::unexpected(latent.error());
  // The reference takes frames in groups 1, 4, 4, ... and drops what is left over.
  Volume trimmed = *video;
  trimmed.frames = (video->frames - 1) / vae->time_stride() * vae->time_stride() + 1;
  if (trimmed.frames != video->frames) {
    trimmed = Volume::zeros(video->channels, trimmed.frames, video->rows, video->columns);
    for (std::int64_t c = 0; c < video->channels; ++c)
      std::copy_n(video->values.begin() + static_cast<std::ptrdiff_t>(video->offset(c, 0, 0, 0)),
                  trimmed.frames * video->rows * video->columns,
                  trimmed.values.begin() + static_cast<std::ptrdiff_t>(trimmed.offset(c, 0, 0, 0)));
  }
  struct Case {
    std::string name;
    Result<Volume> value;
  };
  std::vector<Case> cases;
  const auto want = [&](const std::string& name, auto&& work) {
    if (file.has(name)) cases.push_back({name, work()});
  };
  want("out.latent", [&] { return vae->encode(trimmed); });
  want("out.latent_single", [&] { return vae->encode(first_frame(trimmed, 1)); });
  want("out.latent_image_then_zeros", [&] { return vae->encode(first_frame(trimmed, trimmed.frames)); });
  want("out.video_raw", [&] { return vae->decode(*latent); });
  want("out.video_single_raw", [&] { return vae->decode(first_frame(*latent, 1)); });
  std::vector<Output> outputs;
  for (Case& item : cases) {
    if (!item.value) return with_context(item.value.error(), file.path());
    outputs.push_back({item.name, std::move(item.value->values), engine.pick(1e-5, 3e-2), {}});
  }
  return outputs;
}

}  // namespace rushes::parity
