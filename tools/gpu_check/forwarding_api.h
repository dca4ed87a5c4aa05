// A DeviceApi that passes every call on to another one: what watches a device overrides a few of them.
//
// Thread contract: as the DeviceApi behind it, which outlives it.
#pragma once

#include "kernels/cuda/device_api.h"
#include "kernels/cuda/kernel_table.h"

namespace rushes::gpu_check {

namespace cuda = kernels::cuda;

class ForwardingApi : public cuda::DeviceApi {
 public:
  explicit ForwardingApi(cuda::DeviceApi& behind) : behind_(behind) {}

  int device_count(int* count) override { return behind_.device_count(count); }
  int driver_version(int* version) override { return behind_.driver_version(version); }
  int device_info(int device, cuda::DeviceInfo* info) override { return behind_.device_info(device, info); }
  int set_device(int device) override { return behind_.set_device(device); }
  int memory_info(std::size_t* free, std::size_t* total) override { return behind_.memory_info(free, total); }
  const char* error_name(int error) override { return behind_.error_name(error); }
  int malloc(void** start, std::size_t bytes) override { return behind_.malloc(start, bytes); }
  int free(void* start) override { return behind_.free(start); }
  int malloc_host(void** start, std::size_t bytes) override { return behind_.malloc_host(start, bytes); }
  int free_host(void* start) override { return behind_.free_host(start); }
  int stream_create(cuda::Stream* stream) override { return behind_.stream_create(stream); }
  int stream_destroy(cuda::Stream stream) override { return behind_.stream_destroy(stream); }
  int stream_synchronize(cuda::Stream stream) override { return behind_.stream_synchronize(stream); }
  int stream_wait_event(cuda::Stream stream, cuda::Event event) override {
    return behind_.stream_wait_event(stream, event);
  }
  int event_create(cuda::Event* event) override { return behind_.event_create(event); }
  int event_destroy(cuda::Event event) override { return behind_.event_destroy(event); }
  int event_record(cuda::Event event, cuda::Stream stream) override {
    return behind_.event_record(event, stream);
  }
  int event_synchronize(cuda::Event event) override { return behind_.event_synchronize(event); }
  int event_milliseconds(float* time, cuda::Event begin, cuda::Event end) override {
    return behind_.event_milliseconds(time, begin, end);
  }
  int memcpy_async(void* to, const void* from, std::size_t bytes, cuda::CopyKind kind,
                   cuda::Stream stream) override {
    return behind_.memcpy_async(to, from, bytes, kind, stream);
  }
  int memset_async(void* to, int value, std::size_t bytes, cuda::Stream stream) override {
    return behind_.memset_async(to, value, bytes, stream);
  }
  int launch(const cuda::KernelCode& kernel, const cuda::LaunchShape& shape, const void* arguments,
             cuda::Stream stream) override {
    return behind_.launch(kernel, shape, arguments, stream);
  }
  int begin_capture(cuda::Stream stream) override { return behind_.begin_capture(stream); }
  int end_capture(cuda::Stream stream, cuda::Graph* graph) override {
    return behind_.end_capture(stream, graph);
  }
  int graph_instantiate(cuda::GraphRun* run, cuda::Graph graph) override {
    return behind_.graph_instantiate(run, graph);
  }
  int graph_launch(cuda::GraphRun run, cuda::Stream stream) override {
    return behind_.graph_launch(run, stream);
  }
  int graph_run_destroy(cuda::GraphRun run) override { return behind_.graph_run_destroy(run); }
  int graph_destroy(cuda::Graph graph) override { return behind_.graph_destroy(graph); }
  int encode_tensor_map(cuda::TensorMap* map, const cuda::TensorMapShape& shape) override {
    return behind_.encode_tensor_map(map, shape);
  }
  std::size_t red_zone_bytes() const override { return behind_.red_zone_bytes(); }
  int begin_range(void* start, std::size_t bytes, cuda::Stream stream) override {
    return behind_.begin_range(start, bytes, stream);
  }
  int end_range(void* start, std::size_t bytes, cuda::Stream stream) override {
    return behind_.end_range(start, bytes, stream);
  }
  const cuda::KernelTable& kernels() override { return behind_.kernels(); }
  const cuda::BlasApi* blas(std::string* why) override { return behind_.blas(why); }
  const cuda::DnnApi* dnn(std::string* why) override { return behind_.dnn(why); }
  const cuda::NvmlApi* nvml(std::string* why) override { return behind_.nvml(why); }

 protected:
  cuda::DeviceApi& behind_;
};

}  // namespace rushes::gpu_check
