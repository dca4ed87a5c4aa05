#include "worker/engine/take_pictures.h"

#include <unistd.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "storage/records/lineage.h"
#include "worker/critic/finding.h"
#include "worker/picture/canvas.h"

namespace rushes::worker {
namespace {

using Json = nlohmann::json;

constexpr int kDetailWidth = 640, kDetailHeight = 400;  // of a finding's picture at most, native pixels
constexpr Rgb8 kMark{240, 168, 48};

const Json& list(const Json& object, const char* key) {
  static const Json kNone = Json::array();
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found != object.end() && found->is_array() ? *found : kNone;
}

std::string word(const Json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

// "score 0.91 | 1 finding"
std::string verdict_of(const CritiqueSummary& critique) {
  if (!critique.known) return "not judged";
  const std::size_t count = list(critique.json, "findings").size();
  return "score " + decimal(critique.score, 2) + " | " + (count == 0 ? "no" : std::to_string(count)) +
         (count == 1 ? " finding" : " findings");
}

// "flicker 0.97, freeze 1.00"
std::string scores_of(const CritiqueSummary& critique) {
  std::string text;
  for (const Json& one : list(critique.json, "dimensions"))
    if (one.contains("score") && one["score"].is_number())
      text +=
          (text.empty() ? "" : ", ") + word(one, "dimension") + " " + decimal(one["score"].get<double>(), 2);
  return text;
}

// Both of two frames, else the one in the middle; none when the critique names frames that the take has not.
std::vector<int> frames_of(const Json& finding, int frames) {
  const Json& range = list(finding, "frames");
  if (range.size() != 2 || !range[0].is_number_unsigned() || !range[1].is_number_unsigned()) return {};
  const auto first = range[0].get<std::uint64_t>(), last = range[1].get<std::uint64_t>();
  if (first > last || last >= static_cast<std::uint64_t>(frames)) return {};
  if (last == first + 1) return {static_cast<int>(first), static_cast<int>(last)};
  return {static_cast<int>(first + (last - first) / 2)};
}

// Where the finding is, in pixels of the picture; all of it where the critique does not say.
Rect box_of(const Json& finding, int width, int height) {
  double box[4] = {0, 0, 1, 1};
  const Json& values = list(finding, "box");
  for (std::size_t i = 0; i < 4 && values.size() == 4; ++i)
    if (values[i].is_number()) box[i] = std::clamp(values[i].get<double>(), 0.0, 1.0);
  Rect rect;
  rect.x = std::min(static_cast<int>(box[0] * width), width - 1);
  rect.y = std::min(static_cast<int>(box[1] * height), height - 1);
  rect.width = std::clamp(static_cast<int>(box[2] * width + 0.5), 1, width - rect.x);
  rect.height = std::clamp(static_cast<int>(box[3] * height + 0.5), 1, height - rect.y);
  return rect;
}

// The part of the picture around the box, pixel for pixel, with the box outlined.
Result<Image8> detail(ClipView picture, const Rect& box, const DisplayView& view) {
  const int width = std::min(kDetailWidth, picture.width()),
            height = std::min(kDetailHeight, picture.height());
  const int x = std::clamp(box.x + (box.width - width) / 2, 0, picture.width() - width),
            y = std::clamp(box.y + (box.height - height) / 2, 0, picture.height() - height);
  auto image = display_image(picture.crop(x, y, width, height), 0, view);
  if (!image) return image;
  if (box.width < picture.width() || box.height < picture.height())
    draw_outline(*image, box.x - x, box.y - y, box.width, box.height, kMark);
  return image;
}

Result<std::vector<ContactFinding>> findings_of(const Task& task, const CritiqueSummary& critique,
                                                const TakeFrames& frames, const DisplayView& view) {
  std::vector<ContactFinding> shown;
  for (const Json& finding : list(critique.json, "findings")) {
    if (shown.size() == kContactFindings) break;
    const bool advice = finding.contains("blocks") && finding["blocks"] == false;
    ContactFinding row{
        word(finding, "dimension") + (advice ? " (advice): " : ": ") + word(finding, "message"), {}};
    for (const int t : frames_of(finding, frames.frames())) {
      auto picture = frames.read({t, t + 1});
      if (!picture) return tl::unexpected(picture.error());
      auto image = detail(*picture, box_of(finding, frames.width(), frames.height()), view);
      if (!image) return tl::unexpected(image.error());
      row.frames.push_back({task.delivery.start_frame + t, std::move(*image)});
    }
    if (!row.frames.empty()) shown.push_back(std::move(row));
  }
  return shown;
}

}  // namespace

namespace {

constexpr std::size_t kSheetNotes = 6;

// "take 2, windows 1, 2 of revision 1: seed 77, prompt "a blue ball"", for each revision that is seen in the take.
std::vector<std::string> renewed_notes(const Task& task) {
  std::vector<std::string> notes;
  const std::vector<WindowsMade> renewed = renewed_windows(windows_made(task.recipe));
  for (const WindowsMade& made : renewed) {
    if (notes.size() + 1 == kSheetNotes && renewed.size() > kSheetNotes) {
      notes.push_back("and windows of " + std::to_string(renewed.size() - notes.size()) + " more revisions");
      break;
    }
    std::string note =
        "take " + std::to_string(task.take) + (made.windows.size() == 1 ? ", window " : ", windows ");
    for (std::size_t i = 0; i < made.windows.size(); ++i)
      note += (i == 0 ? "" : ", ") + std::to_string(made.windows[i]);
    note += " of revision " + std::to_string(made.revision) + ": seed " + std::to_string(made.seed);
    if (made.prompt != task.recipe.prompt) note += ", prompt \"" + made.prompt + "\"";
    notes.push_back(std::move(note));
  }
  return notes;
}

}  // namespace

ContactSheet empty_sheet(const Task& task) {
  const Recipe& recipe = task.recipe;
  const int scale = task.delivery.master ? recipe.master.scale : 1, first = task.delivery.start_frame;
  const config::Rate fps = task.delivery.fps;
  ContactSheet sheet{
      task.show + "/" + task.shot + (task.delivery.master ? " master" : ""), recipe.prompt, {}, {}};
  sheet.notes = renewed_notes(task);
  sheet.facts = std::to_string(recipe.frames) + " frames " + std::to_string(first) + "-" +
                std::to_string(first + recipe.frames - 1) + " | " + config::to_string(fps) + " fps | " +
                decimal(recipe.frames / fps.value(), 2) + " s | " +
                std::to_string(recipe.deliver_width * scale) + "x" +
                std::to_string(recipe.deliver_height * scale) + " | " + recipe.model;
  return sheet;
}

Result<MovieWriter> open_movie(const Task& task, const std::string& path, const TakeFrames& frames) {
  MovieOptions options;
  if (!task.delivery.timecode.empty() && config::has_timecode(task.delivery.fps)) {
    auto timecode = config::parse_timecode(task.delivery.timecode, task.delivery.fps);
    if (!timecode) return tl::unexpected(timecode.error());
    options.first_timecode = *timecode;
  }
  return MovieWriter::create(path, frames.width(), frames.height(), task.delivery.fps, options);
}

Result<ContactRow> sheet_row(const Task& task, StageContext& context, int take, const TakeShown* known,
                             const CritiqueSummary& critique, const DisplayView& view) {
  auto frames = TakeFrames::delivered(task, context.artifacts, take);
  if (!frames) return tl::unexpected(frames.error());
  ContactRow row;
  row.title = "take " + std::to_string(take);
  if (known != nullptr && known->version > 0) row.title += " version " + std::to_string(known->version);
  if (known != nullptr)
    row.detail = "seed " + std::to_string(known->seed) + (known->version > 0 ? " in new windows | " : " | ");
  row.detail += verdict_of(critique);
  row.scores = scores_of(critique);
  if (critique.known) row.tags = {critique.verdict};
  for (const int t : contact_frames(frames->frames(), kContactColumns)) {
    auto picture = frames->read({t, t + 1});
    if (!picture) return tl::unexpected(picture.error());
    auto image = thumbnail(*picture, 0, view, kThumbnailWidth);
    if (!image) return with_context(image.error(), row.title);
    row.frames.push_back({task.delivery.start_frame + t, std::move(*image)});
  }
  auto findings = findings_of(task, critique, *frames, view);
  if (!findings) return with_context(findings.error(), row.title);
  row.findings = std::move(*findings);
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

  const auto& revisions = task_.recipe.revisions;
  const TakeShown shown{task_.take, task_.revision,
                        revisions.empty() ? task_.recipe.seed : revisions.back().seed, 0};
  auto row = sheet_row(task_, context_, task_.take, &shown, critique, view_);
  if (!row) return tl::unexpected(row.error());
  ContactSheet sheet = empty_sheet(task_);
  sheet.rows.push_back(std::move(*row));
  auto image = draw_contact_sheet(sheet);
  if (!image) return tl::unexpected(image.error());
  const auto bytes = encode_png(*image);
  if (!bytes) return tl::unexpected(bytes.error());
  return put_output(context_, Role::kSheet, std::as_bytes(std::span(*bytes)), outcome);
}

}  // namespace rushes::worker
