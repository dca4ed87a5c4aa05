// rushes: what people and scripts type. Every verb takes --json; see `rushes --help` and README.md.
#include <unistd.h>
#include <charconv>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iostream>

#include "config/command_line.h"
#include "config/shot.h"
#include "scheduler/protocol/keys.h"
#include "tools/rushes/export.h"
#include "tools/rushes/terminal.h"
#include "tools/rushes/text.h"
#include "tools/rushes/tokens.h"
#include "tools/rushes/verbs.h"
#include "worker/picture/verify.h"

namespace {

using rushes::Error;
using rushes::ErrorKind;
using rushes::Result;
using rushes::tools::Client;
using rushes::tools::Json;
using rushes::tools::Printer;

std::string environment(const char* name, const std::string& fallback) {
  const char* value = std::getenv(name);
  return value && *value ? value : fallback;
}

constexpr const char* kAllWindows = "all";

struct Arguments {
  std::string url = environment("RUSHES_URL", "http://127.0.0.1:7400");
  std::string token = environment("RUSHES_TOKEN", "");
  bool json = false;
  rushes::tools::SubmitOptions submit;
  rushes::tools::CostsOptions spent;
  std::string shot, task, worker, folder, note, what, seed, prompt, windows = kAllWindows;
  bool dry_run = false, all = false;
  std::vector<std::string> shots;
  int take = 0;
  int version = -1;
  std::string kind;
  long since = 0;
  bool follow = false;
  bool rotate = false;
  std::string action;  // of `token`
  rushes::tools::TokenOptions person;
};

// The fixed exit codes: a farm that refuses is failed work, a wrong word of the user's is usage.
int report(const Error& error, bool json) {
  if (json)
    std::cerr << rushes::config::error_line(rushes::tools::kind_word(error.kind), error.message) << "\n";
  else
    std::cerr << "rushes: " << error.message << "\n";
  if (error.kind == ErrorKind::kDenied || error.kind == ErrorKind::kConflict) return 1;
  return static_cast<int>(rushes::exit_code(error.kind));
}

Result<int> keygen(const Arguments& arguments) {
  const std::filesystem::path target = arguments.folder;
  namespace protocol = rushes::protocol;
  auto files = arguments.rotate ? protocol::rotate_keys(target.parent_path(), target.filename().string())
               : !arguments.worker.empty() ? protocol::add_worker_keys(target, arguments.worker)
                                           : protocol::write_farm_keys(target);
  if (!files) return tl::unexpected(files.error());
  if (!arguments.rotate && arguments.worker.empty()) {
    const auto tokens = rushes::tools::write_first_token(target);
    if (!tokens) return tl::unexpected(tokens.error());
    files->insert(files->end(), tokens->begin(), tokens->end());
  }
  Json names = Json::array();
  for (const auto& file : *files) names.push_back(file.string());
  if (arguments.json)
    std::cout << rushes::tools::body_text(Json{{"files", names}}, 2) << "\n";
  else
    for (const auto& file : *files) std::cout << file.string() << "\n";
  return 0;
}

Result<int> token(const Arguments& arguments) {
  const Printer print{arguments.json};
  const auto& person = arguments.person;
  if (arguments.action == "list") return rushes::tools::list_tokens(person, print);
  if (person.name.empty())
    return rushes::fail(ErrorKind::kInvalid, "token " + arguments.action + ": expected a NAME");
  if (arguments.action == "remove") return rushes::tools::remove_token(person, print);
  if (person.role.empty())
    return rushes::fail(ErrorKind::kInvalid,
                        "token add: expected --role viewer, guest, artist, supervisor or admin");
  return rushes::tools::add_token(person, print);
}

Result<int> verify(const Arguments& arguments) {
  auto report = rushes::worker::verify_delivery(arguments.folder);
  if (!report) return tl::unexpected(report.error());
  std::cout << (arguments.json ? report_json(*report) + "\n" : report_text(*report));
  return report->passed() ? 0 : 1;
}

// "0-2,4" as a list; window numbers are small.
Result<Json> window_list(const std::string& text) {
  constexpr int kLast = 4096;
  const auto wrong = [&](const char* expected) {
    return rushes::fail(ErrorKind::kInvalid, std::string("--windows: expected ") + expected + ", found \"" +
                                                 rushes::tools::shortened(text) + "\"");
  };
  const auto number = [&](std::string_view digits) {
    int value = -1;
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return read.ec == std::errc() && read.ptr == digits.data() + digits.size() ? value : -1;
  };
  Json windows = Json::array();
  std::string_view rest = text;
  for (bool more = true; more;) {
    const std::string_view part = rest.substr(0, rest.find(','));
    more = part.size() < rest.size();
    rest.remove_prefix(more ? part.size() + 1 : part.size());
    const std::size_t dash = part.find('-');
    const int first = number(part.substr(0, dash)),
              last = dash == part.npos ? first : number(part.substr(dash + 1));
    if (first < 0 || last < 0) return wrong("numbers such as 0-2,4");
    if (last < first) return wrong("ascending numbers");
    if (last > kLast) return wrong("numbers up to 4096");
    for (int i = first; i <= last; ++i) windows.push_back(i);
  }
  return windows;
}

Result<int> retry(Client& farm, const Arguments& arguments, const Printer& print) {
  Json body = Json::object();
  if (arguments.windows != kAllWindows) {
    auto windows = window_list(arguments.windows);
    if (!windows) return tl::unexpected(windows.error());
    body["windows"] = *windows;
  }
  if (!arguments.note.empty()) body["note"] = arguments.note;
  if (arguments.take > 0) body["take"] = arguments.take;
  if (!arguments.prompt.empty()) body["prompt"] = arguments.prompt;
  if (!arguments.seed.empty()) {
    std::uint64_t seed = 0;
    const char* end = arguments.seed.data() + arguments.seed.size();
    const auto read = std::from_chars(arguments.seed.data(), end, seed);
    if (read.ec != std::errc() || read.ptr != end || seed > std::uint64_t{rushes::config::kMaxSeed})
      return rushes::fail(ErrorKind::kInvalid, "--seed: expected a whole number up to " +
                                                   std::to_string(rushes::config::kMaxSeed) + ", found \"" +
                                                   arguments.seed + "\"");
    body["seed"] = seed;
  }
  if (arguments.dry_run) body["dry_run"] = true;
  return rushes::tools::change_shot(farm, arguments.shot, "retry", body, print);
}

using Verb = std::function<Result<int>(Client&, const Printer&)>;

Result<int> on_farm_of(const Arguments& arguments, const Verb& verb) {
  auto farm = Client::connect(arguments.url, arguments.token);
  if (!farm) return tl::unexpected(farm.error());
  const bool terminal = !arguments.json && isatty(STDOUT_FILENO) != 0;
  return verb(*farm, {arguments.json, terminal && rushes::tools::has_colours(STDOUT_FILENO),
                      terminal ? rushes::tools::size_of(STDOUT_FILENO).width : 0});
}

}  // namespace

int main(int count, char** values) {
  namespace tools = rushes::tools;
  Arguments a;
  Verb farm_verb;
  std::function<Result<int>()> local_verb;

  rushes::config::CommandLine app(
      "rushes: submit shots to a Rushes farm, look at takes and verdicts, deliver.");
  app.option("--url", a.url, "the farm's HTTP address (RUSHES_URL)").shows_default();
  app.option("--token", a.token, "access token (RUSHES_TOKEN)");
  app.flag("--json", a.json, "print JSON");

  using Line = rushes::config::Verb;
  const auto on_farm = [&](Line verb, const Verb& work) {
    verb.then([&farm_verb, work] { farm_verb = work; });
  };
  const auto local = [&](Line verb, const std::function<Result<int>()>& work) {
    verb.then([&local_verb, work] { local_verb = work; });
  };
  const auto shot_verb = [&](const char* name, const char* help) {
    const Line verb = app.verb(name, help);
    verb.option("SHOT", a.shot, "SHOW/SHOT, or the shot's name where only one show has it").required();
    return verb;
  };

  Line verb = app.verb("keygen", "write fresh keys and an admin token for a farm into DIR");
  verb.option("DIR", a.folder).required().not_blank();
  const auto worker =
      verb.option("--worker", a.worker,
                  "DIR has a farm's keys: add a pair for this worker, and its allow-list entry")
          .not_blank();
  verb.flag("--rotate", a.rotate, "DIR is DIR/NAME: a fresh pair for NAME.key, which stays as NAME.old.key")
      .excludes(worker);
  local(verb, [&] { return keygen(a); });
  verb = app.verb("verify", "check a delivery folder: EXR headers, numbering, colour, movie");
  verb.option("DIR", a.folder).required().not_blank();
  local(verb, [&] { return verify(a); });

  verb = app.verb("token", "who may use the farm: add, list or remove tokens (on the scheduler's host)");
  verb.option("ACTION", a.action, "add, list or remove").required().one_of({"add", "list", "remove"});
  verb.option("NAME", a.person.name, "whose token it is");
  verb.option("--role", a.person.role, "viewer, guest, artist, supervisor or admin");
  // An empty variable of a script must not become a token without a limit.
  const auto show = verb.option("--show", a.person.show, "it sees and touches this show only").not_blank();
  verb.option("--shot", a.person.shot, "it sees and touches this shot only: SHOW/SHOT")
      .not_blank()
      .excludes(show);
  verb.option("--until", a.person.until, "when it ends: 2026-12-01T18:00:00+01:00").not_blank();
  verb.option("--keys", a.person.keys, "the folder of `rushes keygen`").not_blank().shows_default();
  local(verb, [&] { return token(a); });

  verb = app.verb("submit", "submit a batch of shots");
  verb.option("FILE", a.submit.file, "shots in YAML").required().not_blank();
  verb.flag("--wait", a.submit.wait, "watch until every shot rests; exit 1 if one failed");
  verb.flag("--dry-run", a.submit.dry_run, "check and plan only");
  verb.flag("--replace", a.submit.replace, "shots of the same name are cancelled and archived as SHOT@1");
  verb.option("--idempotency-key", a.submit.idempotency_key,
              "a repeated submit with this key is the same submit")
      .not_blank();
  on_farm(verb, [&](Client& farm, const Printer& print) { return tools::submit(farm, a.submit, print); });

  verb = app.verb("list", "all shots");
  verb.flag("--all", a.all, "archived ones too");
  on_farm(verb, [&a](Client& farm, const Printer& print) { return tools::list_shots(farm, a.all, print); });
  on_farm(shot_verb("show", "one shot: takes, scores, findings, deliveries"),
          [&](Client& farm, const Printer& print) { return tools::show_shot(farm, a.shot, print); });
  verb = app.verb("watch", "live table until the shots rest");
  verb.option("SHOTS", a.shots, "default: all");
  on_farm(verb, [&](Client& farm, const Printer& print) { return tools::watch(farm, a.shots, print); });
  on_farm(shot_verb("wait", "wait until the shot is delivered or needs a person"),
          [&](Client& farm, const Printer& print) { return tools::wait_shot(farm, a.shot, print); });
  on_farm(shot_verb("critiques", "what the critics said of every take"),
          [&](Client& farm, const Printer& print) { return tools::critiques(farm, a.shot, print); });
  verb = app.verb("explain", "why a shot or task waits");
  verb.option("WHAT", a.what, "SHOT or task number").required();
  on_farm(verb, [&](Client& farm, const Printer& print) { return tools::explain(farm, a.what, print); });
  verb = app.verb("logs", "what the attempts of a task, or of a shot's tasks, printed; failed ones first");
  verb.option("WHAT", a.what, "task number or SHOT").required();
  on_farm(verb, [&](Client& farm, const Printer& print) { return tools::logs(farm, a.what, print); });

  for (const char* name : {"cancel", "pause", "resume", "upgrade"}) {
    const std::string word = name;
    on_farm(shot_verb(name, word == "upgrade" ? "upgrade the approved take" : (word + " a shot").c_str()),
            [&a, word](Client& farm, const Printer& print) {
              return tools::change_shot(farm, a.shot, word, Json::object(), print);
            });
  }
  verb = shot_verb("approve", "choose the take that is delivered or upgraded");
  verb.option("--take", a.take, "take number").required().between(1, 9999);
  on_farm(verb, [&](Client& farm, const Printer& print) {
    return tools::change_shot(farm, a.shot, "approve", Json{{"take", a.take}}, print);
  });
  verb = shot_verb("retry", "try again what failed; or render a take, or windows of it, again");
  verb.option("--take", a.take, "take number; default: the approved one, else the best").between(1, 9999);
  verb.option("--windows", a.windows, "for example 0-2,4; all: of the whole take").shows_default();
  verb.option("--seed", a.seed, "of the new noise; default: one that follows from the take's");
  verb.option("--prompt", a.prompt, "other words for what is rendered again").not_blank();
  verb.option("--note", a.note, "why, for the record");
  verb.flag("--dry-run", a.dry_run, "say what would change and cost, and render nothing");
  on_farm(verb, [&](Client& farm, const Printer& print) { return retry(farm, a, print); });
  for (const auto& [name, help] :
       {std::pair("keep", "the take's current version stays; no critic changes it"),
        std::pair("restore-take", "a dropped take goes on where it was stopped")}) {
    verb = shot_verb(name, help);
    verb.option("--take", a.take, "take number").required().between(1, 9999);
    on_farm(verb, [&a, word = std::string(name)](Client& farm, const Printer& print) {
      return tools::change_shot(farm, a.shot, word, Json{{"take", a.take}}, print);
    });
  }
  verb = shot_verb("revert", "an earlier version of the take becomes the current one");
  verb.option("--take", a.take, "take number").required().between(1, 9999);
  verb.option("--version", a.version, "default: the one that the current one was made from").between(0, 9999);
  on_farm(verb, [&a](Client& farm, const Printer& print) {
    Json body{{"take", a.take}};
    if (a.version >= 0) body["version"] = a.version;
    return tools::change_shot(farm, a.shot, "revert", body, print);
  });
  on_farm(shot_verb("remove", "archive a shot that is over; its name is free"),
          [&a](Client& farm, const Printer& print) {
            return tools::change_shot(farm, a.shot, "remove", Json::object(), print);
          });
  verb = app.verb("skip", "do without a critique or a delivery; without any other task, its take is dropped");
  verb.option("TASK", a.task).required();
  on_farm(verb, [&](Client& farm, const Printer& print) { return tools::skip_task(farm, a.task, print); });

  verb = shot_verb("export",
                   "write a take, or the newest delivery, into a new folder DIR/SHOW/SHOT_KIND_VERSION");
  verb.option("DIR", a.folder).required().not_blank();
  verb.option("--take", a.take, "take number; default: the approved one, else the best").between(1, 9999);
  verb.option("--version", a.version, "0: the first rendering; default: the current one").between(0, 9999);
  verb.option("--kind", a.kind, "draft, master: EXR frames; proxy: movie and contact sheet")
      .one_of({"draft", "master", "proxy"});
  on_farm(verb, [&](Client& farm, const Printer& print) {
    return tools::export_shot(farm, {a.shot, a.folder, a.take, a.version, a.kind}, print);
  });
  verb = app.verb("costs", "device seconds used and wasted, by show, batch and shot");
  verb.option("SHOTS", a.spent.shots, "default: all");
  verb.option("--show", a.spent.show, "of this show only").not_blank();
  on_farm(verb, [&](Client& farm, const Printer& print) { return tools::costs(farm, a.spent, print); });
  verb = app.verb("events", "what happened, oldest first");
  verb.option("--since", a.since, "sequence number to start from");
  verb.flag("--follow", a.follow, "go on as things happen");
  on_farm(verb,
          [&](Client& farm, const Printer& print) { return tools::events(farm, a.since, a.follow, print); });
  on_farm(app.verb("workers", "workers and what they run"),
          [](Client& farm, const Printer& print) { return tools::workers(farm, print); });
  verb = app.verb("backup", "copy ledger and vault of the running farm below `backups:` of its farm.yaml");
  verb.option("NAME", a.what, "at most 64 letters, digits, - and _").required().not_blank();
  on_farm(verb, [&](Client& farm, const Printer& print) { return tools::backup(farm, a.what, print); });
  verb = app.verb("gc", "free what the retention of its shows lets go, and uploads that no result names");
  verb.flag("--dry-run", a.dry_run, "say which takes would leave, why, and how much that frees");
  on_farm(verb, [&](Client& farm, const Printer& print) { return tools::collect(farm, a.dry_run, print); });
  for (const auto& [name, help] :
       {std::pair("drain", "let a worker finish and give it nothing new until it is undrained"),
        std::pair("undrain", "give a drained worker tasks again"),
        std::pair("forget", "take a worker that is stopped or lost from the list")}) {
    verb = app.verb(name, help);
    verb.option("WORKER", a.worker).required();
    on_farm(verb, [&a, word = std::string(name)](Client& farm, const Printer& print) {
      return tools::change_worker(farm, a.worker, word, print);
    });
  }

  if (const auto code = app.parse(count, values)) return *code;
  try {
    const auto code = local_verb ? local_verb() : on_farm_of(a, farm_verb);
    return code ? *code : report(code.error(), a.json);
  } catch (const std::exception& e) {
    return report({ErrorKind::kInternal, e.what()}, a.json);
  }
}
