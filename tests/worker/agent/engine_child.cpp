// An engine whose tasks are words in the task's name: what a real stage may do, good and bad, in
// milliseconds.
//
//   put TEXT     stores TEXT as an artifact and succeeds
//   copy         stores its inputs' bytes, one after the other
//   fail         returns an error
//   crash        ends with SIGKILL after writing to the log
//   crash-once FILE   the same unless FILE exists, which it creates; then succeeds
//   hang         goes on without end, without progress and without asking whether it is cancelled
//   wait         goes on until it is cancelled
//   wait-for FILE     goes on until FILE exists, reporting progress
//   memory       throws std::bad_alloc
//   gpu          fails as a GPU does that fell off the bus
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <new>
#include <sstream>
#include <thread>

#include "kernels/cuda/device_fault.h"
#include "tests/scheduler/protocol/records.h"
#include "worker/engine/artifacts.h"
#include "worker/engine/process.h"

namespace {

using namespace rushes;
using namespace rushes::worker;

void nap() { std::this_thread::sleep_for(std::chrono::milliseconds(5)); }

Result<TaskResult> result_with(LocalArtifacts& artifacts, const std::string& text) {
  const auto stored = artifacts.put(Role::kLatent, std::as_bytes(std::span(text)));
  if (!stored) return tl::unexpected(stored.error());
  return protocol::test::test_result({{stored->digest, stored->bytes}});
}

Result<TaskResult> run(LocalArtifacts& artifacts, const TaskSpec& spec, const EngineHooks& hooks) {
  std::istringstream words(spec.name);
  std::string verb, argument;
  words >> verb >> argument;
  std::fprintf(stderr, "running %s\n", verb.c_str());
  hooks.progress(0.5, verb);
  if (verb == "put") return result_with(artifacts, argument);
  if (verb == "copy") {
    std::string all;
    for (const Input& input : spec.inputs) {
      const auto mapped = artifacts.open(input.digest);
      if (!mapped) return tl::unexpected(mapped.error());
      all.append(reinterpret_cast<const char*>(mapped->bytes().data()), mapped->bytes().size());
    }
    return result_with(artifacts, all);
  }
  if (verb == "crash" || (verb == "crash-once" && !std::filesystem::exists(argument))) {
    if (!argument.empty()) std::ofstream(argument) << "crashed";
    std::fprintf(stderr, "last words\n");
    ::raise(SIGKILL);
  }
  if (verb == "crash-once") return result_with(artifacts, "second attempt");
  if (verb == "memory") throw std::bad_alloc();
  if (verb == "gpu") throw kernels::cuda::DeviceFault(100, "cudaMalloc: cudaErrorNoDevice");
  if (verb == "hang")
    while (true) nap();
  if (verb == "wait") {
    while (!hooks.cancelled()) nap();
    return fail(ErrorKind::kConflict, "cancelled");
  }
  if (verb == "wait-for") {
    for (int i = 0; !std::filesystem::exists(argument); ++i) {
      if (hooks.cancelled()) return fail(ErrorKind::kConflict, "cancelled");
      hooks.progress(i % 100 / 100.0, "waiting");
      nap();
    }
    return result_with(artifacts, "waited");
  }
  return fail(ErrorKind::kInvalid, "told to fail");
}

}  // namespace

int main(int count, char** words) {
  auto artifacts = LocalArtifacts::open_folder(count > 1 ? words[1] : ".", 1u << 30);
  if (!artifacts) return 4;
  return serve({"test-class", "test"},
               [&](const TaskSpec& spec, const EngineHooks& hooks) { return run(*artifacts, spec, hooks); });
}
