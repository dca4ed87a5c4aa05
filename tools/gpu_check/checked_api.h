// A DeviceApi for checking results on a GPU as the software device does: every range that the arena hands out starts as
// NaN, and the bytes behind it must be untouched at its end.
//
// Waits at the end of each range. Thread contract: one thread.
#pragma once

#include "tools/gpu_check/forwarding_api.h"

namespace rushes::gpu_check {

class CheckedApi final : public ForwardingApi {
 public:
  explicit CheckedApi(cuda::DeviceApi& behind);
  ~CheckedApi() override;

  std::int64_t damaged() const { return damaged_; }  // ranges that something was written behind

  std::size_t red_zone_bytes() const override { return kZone; }
  int begin_range(void* start, std::size_t bytes, cuda::Stream stream) override;
  int end_range(void* start, std::size_t bytes, cuda::Stream stream) override;
  int begin_capture(cuda::Stream /*stream*/) override {
    return cuda::kInCapture;
  }  // nothing may wait in a capture

 private:
  static constexpr std::size_t kZone = 256;
  void* pinned_ = nullptr;  // kZone bytes
  std::int64_t damaged_ = 0;
};

}  // namespace rushes::gpu_check
