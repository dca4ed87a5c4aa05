// deliver: movie, contact sheet, colour configuration and sidecar of a draft or a master, and the EXR frames: all of a
// draft, of a master those that its finish tasks did not leave here.
//
// Everything appears at once: the files are written into a version that grows, which is renamed when it is complete. An
// attempt that runs again because its answer was lost finds the delivery by the id in its manifest.
//
// Inputs: "frames" of the delivered take (a draft's sheet shows every take of the shot that has frames),
// "critique" of these takes.
#include <algorithm>
#include <set>

#include "config/version_name.h"
#include "worker/engine/take_pictures.h"
#include "worker/picture/atomic_file.h"
#include "worker/picture/manifest.h"

namespace rushes::worker {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxColourBytes = std::size_t{1} << 20;

// All takes that have frames here: which one is delivered, and which one the critics rank first.
Result<Image8> contact_sheet(const Task& task, StageContext& context, const DisplayView& view) {
  std::set<int> takes{task.take};
  for (const Input* input : inputs_of(task, Role::kFrames)) takes.insert(input->take);
  ContactSheet sheet = empty_sheet(task);
  for (const int take : takes) {
    const auto told = std::ranges::find(task.delivery.takes, take, &TakeShown::take);
    const TakeShown* known = told != task.delivery.takes.end() ? &*told : nullptr;
    auto critique = critique_of(task, context.artifacts, take);
    if (!critique) return tl::unexpected(critique.error());
    auto row = sheet_row(task, context, take, known, *critique, view);
    if (!row) return tl::unexpected(row.error());
    if (known != nullptr && known->rank == 1 && critique->known && takes.size() > 1)
      row->tags.emplace_back("best");
    if (take == task.take) row->tags.emplace_back("approved");
    sheet.rows.push_back(std::move(*row));
  }
  return draw_contact_sheet(sheet);
}

// The EXR frames that are missing and the movie, frame after frame. Adds the names of all frames, in their order.
Status write_pictures(const Task& task, StageContext& context, const fs::path& folder,
                      const std::string& movie_name, const CritiqueSummary& critique, const DisplayView& view,
                      std::vector<std::string>& files) {
  auto frames = TakeFrames::delivered(task, context.artifacts, task.take);
  if (!frames) return tl::unexpected(frames.error());
  auto sequence = FrameFiles::create(task, folder, critique);
  if (!sequence) return tl::unexpected(sequence.error());
  auto movie = open_movie(task, (folder / movie_name).string(), *frames);
  if (!movie) return tl::unexpected(movie.error());
  for (int t = 0; t < frames->frames(); ++t) {
    auto picture = frames->read({t, t + 1});
    if (!picture) return tl::unexpected(picture.error());
    picture->fps = task.delivery.fps;
    if (!sequence->is_written(t))
      if (Status written = sequence->write(*picture, t); !written) return written;
    files.push_back(sequence->name(t));
    auto display = view.apply(*picture, 0);
    if (!display) return with_context(display.error(), movie_name);
    if (Status added = movie->add(*display); !added) return added;
    const double done = static_cast<double>(t + 1) / frames->frames();
    if (Status status =
            step_done(context, 0.7 * done, "frame " + std::to_string(task.delivery.start_frame + t));
        !status)
      return status;
  }
  return movie->finish();
}

// Everything, the sidecar last; returns its text. `files` are all names.
Result<std::string> write_files(const Task& task, const std::string& id, StageContext& context,
                                const fs::path& folder, std::vector<std::string>& files) {
  auto critique = critique_of(task, context.artifacts, task.take);
  if (!critique) return tl::unexpected(critique.error());
  auto tags = delivery_tags(task, *critique);
  if (!tags) return tl::unexpected(tags.error());
  auto view = display_view(context);
  if (!view) return tl::unexpected(view.error());
  const std::string name = delivery_name(*tags);

  if (Status status = write_pictures(task, context, folder, name + ".mp4", *critique, *view, files); !status)
    return tl::unexpected(status.error());
  files.push_back(name + ".mp4");
  if (Status status = step_done(context, 0.7, "movie"); !status) return tl::unexpected(status.error());

  auto image = contact_sheet(task, context, *view);
  if (!image) return tl::unexpected(image.error());
  files.push_back(name + "_contact.png");
  if (Status status = write_png((folder / files.back()).string(), *image); !status)
    return tl::unexpected(status.error());

  auto ocio = read_file(context.colour.string(), kMaxColourBytes);
  if (!ocio) return tl::unexpected(ocio.error());
  files.push_back("farm.ocio");
  if (Status status = write_file((folder / files.back()).string(), *ocio); !status)
    return tl::unexpected(status.error());

  auto sidecar = sidecar_text(task, id, folder, *critique, files);
  if (!sidecar) return sidecar;
  files.push_back(name + ".json");
  if (Status status = write_file((folder / files.back()).string(), *sidecar); !status)
    return tl::unexpected(status.error());
  if (Status status = step_done(context, 0.99, "sidecar"); !status) return tl::unexpected(status.error());
  return sidecar;
}

Result<TaskResult> result_of(const Task& task, StageContext& context, std::string_view sidecar,
                             const std::vector<std::string>& files) {
  TaskResult outcome;
  for (const std::string& file : files) outcome.files.push_back(task.delivery.folder + "/" + file);
  if (Status status = put_output(context, Role::kSidecar, std::as_bytes(std::span(sidecar)), outcome);
      !status)
    return tl::unexpected(status.error());
  return outcome;
}

// What an earlier attempt delivered whose answer was lost.
Result<std::optional<TaskResult>> delivered_before(const Task& task, const std::string& id,
                                                   StageContext& context) {
  const fs::path below = fs::path(task.delivery.folder).parent_path();
  const unsigned least = config::version_number(task.delivery.version).value_or(0);
  for (const unsigned number : versions_in(context.deliveries / below)) {
    if (number < least) continue;
    const Task there = in_version(task, config::version_name(number));
    const auto tags = delivery_tags(there, {});
    if (!tags) return tl::unexpected(tags.error());
    const std::string name = delivery_name(*tags) + ".json";
    const auto text =
        read_file((context.deliveries / there.delivery.folder / name).string(), kMaxManifestBytes);
    if (!text) continue;
    const auto manifest = read_manifest(*text);
    if (!manifest || manifest->id != id) continue;
    std::vector<std::string> files;
    for (const ManifestFile& file : manifest->files) files.push_back(file.name);
    files.push_back(name);
    auto result = result_of(there, context, *text, files);
    if (!result) return tl::unexpected(result.error());
    return std::move(*result);
  }
  return std::optional<TaskResult>();
}

}  // namespace

Result<TaskResult> run_deliver(const Task& task, StageContext& context) {
  const std::string id = delivery_id(task);
  auto before = delivered_before(task, id, context);
  if (!before) return tl::unexpected(before.error());
  if (*before) return std::move(**before);
  auto folder = open_version(task, context);
  if (!folder) return tl::unexpected(folder.error());
  const Task chosen = in_version(task, folder->version());
  std::vector<std::string> files;
  const auto sidecar = write_files(chosen, id, context, folder->path(), files);
  if (!sidecar) return tl::unexpected(sidecar.error());
  if (Status published = folder->publish(); !published) return tl::unexpected(published.error());
  return result_of(chosen, context, *sidecar, files);
}

}  // namespace rushes::worker
