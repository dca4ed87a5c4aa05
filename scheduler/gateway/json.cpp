#include "scheduler/gateway/json.h"

#include <algorithm>
#include <map>

#include "config/instant.h"
#include "config/rate.h"
#include "scheduler/plan/compose.h"
#include "storage/records/frame_files.h"
#include "storage/records/lineage.h"

namespace rushes::scheduler {
namespace {

constexpr std::size_t kMaxShownFiles = 100'000;  // of one delivery

Json none_or(bool present, Json value) { return present ? std::move(value) : Json(nullptr); }

Json frames_json(const Range& frames, int start = 0) {
  return Json::array({start + frames.begin, start + std::max(frames.end - 1, frames.begin)});
}

Json finding_json(const Shot& shot, const Finding& finding) {
  return {{"dimension", finding.dimension},
          {"severity", finding.severity},
          {"frames", frames_json(finding.frames)},
          {"exr_frames", frames_json(finding.frames, static_cast<int>(shot.spec.start_frame))},
          {"window", finding.window},
          {"box", Json::array({finding.box.x, finding.box.y, finding.box.width, finding.box.height})},
          {"message", finding.message},
          {"remedy", finding.remedy},
          {"evidence", finding.evidence},
          {"threshold", finding.threshold},
          {"blocks", finding.blocks}};
}

Json critique_json(const Shot& shot, const Critique& critique) {
  Json dimensions = Json::array(), findings = Json::array();
  for (const auto& score : critique.dimensions)
    dimensions.push_back({{"dimension", score.dimension},
                          {"score", score.score},
                          {"threshold", score.threshold},
                          {"reject", score.reject},
                          {"blocks", score.blocks}});
  for (const auto& finding : critique.findings) findings.push_back(finding_json(shot, finding));
  return {{"verdict", to_string(critique.verdict)},
          {"score", none_or(critique.verdict != Verdict::kUnknown, critique.score)},
          {"dimensions", std::move(dimensions)},
          {"findings", std::move(findings)},
          {"critics", critique.critics},
          {"compute_seconds", critique.compute_seconds}};
}

// Nobody gave a score where no critic had a word.
Json score_json(bool judged, Verdict verdict, float score) {
  return none_or(judged && verdict != Verdict::kUnknown, score);
}

// The windows of the current version that are not as the take was rendered first: who made them of which seed and
// prompt.
Json renewed_json(const Shot& shot, const Take& take) {
  Json renewed = Json::array();
  if (!is_planned(take)) return renewed;
  const auto made = windows_made(shot.spec.recipe.windows.size(), shot.spec.seeds[take.number - 1],
                                 shot.spec.recipe.prompt, revisions_of(take, take.kept));
  for (const WindowsMade& row : renewed_windows(made))
    renewed.push_back(
        {{"windows", row.windows}, {"revision", row.revision}, {"seed", row.seed}, {"prompt", row.prompt}});
  return renewed;
}

// Whether a revision is what is shown and delivered, went into that, is under way, or is history: it was taken back, or
// never became current.
const char* standing_of(const Take& take, std::uint32_t revision) {
  if (revision == take.kept) return "current";
  for (std::uint32_t n = take.kept; n > 0; n = take.versions[n].parent)
    if (take.versions[n].parent == revision) return "part";
  const bool under_way = take.state == TakeState::kPlanned || take.state == TakeState::kRendering;
  return under_way && revision == take.versions.back().number ? "pending" : "history";
}

// Revisions of a take with the scores before and after; `kept`: it became the current version once.
Json revisions_json(const Take& take) {
  Json revisions = Json::array();
  for (const auto& version : take.versions) {
    if (version.number == 0) continue;
    const auto parent = std::find_if(take.versions.begin(), take.versions.end(),
                                     [&](const Version& other) { return other.number == version.parent; });
    const bool before = parent != take.versions.end();
    revisions.push_back({{"revision", version.number},
                         {"windows", version.windows},
                         {"seed", version.seed},
                         {"prompt", none_or(!version.prompt.empty(), version.prompt)},
                         {"reason", version.reason},
                         {"by", version.by.empty() ? "critics" : version.by},
                         {"again", version.again},
                         {"score_before", before ? score_json(parent->judged, parent->verdict, parent->score)
                                                 : Json(nullptr)},
                         {"score_after", score_json(version.judged, version.verdict, version.score)},
                         {"kept", none_or(version.judged, version.was_kept || take.kept == version.number)},
                         {"current", take.kept == version.number},
                         {"standing", standing_of(take, version.number)}});
  }
  return revisions;
}

Json seconds_json(const std::map<Stage, double>& seconds) {
  Json json = Json::object();
  for (const auto& [stage, value] : seconds) json[to_string(stage)] = value;
  return json;
}

void add_seconds(const std::vector<view::StageSeconds>& rows, std::map<Stage, double>& total) {
  for (const auto& row : rows)
    if (row.done > 0) total[row.stage] += row.wall_seconds;
}

Json windows_json(const std::vector<view::WindowProgress>& windows) {
  Json json = Json::array();
  for (const auto& window : windows)
    json.push_back({{"window", window.window},
                    {"progress", window.fraction},
                    {"revision", window.revision},
                    {"doing", window.doing},
                    {"worker", window.worker}});
  return json;
}

// What a take does now, in words: what the critics look at, else what a window's engine says.
std::string activity_of(const view::TakeInfo& take, const std::vector<view::CritiqueInfo>& critiques) {
  for (const auto& critique : critiques)
    if (critique.take == take.number && critique.state == TaskState::kRunning && !critique.doing.empty())
      return "critics: " + critique.doing;
  for (const auto* windows : {&take.windows, &take.master_windows})
    for (const auto& window : *windows)
      if (!window.doing.empty()) return "window " + std::to_string(window.window) + ": " + window.doing;
  return {};
}

// The whole-take critique of the version that is kept, or the newest one while none is.
const view::CritiqueInfo* critique_of(const std::vector<view::CritiqueInfo>& critiques, std::uint32_t take,
                                      std::uint32_t version) {
  const view::CritiqueInfo* found = nullptr;
  for (const auto& critique : critiques)
    if (critique.take == take && critique.whole_take && critique.state == TaskState::kSucceeded &&
        (found == nullptr || critique.version == version))
      found = &critique;
  return found;
}

Json artifact_json(const Output& output) {
  return {{"digest", to_hex(output.digest)}, {"bytes", output.bytes}};
}

Json artifact_json(const std::optional<Output>& output) {
  return output ? artifact_json(*output) : Json(nullptr);
}

Json decoded_json(const std::vector<view::DecodedTile>& tiles) {
  Json json = Json::array();
  for (const auto& tile : tiles) {
    json.push_back(artifact_json(tile.frames));
    json.back()["tile"] = tile.tile;
  }
  return json;
}

Json versions_json(const std::vector<view::VersionInfo>& versions) {
  Json json = Json::array();
  for (const auto& version : versions)
    json.push_back({{"version", version.number},
                    {"current", version.kept},
                    {"judged", version.judged},
                    {"left", version.left},
                    {"device_seconds", cost_json(version.cost)},
                    {"movie", artifact_json(version.movie)},
                    {"sheet", artifact_json(version.sheet)},
                    {"decoded", decoded_json(version.decoded)}});
  return json;
}

// Of a take whose pictures left.
Json left_json(const view::TakeInfo& take) {
  if (take.left_wall_ms == 0) return nullptr;
  return {{"at", config::instant_text(take.left_wall_ms)}, {"reason", take.left_reason}};
}

Json take_json(const Shot& shot, const view::TakeInfo& info,
               const std::vector<view::CritiqueInfo>& critiques) {
  const Take& take = shot.take(info.number);
  const auto* critique = critique_of(critiques, info.number, take.kept);
  std::map<Stage, double> seconds;
  add_seconds(info.seconds, seconds);
  return {{"take", info.number},
          {"seed", info.seed},
          {"state", to_string(info.state)},
          {"reason", info.reason},
          {"rank", none_or(info.rank > 0, info.rank)},
          {"score", score_json(info.judged, info.verdict, info.score)},
          {"verdict", none_or(info.judged, to_string(info.verdict))},
          {"stage", info.stage},
          {"progress", info.fraction},
          {"activity", activity_of(info, critiques)},
          {"windows", windows_json(info.windows)},
          {"device_seconds", cost_json(info.cost)},
          {"seconds_per_stage", seconds_json(seconds)},
          {"recipe_hash", info.recipe_hash},
          {"critique", critique != nullptr ? critique_json(shot, critique->critique) : Json(nullptr)},
          {"prompt", shot.spec.recipe.prompt},
          {"version", none_or(is_planned(take), take.kept)},
          {"renewed", renewed_json(shot, take)},
          {"revisions", revisions_json(take)},
          {"left", left_json(info)},
          {"versions", versions_json(info.versions)},
          {"master_decoded", decoded_json(info.master_decoded)}};
}

Json upgrade_json(const view::ShotInfo& shot) {
  for (const auto& take : shot.takes) {
    if (take.master_windows.empty()) continue;
    double progress = 0;
    for (const auto& window : take.master_windows) progress += window.fraction;
    return {{"take", take.number},
            {"progress", progress / static_cast<double>(take.master_windows.size())},
            {"stage", take.stage},
            {"windows", windows_json(take.master_windows)}};
  }
  return nullptr;
}

Json deliveries_json(const std::vector<DeliveryDone>& deliveries) {
  Json json = Json::array();
  for (const auto& delivery : deliveries)
    json.push_back({{"kind", delivery.master ? "master" : "draft"},
                    {"take", delivery.take},
                    {"version", delivery.version},
                    {"folder", delivery.folder},
                    {"files", expand_frames(delivery.files, kMaxShownFiles)}});
  return json;
}

Json deadline_json(const view::ShotInfo& info) {
  if (info.deadline_wall_ms == 0) return nullptr;
  return {{"at", config::instant_text(info.deadline_wall_ms)},
          {"at_risk", info.at_risk},
          {"slack_seconds", info.slack_seconds}};
}

// An instant with its milliseconds, or null: older journals do not have every one.
Json instant_json(std::int64_t wall_ms) {
  if (wall_ms <= 0) return nullptr;
  return config::instant_text(wall_ms, config::Fraction::kMilliseconds);
}

Json times_json(const std::optional<view::ShotTimes>& times) {
  if (!times) return nullptr;
  return {{"queued_seconds", times->queued_seconds},
          {"running_seconds", times->running_seconds},
          {"person_seconds", times->person_seconds}};
}

Json attention_json(const State& state, const view::ShotInfo& shot) {
  if (shot.state != ShotState::kAttention) return nullptr;
  Json json{{"reason", shot.reason},
            {"task", none_or(shot.attention_task != kNoId, shot.attention_task.number())},
            {"log", ""}};
  if (state.has_task(shot.attention_task) && !state.task(shot.attention_task).bad_attempts.empty())
    json["log"] = state.task(shot.attention_task).bad_attempts.back().log_tail;
  return json;
}

Json counts_json(const TaskCounts& counts) {
  Json json = Json::object();
  for (int i = 0; i < kTaskStates; ++i) json[to_string(static_cast<TaskState>(i))] = counts[i];
  return json;
}

Json notable_json(const std::vector<view::NotableTask>& tasks) {
  Json json = Json::array();
  for (const auto& task : tasks)
    json.push_back({{"task", task.task.number()},
                    {"name", task.name},
                    {"state", to_string(task.state)},
                    {"worker", task.worker},
                    {"progress", task.fraction},
                    {"words", task.words}});
  return json;
}

Json shot_summary(const State& state, const Shot& shot, const view::ShotInfo& info,
                  const std::vector<view::CritiqueInfo>& critiques) {
  Json takes = Json::array();
  std::map<Stage, double> seconds;
  for (const auto& take : info.takes) {
    takes.push_back(take_json(shot, take, critiques));
    add_seconds(take.seconds, seconds);
  }
  if (state.has_task(shot.encode) && state.task(shot.encode).state == TaskState::kSucceeded)
    seconds[Stage::kEncode] = state.task(shot.encode).result.wall_seconds;
  return {{"shot", info.shot},
          {"show", info.show},
          {"name", info.name},
          {"state", to_string(info.state)},
          {"reason", info.reason},
          {"paused", info.paused            ? "reached"
                     : info.pause_requested ? "requested"
                                            : "no"},
          {"attention", attention_json(state, info)},
          {"prompt", info.prompt},
          {"remarks", shot.spec.remarks},
          {"model", info.model},
          {"numeric_class", info.numeric_class},
          {"frames", info.frames},
          {"fps", config::to_string(shot.spec.deliver_rate)},
          {"priority", info.priority},
          {"batch", info.batch},
          {"approved", none_or(info.approved > 0, info.approved)},
          {"approved_by", none_or(!info.approved_by.empty(), info.approved_by)},
          {"approved_at", instant_json(info.approved_wall_ms)},
          {"times", times_json(info.times)},
          {"progress", info.fraction},
          {"elapsed_seconds", info.elapsed_seconds},
          {"estimate_seconds", none_or(info.estimate_seconds.has_value(), info.estimate_seconds.value_or(0))},
          {"device_seconds", cost_json(info.cost)},
          {"waiting", none_or(!info.waiting.empty(), info.waiting)},
          {"deadline", deadline_json(info)},
          {"limits", info.limits},
          {"tasks", counts_json(info.tasks)},
          {"notable_tasks", notable_json(info.notable)},
          {"seconds_per_stage", seconds_json(seconds)},
          {"takes", std::move(takes)},
          {"upgrade", upgrade_json(info)},
          {"deliveries", deliveries_json(info.deliveries)}};
}

Json starts_json(const std::optional<double>& seconds) {
  return none_or(seconds.has_value(), seconds.value_or(0));
}

// Why a task waits: the kind of the reason, the reason in words, when it starts about.
Json reason_json(const view::TaskInfo& task) {
  return {{"task", task.task.number()},
          {"name", task.name},
          {"state", to_string(task.state)},
          {"waiting", none_or(!task.waiting_for.empty(), task.waiting_for)},
          {"reason", none_or(!task.reason.empty(), task.reason)},
          {"starts_in_seconds", starts_json(task.starts_in_seconds)},
          {"ahead", task.ahead}};
}

double seconds_between(std::int64_t from_ms, std::int64_t to_ms) {
  return from_ms > 0 && to_ms > from_ms ? static_cast<double>(to_ms - from_ms) / 1000 : 0;
}

// The wall clock of the first thing that this farm wrote down.
std::int64_t farm_began_ms(const State& state) {
  std::int64_t began = 0;
  const auto consider = [&](std::int64_t wall) {
    if (wall > 0 && (began == 0 || wall < began)) began = wall;
  };
  if (!state.workers.empty()) consider(state.workers.front().joined_wall_ms);
  if (!state.batches.empty()) consider(state.batches.front().wall_ms);
  if (!state.shots.empty()) consider(state.shots.front().created_wall_ms);
  return began;
}

}  // namespace

Json shots_json(const State& state, Now now) {
  Json shots = Json::array();
  for (const auto& info : view::shots(state, now)) {
    const Shot* shot = state.find_shot(info.shot);
    if (shot != nullptr) shots.push_back(shot_summary(state, *shot, info, {}));
  }
  return {{"shots", std::move(shots)}};
}

std::optional<Json> shot_json(const State& state, std::string_view key, Now now) {
  const Shot* shot = state.find_shot(key);
  const auto info = view::shot(state, key, now);
  if (shot == nullptr || !info) return std::nullopt;
  return shot_summary(state, *shot, *info, view::critiques(state, key));
}

std::optional<Json> critiques_json(const State& state, std::string_view key) {
  const Shot* shot = state.find_shot(key);
  if (shot == nullptr) return std::nullopt;
  const auto critiques = view::critiques(state, key);
  Json takes = Json::array();
  for (const auto& take : shot->takes) {
    const auto* whole = critique_of(critiques, take.number, take.kept);
    Json windows = Json::array();
    for (const auto& critique : critiques) {
      if (critique.take != take.number || critique.whole_take) continue;
      Json row =
          critique.state == TaskState::kSucceeded ? critique_json(*shot, critique.critique) : Json::object();
      row["window"] = critique.window;
      row["revision"] = critique.version;
      row["state"] = to_string(critique.state);
      row["doing"] = critique.doing;
      windows.push_back(std::move(row));
    }
    takes.push_back({{"take", take.number},
                     {"seed", shot->spec.seeds[take.number - 1]},
                     {"state", to_string(take.state)},
                     {"critique", whole != nullptr ? critique_json(*shot, whole->critique) : Json(nullptr)},
                     {"windows", std::move(windows)},
                     {"prompt", shot->spec.recipe.prompt},
                     {"renewed", renewed_json(*shot, take)},
                     {"revisions", revisions_json(take)}});
  }
  return Json{{"takes", std::move(takes)}};
}

std::optional<Json> explain_json(const State& state, std::string_view key, Now now) {
  const auto shot = view::shot(state, key, now);
  if (!shot) return std::nullopt;
  Json tasks = Json::array();
  for (const auto& task : view::tasks(state, key, now))
    if (!is_final(task.state)) tasks.push_back(reason_json(task));
  const std::string& reason = shot->waiting.empty() ? shot->reason : shot->waiting;
  return Json{{"state", to_string(shot->state)},
              {"waiting", none_or(!shot->waiting_for.empty(), shot->waiting_for)},
              {"reason", none_or(!reason.empty(), reason)},
              {"starts_in_seconds", starts_json(shot->starts_in_seconds)},
              {"deadline", deadline_json(*shot)},
              {"tasks", std::move(tasks)}};
}

std::optional<Json> explain_json(const State& state, TaskId id, Now now) {
  const auto task = view::task(state, id, now);
  if (!task) return std::nullopt;
  Json answer = reason_json(*task);
  answer["tasks"] = Json::array({reason_json(*task)});
  return answer;
}

std::optional<Json> task_json(const State& state, TaskId id, Now now) {
  const auto info = view::task(state, id, now);
  if (!info) return std::nullopt;
  std::vector<std::uint64_t> needs;
  for (const TaskId need : info->needs) needs.push_back(need.number());
  Json attempts = Json::array();
  for (const auto& attempt : view::attempts(state, state.task(id), now))
    attempts.push_back(attempt_json(attempt));
  return Json{{"task", id.number()},
              {"name", info->name},
              {"shot", info->shot},
              {"take", info->take},
              {"stage", to_string(info->stage)},
              {"level", info->level},
              {"window", info->window},
              {"segment", info->segment},
              {"tile", info->tile},
              {"revision", info->revision},
              {"state", to_string(info->state)},
              {"progress", info->fraction},
              {"attempts", std::move(attempts)},
              {"device_seconds", cost_json(info->cost)},
              {"needs", std::move(needs)},
              {"reason", none_or(!info->reason.empty(), info->reason)}};
}

Json events_json(const State& state, std::uint64_t since) {
  const std::int64_t began = farm_began_ms(state);
  Json events = Json::array();
  std::uint64_t next = since;
  for (const auto& event : state.events.since(since)) {
    events.push_back({{"seq", event.sequence},
                      {"at", instant_json(event.wall_ms)},
                      {"seconds", seconds_between(began, event.wall_ms)},
                      {"type", event.kind},
                      {"shot", event.shot},
                      {"take", event.take},
                      {"task", event.task.number()},
                      {"worker", event.worker},
                      {"words", event.text}});
    next = event.sequence;
  }
  return {{"events", std::move(events)}, {"next", next}, {"first", state.events.first()}};
}

Json attempt_json(const view::AttemptInfo& attempt) {
  Json json{{"attempt", attempt.attempt}, {"worker", attempt.worker}, {"state", attempt.state}};
  if (attempt.kind) {
    json["kind"] = to_string(*attempt.kind);
    json["fault"] = to_string(fault_of(*attempt.kind));
  }
  json["started"] = instant_json(attempt.started_wall_ms);
  json["ended"] = instant_json(attempt.ended_wall_ms);
  json["seconds"] = none_or(attempt.seconds.has_value(), attempt.seconds.value_or(0));
  json["message"] = attempt.message;
  return json;
}

Json cost_json(const DeviceSeconds& cost) {
  return {{"cpu", cost.of(SlotKind::kCpu)},
          {"gpu", cost.of(SlotKind::kGpu)},
          {"total", cost.total()},
          {"wasted", cost.all_wasted()}};
}

std::string_view kind_word(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalid:
      return "invalid";
    case ErrorKind::kNotFound:
      return "not_found";
    case ErrorKind::kConflict:
      return "conflict";
    case ErrorKind::kDenied:
      return "denied";
    case ErrorKind::kUnreachable:
      return "unreachable";
    case ErrorKind::kExhausted:
      return "exhausted";
    case ErrorKind::kCorrupt:
    case ErrorKind::kModel:
    case ErrorKind::kInternal:
      break;
  }
  return "internal";
}

int http_status(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalid:
      return 400;
    case ErrorKind::kNotFound:
      return 404;
    case ErrorKind::kConflict:
      return 409;
    case ErrorKind::kDenied:
      return 403;
    case ErrorKind::kUnreachable:
      return 503;
    case ErrorKind::kExhausted:
      return 507;
    case ErrorKind::kCorrupt:
    case ErrorKind::kModel:
    case ErrorKind::kInternal:
      break;
  }
  return 500;
}

Json error_json(const Error& error) {
  return {{"error", {{"kind", kind_word(error.kind)}, {"message", error.message}}}};
}

std::string text_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace rushes::scheduler
