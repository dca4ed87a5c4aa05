#include "kernels/cuda/recording.h"

#include "kernels/check.h"

namespace rushes::kernels::cuda {

CudaRecording::CudaRecording(std::shared_ptr<CudaDevice> device)
    : device_(std::move(device)), hold_(device_->arena()) {}

// A graph that still runs is not destroyed.
CudaRecording::~CudaRecording() {
  try {
    const auto entered = device_->enter();
    if (!graphs_.empty()) device_->synchronize();
    forget();
  } catch (const std::exception&) {  // a device that is gone has no graphs
  }
}

void CudaRecording::forget() noexcept {
  for (const GraphRun graph : graphs_) (void)device_->api().graph_run_destroy(graph);
  graphs_.clear();
}

bool CudaRecording::run(const PassParts& parts, const std::function<bool()>& go_on) {
  require(
      parts_ == 0 || parts_ == parts.size(), "run_pass",
      "a pass of " + std::to_string(parts.size()) + " parts, the one before had " + std::to_string(parts_));
  parts_ = parts.size();
  if (state_ == State::kRecorded) return replay(go_on);
  if (state_ == State::kWarm) try {
      return record(parts, go_on);
    } catch (const std::exception&) {  // a device that is gone says so again below
      forget();
      state_ = State::kPlain;
    }
  if (!run_plain(parts, go_on)) return false;
  if (state_ == State::kNew) state_ = State::kWarm;
  return true;
}

bool CudaRecording::run_plain(const PassParts& parts, const std::function<bool()>& go_on) {
  for (const auto& part : parts) {
    if (go_on && !go_on()) return false;
    const auto entered = device_->enter();
    const Arena::Hold::Use use(hold_);
    part();
  }
  return true;
}

bool CudaRecording::record(const PassParts& parts, const std::function<bool()>& go_on) {
  for (const auto& part : parts) {
    if (go_on && !go_on()) {
      forget();
      return false;
    }
    const auto entered = device_->enter();
    graphs_.push_back(capture(part));
    check(device_->api(), device_->api().graph_launch(graphs_.back(), device_->stream()), "cudaGraphLaunch");
  }
  state_ = State::kRecorded;
  return true;
}

bool CudaRecording::replay(const std::function<bool()>& go_on) {
  for (const GraphRun graph : graphs_) {
    if (go_on && !go_on()) return false;
    const auto entered = device_->enter();
    check(device_->api(), device_->api().graph_launch(graph, device_->stream()), "cudaGraphLaunch");
  }
  return true;
}

GraphRun CudaRecording::capture(const std::function<void()>& part) {
  DeviceApi& api = device_->api();
  Graph graph = nullptr;
  check(api, api.begin_capture(device_->stream()), "cudaStreamBeginCapture");
  try {
    const Arena::Hold::Use use(hold_);
    part();
  } catch (...) {
    (void)api.end_capture(device_->stream(), &graph);
    if (graph) (void)api.graph_destroy(graph);
    throw;
  }
  check(api, api.end_capture(device_->stream(), &graph), "cudaStreamEndCapture");
  GraphRun run = nullptr;
  const int error = api.graph_instantiate(&run, graph);
  (void)api.graph_destroy(graph);
  check(api, error, "cudaGraphInstantiate");
  return run;
}

}  // namespace rushes::kernels::cuda
