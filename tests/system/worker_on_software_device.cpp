// worker-on-software-device: rushes-worker on a host whose GPUs are software (tests/kernels/emulator).
//
// The agent and each engine child are this program. RUSHES_SOFTWARE_GPUS names a folder that plays the host: a file for
// each GPU, "0", "1", ..., that says how it is: "well"; "vanish N": it falls off the bus at the N-th launch of an engine
// on it; "lost": it did; "fault N": that launch reads an illegal address, and the next engine finds the GPU well. A file
// "seed" holds the seed of all orders of threads and streams; a file "plays" how many milliseconds an attention of ours and
// one of cuDNN's take on the clock of events ("1 2"), without it real time. An engine sees the GPUs that
// CUDA_VISIBLE_DEVICES names and that are not lost.
//
// Thread contract: as rushes-worker.
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "config/digest.h"
#include "tests/kernels/emulator/software_device.h"
#include "worker/program.h"

namespace rushes {
namespace {

namespace fs = std::filesystem;

class SoftwareHost {
 public:
  explicit SoftwareHost(fs::path folder) : folder_(std::move(folder)) {
    while (fs::exists(folder_ / std::to_string(gpus_))) ++gpus_;
  }
  int gpus() const { return gpus_; }
  bool lost(int gpu) const { return read(std::to_string(gpu)).first == "lost"; }
  // The launch at which it does what `word` says; 0: never.
  std::int64_t launch_of(const std::string& word, int gpu) const {
    const auto [found, number] = read(std::to_string(gpu));
    return found == word ? number : 0;
  }
  // Others read the file meanwhile: it is replaced as a whole.
  void set(int gpu, const std::string& word) const {
    const fs::path file = folder_ / std::to_string(gpu), whole = file.string() + ".new";
    std::ofstream(whole) << word << "\n";
    fs::rename(whole, file);
  }
  std::uint64_t seed() const {
    std::uint64_t seed = 1;
    std::ifstream(folder_ / "seed") >> seed;
    return seed;
  }
  // Of ours, of the library's; nothing: real time.
  std::optional<std::pair<double, double>> plays() const {
    std::pair<double, double> ms;
    std::ifstream file(folder_ / "plays");
    return file >> ms.first >> ms.second ? std::optional(ms) : std::nullopt;
  }
  // Of this host alone: a claim of one of its GPUs (worker/agent/gpus.h) holds for the whole machine.
  std::string uuid() const { return "GPU-" + to_hex(digest_of(folder_.string())).substr(0, 12) + "-"; }

 private:
  std::pair<std::string, std::int64_t> read(const std::string& file) const {
    std::pair<std::string, std::int64_t> found;
    std::ifstream(folder_ / file) >> found.first >> found.second;
    return found;
  }
  fs::path folder_;
  int gpus_ = 0;
};

// The GPUs that CUDA shows this process.
std::vector<int> visible_gpus(const SoftwareHost& host) {
  std::vector<int> gpus;
  const char* variable = std::getenv("CUDA_VISIBLE_DEVICES");
  for (int gpu = 0; gpu < host.gpus(); ++gpu) {
    const std::string named = variable ? "," + std::string(variable) + "," : "";
    const bool visible = !variable || named.find("," + std::to_string(gpu) + ",") != std::string::npos;
    if (visible && !host.lost(gpu)) gpus.push_back(gpu);
  }
  return gpus;
}

int run(int count, char** words) {
  const char* folder = std::getenv("RUSHES_SOFTWARE_GPUS");
  if (folder == nullptr) {
    std::fprintf(stderr, "worker-on-software-device: RUSHES_SOFTWARE_GPUS: needed, the folder of the GPUs\n");
    return 2;
  }
  const SoftwareHost host{fs::absolute(folder)};
  const std::vector<int> visible = visible_gpus(host);
  emulator::SoftwareOptions options;
  options.devices = static_cast<int>(visible.size());
  options.host_devices = host.gpus();
  options.seed = host.seed();
  options.uuid = host.uuid();
  if (const auto ms = host.plays())
    options.plays_ms = [ms](const std::string& name) {
      return name == "sdpa" ? ms->second : name.starts_with("attention") ? ms->first : 0;
    };
  options.lost = [&host](int gpu) { return host.lost(gpu); };
  if (visible.size() == 1) {  // an engine
    const int gpu = visible[0];
    options.vanish_at = host.launch_of("vanish", gpu);
    options.illegal_address_at = host.launch_of("fault", gpu);
    options.faulted = [&host, gpu, lost = options.vanish_at > 0] { host.set(gpu, lost ? "lost" : "well"); };
  }
  emulator::SoftwareDevice device(options);
  kernels::cuda::install(&device);
  return worker::run_program(count, words);
}

}  // namespace
}  // namespace rushes

int main(int count, char** words) { return rushes::run(count, words); }
