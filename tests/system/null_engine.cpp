// null-engine: an engine that renders nothing, for `rushes-worker --engine-program`.
//
// Everything around the pixels is real: it speaks to the agent over the pipes, stores its outputs as
// artifacts, reports progress, can be cancelled. A task's output is the text "task N", the same for every
// attempt, so that whoever reads the journal can tell whose result a task was given.
//
// Thread contract: one thread beside those of serve().
#include <array>
#include <chrono>
#include <random>
#include <string>
#include <thread>

#include "config/command_line.h"
#include "config/worker.h"
#include "worker/engine/artifacts.h"
#include "worker/engine/process.h"

namespace rushes::worker {
namespace {

constexpr const char* kNumericClass = "cpu-none-fp32";
constexpr int kShortest = 2, kLongest = 40;  // milliseconds of one task

// What a stage's output is to the tasks that read it, by Stage.
constexpr std::array<Role, kStages> kRoles{Role::kConditioning, Role::kLatent, Role::kCritique, Role::kFrames,
                                           Role::kGuide,        Role::kLatent, Role::kFiles,    Role::kFiles};

Result<TaskResult> run(LocalArtifacts& artifacts, const TaskSpec& spec, const EngineHooks& hooks) {
  static std::mt19937 numbers(std::random_device{}());
  const int steps = std::uniform_int_distribution(kShortest, kLongest)(numbers);
  for (int step = 0; step < steps; ++step) {
    if (hooks.cancelled()) return fail(ErrorKind::kConflict, "cancelled");
    hooks.progress(static_cast<double>(step) / steps, "nothing");
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }

  TaskResult result;
  result.numeric_class = kNumericClass;
  result.wall_seconds = 1e-3 * steps;
  if (spec.stage == Stage::kCritique) {
    result.critique.verdict = Verdict::kPass;
    result.critique.score = 0.9;
    result.critique.critics = "none";
  } else {
    const std::string text = "task " + std::to_string(spec.id.number());
    const auto stored =
        artifacts.put(kRoles.at(static_cast<std::size_t>(spec.stage)), std::as_bytes(std::span(text)));
    if (!stored) return tl::unexpected(stored.error());
    result.outputs = {*stored};
  }
  return result;
}

}  // namespace
}  // namespace rushes::worker

int main(int count, char** words) {
  using namespace rushes;
  std::string config, backend;
  bool engine = false;
  config::CommandLine app("An engine that renders nothing; started by rushes-worker --engine-program.",
                          "null-engine");
  app.option("--config", config, "worker.yaml").required();
  app.option("--backend", backend, "ignored");
  app.flag("--engine", engine, "the only way this program runs");
  if (const auto code = app.parse(count, words)) return *code;
  const auto settings = config::read_worker(config);
  if (!settings) return static_cast<int>(ExitCode::kUsage);
  auto artifacts = worker::LocalArtifacts::open_folder(settings->folder / "cache", settings->cache);
  if (!artifacts) return static_cast<int>(ExitCode::kEnvironment);
  return worker::serve({worker::kNumericClass, "null"},
                       [&](auto spec, const auto& hooks) { return worker::run(*artifacts, spec, hooks); });
}
