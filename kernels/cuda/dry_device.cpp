#include "kernels/cuda/dry_device.h"

#include <atomic>
#include <cstring>
#include <new>

#include "kernels/cuda/kernel_table.h"
#include "kernels/cuda/workspace.h"

namespace rushes::kernels::cuda {
namespace {

constexpr std::size_t kBytes = std::size_t{1} << 40;        // of the device
constexpr std::uintptr_t kFirst = std::uintptr_t{1} << 44;  // address
constexpr std::size_t kPage = std::size_t{2} << 20;

int some_handle;
int make(void** handle) {
  *handle = &some_handle;
  return kSuccess;
}
int drop(void* /*handle*/) { return kSuccess; }

const BlasApi& dry_blas() {
  static const BlasApi api = [] {
    BlasApi b;
    b.version = [] { return std::size_t{130100}; };
    b.create = b.preference_create = make;
    b.destroy = b.product_destroy = b.layout_destroy = b.preference_destroy = drop;
    b.product_create = [](void** product, int, int) { return make(product); };
    b.layout_create = [](void** layout, int, std::uint64_t, std::uint64_t, std::int64_t) {
      return make(layout);
    };
    b.product_set = b.layout_set =
        b.preference_set = [](void*, int, const void*, std::size_t) { return kSuccess; };
    b.heuristic = [](void*, void*, void*, void*, void*, void*, void*, int, BlasHeuristic* found, int* count) {
      *found = {};
      found->workspace_bytes = kMostBlasWorkspace;
      *count = 1;
      return kSuccess;
    };
    b.matmul = [](void*, void*, const void*, const void*, void*, const void*, void*, const void*, const void*,
                  void*, void*, void*, const BlasAlgorithm*, void*, std::size_t, void*) { return kSuccess; };
    return b;
  }();
  return api;
}

// One proposal for every convolution, without remarks about its numbers.
int describe(void* /*descriptor*/, int name, int /*type*/, std::int64_t /*wanted*/, std::int64_t* count,
             void* values) {
  *count = name == dnn::kEngineNumericalNote ? 0 : 1;
  const auto workspace = static_cast<std::int64_t>(kMostDnnWorkspace);
  if (name == dnn::kPlanWorkspace) std::memcpy(values, &workspace, sizeof workspace);
  return kSuccess;
}

const DnnApi& dry_dnn() {
  static const DnnApi api = [] {
    DnnApi d;
    d.version = [] { return std::size_t{91900}; };
    d.create = make;
    d.destroy = d.descriptor_destroy = d.descriptor_finalize = drop;
    d.set_stream = [](void*, void*) { return kSuccess; };
    d.error_text = [](int) { return ""; };
    d.descriptor_create = [](int, void** descriptor) { return make(descriptor); };
    d.descriptor_set = [](void*, int, int, std::int64_t, const void*) { return kSuccess; };
    d.descriptor_get = describe;
    d.execute = [](void*, void*, void*) { return kSuccess; };
    return d;
  }();
  return api;
}

class DryDevice final : public DeviceApi {
 public:
  bool computes() const override { return false; }
  int device_count(int* count) override { return *count = 1, kSuccess; }
  int driver_version(int* version) override { return *version = 13000, kSuccess; }
  int device_info(int /*device*/, DeviceInfo* info) override {
    *info = {"Dry device", "", 9, 0, 132, kBytes, std::size_t{227} << 10, std::size_t{50} << 20};
    return kSuccess;
  }
  int set_device(int /*device*/) override { return kSuccess; }
  int memory_info(std::size_t* free, std::size_t* total) override {
    return *free = *total = kBytes, kSuccess;
  }
  const char* error_name(int /*error*/) override { return "cudaSuccess"; }

  int malloc(void** start, std::size_t bytes) override {
    const std::size_t at = next_.fetch_add((bytes + kPage - 1) / kPage * kPage);
    *start = reinterpret_cast<void*>(kFirst + at);  // NOLINT(performance-no-int-to-ptr): never read
    return kSuccess;
  }
  int free(void* /*start*/) override { return kSuccess; }
  int malloc_host(void** start, std::size_t bytes) override {
    *start = ::operator new (bytes, std::align_val_t{64});
    std::memset(*start, 0, bytes);
    return kSuccess;
  }
  int free_host(void* start) override {
    ::operator delete (start, std::align_val_t{64});
    return kSuccess;
  }

  int stream_create(Stream* stream) override { return make(stream); }
  int stream_destroy(Stream /*stream*/) override { return kSuccess; }
  int stream_synchronize(Stream /*stream*/) override { return kSuccess; }
  int stream_wait_event(Stream /*stream*/, Event /*event*/) override { return kSuccess; }
  int event_create(Event* event) override { return make(event); }
  int event_destroy(Event /*event*/) override { return kSuccess; }
  int event_record(Event /*event*/, Stream /*stream*/) override { return kSuccess; }
  int event_synchronize(Event /*event*/) override { return kSuccess; }
  int event_milliseconds(float* time, Event /*begin*/, Event /*end*/) override { return *time = 0, kSuccess; }
  int memcpy_async(void* /*to*/, const void* /*from*/, std::size_t /*bytes*/, CopyKind /*kind*/,
                   Stream /*stream*/) override {
    return kSuccess;
  }
  int memset_async(void* /*to*/, int /*value*/, std::size_t /*bytes*/, Stream /*stream*/) override {
    return kSuccess;
  }
  int launch(const KernelCode& /*kernel*/, const LaunchShape& /*shape*/, const void* /*arguments*/,
             Stream /*stream*/) override {
    return kSuccess;
  }
  int begin_capture(Stream /*stream*/) override { return kSuccess; }
  int end_capture(Stream /*stream*/, Graph* graph) override { return make(graph); }
  int graph_instantiate(GraphRun* run, Graph /*graph*/) override { return make(run); }
  int graph_launch(GraphRun /*run*/, Stream /*stream*/) override { return kSuccess; }
  int graph_run_destroy(GraphRun /*run*/) override { return kSuccess; }
  int graph_destroy(Graph /*graph*/) override { return kSuccess; }
  int encode_tensor_map(TensorMap* /*map*/, const TensorMapShape& /*shape*/) override { return kSuccess; }

  const KernelTable& kernels() override { return table_; }
  const BlasApi* blas(std::string* /*why*/) override { return &dry_blas(); }
  const DnnApi* dnn(std::string* /*why*/) override { return &dry_dnn(); }
  const NvmlApi* nvml(std::string* why) override {
    *why = "a dry device has no NVML";
    return nullptr;
  }

 private:
  KernelTable table_;
  std::atomic<std::size_t> next_{0};
};

}  // namespace

std::unique_ptr<DeviceApi> make_dry_device() { return std::make_unique<DryDevice>(); }

}  // namespace rushes::kernels::cuda
