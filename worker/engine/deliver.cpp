// deliver: movie, contact sheet, colour configuration and sidecar of a draft or a master; for a draft also
// the EXR frames, which for a master the finish tasks have written.
//
// Inputs: "frames" of the delivered take (a draft's sheet shows every take of the shot that has frames),
// "critique" of these takes, "files" of the finish tasks (a master).
#include <algorithm>
#include <set>

#include "worker/engine/take_pictures.h"
#include "worker/picture/atomic_file.h"

namespace rushes::worker {
namespace {

Result<Image8> contact_sheet(const Task& task, StageContext& context, const DisplayView& view) {
  std::set<int> takes{task.take};
  for (const Input* input : inputs_of(task, Role::kFrames)) takes.insert(input->take);
  ContactSheet sheet{
      task.show + "/" + task.shot + (task.delivery.master ? " master" : ""), task.recipe.prompt, {}};
  for (const int take : takes) {
    auto critique = critique_of(task, context.artifacts, take);
    if (!critique) return tl::unexpected(critique.error());
    const bool best = take == task.take && takes.size() > 1;
    auto row = sheet_row(task, context, take, "take " + std::to_string(take) + (best ? " (best)" : ""),
                         *critique, view);
    if (!row) return tl::unexpected(row.error());
    sheet.rows.push_back(std::move(*row));
  }
  return draw_contact_sheet(sheet);
}

// Names of the files that the finish tasks wrote, from their "files" artifacts, in frame order.
Result<std::vector<std::string>> finished_files(const Task& task, StageContext& context) {
  std::vector<std::string> files;
  for (const Input* input : inputs_of(task, Role::kFiles)) {
    auto mapped = context.artifacts.open(input->digest);
    if (!mapped) return tl::unexpected(mapped.error());
    const auto* text = reinterpret_cast<const char*>(mapped->bytes().data());
    const auto json = nlohmann::json::parse(text, text + mapped->bytes().size(), nullptr, false);
    if (!json.is_array())
      return fail(ErrorKind::kCorrupt, task.name + ": the list of finished files is not readable");
    for (const auto& entry : json)
      if (entry.is_object() && entry.contains("file") && entry["file"].is_string())
        files.push_back(entry["file"].get<std::string>());
  }
  std::sort(files.begin(), files.end());
  return files;
}

// The movie and, of a draft, the EXR files (a master's are written by its finish tasks): frame after frame.
Status write_pictures(const Task& task, StageContext& context, const std::string& movie_path,
                      const CritiqueSummary& critique, const DisplayView& view,
                      std::vector<std::string>& files) {
  auto frames = TakeFrames::delivered(task, context.artifacts, task.take);
  if (!frames) return tl::unexpected(frames.error());
  auto sequence = FrameFiles::create(task, context, critique);
  if (!sequence) return tl::unexpected(sequence.error());
  auto movie = open_movie(task, movie_path, *frames);
  if (!movie) return tl::unexpected(movie.error());
  for (int t = 0; t < frames->frames(); ++t) {
    auto picture = frames->read({t, t + 1});
    if (!picture) return tl::unexpected(picture.error());
    picture->fps = task.delivery.fps;
    if (!task.delivery.master) {
      auto file = sequence->write(*picture, t);
      if (!file) return tl::unexpected(file.error());
      files.push_back(std::move(*file));
    }
    auto display = view.apply(*picture, 0);
    if (!display) return with_context(display.error(), movie_path);
    if (Status added = movie->add(*display); !added) return added;
    const int done = t + 1;
    if (Status status = step_done(context, 0.7 * done / frames->frames(), "frame " + std::to_string(done));
        !status)
      return status;
  }
  return movie->finish();
}

}  // namespace

Result<TaskResult> run_deliver(const Task& task, StageContext& context) {
  auto critique = critique_of(task, context.artifacts, task.take);
  if (!critique) return tl::unexpected(critique.error());
  auto folder = delivery_folder(task, context);
  if (!folder) return tl::unexpected(folder.error());
  auto files = finished_files(task, context);
  if (!files) return tl::unexpected(files.error());
  auto view = display_view(context);
  if (!view) return tl::unexpected(view.error());

  const std::string stem = task.shot + "_" + task.delivery.version;
  const auto path = [&](const std::string& name) { return (*folder / name).string(); };
  const auto wrote = [&](const std::string& name) { files->push_back(task.delivery.folder + "/" + name); };
  if (Status status = write_pictures(task, context, path(stem + ".mp4"), *critique, *view, *files); !status)
    return tl::unexpected(status.error());
  wrote(stem + ".mp4");
  if (Status status = step_done(context, 0.7, "movie"); !status) return tl::unexpected(status.error());

  auto image = contact_sheet(task, context, *view);
  if (!image) return tl::unexpected(image.error());
  if (Status status = write_png(path(stem + "_contact.png"), *image); !status)
    return tl::unexpected(status.error());
  wrote(stem + "_contact.png");

  auto ocio = read_file(context.colour.string(), 1 << 20);
  if (!ocio) return tl::unexpected(ocio.error());
  if (Status status = write_file(path("farm.ocio"), *ocio); !status) return tl::unexpected(status.error());
  wrote("farm.ocio");
  auto sidecar = sidecar_text(task, context, *critique, *files);
  if (!sidecar) return tl::unexpected(sidecar.error());
  if (Status status = write_file(path(stem + ".json"), *sidecar); !status)
    return tl::unexpected(status.error());
  wrote(stem + ".json");

  TaskResult outcome;
  outcome.files = *files;
  if (Status status = put_output(context, Role::kSidecar, std::as_bytes(std::span(*sidecar)), outcome);
      !status)
    return tl::unexpected(status.error());
  return outcome;
}

}  // namespace rushes::worker
