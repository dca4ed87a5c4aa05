#include "tests/kernels/emulator/software_device.h"

#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <new>

#include "kernels/cuda/forms.h"
#include "tests/kernels/emulator/async.h"
#include "tests/kernels/emulator/grid.h"
#include "tests/kernels/emulator/libraries.h"

namespace rushes::emulator {

using namespace kernels::
    cuda;  // NOLINT(google-build-using-namespace): the names of the table that this implements

namespace {

constexpr std::size_t kPage = 4096;
constexpr int kUnwritten = 0xff;  // NaN as fp32 and bf16
constexpr std::byte kZone{0xcd};  // red zones
constexpr std::size_t kAlignment = 512;

SoftwareDevice* newest = nullptr;
thread_local int chosen = 0;  // device

double now_ms() {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

class SoftwareDevice::Open {
 public:
  explicit Open(SoftwareDevice& device) : device_(device) {
    if (device_.open_++ == 0 && device_.options_.guard) protect(PROT_READ | PROT_WRITE);
  }
  ~Open() {
    if (--device_.open_ == 0 && device_.options_.guard) protect(PROT_NONE);
  }
  Open(const Open&) = delete;
  Open& operator=(const Open&) = delete;

 private:
  void protect(int mode) {
    mprotect(device_.slab_,
             device_.options_.memory_bytes * static_cast<std::size_t>(device_.options_.devices), mode);
  }
  SoftwareDevice& device_;
};

SoftwareDevice::SoftwareDevice(const SoftwareOptions& options) : options_(options), random_(options.seed) {
  emulated::add_attention(table_);
  emulated::add_attention_hopper(table_);
  emulated::add_attention_s8(table_);
  emulated::add_attention_s8_f8(table_);
  emulated::add_attention_s8_hopper(table_);
  emulated::add_elementwise(table_);
  emulated::add_exact(table_);
  emulated::add_movement(table_);
  emulated::add_quantise(table_);
  emulated::add_quantise_f8(table_);
  emulated::add_rows(table_);
  emulated::add_rows_f8(table_);
  options_.memory_bytes = (options_.memory_bytes + kPage - 1) / kPage * kPage;
  const std::size_t bytes = options_.memory_bytes * static_cast<std::size_t>(std::max(1, options_.devices));
  void* memory = mmap(nullptr, bytes, options_.guard ? PROT_NONE : PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  slab_ = static_cast<std::byte*>(memory);
  newest = this;
}

SoftwareDevice::~SoftwareDevice() {
  if (newest == this) newest = nullptr;
  munmap(slab_, options_.memory_bytes * static_cast<std::size_t>(std::max(1, options_.devices)));
}

SoftwareDevice* SoftwareDevice::current() { return newest; }

std::string SoftwareDevice::fault() const {
  const std::lock_guard lock(mutex_);
  return fault_;
}

int SoftwareDevice::refuse(int error, const std::string& why) {
  fault_ = why;
  return error;
}

int SoftwareDevice::dead() const { return sticky_; }

void SoftwareDevice::play(const std::string& name) {
  const std::lock_guard lock(mutex_);
  if (options_.plays_ms) played_ms_ += options_.plays_ms(name);
}

// ---- devices

int SoftwareDevice::device_count(int* count) {
  *count = 0;
  if (options_.driver < 13000) return kOldDriver;
  *count = options_.devices;
  return options_.devices ? kSuccess : kNoDevice;
}

int SoftwareDevice::driver_version(int* version) {
  *version = options_.driver;
  return kSuccess;
}

int SoftwareDevice::device_info(int device, DeviceInfo* info) {
  if (device < 0 || device >= options_.devices) return kInvalidDevice;
  *info = {"Software device",        "0000:00:0" + std::to_string(device) + ".0",
           options_.major,           options_.minor,
           options_.multiprocessors, options_.memory_bytes,
           std::size_t{227} << 10,   std::size_t{50} << 20};
  return kSuccess;
}

int SoftwareDevice::set_device(int device) {
  if (device < 0 || device >= options_.devices) return kInvalidDevice;
  chosen = device;
  return dead();
}

int SoftwareDevice::memory_info(std::size_t* free, std::size_t* total) {
  const std::lock_guard lock(mutex_);
  const std::size_t first = static_cast<std::size_t>(chosen) * options_.memory_bytes;
  std::size_t used = 0;
  for (const auto& [offset, bytes] : allocations_)
    if (offset >= first && offset < first + options_.memory_bytes) used += bytes;
  *total = options_.memory_bytes;
  *free = options_.memory_bytes - used;
  return dead();
}

const char* SoftwareDevice::error_name(int error) {
  switch (error) {
    case kSuccess:
      return "cudaSuccess";
    case kInvalidValue:
      return "cudaErrorInvalidValue";
    case kOutOfMemory:
      return "cudaErrorMemoryAllocation";
    case kOldDriver:
      return "cudaErrorInsufficientDriver";
    case kNoDevice:
      return "cudaErrorNoDevice";
    case kInvalidDevice:
      return "cudaErrorInvalidDevice";
    case kNoKernel:
      return "cudaErrorNoKernelImageForDevice";
    case kIllegalAddress:
      return "cudaErrorIllegalAddress";
    case kInCapture:
      return "cudaErrorStreamCaptureUnsupported";
    default:
      return "cudaErrorUnknown";
  }
}

// ---- memory

int SoftwareDevice::malloc(void** start, std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  if (dead()) return dead();
  for (const auto& [handle, stream] : streams_)
    if (stream->capture) return refuse(kInCapture, "malloc while a stream is captured");
  ++malloc_calls_;
  const std::size_t wanted = (std::max<std::size_t>(bytes, 1) + kAlignment - 1) / kAlignment * kAlignment;
  const std::size_t first = static_cast<std::size_t>(chosen) * options_.memory_bytes;
  std::size_t at = first;  // first fit
  for (auto it = allocations_.lower_bound(first); it != allocations_.end() && it->first < at + wanted; ++it)
    at = it->first + it->second;
  if (at + wanted > first + options_.memory_bytes) return kOutOfMemory;
  allocations_[at] = wanted;
  allocated_ += wanted;
  *start = slab_ + at;
  return kSuccess;
}

int SoftwareDevice::free(void* start) {
  const std::lock_guard lock(mutex_);
  if (!start) return kSuccess;
  // The run time waits for the device before it frees.
  if (const int error = run_until([&] {
        return std::all_of(streams_.begin(), streams_.end(),
                           [](const auto& s) { return s.second->steps.empty(); });
      }))
    return error;
  const auto found = allocations_.find(static_cast<std::size_t>(static_cast<std::byte*>(start) - slab_));
  if (found == allocations_.end()) return refuse(kInvalidValue, "free of what was not allocated");
  allocated_ -= found->second;
  allocations_.erase(found);
  return kSuccess;
}

int SoftwareDevice::malloc_host(void** start, std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  if (dead()) return dead();
  *start = ::operator new (std::max<std::size_t>(bytes, 1), std::align_val_t{64});
  std::memset(*start, kUnwritten, bytes);
  pinned_[*start] = bytes;
  return kSuccess;
}

int SoftwareDevice::free_host(void* start) {
  const std::lock_guard lock(mutex_);
  if (!start) return kSuccess;
  if (pinned_.erase(start) == 0) return refuse(kInvalidValue, "free_host of what is not pinned");
  ::operator delete (start, std::align_val_t{64});
  return kSuccess;
}

bool SoftwareDevice::owns(const void* start, std::size_t bytes) const {
  const auto* at = static_cast<const std::byte*>(start);
  if (at < slab_) return false;
  const auto offset = static_cast<std::size_t>(at - slab_);
  auto it = allocations_.upper_bound(offset);
  if (it == allocations_.begin()) return false;
  --it;
  return offset + bytes <= it->first + it->second;
}

int SoftwareDevice::begin_range(void* start, std::size_t bytes, Stream stream) {
  const std::lock_guard lock(mutex_);
  if (!owns(start, bytes + red_zone_bytes())) return refuse(kInvalidValue, "a range outside an allocation");
  return enqueue(stream, [=, this] {
    std::memset(start, kUnwritten, bytes);
    std::memset(static_cast<std::byte*>(start) + bytes, static_cast<int>(kZone), red_zone_bytes());
    return kSuccess;
  });
}

int SoftwareDevice::end_range(void* start, std::size_t bytes, Stream stream) {
  const std::lock_guard lock(mutex_);
  return enqueue(stream, [=, this] {
    const auto* zone = static_cast<const std::byte*>(start) + bytes;
    if (std::all_of(zone, zone + red_zone_bytes(), [](std::byte b) { return b == kZone; })) return kSuccess;
    return refuse(kIllegalAddress, "something wrote behind a range of " + std::to_string(bytes) + " bytes");
  });
}

// ---- streams, events

int SoftwareDevice::stream_create(Stream* stream) {
  const std::lock_guard lock(mutex_);
  if (dead()) return dead();
  auto state = std::make_unique<StreamState>();
  *stream = state.get();
  streams_[*stream] = std::move(state);
  return kSuccess;
}

int SoftwareDevice::stream_destroy(Stream stream) {
  const std::lock_guard lock(mutex_);
  const int error = streams_.contains(stream) ? stream_synchronize(stream) : kInvalidValue;
  streams_.erase(stream);
  return error;
}

int SoftwareDevice::put(Stream stream, Step step) {
  const auto found = streams_.find(stream);
  if (found == streams_.end()) return refuse(kInvalidValue, "no such stream");
  if (found->second->capture) {
    found->second->capture->steps.push_back(std::move(step));
  } else {
    found->second->steps.push_back(std::move(step));
  }
  return kSuccess;
}

int SoftwareDevice::enqueue(Stream stream, Work work) {
  const std::lock_guard lock(mutex_);
  if (dead()) return dead();
  return put(stream, {std::move(work), nullptr, 0});
}

int SoftwareDevice::run_one(StreamState& stream) {
  const Step step = std::move(stream.steps.front());
  stream.steps.pop_front();
  if (!step.work) return kSuccess;
  const Open open(*this);
  const int error = step.work();
  if (error) sticky_ = error;
  return error;
}

// Streams take turns until `done`; a stream whose next step waits for an event that is not reached is left out.
int SoftwareDevice::run_until(const std::function<bool()>& done) {
  const Open open(*this);
  while (!done()) {
    if (dead()) {
      for (const auto& [handle, stream] : streams_) stream->steps.clear();
      return dead();
    }
    std::vector<StreamState*> able;
    for (const auto& [handle, stream] : streams_) {
      if (stream->steps.empty()) continue;
      const Step& next = stream->steps.front();
      if (!next.wait || next.wait->done >= next.round) able.push_back(stream.get());
    }
    if (able.empty()) return refuse(sticky_ = kIllegalAddress, "streams wait for events that nobody records");
    (void)run_one(*able[random_() % able.size()]);
  }
  return dead();
}

int SoftwareDevice::stream_synchronize(Stream stream) {
  const std::lock_guard lock(mutex_);
  ++synchronizations_;
  const auto found = streams_.find(stream);
  if (found == streams_.end()) return refuse(kInvalidValue, "no such stream");
  if (found->second->capture) return refuse(kInCapture, "synchronize while the stream is captured");
  return run_until([&] { return found->second->steps.empty(); });
}

int SoftwareDevice::event_create(Event* event) {
  const std::lock_guard lock(mutex_);
  if (dead()) return dead();
  auto state = std::make_unique<EventState>();
  *event = state.get();
  events_[*event] = std::move(state);
  return kSuccess;
}

int SoftwareDevice::event_destroy(Event event) {
  const std::lock_guard lock(mutex_);
  const auto found = events_.find(event);
  if (found == events_.end()) return refuse(kInvalidValue, "no such event");
  (void)event_synchronize(event);
  events_.erase(found);
  return kSuccess;
}

int SoftwareDevice::event_record(Event event, Stream stream) {
  const std::lock_guard lock(mutex_);
  if (dead()) return dead();
  const auto found = events_.find(event);
  if (found == events_.end()) return refuse(kInvalidValue, "no such event");
  EventState* state = found->second.get();
  const std::uint64_t round = ++state->recorded;
  return put(stream, {[this, state, round] {
                        state->done = std::max(state->done, round);
                        state->time_ms = options_.plays_ms ? played_ms_ : now_ms();
                        return kSuccess;
                      },
                      nullptr, 0});
}

int SoftwareDevice::stream_wait_event(Stream stream, Event event) {
  const std::lock_guard lock(mutex_);
  if (dead()) return dead();
  const auto found = events_.find(event);
  if (found == events_.end()) return refuse(kInvalidValue, "no such event");
  return put(stream, {nullptr, found->second.get(), found->second->recorded});
}

int SoftwareDevice::event_synchronize(Event event) {
  const std::lock_guard lock(mutex_);
  const auto found = events_.find(event);
  if (found == events_.end()) return refuse(kInvalidValue, "no such event");
  EventState* state = found->second.get();
  return run_until([&] { return state->done >= state->recorded; });
}

int SoftwareDevice::event_milliseconds(float* time, Event begin, Event end) {
  const std::lock_guard lock(mutex_);
  const auto first = events_.find(begin), last = events_.find(end);
  if (first == events_.end() || last == events_.end()) return refuse(kInvalidValue, "no such event");
  if (first->second->done < first->second->recorded || last->second->done < last->second->recorded)
    return refuse(kInvalidValue, "the time of an event that was not waited for");
  *time = static_cast<float>(last->second->time_ms - first->second->time_ms);
  return dead();
}

// ---- work

int SoftwareDevice::memcpy_async(void* to, const void* from, std::size_t bytes, CopyKind kind,
                                 Stream stream) {
  const std::lock_guard lock(mutex_);
  if (dead()) return dead();
  const auto pinned = [&](const void* start) {
    auto it = pinned_.upper_bound(start);
    if (it == pinned_.begin()) return false;
    --it;
    return static_cast<const std::byte*>(start) + bytes <=
           static_cast<const std::byte*>(it->first) + it->second;
  };
  if (!(kind == CopyKind::kToHost ? pinned(to) : owns(to, bytes)) ||
      !(kind == CopyKind::kToDevice ? pinned(from) : owns(from, bytes)))
    return refuse(kInvalidValue, "a copy of " + std::to_string(bytes) +
                                     " bytes leaves an allocation, or its host memory is not pinned");
  // CUDA would record it, and every replay would copy what the pinned memory holds by then.
  if (const auto found = streams_.find(stream);
      kind != CopyKind::kOnDevice && found != streams_.end() && found->second->capture)
    return refuse(kInCapture, "a copy between host and device while the stream is captured");
  return enqueue(stream, [=] {
    std::memmove(to, from, bytes);
    return kSuccess;
  });
}

int SoftwareDevice::memset_async(void* to, int value, std::size_t bytes, Stream stream) {
  const std::lock_guard lock(mutex_);
  if (dead()) return dead();
  if (!owns(to, bytes)) return refuse(kInvalidValue, "memset leaves an allocation");
  return enqueue(stream, [=] {
    std::memset(to, value, bytes);
    return kSuccess;
  });
}

int SoftwareDevice::launch(const KernelCode& kernel, const LaunchShape& shape, const void* arguments,
                           Stream stream) {
  const std::lock_guard lock(mutex_);
  if (dead()) return dead();
  if (!kernel.function) return refuse(kInvalidValue, "a kernel that is not in the table");
  const int capability = 10 * options_.major + options_.minor;
  if (capability < kernel.since || (kernel.only_for && kernel.only_for != capability))
    return refuse(kNoKernel, std::string(kernel.name) + ": no code for compute capability " +
                                 std::to_string(options_.major) + "." + std::to_string(options_.minor));
  if (shape.threads < 1 || shape.threads > 1024 || shape.grid[0] < 1 || shape.grid[1] < 1 ||
      shape.grid[2] < 1 || shape.grid[1] > 65535 || shape.grid[2] > 65535 || shape.cluster < 1 ||
      shape.cluster > 8 || shape.grid[0] % shape.cluster || shape.shared_bytes > (227u << 10))
    return refuse(kInvalidValue, std::string(kernel.name) + ": a launch shape that no device takes");
  if (shape.cluster > 1 && options_.major < 9)
    return refuse(kInvalidValue, std::string(kernel.name) + ": clusters need compute capability 9.0");
  const auto* bytes = static_cast<const std::byte*>(arguments);
  return put(stream, {[this, kernel, shape, copy = std::vector(bytes, bytes + kernel.argument_bytes)] {
                        return start_kernel(kernel, shape, copy);
                      },
                      nullptr, 0});
}

int SoftwareDevice::start_kernel(const KernelCode& kernel, const LaunchShape& shape,
                                 const std::vector<std::byte>& arguments) {
  ++launches_;
  const bool faults = launches_ == options_.vanish_at || launches_ == options_.illegal_address_at;
  if (faults && options_.faulted) options_.faulted();
  if (launches_ == options_.vanish_at) return refuse(kNoDevice, "the device fell off the bus");
  if (launches_ == options_.illegal_address_at)
    return refuse(kIllegalAddress, "an illegal address, as asked for");
  play(kernel.name);
  alignas(128) std::byte aligned[4096];
  std::copy(arguments.begin(), arguments.end(), aligned);
  try {
    run_grid(kernel, shape, aligned, random_());
  } catch (const KernelFault& fault) {
    return refuse(kIllegalAddress, fault.what());
  }
  return kSuccess;
}

// ---- graphs

int SoftwareDevice::begin_capture(Stream stream) {
  const std::lock_guard lock(mutex_);
  if (dead()) return dead();
  const auto found = streams_.find(stream);
  if (found == streams_.end() || found->second->capture) return refuse(kInvalidValue, "no stream to capture");
  found->second->capture.emplace();
  return kSuccess;
}

int SoftwareDevice::end_capture(Stream stream, Graph* graph) {
  const std::lock_guard lock(mutex_);
  const auto found = streams_.find(stream);
  if (found == streams_.end() || !found->second->capture) return refuse(kInvalidValue, "no capture to end");
  auto state = std::make_unique<GraphState>(std::move(*found->second->capture));
  found->second->capture.reset();
  *graph = state.get();
  graphs_[*graph] = std::move(state);
  return dead();
}

int SoftwareDevice::graph_instantiate(GraphRun* run, Graph graph) {
  const std::lock_guard lock(mutex_);
  const auto found = graphs_.find(graph);
  if (found == graphs_.end()) return refuse(kInvalidValue, "no such graph");
  auto state = std::make_unique<GraphState>(*found->second);
  *run = state.get();
  graphs_[*run] = std::move(state);
  return dead();
}

int SoftwareDevice::graph_launch(GraphRun run, Stream stream) {
  const std::lock_guard lock(mutex_);
  if (dead()) return dead();
  const auto found = graphs_.find(run);
  if (found == graphs_.end()) return refuse(kInvalidValue, "no such graph");
  ++graph_launches_;
  for (const Step& step : found->second->steps)
    if (const int error = put(stream, step)) return error;
  return kSuccess;
}

int SoftwareDevice::graph_run_destroy(GraphRun run) { return graph_destroy(run); }

int SoftwareDevice::graph_destroy(Graph graph) {
  const std::lock_guard lock(mutex_);
  return graphs_.erase(graph) ? dead() : refuse(kInvalidValue, "no such graph");
}

int SoftwareDevice::encode_tensor_map(TensorMap* map, const TensorMapShape& shape) {
  static_assert(sizeof shape <= sizeof map->bytes);
  if (options_.major < 9) return refuse(kInvalidValue, "tensor maps need compute capability 9.0");
  if (const std::string wrong = wrong_with(shape); !wrong.empty())
    return refuse(kInvalidValue, "a tensor map that no device takes: " + wrong);
  std::memcpy(map->bytes, &shape, sizeof shape);
  return kSuccess;
}

// ---- libraries

const BlasApi* SoftwareDevice::blas(std::string* why) {
  *why = options_.has_blas ? "" : "libcublasLt.so.13 was not found; install it";
  return options_.has_blas ? &software_blas() : nullptr;
}

const DnnApi* SoftwareDevice::dnn(std::string* why) {
  *why = options_.has_dnn ? "" : "libcudnn.so.9 was not found; install it";
  return options_.has_dnn ? &software_dnn() : nullptr;
}

const NvmlApi* SoftwareDevice::nvml(std::string* why) {
  *why = options_.has_nvml ? "" : "libnvidia-ml.so.1 was not found";
  return options_.has_nvml ? &software_nvml() : nullptr;
}

}  // namespace rushes::emulator
