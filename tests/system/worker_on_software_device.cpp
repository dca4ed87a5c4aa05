// worker-on-software-device: rushes-worker on a host whose GPUs are software (tests/kernels/emulator).
//
// The agent and each engine child are this program. RUSHES_SOFTWARE_GPUS names a folder that plays the host: a file for
// each GPU, "0", "1", ..., that says how it is: "well"; "vanish N": it falls off the bus at the N-th launch of an engine
// on it; "lost": it did. A file "seed" holds the seed of all orders of threads and streams. An engine sees the GPUs that
// CUDA_VISIBLE_DEVICES names and that are not lost.
//
// Thread contract: as rushes-worker.
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
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
  std::int64_t vanish_at(int gpu) const {
    const auto [word, number] = read(std::to_string(gpu));
    return word == "vanish" ? number : 0;
  }
  // Others read the file meanwhile: it is replaced as a whole.
  void lose(int gpu) const {
    const fs::path file = folder_ / std::to_string(gpu), whole = file.string() + ".new";
    std::ofstream(whole) << "lost\n";
    fs::rename(whole, file);
  }
  std::uint64_t seed() const {
    std::uint64_t seed = 1;
    std::ifstream(folder_ / "seed") >> seed;
    return seed;
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
  options.lost = [&host](int gpu) { return host.lost(gpu); };
  if (visible.size() == 1) {  // an engine
    options.vanish_at = host.vanish_at(visible[0]);
    options.vanished = [&host, gpu = visible[0]] { host.lose(gpu); };
  }
  emulator::SoftwareDevice device(options);
  kernels::cuda::install(&device);
  return worker::run_program(count, words);
}

}  // namespace
}  // namespace rushes

int main(int count, char** words) { return rushes::run(count, words); }
