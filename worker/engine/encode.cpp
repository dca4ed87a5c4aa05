// encode: what all takes of a shot share. Prompts through the text encoder, key frames through the VAE.
#include <algorithm>
#include <optional>

#include "storage/records/lineage.h"
#include "worker/engine/stages.h"
#include "worker/picture/colour.h"
#include "worker/picture/exr.h"
#include "worker/picture/png_image.h"
#include "worker/picture/resample.h"

namespace rushes::worker {
namespace {

constexpr int kMaskChannels = 4;

// Covers the frame with a picture: an EXR by its magic number (OpenEXR file layout), everything else is read as PNG.
// Of the picture's light never more than a few rows are held.
Result<Clip> cover_frame(std::string_view bytes, const std::string& name, PictureSize frame) {
  if (bytes.starts_with("\x76\x2f\x31\x01")) {
    auto picture = ExrRows::open(bytes, name);
    if (!picture) return tl::unexpected(picture.error());
    const auto rows = [&](int y, int first, int count, float* light) {
      return picture->read(y, first, count, light);
    };
    return cover(rows, {picture->width(), picture->height()}, frame);
  }
  const auto picture = decode_png(bytes, name);
  if (!picture) return tl::unexpected(picture.error());
  const auto codes = DisplayCodes::of(picture->light);
  if (!codes) return with_context(codes.error(), name);
  const auto rows = [&](int y, int first, int count, float* light) -> Status {
    codes->decode(picture->at(first, y), light, static_cast<std::size_t>(count));
    return {};
  };
  return cover(rows, {picture->width, picture->height}, frame);
}

// The key frames of a task over its whole frame, each read once however many boxes of it are asked for. One at a time
// is held.
class KeyPictures {
 public:
  KeyPictures(const Task& task, StageContext& context) : task_(task), context_(context) {}
  Result<const Clip*> get(const KeyFrame& key) {
    if (held_ && frame_ == key.frame) return &*held_;
    held_.reset();
    auto mapped = context_.artifacts.open(key.image);
    if (!mapped) return tl::unexpected(mapped.error());
    const auto bytes = mapped->bytes();
    auto picture =
        cover_frame({reinterpret_cast<const char*>(bytes.data()), bytes.size()},
                    "key frame " + std::to_string(key.frame), {task_.recipe.width, task_.recipe.height});
    if (!picture) return tl::unexpected(picture.error());
    held_ = std::move(*picture);
    frame_ = key.frame;
    return &*held_;
  }

 private:
  const Task& task_;
  StageContext& context_;
  std::optional<Clip> held_;
  int frame_ = 0;
};

// As Wan's image to video: the video holds the key frames and mid code elsewhere; the mask's
// four channels are the four frames of a latent, the first frame standing for all four of the first.
Status add_key_frames(const Task& task, StageContext& context, Model& model, Conditioning& conditioning) {
  const Recipe& recipe = task.recipe;
  const WorkingSpace space = model.manifest().working_space;
  auto volume = volume_of(task, context);
  if (!volume) return tl::unexpected(volume.error());
  const Region& whole = volume->whole;
  conditioning.mask.assign(static_cast<std::size_t>(kMaskChannels) * whole.volume(), 0.0F);
  const std::size_t plane =
      static_cast<std::size_t>(whole.rect.height) * static_cast<std::size_t>(whole.rect.width);
  for (const KeyFrame& key : recipe.key_frames) {
    const int latent = (key.frame + volume->stride_t - 1) / volume->stride_t;
    for (int channel = 0; channel < kMaskChannels; ++channel) {
      const bool given = key.frame == 0 || (key.frame - 1) % volume->stride_t == channel;
      if (!given) continue;
      const std::size_t at = (static_cast<std::size_t>(channel) * static_cast<std::size_t>(whole.t.size()) +
                              static_cast<std::size_t>(latent)) *
                             plane;
      std::fill_n(conditioning.mask.begin() + static_cast<std::ptrdiff_t>(at), plane, 1.0F);
    }
  }
  KeyPictures pictures(task, context);
  const auto source = [&](std::int64_t first, std::int64_t count, const FrameBox& box) -> Result<Volume> {
    Volume video = Volume::zeros(kChannels, count, box.rows, box.columns);
    for (const KeyFrame& key : recipe.key_frames) {
      if (key.frame < first || key.frame >= first + count) continue;
      auto picture = pictures.get(key);
      if (!picture) return tl::unexpected(picture.error());
      const ClipView part =
          ClipView(**picture).crop(static_cast<int>(box.column), static_cast<int>(box.row),
                                   static_cast<int>(box.columns), static_cast<int>(box.rows));
      const std::vector<float> codes = to_model_input(space, part);
      const std::ptrdiff_t pixels = box.rows * box.columns;
      for (int c = 0; c < kChannels; ++c)
        std::copy_n(
            codes.begin() + pixels * c, pixels,
            video.values.begin() + static_cast<std::ptrdiff_t>(video.offset(c, key.frame - first, 0, 0)));
    }
    return video;
  };
  Volume latent = Volume::zeros(volume->channels, whole.t.size(), whole.rect.height, whole.rect.width);
  const auto sink = [&](std::int64_t first, const Volume& part) -> Status {
    const std::ptrdiff_t run = part.frames * part.rows * part.columns;
    for (std::int64_t c = 0; c < latent.channels; ++c)
      std::copy_n(part.values.begin() + run * c, run,
                  latent.values.begin() + static_cast<std::ptrdiff_t>(latent.offset(c, first, 0, 0)));
    return {};
  };
  if (Status status = model.vae().encode({recipe.rendered_frames, recipe.height, recipe.width}, source, sink,
                                         context.artifacts.folder() / "incoming");
      !status)
    return status;
  conditioning.condition = std::move(latent.values);
  return {};
}

}  // namespace

Result<TakeVolume> volume_of(const Task& task, StageContext& context) {
  auto model = context.models.get(task.recipe);
  if (!model) return tl::unexpected(model.error());
  const auto& stride = (*model)->manifest().vae.stride;
  TakeVolume volume;
  volume.channels = static_cast<int>((*model)->latent_channels());
  volume.stride_t = stride[0];
  volume.stride_y = stride[1];
  volume.stride_x = stride[2];
  const Recipe& recipe = task.recipe;
  const int scale = task.scale();
  if ((recipe.rendered_frames - 1) % stride[0] != 0 || recipe.height % stride[1] != 0 ||
      recipe.width % stride[2] != 0)
    return fail(ErrorKind::kInvalid,
                "recipe: " + std::to_string(recipe.width) + "x" + std::to_string(recipe.height) + ", " +
                    std::to_string(recipe.rendered_frames) + " frames do not fit the model's strides");
  volume.whole = {{0, (recipe.rendered_frames - 1) / stride[0] + 1},
                  {0, 0, recipe.height * scale / stride[1], recipe.width * scale / stride[2]}};
  if (task.windows().back().end != volume.whole.t.end)
    return fail(ErrorKind::kInvalid, "recipe: the windows end at latent " +
                                         std::to_string(task.windows().back().end) + ", the take at " +
                                         std::to_string(volume.whole.t.end));
  return volume;
}

Result<TaskResult> run_encode(const Task& task, StageContext& context) {
  auto model = context.models.get(task.recipe);
  if (!model) return tl::unexpected(model.error());
  Conditioning conditioning;
  for (auto [text, states] : {std::pair<const std::string*, std::vector<float>*>{&current_prompt(task.recipe),
                                                                                 &conditioning.context},
                              {&task.recipe.negative_prompt, &conditioning.context_null}}) {
    auto encoded = (*model)->encode_text(*text);
    if (!encoded) return tl::unexpected(encoded.error());
    conditioning.text_dim = static_cast<int>(encoded->dim);
    *states = std::move(encoded->values);
  }
  if (!task.recipe.key_frames.empty()) {
    if (!(*model)->takes_condition())
      return fail(ErrorKind::kInvalid,
                  "model " + task.recipe.model +
                      " cannot take key frames; remove key_frames or choose a model with conditioning: i2v");
    if (Status status = add_key_frames(task, context, **model, conditioning); !status)
      return tl::unexpected(status.error());
  }
  auto bytes = write_conditioning(conditioning);
  if (!bytes) return tl::unexpected(bytes.error());
  TaskResult outcome;
  outcome.numeric_class = context.models.numeric_class();
  if (Status status = put_output(context, Role::kConditioning, *bytes, outcome); !status)
    return tl::unexpected(status.error());
  return outcome;
}

}  // namespace rushes::worker
