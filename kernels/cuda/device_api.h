// Every call that Rushes makes to an NVIDIA driver or library, as one table.
//
// Production binds it to the CUDA run time (linked statically), cuBLASLt, cuDNN and NVML (opened at run time):
// bind_cuda.cpp. Tests bind it to a CUDA device in software: tests/kernels/emulator. The backend is written against
// this table alone, so that it builds and runs where no CUDA toolkit is installed.
//
// Names and codes are those of cuda_runtime_api.h: every call returns a cudaError_t as int, 0 is success. Nothing
// throws. `Stream`, `Event`, `Graph` and `GraphRun` are the run time's opaque handles.
//
// Thread contract: as the CUDA run time: callable from any thread; the current device belongs to the thread.
#pragma once

#include <string>

#include "kernels/cuda/blas_api.h"
#include "kernels/cuda/dnn_api.h"
#include "kernels/cuda/kernel.h"
#include "kernels/cuda/nvml_api.h"
#include "kernels/cuda/tensor_map.h"

namespace rushes::kernels::cuda {

struct KernelTable;

using Stream = void*;
using Event = void*;
using Graph = void*;
using GraphRun = void*;  // cudaGraphExec_t

inline constexpr int kSuccess = 0;
inline constexpr int kOutOfMemory = 2;       // cudaErrorMemoryAllocation
inline constexpr int kInvalidValue = 1;      // cudaErrorInvalidValue
inline constexpr int kOldDriver = 35;        // cudaErrorInsufficientDriver
inline constexpr int kNoDevice = 100;        // cudaErrorNoDevice
inline constexpr int kInvalidDevice = 101;   // cudaErrorInvalidDevice
inline constexpr int kNoKernel = 209;        // cudaErrorNoKernelImageForDevice
inline constexpr int kIllegalAddress = 700;  // cudaErrorIllegalAddress; sticky: the process must end
inline constexpr int kInCapture = 900;       // cudaErrorStreamCaptureUnsupported

enum class CopyKind : int { kToDevice = 1, kToHost = 2, kOnDevice = 3 };  // cudaMemcpyKind

struct DeviceInfo {
  std::string name;          // "NVIDIA H200"
  std::string bus_id;        // "0000:1b:00.0": the key of the device in NVML
  int major = 0, minor = 0;  // compute capability
  int multiprocessors = 0;
  std::size_t total_bytes = 0;
  std::size_t shared_bytes = 0;  // of one block, with opt-in
  std::size_t l2_bytes = 0;
};

class DeviceApi {
 public:
  virtual ~DeviceApi() = default;

  virtual int device_count(int* count) = 0;
  virtual int driver_version(int* version) = 0;  // 13000 = 13.0; 0 without a driver
  virtual int device_info(int device, DeviceInfo* info) = 0;
  virtual int set_device(int device) = 0;
  virtual int memory_info(std::size_t* free, std::size_t* total) = 0;
  virtual const char* error_name(int error) = 0;

  virtual int malloc(void** start, std::size_t bytes) = 0;
  virtual int free(void* start) = 0;
  virtual int malloc_host(void** start, std::size_t bytes) = 0;  // pinned
  virtual int free_host(void* start) = 0;

  virtual int stream_create(Stream* stream) = 0;  // does not wait for the default stream
  virtual int stream_destroy(Stream stream) = 0;
  virtual int stream_synchronize(Stream stream) = 0;
  virtual int stream_wait_event(Stream stream, Event event) = 0;
  virtual int event_create(Event* event) = 0;
  virtual int event_destroy(Event event) = 0;
  virtual int event_record(Event event, Stream stream) = 0;
  virtual int event_synchronize(Event event) = 0;
  virtual int event_milliseconds(float* time, Event begin, Event end) = 0;

  // Host memory of an asynchronous copy is pinned, and lives until the stream has passed the copy.
  virtual int memcpy_async(void* to, const void* from, std::size_t bytes, CopyKind kind, Stream stream) = 0;
  virtual int memset_async(void* to, int value, std::size_t bytes, Stream stream) = 0;
  // `arguments`: the kernel's struct, copied before the call returns.
  virtual int launch(const KernelCode& kernel, const LaunchShape& shape, const void* arguments,
                     Stream stream) = 0;

  virtual int begin_capture(Stream stream) = 0;
  virtual int end_capture(Stream stream, Graph* graph) = 0;
  virtual int graph_instantiate(GraphRun* run, Graph graph) = 0;
  virtual int graph_launch(GraphRun run, Stream stream) = 0;
  virtual int graph_run_destroy(GraphRun run) = 0;
  virtual int graph_destroy(Graph graph) = 0;

  // Needs compute capability 9.0.
  virtual int encode_tensor_map(TensorMap* map, const TensorMapShape& shape) = 0;

  // False: memory is counted and nothing is computed (dry_device.h).
  virtual bool computes() const { return true; }

  // What the arena cut out of its memory, in the stream's order. The software device fills a new range with NaN and
  // checks at its end that the red_zone_bytes() behind it are untouched; a GPU does nothing.
  virtual std::size_t red_zone_bytes() const { return 0; }
  virtual int begin_range(void* /*start*/, std::size_t /*bytes*/, Stream /*stream*/) { return kSuccess; }
  virtual int end_range(void* /*start*/, std::size_t /*bytes*/, Stream /*stream*/) { return kSuccess; }

  // The kernels in the form that launch() takes.
  virtual const KernelTable& kernels() = 0;

  // Null where a library is missing or older than tested; `why` then says which, and what to install.
  virtual const BlasApi* blas(std::string* why) = 0;
  virtual const DnnApi* dnn(std::string* why) = 0;
  virtual const NvmlApi* nvml(std::string* why) = 0;
};

template <typename Arguments>
int launch(DeviceApi& api, const Kernel<Arguments>& kernel, const LaunchShape& shape,
           const Arguments& arguments, Stream stream) {
  return api.launch(kernel, shape, &arguments, stream);
}

// The table of this process: what install() was given, otherwise the one bound to CUDA; null in a build without the
// CUDA toolkit. install() is called before the first backend is made and outlives all of them.
DeviceApi* device_api();
void install(DeviceApi* api);

}  // namespace rushes::kernels::cuda
