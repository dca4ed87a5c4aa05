// Runs the kernels of fragments.h on the device and on a software device of its own, and compares their words.
#include "tools/gpu_check/fragments.h"

#include <cstring>
#include <fstream>

#include "kernels/cuda/attention_hopper.h"
#include "tools/gpu_check/verbs.h"

namespace rushes::gpu_check {

namespace {

struct Probe {
  const char* name;
  Kernel<FragmentArguments> FragmentTable::*kernel;
  int places, words;  // blocks where stride is 1, words of a block
  std::uint32_t threads, shared_bytes;
  int since;   // compute capability; 90: Hopper alone
  int digits;  // of the codes
  int stride;  // where not all places are asked for
};
constexpr Probe kProbes[] = {
    {"mma m16n8k16", &FragmentTable::mma, kMmaPlaces, kMmaWords, 32, 0, 80, 1, 1},
    {"mma m16n8k32 int8", &FragmentTable::mma_s8, kByteMmaPlaces, kMmaWords, 32, 0, 80, 2, 1},
    {"mma m16n8k32 e4m3", &FragmentTable::mma_e4m3, kByteMmaPlaces, kMmaWords, 32, 0, 89, 2, 1},
    {"ldmatrix", &FragmentTable::matrices, 1, kMatricesWords, 32, 512, 80, 1, 1},
    {"wgmma m64n128k16, A and B in shared memory", &FragmentTable::wgmma_ss, kSsPlaces, kWgmmaWords,
     kWgmmaThreads, (64 * 64 + kSsPlaces) * 2, 90, 2, 17},
    {"wgmma m64n128k16, A in registers, B transposed", &FragmentTable::wgmma_rs, kRsPlaces, kWgmmaWords,
     kWgmmaThreads, kRsPlaces * 2, 90, 2, 5},
    {"wgmma m64n128k32 int8, A and B in shared memory", &FragmentTable::wgmma_ss_s8, kBytePlaces, kWgmmaWords,
     kWgmmaThreads, 64 * 128 + kBytePlaces, 90, 2, 37},
    {"wgmma m64n128k32 e4m3, A in registers", &FragmentTable::wgmma_rs_e4m3, kBytePlaces, kWgmmaWords,
     kWgmmaThreads, kBytePlaces, 90, 3, 37},
    {"tensor map box, swizzled, rows outside", &FragmentTable::box, 1, kBoxWords, kWgmmaThreads,
     kBoxWords * 4 + 64, 90, 1, 1},
};

// Launches wait for nothing: one run at a time, copied back.
std::vector<std::uint32_t> run(cuda::DeviceApi& api, const Kernel<FragmentArguments>& kernel,
                               const Probe& probe, int stride, int digit) {
  const int blocks = (probe.places + stride - 1) / stride;
  const std::size_t count = static_cast<std::size_t>(blocks) * static_cast<std::size_t>(probe.words);
  const std::size_t source_bytes = kBoxLength * 128;
  const DeviceBytes out(api, count * 4), source(api, source_bytes);
  void* pinned = nullptr;
  cuda::Stream stream = nullptr;
  const auto must = [&](int error, const char* call) { cuda::check(api, error, call); };
  must(api.malloc_host(&pinned, std::max(count * 4, source_bytes)), "cudaMallocHost");
  must(api.stream_create(&stream), "cudaStreamCreate");
  for (std::size_t i = 0; i < source_bytes / 4; ++i)
    static_cast<std::uint32_t*>(pinned)[i] = static_cast<std::uint32_t>(i + 1);
  must(api.memcpy_async(source.at(0), pinned, source_bytes, cuda::CopyKind::kToDevice, stream),
       "cudaMemcpyAsync");
  must(api.memset_async(out.at(0), 0xff, count * 4, stream), "cudaMemsetAsync");
  FragmentArguments arguments;
  arguments.out = reinterpret_cast<std::uint32_t*>(out.at(0));
  arguments.stride = stride, arguments.digit = digit;
  if (probe.kernel == &FragmentTable::box) {
    const auto* start = reinterpret_cast<const std::uint16_t*>(source.at(0));
    must(api.encode_tensor_map(&arguments.map,
                               cuda::hopper_map_shape(start, 64, 1, kBoxLength, 1, kBoxRows, 1)),
         "cuTensorMapEncodeTiled");
  }
  const cuda::LaunchShape shape{
      {static_cast<std::uint32_t>(blocks), 1, 1}, probe.threads, probe.shared_bytes, 1};
  must(cuda::launch(api, kernel, shape, arguments, stream), kernel.name);
  must(api.memcpy_async(pinned, out.at(0), count * 4, cuda::CopyKind::kToHost, stream), "cudaMemcpyAsync");
  must(api.stream_synchronize(stream), "cudaStreamSynchronize");
  std::vector<std::uint32_t> words(count);
  std::memcpy(words.data(), pinned, count * 4);
  (void)api.stream_destroy(stream);
  (void)api.free_host(pinned);
  return words;
}

// FNV-1a: equal maps have equal names.
std::string digest(const std::vector<std::uint32_t>& words) {
  std::uint64_t hash = 14695981039346656037u;
  for (const std::uint32_t word : words)
    for (int i = 0; i < 4; ++i) hash = (hash ^ (word >> 8 * i & 0xff)) * 1099511628211u;
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash));
  return text;
}

void save(const std::string& file, const std::vector<std::uint32_t>& words) {
  std::ofstream(file, std::ios::binary)
      .write(reinterpret_cast<const char*>(words.data()), static_cast<std::streamsize>(words.size() * 4));
}

}  // namespace

Reply compare_fragments(Machine& machine, const Request& request) {
  FragmentTable own, emulated;
  emulated::add_fragments(emulated);
  emulated::add_fragments_f8(emulated);
  emulated::add_fragments_hopper(emulated);
#ifdef RUSHES_HAS_CUDA
  compiled::add_fragments(own);
  compiled::add_fragments_f8(own);
  compiled::add_fragments_hopper(own);
#endif
  if (machine.emulated()) own = emulated;
  emulator::SoftwareOptions options;
  options.memory_bytes = std::size_t{256} << 20;
  options.seed = 99;
  // The emulated libraries compute on the newest software device: no second one beside the machine's.
  std::optional<emulator::SoftwareDevice> made;
  cuda::DeviceApi& software = machine.emulated() ? machine.api() : made.emplace(options);
  const int sparser = static_cast<int>(request.number("sparser", 1));
  std::vector<Reply> results;
  bool all = true;
  const int capability = 10 * machine.device().info().major + machine.device().info().minor;
  for (const Probe& probe : kProbes) {
    if (probe.since == 90 ? capability != 90 : capability < probe.since) continue;
    std::vector<std::uint32_t> found, expected;
    for (int digit = 0; digit < probe.digits; ++digit) {
      const int stride = probe.places == 1 ? 1 : probe.stride * sparser;
      const auto one = run(machine.api(), own.*probe.kernel, probe, stride, digit);
      const auto other = run(software, emulated.*probe.kernel, probe, stride, digit);
      found.insert(found.end(), one.begin(), one.end());
      expected.insert(expected.end(), other.begin(), other.end());
    }
    std::int64_t different = 0;
    for (std::size_t i = 0; i < found.size(); ++i) different += found[i] != expected[i];
    Reply result;
    result.add("name", probe.name).add("words", found.size()).add("different", different);
    result.add("device_map", digest(found))
        .add("emulated_map", digest(expected))
        .add("equal", different == 0);
    const std::string folder = request.text("save", "");
    if (different && !folder.empty()) {
      const std::string file = folder + "/fragments_" + std::to_string(results.size());
      save(file + ".device.bin", found);
      save(file + ".emulated.bin", expected);
      result.add("saved", file + ".{device,emulated}.bin");
    }
    results.push_back(result);
    all = all && different == 0;
  }
  return Reply().add("ok", all).add("probes", results);
}

}  // namespace rushes::gpu_check
