// The GPUs of a worker's slots: which slot has which, whether another worker has it, and how each one is.
//
// The agent never computes on them: it asks NVML, which needs no context on a device; the engine child of a slot sees
// its own device alone (CUDA_VISIBLE_DEVICES). A driver that hangs holds up the thread that asks it, not the agent.
//
// Thread contract: open() and the destructor on one thread; latest() on any.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "config/result.h"
#include "kernels/cuda/nvml_api.h"
#include "storage/records/words.h"

namespace rushes::worker {

// The devices of `slots` slots, as CUDA_VISIBLE_DEVICES names them: the first of the value that this process has
// ("2,3", "GPU-5f0...", "MIG-..."), without one "0", "1", ... Error: kExhausted, the value names fewer.
Result<std::vector<std::string>> visible_devices(std::size_t slots, const char* variable);

class Gpus {
 public:
  // Claims every device on this host: a second worker with one of them is refused. `nvml` null: devices are claimed by
  // the words of `visible`, and nothing is known of them but `why`. Error: kConflict.
  static Result<std::unique_ptr<Gpus>> open(const kernels::cuda::NvmlApi* nvml, std::string why,
                                            std::vector<std::string> visible);
  ~Gpus();
  Gpus(const Gpus&) = delete;
  Gpus& operator=(const Gpus&) = delete;

  const std::vector<std::string>& visible() const { return visible_; }
  std::vector<DeviceState> latest() const;  // one a device, at most kAskEvery old while the driver answers

 private:
  Gpus(const kernels::cuda::NvmlApi* nvml, std::string why, std::vector<std::string> visible);
  Status claim(const std::string& device);
  DeviceState ask(const std::string& device) const;
  void* find(const std::string& device, int& status) const;
  void watch();

  const kernels::cuda::NvmlApi* nvml_;
  std::string why_;  // why nothing is known of the devices
  std::vector<std::string> visible_;
  std::vector<int> claims_;  // sockets
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  std::vector<DeviceState> latest_;
  std::thread thread_;
};

}  // namespace rushes::worker
