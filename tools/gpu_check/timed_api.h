// A DeviceApi that measures what it starts: the time of every kernel, library call and copy between two events, summed
// by name.
//
// Thread contract: one thread. The libraries' functions have no context: one TimedApi at a time.
#pragma once

#include <map>
#include <vector>

#include "tools/gpu_check/forwarding_api.h"

namespace rushes::gpu_check {

class TimedApi final : public ForwardingApi {
 public:
  // `portable`: a device of compute capability 9 passes for one of 8, so that no kernel of Hopper's own is started.
  explicit TimedApi(cuda::DeviceApi& behind, bool portable = false);
  ~TimedApi() override;

  struct Share {
    std::int64_t calls = 0;
    double milliseconds = 0;
  };
  void record() { recording_ = true; }  // from here
  // What ran since record(), by name; waits for it.
  std::map<std::string, Share> finish();

  int device_info(int device, cuda::DeviceInfo* info) override;
  int memcpy_async(void* to, const void* from, std::size_t bytes, cuda::CopyKind kind,
                   cuda::Stream stream) override;
  int memset_async(void* to, int value, std::size_t bytes, cuda::Stream stream) override;
  int launch(const cuda::KernelCode& kernel, const cuda::LaunchShape& shape, const void* arguments,
             cuda::Stream stream) override;
  int begin_capture(cuda::Stream stream) override;  // refused while it measures: a graph is timed as a whole
  const cuda::BlasApi* blas(std::string* why) override;
  const cuda::DnnApi* dnn(std::string* why) override;

 private:
  struct Span {
    std::string name;
    cuda::Event begin, end;
  };
  template <typename Call>
  int timed(const char* name, cuda::Stream stream, Call&& call);

  const bool portable_;
  bool recording_ = false;
  std::vector<Span> spans_;
  std::vector<cuda::Event> idle_;
  cuda::BlasApi blas_, blas_behind_;
  cuda::DnnApi dnn_, dnn_behind_;
  std::map<void*, cuda::Stream> dnn_streams_;  // by handle
};

}  // namespace rushes::gpu_check
