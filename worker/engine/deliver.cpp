// deliver: movie, contact sheet, colour configuration and sidecar of a draft or a master; for a draft also
// the EXR frames, which for a master the finish tasks have written.
//
// Inputs: "frames" of the delivered take (a draft's sheet shows every take of the shot that has frames),
// "critique" of these takes, "files" of the finish tasks (a master).
#include <algorithm>
#include <set>

#include "worker/engine/delivery.h"
#include "worker/picture/atomic_file.h"
#include "worker/picture/contact_sheet.h"
#include "worker/picture/movie.h"

namespace rushes::worker {
namespace {

std::string first_finding(const CritiqueSummary& critique) {
  if (!critique.json.is_object() || !critique.json.contains("findings") ||
      !critique.json["findings"].is_array())
    return "";
  const auto& findings = critique.json["findings"];
  if (findings.empty()) return "no findings";
  std::string text = std::to_string(findings.size()) + (findings.size() == 1 ? " finding: " : " findings: ");
  return text + findings[0].value("dimension", "") + ", " + findings[0].value("message", "");
}

struct SheetTakes {
  std::vector<Clip> clips;
  std::vector<ContactRow> rows;
};

Result<SheetTakes> sheet_takes(const Task& task, StageContext& context, Clip delivered) {
  std::set<int> takes{task.take};
  for (const TaskInput* input : inputs_of(task, "frames")) takes.insert(input->take);
  SheetTakes sheet;
  sheet.clips.reserve(takes.size());
  for (int take : takes) {
    auto critique = critique_of(task, context, take);
    if (!critique) return tl::unexpected(critique.error());
    if (take == task.take) {
      sheet.clips.push_back(std::move(delivered));
    } else {
      auto clip = load_frames(task, context, take, {0, task.recipe.frames});
      if (!clip) return tl::unexpected(clip.error());
      sheet.clips.push_back(std::move(*clip));
    }
    ContactRow row;
    row.title = "take " + std::to_string(take) + (take == task.take && takes.size() > 1 ? " (best)" : "");
    char score[32];
    std::snprintf(score, sizeof score, "score %.2f", critique->score);
    row.detail = critique->known ? std::string(score) + " | " + first_finding(*critique) : "not judged";
    row.verdict = critique->known ? critique->verdict : "";
    row.clip = ClipView(sheet.clips.back());
    sheet.rows.push_back(std::move(row));
  }
  return sheet;
}

// Names of the files that the finish tasks wrote, from their "files" artifacts, in frame order.
Result<std::vector<std::string>> finished_files(const Task& task, StageContext& context) {
  std::vector<std::string> files;
  for (const TaskInput* input : inputs_of(task, "files")) {
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

Status write_frames(const Task& task, StageContext& context, const std::filesystem::path& folder,
                    ClipView clip, const CritiqueSummary& critique, int stride_t,
                    std::vector<std::string>& files) {
  auto tags = delivery_tags(task, critique);
  if (!tags) return tl::unexpected(tags.error());
  auto written = write_exr_sequence(folder.string(), clip, *tags, windows_of_frames(task, stride_t),
                                    task.delivery.start_frame);
  if (!written) return tl::unexpected(written.error());
  for (const std::string& path : *written)
    files.push_back(task.delivery.folder + "/" + std::filesystem::path(path).filename().string());
  return step_done(context, 0.4, std::to_string(written->size()) + " EXR frames");
}

Status write_film(const Task& task, const std::string& path, ClipView clip, const DisplayView& view) {
  MovieOptions options;
  if (!task.delivery.timecode.empty() && has_timecode(task.delivery.fps)) {
    auto timecode = config::parse_timecode(task.delivery.timecode,
                                           {task.delivery.fps.numerator, task.delivery.fps.denominator});
    if (!timecode) return tl::unexpected(timecode.error());
    options.first_timecode = *timecode;
  }
  return write_movie(path, clip, view, options);
}

}  // namespace

Result<TaskOutcome> run_deliver(const Task& task, StageContext& context) {
  auto volume = volume_of(task, context);
  auto clip = load_frames(task, context, task.take, {0, task.recipe.frames});
  auto critique = critique_of(task, context, task.take);
  auto folder = delivery_folder(task, context);
  auto files = finished_files(task, context);
  auto view = DisplayView::sdr(context.colour.string());
  if (!volume) return tl::unexpected(volume.error());
  if (!clip) return tl::unexpected(clip.error());
  clip->fps = task.delivery.fps;
  if (!critique) return tl::unexpected(critique.error());
  if (!folder) return tl::unexpected(folder.error());
  if (!files) return tl::unexpected(files.error());
  if (!view) return tl::unexpected(view.error());

  const std::string stem = task.shot + "_" + task.delivery.version;
  const auto path = [&](const std::string& name) { return (*folder / name).string(); };
  const auto wrote = [&](const std::string& name) { files->push_back(task.delivery.folder + "/" + name); };
  if (!task.delivery.master) {
    if (Status status = write_frames(task, context, *folder, *clip, *critique, volume->stride_t, *files);
        !status)
      return tl::unexpected(status.error());
  }
  if (Status status = write_film(task, path(stem + ".mp4"), *clip, *view); !status)
    return tl::unexpected(status.error());
  wrote(stem + ".mp4");
  if (Status status = step_done(context, 0.7, "movie"); !status) return tl::unexpected(status.error());

  auto takes = sheet_takes(task, context, std::move(*clip));
  if (!takes) return tl::unexpected(takes.error());
  const ContactSheet sheet{task.show + "/" + task.shot + (task.delivery.master ? " master" : ""),
                           task.recipe.prompt, takes->rows};
  ContactOptions options;
  options.first_number = task.delivery.start_frame;
  auto image = draw_contact_sheet(sheet, *view, options);
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

  TaskOutcome outcome;
  outcome.files = *files;
  if (Status status = put_output(context, "sidecar", std::as_bytes(std::span(*sidecar)), outcome); !status)
    return tl::unexpected(status.error());
  return outcome;
}

}  // namespace rushes::worker
