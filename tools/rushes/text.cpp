#include "tools/rushes/text.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>

#include "config/seconds.h"
#include "config/stage.h"
#include "config/version_name.h"

namespace rushes::tools {
namespace {

std::string format(const char* pattern, double value) {
  char text[64];
  std::snprintf(text, sizeof text, pattern, value);
  return text;
}

std::string paint(bool on, const char* code, const std::string& text) {
  return on ? std::string("\x1b[") + code + "m" + text + "\x1b[0m" : text;
}

// Stages in the order they run, for tables of seconds.
constexpr Stage kOrder[] = {Stage::kEncode,  Stage::kDenoise, Stage::kDecode, Stage::kCritique,
                            Stage::kEnlarge, Stage::kRefine,  Stage::kFinish, Stage::kDeliver};

std::string stage_seconds(const Json& seconds) {
  std::string text;
  for (const Stage one : kOrder) {
    const char* stage = to_string(one);
    if (!seconds.is_object() || !seconds.contains(stage)) continue;
    if (!text.empty()) text += ", ";
    text += std::string(stage) + " " + config::seconds_text(number(seconds, stage)) + " s";
  }
  return text;
}

// Seeds use all 64 bits: they are not read as doubles.
std::string seed_text(const Json& take) {
  const Json& seed = member(take, "seed");
  return seed.is_number_integer() ? seed.dump() : "-";
}

// "    version 1 (current): movie 1.2 MiB, sheet 310 KiB"
std::string pictures_line(const Json& version) {
  const Json &movie = member(version, "movie"), &sheet = member(version, "sheet");
  if (member(version, "judged") != true || member(version, "left") == true) return "";
  std::string text = "    version " + format("%.0f", number(version, "version")) +
                     (member(version, "current") == true ? " (current): " : ": ");
  if (!movie.is_object() || !sheet.is_object()) return text + "no proxy: rendered by an older worker\n";
  return text + "movie " + bytes_text(number(movie, "bytes")) + ", sheet " +
         bytes_text(number(sheet, "bytes")) + "\n";
}

// "  queued 0:12, running 1:40, waited for people 3:05"
std::string times_line(const Json& times) {
  if (!times.is_object()) return "";
  return "  queued " + duration(number(times, "queued_seconds")) + ", running " +
         duration(number(times, "running_seconds")) + ", waited for people " +
         duration(number(times, "person_seconds")) + "\n";
}

// "  take 2 approved by ann at 2026-12-01T17:00:00.250Z"
std::string approved_line(const Json& shot) {
  if (!member(shot, "approved").is_number()) return "";
  const std::string by = word(shot, "approved_by"), at = word(shot, "approved_at");
  return "  take " + format("%.0f", number(shot, "approved")) + " approved" +
         (by.empty() ? "" : " by " + by) + (at.empty() ? "" : " at " + at) + "\n";
}

// "  task 12 failed on w1: sh010 take 1 denoise window 0 steps 3-6: it broke"
std::string notable_text(const Json& shot, const Style& style) {
  constexpr std::size_t kShown = 16;
  const Json& tasks = list(shot, "notable_tasks");
  std::string text, failed;
  for (std::size_t i = 0; i < std::min(tasks.size(), kShown); ++i) {
    const Json& task = tasks[i];
    const std::string state = word(task, "state"), worker = word(task, "worker"), words = word(task, "words");
    if (failed.empty() && state != "running") failed = task_number(task);
    text += "  task " + task_number(task) + " " + style.state(state) +
            (worker.empty() ? "" : " on " + worker) +
            (state == "running" ? format(" %.0f %%", 100 * number(task, "progress")) : "") + ": " +
            word(task, "name") + (words.empty() ? "" : ": " + words) + "\n";
  }
  if (tasks.size() > kShown)
    text +=
        "  and " + counted(static_cast<double>(tasks.size() - kShown), "task") + " more; --json has them\n";
  if (!failed.empty()) text += "  see: rushes logs " + failed + ", rushes explain " + failed + "\n";
  return text;
}

std::string take_text(const Json& take, const Style& style) {
  const Json& critique = member(take, "critique");
  std::string text =
      "  take " + format("%.0f", number(take, "take")) + "  " + style.state(word(take, "state"));
  const std::string activity = word(take, "activity");
  if (!activity.empty()) text += "  " + activity;
  text += style.dim("  seed " + seed_text(take)) + "\n";
  if (const std::string why = word(take, "reason"); word(take, "state") == "dropped" && !why.empty())
    text += "    dropped: " + why + "\n";
  if (critique.is_object()) {
    text += "    " + critique_line(critique) + "\n";
    for (const Json& finding : list(critique, "findings")) text += "      - " + finding_line(finding) + "\n";
  }
  if (!list(take, "revisions").empty() && member(take, "version").is_number())
    text += "    current: version " + format("%.0f", number(take, "version")) +
            (number(take, "version") == 0 ? ", the first rendering\n" : "\n");
  for (const Json& revision : list(take, "revisions")) text += "    " + revision_line(revision) + "\n";
  for (const Json& renewed : list(take, "renewed")) text += "    " + renewed_line(renewed) + "\n";
  if (const Json& left = member(take, "left"); left.is_object()) {
    bool there = false;  // those of the current version
    for (const Json& version : list(take, "versions"))
      there = there || (member(version, "current") == true && member(version, "left") != true);
    text += std::string(there ? "    pictures of versions before" : "    pictures") + " left on " +
            word(left, "at").substr(0, 10) + " (" + word(left, "reason") +
            (there ? ")\n" : "); retry makes them again\n");
  }
  for (const Json& version : list(take, "versions")) text += pictures_line(version);
  return text;
}

}  // namespace

std::string Style::state(const std::string& state) const {
  static const std::map<std::string, const char*> kColours{
      {"drafting", "33"},  {"rendering", "33"}, {"running", "33"},  {"leased", "33"},    {"upgrading", "33"},
      {"delivered", "32"}, {"succeeded", "32"}, {"approved", "32"}, {"master", "32"},    {"pass", "32"},
      {"judged", "36"},    {"queued", "36"},    {"ready", "36"},    {"planned", "36"},   {"idle", "36"},
      {"pending", "35"},   {"review", "34"},    {"revise", "33"},   {"attention", "31"}, {"failed", "31"},
      {"reject", "31"},    {"dropped", "31"},   {"lost", "31"},     {"cancelled", "90"}, {"aborted", "90"},
      {"skipped", "90"},   {"busy", "33"}};
  const auto colour = kColours.find(state);
  return colour == kColours.end() ? state : paint(on, colour->second, state);
}
std::string Style::dim(const std::string& text) const { return paint(on, "2", text); }
std::string Style::bold(const std::string& text) const { return paint(on, "1", text); }

std::string duration(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return "-";
  const long whole = std::lround(seconds);
  char text[32];
  if (whole >= 3600)
    std::snprintf(text, sizeof text, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
  else
    std::snprintf(text, sizeof text, "%ld:%02ld", whole / 60, whole % 60);
  return text;
}

std::string bar(double fraction, int width) {
  static const char* kEighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const double clamped = std::clamp(std::isfinite(fraction) ? fraction : 0.0, 0.0, 1.0);
  const int eighths = static_cast<int>(std::floor(clamped * width * 8));
  std::string text;
  for (int i = 0; i < eighths / 8; ++i) text += "█";
  text += kEighths[eighths % 8];
  for (int i = (eighths + 7) / 8; i < width; ++i) text += "·";
  return text;
}

std::size_t text_width(const std::string& text) {
  std::size_t width = 0;
  bool escape = false;
  for (unsigned char c : text) {
    if (c == 0x1b) escape = true;
    if (!escape && (c & 0xC0) != 0x80) ++width;
    if (escape && c == 'm') escape = false;
  }
  return width;
}

std::string padded(const std::string& text, std::size_t width) {
  const std::size_t length = text_width(text);
  if (length <= width) return text + std::string(width - length, ' ');
  std::string cut;
  std::size_t count = 0;
  for (std::size_t i = 0; i < text.size() && count + 1 < width; ++count) {
    std::size_t next = i + 1;
    while (next < text.size() && (static_cast<unsigned char>(text[next]) & 0xC0) == 0x80) ++next;
    cut += text.substr(i, next - i);
    i = next;
  }
  return cut + "…";
}

std::string column(const std::string& name, std::size_t width) {
  return text_width(name) < width ? padded(name, width) : name + "  ";
}

namespace {

// At most `width` characters of `word`, escape sequences kept whole; `word` keeps the rest.
std::string take_front(std::string& word, std::size_t width) {
  std::size_t at = 0, count = 0;
  bool escape = false;
  for (; at < word.size(); ++at) {
    const auto c = static_cast<unsigned char>(word[at]);
    if (c == 0x1b) escape = true;
    if (!escape && (c & 0xC0) != 0x80 && ++count > width) break;
    if (escape && c == 'm') escape = false;
  }
  std::string front = word.substr(0, at);
  word.erase(0, at);
  return front;
}

std::string wrapped_line(const std::string& line, std::size_t width) {
  if (text_width(line) <= width) return line;
  const std::size_t indent = std::min(line.find_first_not_of(' ') + 4, width / 2);
  std::string text, now;
  std::size_t at = 0;
  while (at < line.size()) {
    // A word with the spaces before it.
    const std::size_t begin = std::min(line.find_first_not_of(' ', at), line.size());
    const std::size_t end = std::min(line.find(' ', begin), line.size());
    std::string word = line.substr(at, end - at);
    at = end;
    if (text_width(now) + text_width(word) > width && !now.empty()) {
      text += now + "\n";
      now = std::string(indent, ' ');
      word.erase(0, word.find_first_not_of(' '));
    }
    while (text_width(now) + text_width(word) > width) {
      text += now + take_front(word, width - text_width(now)) + "\n";
      now = std::string(indent, ' ');
    }
    now += word;
  }
  return text + now;
}

}  // namespace

std::string wrapped(const std::string& text, std::size_t width) {
  if (width == 0) return text;
  std::string all;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    all += wrapped_line(text.substr(begin, end - begin), width);
    if (end < text.size()) all += '\n';
    begin = end + 1;
  }
  return all;
}

double number(const Json& object, const char* key, double fallback) {
  const Json& value = member(object, key);
  return value.is_number() ? value.get<double>() : fallback;
}
std::string word(const Json& object, const char* key, const std::string& fallback) {
  const Json& value = member(object, key);
  return value.is_string() ? value.get<std::string>() : fallback;
}
const Json& member(const Json& object, const char* key) {
  static const Json kNull;
  if (!object.is_object()) return kNull;
  const auto found = object.find(key);
  return found == object.end() ? kNull : *found;
}
const Json& list(const Json& object, const char* key) {
  static const Json kEmpty = Json::array();
  const Json& value = member(object, key);
  return value.is_array() ? value : kEmpty;
}

std::string task_number(const Json& task) { return format("%.0f", number(task, "task")); }

std::string counted(double count, const std::string& one, const std::string& many) {
  const std::string& what = count == 1 ? one : many;
  return format("%.0f ", count) + (what.empty() ? one + "s" : what);
}

std::string finding_line(const Json& finding) {
  std::string text = word(finding, "dimension");  // the message names the frames
  if (const auto blocks = finding.find("blocks"); blocks != finding.end() && *blocks == false)
    text += " (advice)";
  text += ": " + word(finding, "message");
  const std::string remedy = word(finding, "remedy");
  if (!remedy.empty()) text += " (" + remedy + ")";
  return text;
}

std::string critique_line(const Json& critique) {
  const bool judged =
      word(critique, "verdict", "unknown") != "unknown";  // older farms have a score all the same
  std::string text =
      judged ? word(critique, "verdict") + format(" %.2f", number(critique, "score")) : "not judged";
  std::string parts;
  for (const Json& dimension : list(critique, "dimensions")) {
    if (!parts.empty()) parts += ", ";
    parts += word(dimension, "dimension") + format(" %.2f", number(dimension, "score"));
  }
  return parts.empty() ? text : text + " (" + parts + ")";
}

// "1, 2"
static std::string windows_text(const Json& made) {
  std::string windows;
  for (const Json& window : list(made, "windows"))
    if (window.is_number()) windows += (windows.empty() ? "" : ", ") + std::to_string(window.get<int>());
  return windows;
}

std::string renewed_line(const Json& renewed) {
  return "now window " + windows_text(renewed) + " is of revision " +
         format("%.0f", number(renewed, "revision")) + ": seed " + seed_text(renewed) + ", prompt \"" +
         word(renewed, "prompt") + "\"";
}

// What became of a revision: ", taken back".
static std::string standing_text(const Json& revision) {
  const std::string standing = word(revision, "standing");
  if (standing == "pending") return ", rendered now";
  if (standing == "part") return ", part of the current version";
  if (member(revision, "kept").is_null()) return standing == "history" ? ", stopped" : "";
  if (member(revision, "current") == true) return ", current";
  return member(revision, "kept") == true ? ", taken back" : ", never current";
}

std::string revision_line(const Json& revision) {
  const std::string windows = windows_text(revision);
  const std::string prompt = word(revision, "prompt");
  const auto score = [&](const char* key) {
    return member(revision, key).is_number() ? format("%.2f", number(revision, key)) : "not judged";
  };
  std::string text = word(revision, "standing") == "history" ? "history: revision " : "revision ";
  text += format("%.0f", number(revision, "revision"));
  if (member(revision, "again") == true)
    text += " made the take again as it was";
  else
    text += " rendered window " + windows + " again with seed " + seed_text(revision) +
            (prompt.empty() ? "" : " and the prompt \"" + prompt + "\"");
  text += ": " + word(revision, "reason") + "; score " + score("score_before");
  if (!member(revision, "kept").is_null()) text += " -> " + score("score_after");
  return text + standing_text(revision);
}

std::string shot_text(const Json& shot, const Style& style) {
  std::string text = style.bold(word(shot, "shot")) + "  " + style.state(word(shot, "state"));
  if (word(shot, "paused", "no") != "no") text += " (pause " + word(shot, "paused") + ")";
  text += "  " + format("%.0f %%", 100 * number(shot, "progress")) + "  elapsed " +
          duration(number(shot, "elapsed_seconds")) + "  " + cost_text(member(shot, "device_seconds")) + "\n";
  text += style.dim("  \"" + word(shot, "prompt") + "\", " + counted(number(shot, "frames"), "frame") +
                    " at " + word(shot, "fps") + " fps, model " + word(shot, "model")) +
          "\n";
  text += times_line(member(shot, "times")) + approved_line(shot);
  const Json& attention = member(shot, "attention");
  if (attention.is_object()) text += "  needs a person: " + word(attention, "reason") + "\n";
  for (const Json& remark : list(shot, "remarks"))
    if (remark.is_string()) text += "  note: " + remark.get<std::string>() + "\n";
  if (!word(shot, "waiting").empty()) text += "  waits: " + word(shot, "waiting") + "\n";
  text += notable_text(shot, style);
  for (const Json& take : list(shot, "takes")) text += take_text(take, style);
  const std::string seconds = stage_seconds(member(shot, "seconds_per_stage"));
  if (!seconds.empty()) text += "  " + seconds + "\n";
  for (const Json& delivery : list(shot, "deliveries"))
    text += "  " + word(delivery, "kind") + " of take " + format("%.0f", number(delivery, "take")) + " in " +
            word(delivery, delivery.contains("path") ? "path" : "folder") + " (" +
            counted(static_cast<double>(list(delivery, "files").size()), "file") + ")\n";
  return text;
}

std::string look_text(const Json& shot) {
  for (const Json& take : list(shot, "takes"))
    for (const Json& version : list(take, "versions"))
      if (member(version, "movie").is_object())
        return "  look at a take: rushes export " + word(shot, "shot") +
               " DIR --take N --kind proxy\n"
               "  (movie and contact sheet; --kind draft: EXR frames; --version V: not the current one)\n";
  return "";
}

namespace {

std::string shot_row(const Json& shot, const Style& style) {
  return padded(style.state(word(shot, "state")), 12) +
         padded(std::to_string(list(shot, "takes").size()), 7) +
         padded(format("%.0f %%", 100 * number(shot, "progress")), 10) +
         config::seconds_text(number(member(shot, "device_seconds"), "total")) + " s\n";
}

}  // namespace

std::string shot_list(const Json& shots, const Style& style, std::size_t width) {
  constexpr std::size_t kName = 28, kFigures = 40;
  const bool table = width == 0 || width >= kName + kFigures;
  const std::string indent = table ? "" : "  ";
  std::string text = (table ? padded("shot", kName) : "shot\n" + indent) + padded("state", 12) +
                     padded("takes", 7) + padded("progress", 10) + "device time\n";
  for (const Json& shot : shots) {
    const std::string name = word(shot, "shot");
    // A name that is longer than its column stands on a line of its own.
    if (table && text_width(name) < kName)
      text += padded(name, kName);
    else
      text += name + "\n" + (table ? std::string(kName, ' ') : indent);
    text += shot_row(shot, style);
  }
  return text;
}

std::string event_line(const Json& event) {
  std::string about = word(event, "shot");
  for (const char* key : {"take", "task"})
    if (number(event, key) > 0)
      about += (about.empty() ? "" : " ") + std::string(key) + " " + format("%.0f", number(event, key));
  const std::string worker = word(event, "worker");
  if (!worker.empty()) about += (about.empty() ? "" : " ") + ("on " + worker);
  return padded(format("%.0f", number(event, "seq")), 8) + padded(duration(number(event, "seconds")), 10) +
         padded(word(event, "type"), 18) + column(about, 32) + word(event, "words") + "\n";
}

// At its checkpoints.
static std::string window_critique_text(const Json& window) {
  std::string text = "    window " + format("%.0f", number(window, "window")) + " version " +
                     format("%.0f", number(window, "revision")) + ": ";
  const std::string doing = word(window, "doing");
  if (word(window, "verdict").empty())
    return text + word(window, "state") + (doing.empty() ? "" : ", " + doing) + "\n";
  text += critique_line(window) + "\n";
  for (const Json& finding : list(window, "findings")) text += "      - " + finding_line(finding) + "\n";
  return text;
}

std::string critiques_text(const Json& answer, const Style& style) {
  std::string text;
  for (const Json& take : list(answer, "takes")) {
    text += take_text(take, style);
    for (const Json& window : list(take, "windows")) text += window_critique_text(window);
  }
  return text.empty() ? "no critique yet\n" : text;
}

std::string bytes_text(double bytes) {
  constexpr double kKiB = 1 << 10, kMiB = 1 << 20, kGiB = 1 << 30;
  if (bytes < kMiB) return format("%.0f KiB", bytes / kKiB);
  return bytes < kGiB ? format("%.0f MiB", bytes / kMiB) : format("%.1f GiB", bytes / kGiB);
}

std::string cost_text(const Json& cost) {
  const auto seconds = [&](const char* key) { return config::seconds_text(number(cost, key)); };
  std::string text = seconds("total") + " device s";
  if (number(cost, "gpu") > 0 && number(cost, "cpu") > 0)
    text += " (" + seconds("cpu") + " cpu, " + seconds("gpu") + " gpu)";
  if (number(cost, "wasted") > 0) text += ", " + seconds("wasted") + " of it in vain";
  return text;
}

namespace {

// "attempt 2 on w1: failed, 2026-12-01T17:00:00.250Z to 2026-12-01T17:00:05.250Z, 5.0 s: it broke"
std::string attempt_line(const Json& attempt) {
  const std::string worker = word(attempt, "worker"), started = word(attempt, "started"),
                    ended = word(attempt, "ended"), message = word(attempt, "message");
  const std::string state = word(attempt, "state");
  std::string text = "attempt " + format("%.0f", number(attempt, "attempt")) +
                     (worker.empty() ? "" : " on " + worker) + ": " +
                     (state == "unknown" ? "long ago, only its lines are left" : state);
  if (!started.empty()) text += ", from " + started;
  if (!ended.empty()) text += (started.empty() ? ", ended " : " to ") + ended;
  if (member(attempt, "seconds").is_number())
    text += ", " + config::seconds_text(number(attempt, "seconds")) + " s";
  return text + (message.empty() ? "" : ": " + message);
}

// An attempt that went well and printed nothing is not worth a heading among those of a whole shot.
bool has_news(const Json& task) {
  const Json& attempts = list(task, "attempts");
  return std::any_of(attempts.begin(), attempts.end(), [](const Json& attempt) {
    return !word(attempt, "log").empty() || word(attempt, "state") != "succeeded";
  });
}

}  // namespace

std::string logs_text(const Json& answer, const Style& style) {
  std::string text;
  const Json& tasks = list(answer, "tasks");
  for (const Json& task : tasks) {
    if (tasks.size() > 1 && !has_news(task)) continue;
    text += style.bold("task " + task_number(task) + ", " + word(task, "name")) + ": " +
            style.state(word(task, "state")) + "\n";
    for (const Json& attempt : list(task, "attempts")) {
      const std::string lines = word(attempt, "log");
      text += "--- " + attempt_line(attempt) + " ---\n" + lines;
      if (lines.empty()) text += "(it sent no lines)\n";
      if (!text.ends_with('\n')) text += '\n';
    }
    if (list(task, "attempts").empty()) text += "no worker has tried it yet\n";
  }
  if (const double more = number(answer, "left_off"); more > 0)
    text += "and " + counted(more, "task") + " more than one answer holds: rushes logs TASK\n";
  return text.empty() ? "no attempt has printed anything yet\n" : text;
}

std::string closing_report(const Json& shots, const Style& style) {
  std::string text;
  std::map<std::string, double> total;
  for (const Json& shot : shots) {
    text += shot_text(shot, style) + "\n";
    const Json& seconds = member(shot, "seconds_per_stage");
    if (!seconds.is_object()) continue;
    for (const auto& [stage, value] : seconds.items())
      if (value.is_number()) total[stage] += value.get<double>();
  }
  text += "device seconds per stage, all shots: " + stage_seconds(Json(total)) + "\n";
  return text;
}

const Json& newest_delivery(const Json& deliveries) {
  const auto rank = [](const Json& delivery) {
    return std::pair(config::version_number(word(delivery, "version")).value_or(0),
                     word(delivery, "kind") == "master");
  };
  const Json* newest = &deliveries.front();
  for (const Json& delivery : deliveries)
    if (rank(delivery) >= rank(*newest)) newest = &delivery;
  return *newest;
}

}  // namespace rushes::tools
