// null-engine: an engine that renders nothing, for `rushes-worker --engine-program`.
//
// Everything around the pixels is real: it speaks to the agent over the pipes, stores its outputs as
// artifacts, reports progress, can be cancelled. A task's output is the text "task N", the same for every
// attempt, so that whoever reads the journal can tell whose result a task was given.
//
// Thread contract: one thread beside those of serve().
#include <capnp/message.h>
#include <capnp/serialize.h>

#include <array>
#include <chrono>
#include <random>
#include <string>
#include <thread>

#include "config/command_line.h"
#include "config/worker.h"
#include "storage/records/records.capnp.h"
#include "worker/engine/artifacts.h"
#include "worker/engine/process.h"

namespace rushes::worker {
namespace {

constexpr const char* kNumericClass = "cpu-none-fp32";
constexpr int kShortest = 2, kLongest = 40;  // milliseconds of one task

// What a stage's output is to the tasks that read it, by records::Stage.
constexpr std::array kRoles{"conditioning", "latent", "", "frames", "guide", "latent", "files", "files"};

Result<std::vector<std::byte>> run(LocalArtifacts& artifacts, std::span<const std::byte> bytes,
                                   const EngineHooks& hooks) {
  auto words = kj::heapArray<capnp::word>(bytes.size() / sizeof(capnp::word));
  std::copy(bytes.begin(), bytes.end(), reinterpret_cast<std::byte*>(words.begin()));
  capnp::FlatArrayMessageReader message(words);
  const auto spec = message.getRoot<records::TaskSpec>();

  static std::mt19937 numbers(std::random_device{}());
  const int steps = std::uniform_int_distribution(kShortest, kLongest)(numbers);
  for (int step = 0; step < steps; ++step) {
    if (hooks.cancelled()) return fail(ErrorKind::kConflict, "cancelled");
    hooks.progress(static_cast<double>(step) / steps, "nothing");
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }

  capnp::MallocMessageBuilder answer;
  auto result = answer.initRoot<records::TaskResult>();
  result.setNumericClass(kNumericClass);
  result.setWallSeconds(1e-3 * steps);
  if (spec.getStage() == records::Stage::CRITIQUE) {
    result.initCritique().setVerdict(records::Verdict::PASS);
    result.getCritique().setScore(0.9f);
    result.getCritique().setCritics("none");
  } else {
    const std::string text = "task " + std::to_string(spec.getTask());
    const auto stored =
        artifacts.put(kRoles.at(static_cast<std::size_t>(spec.getStage())), std::as_bytes(std::span(text)));
    if (!stored) return tl::unexpected(stored.error());
    auto output = result.initOutputs(1)[0];
    output.setRole(stored->role);
    output.setDigest(capnp::Data::Reader(stored->digest.data(), stored->digest.size()));
    output.setBytes(stored->bytes);
  }
  const auto flat = capnp::messageToFlatArray(answer);
  const auto* begin = reinterpret_cast<const std::byte*>(flat.begin());
  return std::vector<std::byte>(begin, begin + flat.asBytes().size());
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
