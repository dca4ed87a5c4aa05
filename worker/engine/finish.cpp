// finish: a run of decoded frames becomes EXR files in the version of the delivery that grows.
//
// Files appear whole or not at all and their bytes depend on the take and version only, so that a second attempt of
// the same task writes the same files again. What is lost of them until the deliver task runs, it writes itself. One
// frame lies in memory at a time.
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
  auto folder = open_version(task, context);
  if (!folder) return tl::unexpected(folder.error());
  folder->keep();
  const Task chosen = in_version(task, folder->version());
  auto files = FrameFiles::create(chosen, folder->path(), *critique);
  if (!files) return tl::unexpected(files.error());
  TaskResult outcome;
  nlohmann::json written = nlohmann::json::array();
  for (int frame = task.frames.begin; frame < task.frames.end; ++frame) {
    auto picture = frames->read({frame, frame + 1});
    if (!picture) return tl::unexpected(picture.error());
    picture->fps = task.delivery.fps;
    if (Status status = files->write(*picture, frame); !status) return tl::unexpected(status.error());
    const std::string file = chosen.delivery.folder + "/" + files->name(frame);
    outcome.files.push_back(file);
    written.push_back({{"file", file}, {"pixels", to_hex(hash_pixels(*picture))}});
    const double done = static_cast<double>(frame + 1 - task.frames.begin) / task.frames.size();
    if (Status status = step_done(context, done, "frame " + file); !status)
      return tl::unexpected(status.error());
  }
  const std::string text = written.dump();
  if (Status status = put_output(context, Role::kFiles, std::as_bytes(std::span(text)), outcome); !status)
    return tl::unexpected(status.error());
  return outcome;
}

}  // namespace rushes::worker
