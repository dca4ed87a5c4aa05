#include "worker/engine/take_pictures.h"

#include <unistd.h>

#include <utility>

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

}  // namespace

Result<MovieWriter> open_movie(const Task& task, const std::string& path, const TakeFrames& frames) {
  MovieOptions options;
  if (!task.delivery.timecode.empty() && config::has_timecode(task.delivery.fps)) {
    auto timecode = config::parse_timecode(task.delivery.timecode, task.delivery.fps);
    if (!timecode) return tl::unexpected(timecode.error());
    options.first_timecode = *timecode;
  }
  return MovieWriter::create(path, frames.width(), frames.height(), task.delivery.fps, options);
}

Result<ContactRow> sheet_row(const Task& task, StageContext& context, int take, std::string title,
                             const CritiqueSummary& critique, const DisplayView& view) {
  auto frames = TakeFrames::delivered(task, context.artifacts, take);
  if (!frames) return tl::unexpected(frames.error());
  ContactRow row;
  row.title = std::move(title);
  char score[32];
  std::snprintf(score, sizeof score, "score %.2f", critique.score);
  row.detail = critique.known ? std::string(score) + " | " + first_finding(critique) : "not judged";
  row.verdict = critique.known ? critique.verdict : "";
  for (const int t : contact_frames(frames->frames(), kContactColumns)) {
    auto picture = frames->read({t, t + 1});
    if (!picture) return tl::unexpected(picture.error());
    auto image = thumbnail(*picture, 0, view, kThumbnailWidth);
    if (!image) return with_context(image.error(), row.title);
    row.frames.push_back({task.delivery.start_frame + t, std::move(*image)});
  }
  return row;
}

TakeProxy::TakeProxy(const Task& task, StageContext& context, std::filesystem::path path, DisplayView view,
                     MovieWriter movie)
    : task_(task),
      context_(context),
      path_(std::move(path)),
      view_(std::move(view)),
      movie_(std::move(movie)) {}

TakeProxy::TakeProxy(TakeProxy&& other) noexcept
    : task_(other.task_),
      context_(other.context_),
      path_(std::exchange(other.path_, {})),
      view_(std::move(other.view_)),
      movie_(std::move(other.movie_)) {}

TakeProxy::~TakeProxy() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove(path_, ignored);
}

Result<TakeProxy> TakeProxy::create(const Task& task, StageContext& context, const TakeFrames& frames) {
  auto view = display_view(context);
  if (!view) return tl::unexpected(view.error());
  std::filesystem::path path =
      context.artifacts.folder() / "incoming" /
      ("proxy." + std::to_string(::getpid()) + "." + std::to_string(task.id.number()) + ".mp4");
  auto movie = open_movie(task, path.string(), frames);
  if (!movie) return tl::unexpected(movie.error());
  return TakeProxy(task, context, std::move(path), std::move(*view), std::move(*movie));
}

Status TakeProxy::add(ClipView picture) {
  auto display = view_.apply(picture, 0);
  if (!display) return tl::unexpected(display.error());
  return movie_.add(*display);
}

Status TakeProxy::finish(const CritiqueSummary& critique, TaskResult& outcome) {
  if (Status status = movie_.finish(); !status) return status;
  auto movie = context_.artifacts.put_file(Role::kProxy, path_);
  if (!movie) return tl::unexpected(movie.error());
  outcome.outputs.push_back(*movie);

  std::string title = "take " + std::to_string(task_.take);
  if (task_.revision > 0) title += " version " + std::to_string(task_.revision);
  auto row = sheet_row(task_, context_, task_.take, std::move(title), critique, view_);
  if (!row) return tl::unexpected(row.error());
  auto image = draw_contact_sheet({task_.show + "/" + task_.shot, task_.recipe.prompt, {std::move(*row)}});
  if (!image) return tl::unexpected(image.error());
  const auto bytes = encode_png(*image);
  if (!bytes) return tl::unexpected(bytes.error());
  return put_output(context_, Role::kSheet, std::as_bytes(std::span(*bytes)), outcome);
}

}  // namespace rushes::worker
