// rushes-render: the whole pipeline in one process for one batch, no farm.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <thread>

#include "config/command_line.h"
#include "config/interrupt.h"
#include "config/path_map.h"
#include "scheduler/core/report/view.h"
#include "scheduler/gateway/json.h"
#include "tools/render/local_farm.h"
#include "tools/render/review.h"
#include "tools/rushes/client.h"
#include "tools/rushes/live_table.h"
#include "tools/rushes/terminal.h"
#include "tools/rushes/text.h"
#include "worker/engine/host_check.h"
#include "worker/picture/atomic_folder.h"
#include "worker/picture/version_folder.h"

namespace {

namespace sched = rushes::scheduler;
using rushes::tools::Json;
using rushes::tools::LocalFarm;

struct Arguments {
  std::string shots, out = "renders", colour;
  std::vector<std::string> models{"config/models"};
  int threads = 2;
  bool json = false;
};

constexpr std::chrono::milliseconds kIdle{100};
constexpr std::chrono::milliseconds kMaxIdle{3000};

bool at_rest(const sched::State& state, sched::Now now) {
  for (const auto& shot : sched::view::shots(state, now))
    if (shot.state == sched::ShotState::kQueued || shot.state == sched::ShotState::kDrafting ||
        shot.state == sched::ShotState::kUpgrading)
      return false;
  return true;
}

Json shots_json(const LocalFarm& farm, const std::filesystem::path& out) {
  Json shots = Json::array();
  for (const auto& shot : sched::view::shots(farm.state(), farm.now()))
    if (const auto whole = sched::shot_json(farm.state(), shot.shot, farm.now())) {
      shots.push_back(Json(*whole));
      for (Json& delivery : shots.back()["deliveries"])
        delivery["path"] = (out / delivery["folder"].get<std::string>()).string();
    }
  return shots;
}

std::string waiting(const LocalFarm& farm) {
  for (const auto& shot : sched::view::shots(farm.state(), farm.now()))
    if (!shot.waiting.empty()) return shot.shot + ": " + shot.waiting;
  return "no shot says why";
}

Json reviews_json(const std::vector<rushes::tools::Review>& reviews) {
  Json json = Json::array();
  for (const auto& review : reviews) {
    Json takes = Json::array();
    for (const auto& take : review.takes)
      takes.push_back({{"take", take.take}, {"folder", take.folder}, {"files", take.files}});
    json.push_back({{"shot", review.shot},
                    {"folder", review.folder.string()},
                    {"takes", takes},
                    {"best", review.best},
                    {"best_seed", review.best_seed}});
  }
  return json;
}

// What runs of before that were killed left of these shots goes when this one begins, and what this one leaves of a
// delivery that it did not complete goes when it ends.
class Leftovers {
 public:
  Leftovers(const std::filesystem::path& out, const rushes::config::Batch& batch) : out_(out) {
    for (const auto& shot : batch.shots)
      for (const char* kind : {"draft", "master", "review"})
        folders_.push_back(std::filesystem::path(shot.show) / shot.name / kind);
    sweep();
  }
  Leftovers(const Leftovers&) = delete;
  Leftovers& operator=(const Leftovers&) = delete;
  ~Leftovers() { sweep(); }

 private:
  void sweep() const {
    for (const auto& folder : folders_) rushes::worker::VersionFolder::sweep(out_, folder);
  }
  std::filesystem::path out_;
  std::vector<std::filesystem::path> folders_;
};

rushes::Status go_on(double) {
  if (rushes::config::interrupted() == 0) return {};
  return rushes::fail(rushes::ErrorKind::kConflict, "stopped; what was not complete is removed");
}

// A shot in review because nothing passed is work that failed; one that a person was to approve is done.
rushes::Status outcome_of(const LocalFarm& farm) {
  std::string failed;
  for (const sched::Shot& shot : farm.state().shots)
    if (const std::string why = rushes::tools::why_in_vain(shot); !why.empty())
      failed += (failed.empty() ? "" : "\n") + shot.key + ": " + why;
  if (failed.empty()) return {};
  return rushes::fail(farm.host_failed() ? rushes::ErrorKind::kExhausted : rushes::ErrorKind::kConflict,
                      failed);
}

// The default is a folder of a checkout.
rushes::Status check_models(const std::vector<std::string>& folders) {
  for (const std::string& folder : folders) {
    std::error_code code;
    if (!std::filesystem::is_directory(folder, code))
      return rushes::fail(
          rushes::ErrorKind::kInvalid,
          "--models: expected a folder that holds NAME/model.yaml, found no folder '" + folder +
              "' here; name one, such as config/models of a Rushes checkout or a model_roots of "
              "your worker.yaml");
  }
  if (!rushes::config::list_models({folders.begin(), folders.end()}).empty()) return {};
  std::string all;
  for (const std::string& folder : folders) all += (all.empty() ? "'" : ", '") + folder + "'";
  return rushes::fail(
      rushes::ErrorKind::kInvalid,
      "--models: expected a folder that holds NAME/model.yaml, found no model in " + all +
          "; name one, such as config/models of a Rushes checkout or a model_roots of your worker.yaml");
}

rushes::Status render(const Arguments& arguments) {
  namespace fs = std::filesystem;
  const fs::path out = fs::absolute(arguments.out).lexically_normal();
  if (rushes::Status models = check_models(arguments.models); !models) return tl::unexpected(models.error());
  auto batch = rushes::config::read_batch(arguments.shots);
  if (!batch) return tl::unexpected(batch.error());
  rushes::tools::LocalFarmOptions options;
  options.model_roots.assign(arguments.models.begin(), arguments.models.end());
  options.deliveries = arguments.out;
  options.colour =
      arguments.colour.empty()
          ? rushes::config::without_slash(options.model_roots.front()).parent_path() / "colour" / "farm.ocio"
          : fs::path(arguments.colour);
  options.threads = arguments.threads;
  options.stopped = [] { return rushes::config::interrupted() != 0; };
  // Never published: what was worked with goes when this run ends.
  auto work = rushes::worker::AtomicFolder::create(options.deliveries, "work");
  if (!work) return tl::unexpected(work.error());
  if (rushes::Status host = rushes::worker::check_host(options.deliveries, options.colour); !host)
    return tl::unexpected(host.error());
  options.artifacts = work->path() / "artifacts";
  const Leftovers leftovers(options.deliveries, *batch);
  auto farm = LocalFarm::open(options);
  if (!farm) return tl::unexpected(farm.error());
  if (rushes::Status submitted = (*farm)->submit(*batch); !submitted)
    return tl::unexpected(submitted.error());

  // As JSON the shots have them.
  for (const sched::Shot& shot : (*farm)->state().shots)
    for (const std::string& remark : shot.spec.remarks)
      if (!arguments.json)
        std::cerr << "rushes-render: " << shot.spec.show << "/" << shot.spec.name << ": " << remark << "\n";

  rushes::tools::LiveTable table(stderr);
  auto drawn = std::chrono::steady_clock::time_point{};
  const auto draw = [&](const std::string&, double, const std::string&) {
    const auto now = std::chrono::steady_clock::now();
    if (arguments.json || now - drawn < std::chrono::milliseconds(300)) return;
    drawn = now;
    table.draw(shots_json(**farm, out));
  };
  std::chrono::milliseconds idle{0};
  while (!at_rest((*farm)->state(), (*farm)->now())) {
    auto ran = (*farm)->step(draw);
    if (!ran) return tl::unexpected(ran.error());
    if (*ran) {
      idle = std::chrono::milliseconds(0);
      continue;
    }
    // A retry waits for its back-off; what waits for anything else is a shot that this host cannot run.
    draw("", 0, "");
    std::this_thread::sleep_for(kIdle);
    idle += kIdle;
    if (rushes::Status wanted = go_on(0); !wanted) return tl::unexpected(wanted.error());
    if (!(*farm)->state().clock.retries().empty()) idle = std::chrono::milliseconds(0);
    if (idle > kMaxIdle)
      return rushes::fail(rushes::ErrorKind::kInternal, "nothing can run: " + waiting(**farm));
  }
  const auto reviews = rushes::tools::write_reviews(**farm, options.deliveries, go_on);
  if (!reviews) return tl::unexpected(reviews.error());
  const Json shots = shots_json(**farm, out);
  if (arguments.json) {
    const Json answer{{"shots", shots}, {"reviews", reviews_json(*reviews)}};
    std::cout << rushes::tools::body_text(answer, 2) << "\n";
  } else {
    std::cout << rushes::tools::closing_report(shots, {rushes::tools::has_colours(STDOUT_FILENO)});
    for (const auto& review : *reviews) std::cerr << rushes::tools::review_line(review) << "\n";
  }
  return outcome_of(**farm);
}

// One line or, with --json, one document.
int report(const rushes::Error& error, const Arguments& arguments, int code) {
  if (arguments.json)
    std::cerr << rushes::config::error_line(sched::kind_word(error.kind), error.message) << "\n";
  else
    std::cerr << "rushes-render: " << error.message << "\n";
  return code;
}

}  // namespace

int main(int count, char** values) {
  Arguments arguments;
  rushes::config::CommandLine app("rushes-render: render a batch of shots on this machine, without a farm.");
  app.option("SHOTS", arguments.shots, "shots in YAML").required();
  app.option("--out", arguments.out, "where deliveries go").shows_default();
  app.option("--models", arguments.models, "folders that hold NAME/model.yaml").shows_default();
  app.option("--colour", arguments.colour, "OCIO configuration; default: beside the first model folder");
  app.option("--threads", arguments.threads, "CPU threads; does not change pixels")
      .between(1, 256)
      .shows_default();
  app.flag("--json", arguments.json, "print JSON");
  if (const auto code = app.parse(count, values)) return *code;
  rushes::config::watch_interrupts();
  rushes::Status done;
  try {
    done = render(arguments);
  } catch (const std::exception& e) {
    done = rushes::fail(rushes::ErrorKind::kInternal, e.what());
  }
  if (done) return 0;
  if (const int signal = rushes::config::interrupted(); signal != 0)
    return report(go_on(0).error(), arguments, 128 + signal);
  // What this host does not let it read or write is the host's matter: there is nobody else to refuse.
  const bool refused = done.error().kind == rushes::ErrorKind::kDenied;
  return report(
      done.error(), arguments,
      static_cast<int>(refused ? rushes::ExitCode::kEnvironment : rushes::exit_code(done.error().kind)));
}
