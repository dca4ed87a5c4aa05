// worker.yaml: everything one worker host is told (see the commented config/worker.yaml).
//
// It names the worker's own keys and the scheduler's public key, never a secret of the scheduler. Paths are
// resolved against the file's folder.
//
// Thread contract: pure functions of their arguments and the file named; call from any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "config/backend.h"
#include "config/result.h"

namespace rushes::config {

// Which dense attention a GPU computes with: kernels of ours, cuDNN's, or the one that is faster there.
enum class Attention : std::uint8_t { kOwn, kLibrary, kFastest };

struct Worker {
  std::string name;                              // is_worker_name(), unique on the farm
  std::string control = "tcp://127.0.0.1:7401";  // the scheduler's endpoints
  std::string artifacts = "tcp://127.0.0.1:7402";
  std::filesystem::path scheduler_public_key;
  std::filesystem::path secret_key, public_key;  // this worker's CURVE key pair
  Backend backend = Backend::kCpu;               // of the engines that compute tensors: kCpu or kCuda
  Attention attention = Attention::kFastest;     // with kCuda
  bool eight_bit = false;                        // with kCuda: long attention and products in 8 bits
  int slots = 1;      // attempts that compute tensors at once, 1..64; with kCpu all attempts
  int cpu_slots = 1;  // with kCuda: attempts that compute none, at once, 0..64; 0: they take a GPU slot
  int threads_per_slot = 1;  // CPU threads of one engine: 1..256; does not change pixels
  int prefetch = 1;          // assignments held beyond the running ones: 0..16
  std::vector<std::filesystem::path> model_roots;  // searched in order for NAME/model.yaml
  std::filesystem::path colour;                    // OCIO configuration; default ROOT/../colour/farm.ocio
  std::filesystem::path folder;                    // outbox and cache of this worker
  std::filesystem::path deliveries;                // finished files are written here: DELIVERIES/SHOW/SHOT/
  std::uint64_t cache = 2ull << 30;                // bytes of artifacts kept, least recently used leave first
  // Bytes that all slots together may use, offered to the scheduler: of the host; with kCuda of the GPUs.
  std::uint64_t memory = 4ull << 30, device_memory = 0;
  std::chrono::milliseconds stop_grace{
      60'000};  // what running attempts have to finish in after SIGTERM: 0..1 day
};

// What stands above the file, so that one file serves many hosts: a flag, else the environment.
struct WorkerFlags {
  std::string name;    // --name, RUSHES_WORKER_NAME
  std::string folder;  // --folder, RUSHES_WORKER_FOLDER; relative to the current folder
};
// What is empty in `flags` is taken from the environment. Not while other threads change the environment.
WorkerFlags with_environment(WorkerFlags flags);

// A name or folder that `flags` have is not looked for in the file. Error: kInvalid with one line per problem, kNotFound.
Result<Worker> read_worker(const std::filesystem::path& file, const WorkerFlags& flags = {});
Result<Worker> parse_worker(std::string_view text, const std::filesystem::path& file,
                            const WorkerFlags& flags = {});

}  // namespace rushes::config
