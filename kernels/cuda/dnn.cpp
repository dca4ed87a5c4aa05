#include "kernels/cuda/dnn.h"

#include <algorithm>

#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/workspace.h"

namespace rushes::kernels::cuda {

namespace {

constexpr std::int64_t kMostProposals = 16;

const DnnApi& library(DeviceApi& api) {
  std::string why;
  const DnnApi* dnn = api.dnn(&why);
  if (!dnn) throw DeviceFault(kInvalidValue, "cuda: " + why);
  return *dnn;
}

}  // namespace

Dnn::Descriptor::Descriptor(const Dnn& owner, int type) : owner_(&owner) {
  owner.check(owner.api_.descriptor_create(type, &handle_), "cudnnBackendCreateDescriptor");
}

Dnn::Descriptor::~Descriptor() {
  if (handle_) (void)owner_->api_.descriptor_destroy(handle_);
}

Dnn::Descriptor& Dnn::Descriptor::set_bytes(int name, int type, std::int64_t count, const void* values) {
  owner_->check(owner_->api_.descriptor_set(handle_, name, type, count, values), "cudnnBackendSetAttribute");
  return *this;
}

std::int64_t Dnn::Descriptor::get_bytes(int name, int type, std::int64_t wanted, void* values) const {
  std::int64_t count = 0;
  owner_->check(owner_->api_.descriptor_get(handle_, name, type, wanted, &count, values),
                "cudnnBackendGetAttribute");
  return std::min(count, wanted);
}

bool Dnn::Descriptor::try_finalize() { return owner_->api_.descriptor_finalize(handle_) == kSuccess; }

Dnn::Descriptor& Dnn::Descriptor::finalize() {
  owner_->check(owner_->api_.descriptor_finalize(handle_), "cudnnBackendFinalize");
  return *this;
}

Dnn::Dnn(CudaDevice& device) : device_(device), api_(library(device.api())) {
  check(api_.create(&handle_), "cudnnCreate");
  if (const int status = api_.set_stream(handle_, device_.stream())) {
    (void)api_.destroy(handle_);
    check(status, "cudnnSetStream");
  }
}

Dnn::~Dnn() { (void)api_.destroy(handle_); }

std::string Dnn::version() const {
  const std::size_t version = api_.version();
  return "cuDNN " + std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
         std::to_string(version % 100);
}

void Dnn::check(int status, const char* call) const {
  if (status == kSuccess) return;
  throw DeviceFault(
      status, "cuda: " + std::string(call) + " of " + version() + " answered " + api_.error_text(status) +
                  " (" + std::to_string(status) +
                  "): the device's state may be lost: end this process and start it again; if it comes "
                  "back, report it with this line");
}

Dnn::Descriptor Dnn::scalar(std::int64_t id) const {
  constexpr std::array<std::int64_t, 4> kOne = {1, 1, 1, 1};
  Descriptor made(*this, dnn::kTensor);
  made.set(dnn::kDataType, dnn::kTypeDataType, dnn::kFloat32)
      .set(dnn::kDimensions, kOne)
      .set(dnn::kTensorStrides, kOne)
      .set(dnn::kUniqueId, dnn::kTypeInt64, id)
      .set(dnn::kAlignment, dnn::kTypeInt64, kAlignment)
      .set(dnn::kIsByValue, dnn::kTypeBoolean, true)
      .finalize();
  return made;
}

// Configurations that the library proposes, best first; none where it knows none.
std::vector<Dnn::Descriptor> Dnn::proposals(const Descriptor& graph, int mode) const {
  Descriptor heuristic(*this, dnn::kEngineHeuristic);
  heuristic.set(dnn::kHeuristicGraph, graph).set(dnn::kHeuristicMode, dnn::kTypeHeuristicMode, mode);
  if (!heuristic.try_finalize()) return {};
  std::vector<Descriptor> configs;
  std::vector<void*> handles;
  for (std::int64_t i = 0; i < kMostProposals; ++i) {
    configs.emplace_back(*this, dnn::kEngineConfig);
    handles.push_back(configs.back().handle());
  }
  const std::int64_t count =
      heuristic.get(dnn::kHeuristicResults, dnn::kTypeDescriptor, kMostProposals, handles.data());
  configs.erase(configs.begin() + count, configs.end());
  return configs;
}

// Sums in an order that changes from run to run, and fp32 operands that are rounded, are refused.
bool Dnn::keeps_numbers(const Descriptor& config, Word word) const {
  Descriptor engine(*this, dnn::kEngine);
  void* handle = engine.handle();
  if (config.get(dnn::kConfigEngine, dnn::kTypeDescriptor, 1, &handle) != 1) return false;
  std::array<int, dnn::kNotes> notes{};
  const std::int64_t count =
      engine.get(dnn::kEngineNumericalNote, dnn::kTypeNumericalNote, dnn::kNotes, notes.data());
  return std::none_of(notes.begin(), notes.begin() + count, [&](int note) {
    return note == dnn::kNoteNondeterministic || note == dnn::kNoteReducedPrecision ||
           (word == kWordF32 && (note == dnn::kNoteTensorCore || note == dnn::kNoteDownConvertInputs));
  });
}

std::unique_ptr<Dnn::Plan> Dnn::plan(std::vector<Descriptor> parts, Word word) const {
  auto plan = std::make_unique<Plan>();
  plan->made = std::move(parts);
  if (!plan->made.back().try_finalize()) return nullptr;
  Descriptor graph(*this, dnn::kOperationGraph);
  graph.set(dnn::kGraphHandle, dnn::kTypeHandle, handle_).set(dnn::kGraphOperations, plan->made.back());
  if (!graph.try_finalize()) return nullptr;
  plan->made.push_back(std::move(graph));
  for (const int mode : {dnn::kModeA, dnn::kModeFallback})
    for (Descriptor& config : proposals(plan->made.back(), mode)) {
      if (!keeps_numbers(config, word)) continue;
      Descriptor made(*this, dnn::kExecutionPlan);
      made.set(dnn::kPlanHandle, dnn::kTypeHandle, handle_).set(dnn::kPlanConfig, config);
      if (!made.try_finalize()) continue;  // a proposal is not a promise
      std::int64_t workspace = 0;
      (void)made.get(dnn::kPlanWorkspace, dnn::kTypeInt64, 1, &workspace);
      if (workspace > static_cast<std::int64_t>(kMostDnnWorkspace)) continue;
      plan->workspace_bytes = workspace;
      plan->made.push_back(std::move(config));
      plan->made.push_back(std::move(made));
      return plan;
    }
  return nullptr;
}

void Dnn::run(const Plan& plan, std::span<const std::int64_t> ids, std::span<void* const> pointers) {
  const Scratch workspace(device_, static_cast<std::size_t>(plan.workspace_bytes));
  const auto count = static_cast<std::int64_t>(ids.size());
  Descriptor pack(*this, dnn::kVariantPack);
  pack.set(dnn::kPackIds, dnn::kTypeInt64, count, ids.data())
      .set(dnn::kPackPointers, dnn::kTypePointer, count, pointers.data())
      .set(dnn::kPackWorkspace, dnn::kTypePointer, static_cast<void*>(workspace.data()))
      .finalize();
  check(api_.execute(handle_, plan.made.back().handle(), pack.handle()), "cudnnBackendExecute");
}

}  // namespace rushes::kernels::cuda
