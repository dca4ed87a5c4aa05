#include "tools/gpu_check/machine.h"

#include "kernels/cuda/cuda_backend.h"

namespace rushes::gpu_check {

namespace {

emulator::SoftwareOptions software_options(std::uint64_t seed) {
  emulator::SoftwareOptions options;
  options.memory_bytes = std::size_t{2} << 30;
  options.seed = seed;
  options.guard = false;  // a model makes many small operations
  return options;
}

}  // namespace

Machine::Machine(bool emulate, bool portable, std::uint64_t seed)
    : software_(emulate ? std::make_unique<emulator::SoftwareDevice>(software_options(seed)) : nullptr),
      api_(emulate ? software_.get() : cuda::device_api()) {
  if (const std::string why = cuda::CudaDevice::why_not(api_, 0); !why.empty())
    throw cuda::DeviceFault(cuda::kNoDevice, why);
  timed_ = std::make_unique<TimedApi>(*api_, portable);
  device_ = cuda::CudaDevice::open(timed_.get(), 0);
}

kernels::Backend& Machine::backend(kernels::Precision precision) {
  auto& made = backends_[static_cast<std::size_t>(precision)];
  if (!made) {
    cuda::CudaOptions options;
    options.precision = precision;
    made = cuda::make_cuda_backend(timed_.get(), options);
  }
  return *made;
}

kernels::Backend& Machine::checked_backend(kernels::Precision precision) {
  auto& made = checked_backends_[static_cast<std::size_t>(precision)];
  if (!made) {
    if (!software_ && !checked_) checked_ = std::make_unique<CheckedApi>(*api_);
    cuda::CudaOptions options;
    options.precision = precision;
    made = cuda::make_cuda_backend(software_ ? api_ : checked_.get(), options);
  }
  return *made;
}

double Machine::milliseconds(const std::function<void()>& work) {
  const cuda::Stream stream = device_->stream();
  cuda::Event events[2];
  for (cuda::Event& event : events) cuda::check(*api_, api_->event_create(&event), "cudaEventCreate");
  float time = 0;
  cuda::check(*api_, api_->event_record(events[0], stream), "cudaEventRecord");
  work();
  cuda::check(*api_, api_->event_record(events[1], stream), "cudaEventRecord");
  cuda::check(*api_, api_->event_synchronize(events[1]), "cudaEventSynchronize");
  cuda::check(*api_, api_->event_milliseconds(&time, events[0], events[1]), "cudaEventElapsedTime");
  for (const cuda::Event event : events) (void)api_->event_destroy(event);
  return static_cast<double>(time);
}

std::vector<Reply> Machine::split(const std::function<void()>& work) {
  timed_->record();
  work();
  std::vector<Reply> parts;
  for (const auto& [name, share] : timed_->finish())
    parts.push_back(Reply().add("kernel", name).add("calls", share.calls).add("ms", share.milliseconds));
  return parts;
}

DeviceBytes::DeviceBytes(cuda::DeviceApi& api, std::size_t bytes) : api_(api) {
  cuda::check(api_, api_.malloc(&start_, bytes), "cudaMalloc");
}

}  // namespace rushes::gpu_check
