#include "tools/rushes/verbs.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <sstream>
#include <thread>

#include "config/worker_name.h"
#include "tools/rushes/costs.h"
#include "tools/rushes/live_table.h"
#include "tools/rushes/send_batch.h"
#include "tools/rushes/terminal.h"
#include "tools/rushes/text.h"

namespace rushes::tools {
namespace {

constexpr auto kPoll = std::chrono::milliseconds(500);

int print_json(const Json& json) {
  std::cout << body_text(json, 2) << "\n";
  return 0;
}

int say(const Printer& print, const Json& json, const std::string& text) {
  if (print.json) return print_json(json);
  std::cout << wrapped(text, print.width);
  return 0;
}

// Nothing more happens to it without a person.
bool at_rest(const Json& shot) {
  const std::string state = word(shot, "state");
  return state == "delivered" || state == "review" || state == "cancelled" || state == "attention";
}

// In review as the shot asked (`approve: person`) is done for now; with a reason it is there because nothing passed.
int exit_code_of(const Json& shot) {
  const std::string state = word(shot, "state");
  return state == "delivered" || (state == "review" && word(shot, "reason").empty()) ? 0 : 1;
}

constexpr std::size_t kDetailed = 16;  // shots that are asked for one by one, with their windows

// Windows, critiques and versions, which a list of shots has not.
Status add_details(Client& farm, Json& shots) {
  for (Json& shot : shots) {
    auto whole = farm.get("/v1/shots/" + word(shot, "shot"));
    if (!whole) return tl::unexpected(whole.error());
    shot = std::move(*whole);
  }
  return {};
}

bool is_archived(const Json& shot) { return word(shot, "shot").find('@') != std::string::npos; }

// The shots of these names, in the farm's order; all but archived ones when `names` is empty. Few of them come with
// windows.
Result<Json> shots_of(Client& farm, const std::vector<std::string>& names) {
  auto answer = farm.get("/v1/shots");
  if (!answer) return tl::unexpected(answer.error());
  Json chosen = Json::array();
  for (const Json& shot : list(*answer, "shots"))
    if (names.empty() ? !is_archived(shot)
                      : std::find(names.begin(), names.end(), word(shot, "shot")) != names.end())
      chosen.push_back(shot);
  if (chosen.size() > kDetailed) return chosen;
  if (Status detailed = add_details(farm, chosen); !detailed) return tl::unexpected(detailed.error());
  return chosen;
}

// Draws until all are at rest. A farm that restarts in between is waited for, up to a minute.
Result<Json> follow(Client& farm, const std::vector<std::string>& names, LiveTable* table) {
  int silent = 0;
  while (true) {
    auto shots = shots_of(farm, names);
    if (!shots && (shots.error().kind != ErrorKind::kUnreachable || ++silent > 120)) return shots;
    if (shots) {
      silent = 0;
      if (table) table->draw(*shots);
      if (std::all_of(shots->begin(), shots->end(), at_rest)) return shots;
    }
    std::this_thread::sleep_for(kPoll);
  }
}

Result<int> follow_and_report(Client& farm, const std::vector<std::string>& names, const Printer& print) {
  LiveTable table(stderr);
  auto shots = follow(farm, names, print.json ? nullptr : &table);
  if (!shots) return tl::unexpected(shots.error());
  if (Status detailed = add_details(farm, *shots); !detailed) return tl::unexpected(detailed.error());
  int code = 0;
  std::string looks;  // of shots that wait for a person
  for (const Json& shot : *shots) {
    code = std::max(code, exit_code_of(shot));
    if (word(shot, "state") == "review" || word(shot, "state") == "attention") looks += look_text(shot);
  }
  say(print, Json{{"shots", *shots}}, "\n" + closing_report(*shots, Style{print.colour}) + looks);
  return code;
}

// "    draft decode     a slot of the shot's class  128 MiB of the host, 340 MiB for tensors"
std::string stages_text(const Json& stages) {
  std::string text;
  for (const Json& stage : stages) {
    const bool tensors = member(stage, "tensors") == true;
    text += "    " + padded(word(stage, "level") + " " + word(stage, "stage"), 17) +
            padded(tensors ? "a slot of the shot's class" : "a CPU slot", 28) +
            bytes_text(number(stage, "host_bytes")) + " of the host" +
            (tensors ? ", " + bytes_text(number(stage, "tensor_bytes")) + " for tensors" : "") + "\n";
  }
  return text;
}

std::string lines_of(const Json& texts, const char* before) {
  std::string text;
  for (const Json& line : texts)
    if (line.is_string()) text += before + line.get<std::string>() + "\n";
  return text;
}

std::string batch_text(const Json& batch) {
  const bool dry_run = member(batch, "dry_run") == true;
  const Json& shots = list(batch, "shots");
  std::ostringstream text;
  text << (dry_run ? "would submit " : "submitted ") << counted(static_cast<double>(shots.size()), "shot")
       << ", " << price_line(member(batch, "price")) << "\n";
  for (const Json& shot : shots) {
    const Json& price = member(shot, "price");
    text << "  " << column(word(shot, "shot"), 28) << counted(number(shot, "takes"), "take") << ", "
         << counted(number(shot, "windows"), "window") << ", " << counted(number(shot, "tasks"), "task")
         << ", " << counted(number(shot, "frames"), "frame") << " at " << word(shot, "fps") << " fps\n"
         << lines_of(list(shot, "remarks"), "    note: ") << stages_text(list(shot, "stages"))
         << (dry_run ? price_table(price) : "    " + price_line(price) + "\n");
  }
  for (const auto& [model, words] : member(batch, "known_words").items())
    if (words.is_string()) text << words.get<std::string>() << "\n";
  return text.str();
}

// The one rule of the farm for names of shows and shots.
bool is_shot_name(std::string_view name) {
  constexpr std::size_t kMost = 64;
  return !name.empty() && name.size() <= kMost && std::isalnum(static_cast<unsigned char>(name[0])) != 0 &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-';
         });
}

// "@2" of an archived shot; nothing is one too.
bool is_archive_mark(std::string_view mark) {
  constexpr std::size_t kMost = 10;
  return mark.empty() ||
         (mark.size() > 1 && mark.size() <= kMost && mark.find_first_not_of("0123456789", 1) == mark.npos);
}

}  // namespace

Result<std::string> full_name(Client& farm, const std::string& shot) {
  const std::string_view text = shot;
  const std::size_t slash = text.find('/');
  const bool whole = slash != text.npos;
  const std::string_view last = whole ? text.substr(slash + 1) : text;
  const std::size_t mark = std::min(last.find('@'), last.size());
  if ((whole && !is_shot_name(text.substr(0, slash))) || !is_shot_name(last.substr(0, mark)) ||
      !is_archive_mark(last.substr(mark)))
    return fail(
        ErrorKind::kInvalid,
        "expected SHOW/SHOT, or a shot's name where only one show has it, found '" + shortened(shot) + "'");
  if (whole) return shot;
  auto answer = farm.get("/v1/shots");
  if (!answer) return tl::unexpected(answer.error());
  std::vector<std::string> found;
  for (const Json& candidate : list(*answer, "shots"))
    if (word(candidate, "shot") == word(candidate, "show") + "/" + shot)
      found.push_back(word(candidate, "shot"));
  if (found.size() == 1) return found.front();
  if (found.empty())
    return fail(ErrorKind::kNotFound, "shot " + shot + ": no such shot; `rushes list` shows all");
  std::string names;
  for (const std::string& name : found) names += (names.empty() ? "" : ", ") + name;
  return fail(ErrorKind::kInvalid, "shot " + shot + ": several shows have it; say which: " + names);
}

namespace {

// Why a shot or a task stands as it does where the farm gives no reason of its own.
std::string plain_reason(const std::string& state, std::size_t held = 0) {
  if (held > 0) return std::to_string(held) + (held == 1 ? " task is" : " tasks are") + " on workers";
  if (state == "succeeded" || state == "delivered") return "it is done";
  if (state == "review") return "its takes are judged, and a person chooses one (rushes approve)";
  return "nothing holds it back";
}

bool is_number(const std::string& text) {
  return !text.empty() && text.size() <= 18 && text.find_first_not_of("0123456789") == std::string::npos;
}

// The number of a task as it is, or the full name of a shot.
Result<std::string> task_or_shot(Client& farm, const std::string& what) {
  if (is_number(what)) return what;
  return full_name(farm, what);
}

}  // namespace

Result<int> submit(Client& farm, const SubmitOptions& options, const Printer& print) {
  auto batch = send_batch(farm, options);
  if (!batch) return tl::unexpected(batch.error());
  if (options.dry_run || !options.wait) return say(print, *batch, batch_text(*batch));
  if (!print.json) std::cout << batch_text(*batch) << std::flush;
  std::vector<std::string> names;
  for (const Json& shot : list(*batch, "shots")) names.push_back(word(shot, "shot"));
  return follow_and_report(farm, names, print);
}

Result<int> list_shots(Client& farm, bool archived, const Printer& print) {
  auto answer = farm.get("/v1/shots");
  if (!answer) return tl::unexpected(answer.error());
  Json shots = Json::array();
  for (const Json& shot : list(*answer, "shots"))
    if (archived || !is_archived(shot)) shots.push_back(shot);
  return say(print, Json{{"shots", shots}}, shot_list(shots, Style{print.colour}, print.width));
}

Result<int> show_shot(Client& farm, const std::string& shot, const Printer& print) {
  auto name = full_name(farm, shot);
  if (!name) return tl::unexpected(name.error());
  auto answer = farm.get("/v1/shots/" + *name);
  if (!answer) return tl::unexpected(answer.error());
  return say(print, *answer, shot_text(*answer, Style{print.colour}) + look_text(*answer));
}

Result<int> watch(Client& farm, const std::vector<std::string>& shots, const Printer& print) {
  std::vector<std::string> names;
  for (const std::string& shot : shots) {
    auto name = full_name(farm, shot);
    if (!name) return tl::unexpected(name.error());
    if (auto there = farm.get("/v1/shots/" + *name); !there) return tl::unexpected(there.error());
    names.push_back(*name);
  }
  return follow_and_report(farm, names, print);
}

Result<int> wait_shot(Client& farm, const std::string& shot, const Printer& print) {
  auto name = full_name(farm, shot);
  if (!name) return tl::unexpected(name.error());
  auto first = farm.get("/v1/shots/" + *name);
  if (!first) return tl::unexpected(first.error());
  auto shots = follow(farm, {*name}, nullptr);
  if (!shots) return tl::unexpected(shots.error());
  const Json& last = shots->at(0);
  say(print, last, *name + " " + word(last, "state") + "\n");
  return exit_code_of(last);
}

Result<int> critiques(Client& farm, const std::string& shot, const Printer& print) {
  auto name = full_name(farm, shot);
  if (!name) return tl::unexpected(name.error());
  auto answer = farm.get("/v1/critiques/" + *name);
  if (!answer) return tl::unexpected(answer.error());
  return say(print, *answer, critiques_text(*answer, Style{print.colour}));
}

Result<int> explain(Client& farm, const std::string& what, const Printer& print) {
  auto name = task_or_shot(farm, what);
  if (!name) return tl::unexpected(name.error());
  auto answer = farm.get("/v1/explain/" + *name);
  if (!answer) return tl::unexpected(answer.error());
  const auto about = [](const Json& entry) {
    const double seconds = number(entry, "starts_in_seconds", -1);
    return seconds < 0 ? std::string() : ", starts in about " + duration(seconds);
  };
  const Json& tasks = list(*answer, "tasks");
  const auto held = std::count_if(tasks.begin(), tasks.end(), [](const Json& task) {
    return word(task, "state") == "leased" || word(task, "state") == "running";
  });
  std::string text =
      word(*answer, "state") + ": " +
      word(*answer, "reason", plain_reason(word(*answer, "state"), static_cast<std::size_t>(held))) +
      about(*answer) + "\n";
  if (answer->contains("deadline") && (*answer)["deadline"].is_object()) {
    const Json& deadline = (*answer)["deadline"];
    text += "deadline " + word(deadline, "at") + (deadline.value("at_risk", false) ? ", at risk" : "") + "\n";
  }
  for (const Json& task : tasks)
    text += "  " + padded(task_number(task), 8) + padded(word(task, "state"), 10) +
            padded(word(task, "waiting"), 11) + word(task, "name") + ": " +
            word(task, "reason", plain_reason(word(task, "state"))) + about(task) + "\n";
  return say(print, *answer, text);
}

Result<int> logs(Client& farm, const std::string& what, const Printer& print) {
  auto name = task_or_shot(farm, what);
  if (!name) return tl::unexpected(name.error());
  auto answer = farm.get("/v1/logs/" + *name);
  if (!answer) return tl::unexpected(answer.error());
  return say(print, *answer, logs_text(*answer, Style{print.colour}));
}

Result<int> costs(Client& farm, const CostsOptions& options, const Printer& print) {
  std::string path = "/v1/costs", before = "?";
  const auto ask = [&](const std::string& key, const std::string& value) {
    path += before + key + "=" + query_text(value);
    before = "&";
  };
  if (!options.show.empty()) ask("show", options.show);
  for (const std::string& shot : options.shots) {
    const bool of_show = !options.show.empty() && shot.find('/') == std::string::npos;
    auto name = full_name(farm, of_show ? options.show + "/" + shot : shot);
    if (!name) return tl::unexpected(name.error());
    ask("shot", *name);
  }
  auto answer = farm.get(path);
  if (!answer) return tl::unexpected(answer.error());
  return say(print, *answer, costs_text(*answer, Style{print.colour}, print.width));
}

Result<int> workers(Client& farm, const Printer& print) {
  auto answer = farm.get("/v1/workers");
  if (!answer) return tl::unexpected(answer.error());
  return say(print, *answer, workers_text(list(*answer, "workers"), Style{print.colour}));
}

Result<int> events(Client& farm, long since, bool follow_on, const Printer& print) {
  do {
    auto answer = farm.get("/v1/events?since=" + std::to_string(since) + (follow_on ? "&wait=20" : ""), 20);
    if (!answer) return tl::unexpected(answer.error());
    for (const Json& event : list(*answer, "events")) {
      if (print.json)
        std::cout << body_text(event) << "\n";
      else
        std::cout << wrapped(event_line(event), print.width);
    }
    std::cout << std::flush;
    since = static_cast<long>(number(*answer, "next", static_cast<double>(since)));
  } while (follow_on);
  return 0;
}

Result<int> change_shot(Client& farm, const std::string& shot, const std::string& verb, const Json& body,
                        const Printer& print) {
  auto name = full_name(farm, shot);
  if (!name) return tl::unexpected(name.error());
  auto answer = farm.post("/v1/shots/" + *name + "/" + verb, body_text(body));
  if (!answer) return tl::unexpected(answer.error());
  const std::string message = word(*answer, "message");
  return say(print, *answer, (message.empty() ? *name + " " + word(*answer, "state") : message) + "\n");
}

Result<int> skip_task(Client& farm, const std::string& task, const Printer& print) {
  if (!is_number(task))
    return fail(ErrorKind::kInvalid,
                "TASK: expected a task's number, as `rushes show SHOT` and `rushes explain SHOT` print it, "
                "found '" +
                    shortened(task) + "'");
  auto answer = farm.post("/v1/tasks/" + task + "/skip", "{}");
  if (!answer) return tl::unexpected(answer.error());
  return say(print, *answer, word(*answer, "message", "task " + task + " " + word(*answer, "state")) + "\n");
}

Result<int> backup(Client& farm, const std::string& name, const Printer& print) {
  constexpr int kLongest = 24 * 3600;  // of a copy to another disk
  auto answer = farm.post("/v1/backups/" + query_text(name), "{}", {}, kLongest);
  if (!answer) return tl::unexpected(answer.error());
  return say(print, *answer,
             "backup " + name + ": " + word(*answer, "folder") + ", " + bytes_text(number(*answer, "bytes")) +
                 ", " + duration(number(*answer, "seconds")) + "\n");
}

Result<int> collect(Client& farm, bool dry_run, const Printer& print) {
  constexpr int kLongest = 3600;  // of a sweep through a large vault
  auto answer = farm.post("/v1/gc", body_text(Json{{"dry_run", dry_run}}), {}, kLongest);
  if (!answer) return tl::unexpected(answer.error());
  return say(print, *answer, collected_text(*answer));
}

Result<int> change_worker(Client& farm, const std::string& worker, const std::string& verb,
                          const Printer& print) {
  if (!config::is_worker_name(worker))
    return fail(ErrorKind::kInvalid, std::string("WORKER: expected ") + config::kWorkerNameRule +
                                         ", found '" + shortened(worker) + "'");
  auto answer = farm.post("/v1/workers/" + worker + "/" + verb, "{}");
  if (!answer) return tl::unexpected(answer.error());
  return say(print, *answer, word(*answer, "message") + "\n");
}

}  // namespace rushes::tools
