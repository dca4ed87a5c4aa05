// A pass as CUDA graphs, one for each of its parts.
//
// The first pass warms up: libraries choose their engines, kernels are loaded, and a Hold of the arena learns what memory
// the parts take. The second one is captured part by part, with that memory, and each graph is launched at once. Later
// passes are launches alone. A pass that cannot be captured goes on as it is.
//
// Thread contract: as Backend.
#pragma once

#include <vector>

#include "kernels/backend.h"
#include "kernels/cuda/cuda_device.h"

namespace rushes::kernels::cuda {

class CudaRecording final : public Recording {
 public:
  explicit CudaRecording(std::shared_ptr<CudaDevice> device);
  ~CudaRecording() override;

  // Backend::run_pass. Throws std::invalid_argument where the pass has another number of parts than the one before.
  bool run(const PassParts& parts, const std::function<bool()>& go_on);
  bool recorded() const { return state_ == State::kRecorded; }
  const CudaDevice& device() const { return *device_; }

 private:
  enum class State { kNew, kWarm, kRecorded, kPlain };
  bool run_plain(const PassParts& parts, const std::function<bool()>& go_on);
  bool record(const PassParts& parts, const std::function<bool()>& go_on);
  bool replay(const std::function<bool()>& go_on);
  GraphRun capture(const std::function<void()>& part);
  void forget() noexcept;  // what was captured

  std::shared_ptr<CudaDevice> device_;
  Arena::Hold hold_;
  State state_ = State::kNew;
  std::size_t parts_ = 0;  // of every pass; 0: none ran yet
  std::vector<GraphRun> graphs_;
};

}  // namespace rushes::kernels::cuda
