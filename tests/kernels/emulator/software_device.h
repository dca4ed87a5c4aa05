// CUDA devices in software: the DeviceApi of tests and of machines without a GPU.
//
// Work waits in its stream until somebody waits for it; then streams take turns in an order drawn from a seed, as far
// as events allow. So a missing synchronisation reads what was not computed yet. Device memory cannot be read or
// written by the host outside an operation (a segmentation fault), starts as NaN, and has red zones behind every range
// that the arena cuts out. Kernels are the project's own sources on fibers (grid.h); cuBLASLt and cuDNN are computed
// plainly, their descriptors checked (blas.cpp, dnn.cpp); NVML tells of the host's devices (nvml.cpp). Faults come on
// demand.
//
// Thread contract: callable from any thread; one lock.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>

#include "kernels/cuda/device_api.h"
#include "kernels/cuda/kernel_table.h"

namespace rushes::emulator {

using kernels::cuda::CopyKind;
using kernels::cuda::Event;
using kernels::cuda::Graph;
using kernels::cuda::GraphRun;
using kernels::cuda::Stream;

struct SoftwareOptions {
  int devices = 1;
  std::size_t memory_bytes = std::size_t{1} << 30;  // of each device
  int major = 9, minor = 0;                         // compute capability
  std::uint64_t seed = 1;                           // of all orders
  bool guard =
      true;  // the host cannot touch device memory; false where many small operations are waited for one by one
  int driver = 13000;
  std::string driver_text = "580.0 (software)";  // NVML's
  int multiprocessors = 4;
  // How long a kernel of that name, or the library's "sdpa", took on the clock that events read; unset: real time.
  std::function<double(const std::string& name)> plays_ms = {};
  // Faults: at the n-th launch (from 1) since the start, 0 = never.
  std::int64_t illegal_address_at = 0;  // sticky: every later call answers 700
  std::int64_t vanish_at = 0;           // the device falls off the bus: every later call answers 100
  // Libraries.
  bool has_blas = true, has_dnn = true;
  std::size_t blas_version = 130100, dnn_version = 91900;
  bool blas_has_gelu = true;  // in its epilogue
  bool blas_has_e4m3_into_f32 = true;
  bool dnn_widens = true;             // writes fp32 from bf16 operands
  bool dnn_has_f32 = true;            // has engines that do not round fp32 operands
  bool dnn_has_attention = true;      // has engines for attention
  bool dnn_computes_wrongly = false;  // a convolution forgets its last input channel
  bool has_nvml = true;
  // What the host has beyond this process.
  std::function<void()> faulted = {};         // is called when a fault comes
  int host_devices = 0;                       // that NVML counts; 0: `devices`, of which CUDA may see a part
  std::function<bool(int device)> lost = {};  // whether NVML's device with that number fell off the bus
  std::string uuid = "GPU-software-";         // in front of a device's number
};

class SoftwareDevice final : public kernels::cuda::DeviceApi {
 public:
  explicit SoftwareDevice(const SoftwareOptions& options = {});
  ~SoftwareDevice() override;
  static SoftwareDevice* current();  // the newest; for the libraries' calls, which have no context

  // What the last fault was: a kernel's deadlock, a damaged red zone, a call that CUDA forbids. Empty when none.
  std::string fault() const;
  std::int64_t launches() const { return launches_; }
  std::int64_t graph_launches() const { return graph_launches_; }
  std::int64_t synchronizations() const { return synchronizations_; }  // calls of stream_synchronize so far
  std::size_t allocated_bytes() const { return allocated_; }
  std::int64_t allocations() const { return malloc_calls_; }  // calls of malloc so far

  int device_count(int* count) override;
  int driver_version(int* version) override;
  int device_info(int device, kernels::cuda::DeviceInfo* info) override;
  int set_device(int device) override;
  int memory_info(std::size_t* free, std::size_t* total) override;
  const char* error_name(int error) override;
  int malloc(void** start, std::size_t bytes) override;
  int free(void* start) override;
  int malloc_host(void** start, std::size_t bytes) override;
  int free_host(void* start) override;
  int stream_create(Stream* stream) override;
  int stream_destroy(Stream stream) override;
  int stream_synchronize(Stream stream) override;
  int stream_wait_event(Stream stream, Event event) override;
  int event_create(Event* event) override;
  int event_destroy(Event event) override;
  int event_record(Event event, Stream stream) override;
  int event_synchronize(Event event) override;
  int event_milliseconds(float* time, Event begin, Event end) override;
  int memcpy_async(void* to, const void* from, std::size_t bytes, CopyKind kind, Stream stream) override;
  int memset_async(void* to, int value, std::size_t bytes, Stream stream) override;
  int launch(const kernels::cuda::KernelCode& kernel, const kernels::cuda::LaunchShape& shape,
             const void* arguments, Stream stream) override;
  int begin_capture(Stream stream) override;
  int end_capture(Stream stream, Graph* graph) override;
  int graph_instantiate(GraphRun* run, Graph graph) override;
  int graph_launch(GraphRun run, Stream stream) override;
  int graph_run_destroy(GraphRun run) override;
  int graph_destroy(Graph graph) override;
  int encode_tensor_map(kernels::cuda::TensorMap* map, const kernels::cuda::TensorMapShape& shape) override;
  std::size_t red_zone_bytes() const override { return 256; }
  int begin_range(void* start, std::size_t bytes, Stream stream) override;
  int end_range(void* start, std::size_t bytes, Stream stream) override;
  const kernels::cuda::KernelTable& kernels() override { return table_; }
  const kernels::cuda::BlasApi* blas(std::string* why) override;
  const kernels::cuda::DnnApi* dnn(std::string* why) override;
  const kernels::cuda::NvmlApi* nvml(std::string* why) override;

  // For the libraries: queues work; it runs with device memory open and returns a cudaError_t.
  using Work = std::function<int()>;
  int enqueue(Stream stream, Work work);
  // Whether [start, start + bytes) lies in one allocation.
  bool owns(const void* start, std::size_t bytes) const;
  int refuse(int error, const std::string& why);  // notes `why` as fault() and returns `error`
  void play(const std::string& name);             // moves the events' clock on (SoftwareOptions::plays_ms)
  std::uint64_t seed() const { return options_.seed; }
  const SoftwareOptions& options() const { return options_; }

 private:
  struct EventState {
    std::uint64_t recorded = 0, done = 0;  // rounds
    double time_ms = 0;
  };
  struct Step {
    Work work;
    EventState* wait = nullptr;  // runs when the event has done round `round`
    std::uint64_t round = 0;
  };
  struct GraphState {
    std::vector<Step> steps;
  };
  struct StreamState {
    std::deque<Step> steps;
    std::optional<GraphState> capture;
  };
  class Open;  // device memory, open to the host while it lives

  int dead() const;  // the sticky error, 0 when none
  int put(Stream stream, Step step);
  int run_until(const std::function<bool()>& done);
  int run_one(StreamState& stream);
  int start_kernel(const kernels::cuda::KernelCode& kernel, const kernels::cuda::LaunchShape& shape,
                   const std::vector<std::byte>& arguments);

  SoftwareOptions options_;
  kernels::cuda::KernelTable table_;
  mutable std::recursive_mutex mutex_;
  std::mt19937_64 random_;
  std::byte* slab_ = nullptr;                       // of all devices
  std::map<std::size_t, std::size_t> allocations_;  // offset, bytes
  std::map<const void*, std::size_t> pinned_;
  std::size_t allocated_ = 0;
  std::int64_t malloc_calls_ = 0, graph_launches_ = 0;
  std::map<Stream, std::unique_ptr<StreamState>> streams_;
  std::map<Event, std::unique_ptr<EventState>> events_;
  std::map<void*, std::unique_ptr<GraphState>> graphs_;  // and instantiated ones
  std::int64_t launches_ = 0, synchronizations_ = 0;
  double played_ms_ = 0;
  int sticky_ = 0;
  std::string fault_;
  int open_ = 0;
};

}  // namespace rushes::emulator
