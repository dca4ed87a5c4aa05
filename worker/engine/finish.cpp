// finish: a run of decoded frames becomes EXR files in the deliveries folder.
//
// Files appear whole or not at all and their bytes depend on the take only, so that a second attempt of the
// same task writes the same files again.
#include "worker/engine/delivery.h"
#include "worker/picture/atomic_file.h"

namespace rushes::worker {

Result<TaskOutcome> run_finish(const Task& task, StageContext& context) {
  if (task.frames.length() <= 0 || task.frames.end > task.recipe.frames)
    return fail(ErrorKind::kInvalid,
                "frames: expected a run inside 0.." + std::to_string(task.recipe.frames));
  auto clip = load_frames(task, context, task.take, task.frames);
  if (!clip) return tl::unexpected(clip.error());
  clip->fps = task.delivery.fps;
  auto critique = critique_of(task, context, task.take);
  if (!critique) return tl::unexpected(critique.error());
  auto tags = delivery_tags(task, *critique);
  if (!tags) return tl::unexpected(tags.error());
  auto folder = delivery_folder(task, context);
  if (!folder) return tl::unexpected(folder.error());
  auto volume = volume_of(task, context);
  if (!volume) return tl::unexpected(volume.error());
  const auto made = windows_of_frames(task, volume->stride_t);
  TaskOutcome outcome;
  nlohmann::json written = nlohmann::json::array();
  for (int i = 0; i < clip->frames; ++i) {
    const int frame = task.frames.begin + i;
    const ClipView view = ClipView(*clip).one(i);
    auto bytes =
        encode_exr(view, *tags, made[static_cast<std::size_t>(frame)], frame, task.delivery.start_frame);
    if (!bytes) return tl::unexpected(bytes.error());
    const std::string name =
        exr_file_name(task.shot, task.delivery.version, task.delivery.start_frame + frame);
    if (Status status = write_file((*folder / name).string(), *bytes); !status)
      return tl::unexpected(status.error());
    outcome.files.push_back(task.delivery.folder + "/" + name);
    written.push_back({{"file", outcome.files.back()}, {"pixels", to_hex(hash_pixels(view))}});
    if (Status status = step_done(context, static_cast<double>(i + 1) / clip->frames, "frame " + name);
        !status)
      return tl::unexpected(status.error());
  }
  const std::string text = written.dump();
  if (Status status = put_output(context, "files", std::as_bytes(std::span(text)), outcome); !status)
    return tl::unexpected(status.error());
  return outcome;
}

}  // namespace rushes::worker
