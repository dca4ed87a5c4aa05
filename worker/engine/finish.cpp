// finish: a run of decoded frames becomes EXR files in the deliveries folder.
//
// Files appear whole or not at all and their bytes depend on the take only, so that a second attempt of the
// same task writes the same files again. One frame lies in memory at a time.
#include "worker/engine/delivery.h"
#include "worker/engine/take_frames.h"

namespace rushes::worker {

Result<TaskResult> run_finish(const Task& task, StageContext& context) {
  if (task.frames.size() <= 0 || task.frames.end > task.recipe.frames)
    return fail(ErrorKind::kInvalid,
                "frames: expected a run inside 0.." + std::to_string(task.recipe.frames));
  auto frames = TakeFrames::delivered(task, context.artifacts, task.take);
  if (!frames) return tl::unexpected(frames.error());
  auto critique = critique_of(task, context.artifacts, task.take);
  if (!critique) return tl::unexpected(critique.error());
  auto files = FrameFiles::create(task, context, *critique);
  if (!files) return tl::unexpected(files.error());
  TaskResult outcome;
  nlohmann::json written = nlohmann::json::array();
  for (int frame = task.frames.begin; frame < task.frames.end; ++frame) {
    auto picture = frames->read({frame, frame + 1});
    if (!picture) return tl::unexpected(picture.error());
    picture->fps = task.delivery.fps;
    auto file = files->write(*picture, frame);
    if (!file) return tl::unexpected(file.error());
    outcome.files.push_back(*file);
    written.push_back({{"file", *file}, {"pixels", to_hex(hash_pixels(*picture))}});
    const double done = static_cast<double>(frame + 1 - task.frames.begin) / task.frames.size();
    if (Status status = step_done(context, done, "frame " + *file); !status)
      return tl::unexpected(status.error());
  }
  const std::string text = written.dump();
  if (Status status = put_output(context, Role::kFiles, std::as_bytes(std::span(text)), outcome); !status)
    return tl::unexpected(status.error());
  return outcome;
}

}  // namespace rushes::worker
