#include "tools/gpu_check/timed_api.h"

#include "kernels/cuda/device_fault.h"

namespace rushes::gpu_check {

namespace {
TimedApi* current = nullptr;
}  // namespace

TimedApi::TimedApi(cuda::DeviceApi& behind, bool portable) : ForwardingApi(behind), portable_(portable) {
  current = this;
}

TimedApi::~TimedApi() {
  for (const cuda::Event event : idle_) (void)behind_.event_destroy(event);
  current = nullptr;
}

template <typename Call>
int TimedApi::timed(const char* name, cuda::Stream stream, Call&& call) {
  if (!recording_) return call();
  Span span{name, nullptr, nullptr};
  for (cuda::Event* event : {&span.begin, &span.end}) {
    if (idle_.empty()) {
      if (const int error = behind_.event_create(event)) return error;
    } else {
      *event = idle_.back();
      idle_.pop_back();
    }
  }
  if (const int error = behind_.event_record(span.begin, stream)) return error;
  const int result = call();
  if (const int error = behind_.event_record(span.end, stream)) return error;
  spans_.push_back(std::move(span));
  return result;
}

std::map<std::string, TimedApi::Share> TimedApi::finish() {
  std::map<std::string, Share> shares;
  recording_ = false;
  for (const Span& span : spans_) {
    float time = 0;
    cuda::check(behind_, behind_.event_synchronize(span.end), "cudaEventSynchronize");
    cuda::check(behind_, behind_.event_milliseconds(&time, span.begin, span.end), "cudaEventElapsedTime");
    Share& share = shares[span.name];
    ++share.calls;
    share.milliseconds += static_cast<double>(time);
    idle_.push_back(span.begin);
    idle_.push_back(span.end);
  }
  spans_.clear();
  return shares;
}

int TimedApi::device_info(int device, cuda::DeviceInfo* info) {
  const int error = behind_.device_info(device, info);
  if (portable_ && info->major == 9) info->major = 8, info->minor = 0;
  return error;
}

int TimedApi::memcpy_async(void* to, const void* from, std::size_t bytes, cuda::CopyKind kind,
                           cuda::Stream stream) {
  return timed("copy", stream, [&] { return behind_.memcpy_async(to, from, bytes, kind, stream); });
}

int TimedApi::memset_async(void* to, int value, std::size_t bytes, cuda::Stream stream) {
  return timed("clear", stream, [&] { return behind_.memset_async(to, value, bytes, stream); });
}

int TimedApi::launch(const cuda::KernelCode& kernel, const cuda::LaunchShape& shape, const void* arguments,
                     cuda::Stream stream) {
  return timed(kernel.name, stream, [&] { return behind_.launch(kernel, shape, arguments, stream); });
}

int TimedApi::begin_capture(cuda::Stream stream) {
  return recording_ ? cuda::kInCapture : ForwardingApi::begin_capture(stream);
}

const cuda::BlasApi* TimedApi::blas(std::string* why) {
  const cuda::BlasApi* found = behind_.blas(why);
  if (!found) return nullptr;
  blas_ = blas_behind_ = *found;
  blas_.matmul = [](void* handle, void* product, const void* alpha, const void* a, void* a_layout,
                    const void* b, void* b_layout, const void* beta, const void* c, void* c_layout, void* d,
                    void* d_layout, const cuda::BlasAlgorithm* algorithm, void* workspace,
                    std::size_t workspace_bytes, void* stream) {
    return current->timed("cublasLtMatmul", stream, [&] {
      return current->blas_behind_.matmul(handle, product, alpha, a, a_layout, b, b_layout, beta, c, c_layout,
                                          d, d_layout, algorithm, workspace, workspace_bytes, stream);
    });
  };
  return &blas_;
}

const cuda::DnnApi* TimedApi::dnn(std::string* why) {
  const cuda::DnnApi* found = behind_.dnn(why);
  if (!found) return nullptr;
  dnn_ = dnn_behind_ = *found;
  dnn_.set_stream = [](void* handle, void* stream) {
    current->dnn_streams_[handle] = stream;
    return current->dnn_behind_.set_stream(handle, stream);
  };
  dnn_.execute = [](void* handle, void* plan, void* variant_pack) {
    return current->timed("cudnnBackendExecute", current->dnn_streams_[handle],
                          [&] { return current->dnn_behind_.execute(handle, plan, variant_pack); });
  };
  return &dnn_;
}

}  // namespace rushes::gpu_check
