#include "kernels/cuda/convolutions.h"

#include <algorithm>
#include <utility>

#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/workspace.h"

namespace rushes::kernels::cuda {

namespace {

constexpr std::int64_t kAlignment = 16;
constexpr std::int64_t kMostProposals = 16;
constexpr std::int64_t kIdX = 'x', kIdW = 'w', kIdY = 'y';

const DnnApi& library(DeviceApi& api) {
  std::string why;
  const DnnApi* dnn = api.dnn(&why);
  if (!dnn) throw DeviceFault(kInvalidValue, "cuda: " + why);
  return *dnn;
}

}  // namespace

// One descriptor of cuDNN's; destroyed with this object. Attributes throw DeviceFault where `must` is set.
class Convolutions::Descriptor {
 public:
  Descriptor(const Convolutions& owner, int type) : owner_(&owner) {
    owner.check(owner.api_.descriptor_create(type, &handle_), "cudnnBackendCreateDescriptor");
  }
  ~Descriptor() {
    if (handle_) (void)owner_->api_.descriptor_destroy(handle_);
  }
  Descriptor(Descriptor&& other) noexcept
      : owner_(other.owner_), handle_(std::exchange(other.handle_, nullptr)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(owner_, other.owner_);
    std::swap(handle_, other.handle_);
    return *this;
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  template <typename T>
  Descriptor& set(int name, int type, std::int64_t count, const T* values) {
    owner_->check(owner_->api_.descriptor_set(handle_, name, type, count, values),
                  "cudnnBackendSetAttribute");
    return *this;
  }
  template <typename T>
  Descriptor& set(int name, int type, T value) {
    return set(name, type, 1, &value);
  }
  Descriptor& set(int name, const Descriptor& other) {
    return set(name, dnn::kTypeDescriptor, 1, &other.handle_);
  }
  template <typename T, std::size_t kCount>
  Descriptor& set(int name, const std::array<T, kCount>& values) {
    return set(name, dnn::kTypeInt64, static_cast<std::int64_t>(kCount), values.data());
  }
  bool try_finalize() { return owner_->api_.descriptor_finalize(handle_) == kSuccess; }
  Descriptor& finalize() {
    owner_->check(owner_->api_.descriptor_finalize(handle_), "cudnnBackendFinalize");
    return *this;
  }
  // How many of `wanted` there are.
  template <typename T>
  std::int64_t get(int name, int type, std::int64_t wanted, T* values) const {
    std::int64_t count = 0;
    owner_->check(owner_->api_.descriptor_get(handle_, name, type, wanted, &count, values),
                  "cudnnBackendGetAttribute");
    return std::min(count, wanted);
  }
  void* handle() const { return handle_; }

 private:
  const Convolutions* owner_;
  void* handle_ = nullptr;
};

struct Convolutions::Plan {
  ~Plan() {
    while (!made.empty()) made.pop_back();  // users before what they use
  }
  std::vector<Descriptor>
      made;  // the plan last, what it was made from before it: nothing says who may go first
  std::int64_t workspace_bytes = 0;
  Word out = kWordF32;
};

Convolutions::Convolutions(CudaDevice& device) : device_(device), api_(library(device.api())) {
  check(api_.create(&handle_), "cudnnCreate");
  if (const int status = api_.set_stream(handle_, device_.stream())) {
    (void)api_.destroy(handle_);
    check(status, "cudnnSetStream");
  }
}

Convolutions::~Convolutions() {
  plans_.clear();
  (void)api_.destroy(handle_);
}

std::string Convolutions::version() const {
  const std::size_t version = api_.version();
  return "cuDNN " + std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
         std::to_string(version % 100);
}

void Convolutions::check(int status, const char* call) const {
  if (status == kSuccess) return;
  throw DeviceFault(
      status, "cuda: " + std::string(call) + " of " + version() + " answered " + api_.error_text(status) +
                  " (" + std::to_string(status) +
                  "): the device's state may be lost: end this process and start it again; if it comes "
                  "back, report it with this line");
}

// `size` is {1, channels, time, height, width} (for weights {cout, cin, ...}), channels innermost in memory.
Convolutions::Descriptor Convolutions::tensor(std::int64_t id, Word word,
                                              const std::array<std::int64_t, 5>& size) const {
  const std::int64_t row = size[4] * size[1], frame = size[3] * row;
  const std::array<std::int64_t, 5> strides = {size[2] * frame, 1, frame, row, size[1]};
  Descriptor made(*this, dnn::kTensor);
  made.set(dnn::kDataType, dnn::kTypeDataType, word == kWordF32 ? dnn::kFloat32 : dnn::kBfloat16)
      .set(dnn::kDimensions, size)
      .set(dnn::kTensorStrides, strides)
      .set(dnn::kUniqueId, dnn::kTypeInt64, id)
      .set(dnn::kAlignment, dnn::kTypeInt64, kAlignment)
      .finalize();
  return made;
}

std::vector<Convolutions::Descriptor> Convolutions::graph(const Convolution& c, Word out) const {
  Descriptor x = tensor(kIdX, c.word, {1, c.cin, c.size[0], c.size[1], c.size[2]});
  Descriptor w = tensor(kIdW, c.word, {c.cout, c.cin, c.kernel[0], c.kernel[1], c.kernel[2]});
  Descriptor y = tensor(kIdY, out, {1, c.cout, c.out[0], c.out[1], c.out[2]});
  Descriptor convolution(*this, dnn::kConvolution);
  convolution.set(dnn::kSpatialDims, dnn::kTypeInt64, std::int64_t{3})
      .set(dnn::kComputeType, dnn::kTypeDataType, dnn::kFloat32)
      .set(dnn::kConvolutionMode, dnn::kTypeConvolutionMode, dnn::kCrossCorrelation)
      .set(dnn::kPaddingBefore, c.padding)
      .set(dnn::kPaddingBehind, c.padding)
      .set(dnn::kStrides, c.stride)
      .set(dnn::kDilations, std::array<std::int64_t, 3>{1, 1, 1})
      .finalize();
  Descriptor forward(*this, dnn::kConvolutionForward);
  forward.set(dnn::kForwardX, x)
      .set(dnn::kForwardW, w)
      .set(dnn::kForwardY, y)
      .set(dnn::kForwardConvolution, convolution)
      .set(dnn::kForwardAlpha, dnn::kTypeFloat, 1.0f)
      .set(dnn::kForwardBeta, dnn::kTypeFloat, 0.0f);
  if (!forward.try_finalize()) return {};
  Descriptor made(*this, dnn::kOperationGraph);
  made.set(dnn::kGraphHandle, dnn::kTypeHandle, handle_).set(dnn::kGraphOperations, forward);
  if (!made.try_finalize()) return {};
  std::vector<Descriptor> all;
  for (Descriptor* one : {&x, &w, &y, &convolution, &forward, &made}) all.push_back(std::move(*one));
  return all;
}

// Configurations that the library proposes, best first; none where it knows none.
std::vector<Convolutions::Descriptor> Convolutions::proposals(const Descriptor& graph, int mode) const {
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
bool Convolutions::keeps_numbers(const Descriptor& config, Word word) const {
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

bool Convolutions::try_plan(Plan& plan, const Convolution& shape, Word out) const {
  plan.made = graph(shape, out);
  if (plan.made.empty()) return false;
  for (const int mode : {dnn::kModeA, dnn::kModeFallback})
    for (Descriptor& config : proposals(plan.made.back(), mode)) {
      if (!keeps_numbers(config, shape.word)) continue;
      Descriptor made(*this, dnn::kExecutionPlan);
      made.set(dnn::kPlanHandle, dnn::kTypeHandle, handle_).set(dnn::kPlanConfig, config);
      if (!made.try_finalize()) continue;  // a proposal is not a promise
      std::int64_t workspace = 0;
      (void)made.get(dnn::kPlanWorkspace, dnn::kTypeInt64, 1, &workspace);
      if (workspace > static_cast<std::int64_t>(kMostDnnWorkspace)) continue;
      plan.workspace_bytes = workspace;
      plan.out = out;
      plan.made.push_back(std::move(config));
      plan.made.push_back(std::move(made));
      return true;
    }
  while (!plan.made.empty()) plan.made.pop_back();
  return false;
}

const Convolutions::Plan* Convolutions::plan(const Convolution& c) {
  Key key = {c.word, c.cin, c.cout};
  auto at = key.begin() + 3;
  for (const auto* part : {&c.size, &c.kernel, &c.stride, &c.padding, &c.out})
    at = std::copy(part->begin(), part->end(), at);
  std::unique_ptr<Plan>& known = plans_[key];
  if (known) return known->made.empty() ? nullptr : known.get();
  auto plan = std::make_unique<Plan>();
  if (!try_plan(*plan, c, kWordF32) && c.word != kWordF32) (void)try_plan(*plan, c, c.word);
  known = std::move(plan);
  return known->made.empty() ? nullptr : known.get();
}

std::optional<Word> Convolutions::word_of_y(const Convolution& shape) {
  const Plan* known = plan(shape);
  return known ? std::optional(known->out) : std::nullopt;
}

void Convolutions::run(const Convolution& shape, const void* x, const void* w, void* y) {
  const Plan& plan = *this->plan(shape);
  const Scratch workspace(device_, static_cast<std::size_t>(plan.workspace_bytes));
  const std::array<std::int64_t, 3> ids = {kIdX, kIdW, kIdY};
  const std::array<void*, 3> pointers = {const_cast<void*>(x), const_cast<void*>(w), y};
  Descriptor pack(*this, dnn::kVariantPack);
  pack.set(dnn::kPackIds, ids)
      .set(dnn::kPackPointers, dnn::kTypePointer, 3, pointers.data())
      .set(dnn::kPackWorkspace, dnn::kTypePointer, static_cast<void*>(workspace.data()))
      .finalize();
  check(api_.execute(handle_, plan.made.back().handle(), pack.handle()), "cudnnBackendExecute");
}

}  // namespace rushes::kernels::cuda
