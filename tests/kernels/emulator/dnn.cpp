#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <set>

#include "tests/kernels/emulator/libraries.h"
#include "tests/kernels/emulator/software_device.h"

namespace rushes::emulator {

namespace {

using namespace kernels::cuda;  // NOLINT(google-build-using-namespace): the names of the table

constexpr int kBadParameter = 2000, kNotFinalized = 2004, kUnsupported = 3000,
              kFailed = 5000;  // cudnnStatus_t

using Four = std::array<std::int64_t, 4>;
using Five = std::array<std::int64_t, 5>;
using Three = std::array<std::int64_t, 3>;

struct Attribute {
  int type = 0;
  std::int64_t count = 0;
  std::vector<std::byte> bytes;
};
// A tensor that a plan reads or writes.
struct Argument {
  std::int64_t id = 0;
  std::size_t bytes = 0;
  bool by_value = false;  // in host memory, read when the plan is executed
};
// What a plan runs: a convolution, or attention.
struct Work {
  Five x{}, w{}, y{};  // {n, c, t, h, w}
  Three padding{}, stride{};
  Four q{}, k{};  // {b, heads, length, width}; of attention
  bool bf16 = false, bf16_out = false;
  std::vector<Argument> arguments;  // x, w, y; or q, k, v, o, scale
  int engine = 0;                   // see below
  bool is_attention() const { return q[0] > 0; }
};
struct Descriptor {
  int type = 0;
  bool finished = false;
  std::map<int, Attribute> attributes;
  Work work;       // of what follows a graph
  int engine = 0;  // of a configuration, an engine and a plan
  int users = 0;   // descriptors that refer to it
  std::vector<void*> used;
};
struct Handle {
  void* stream = nullptr;
};

// The engines: kNondeterministic and kTensorFloat must not be chosen (they give NaN), kBroken has no plan.
enum Engine { kNondeterministic, kBroken, kTensor, kTensorFloat, kPlain };

std::mutex mutex;
std::map<void*, std::unique_ptr<Descriptor>> descriptors;
std::map<void*, std::unique_ptr<Handle>> handles;

int refuse(int status, const std::string& why) {
  return SoftwareDevice::current()->refuse(status, "cuDNN: " + why);
}

Descriptor* find(void* handle, int type) {
  const auto found = descriptors.find(handle);
  return found == descriptors.end() || found->second->type != type ? nullptr : found->second.get();
}

// ---- attributes

struct Rule {
  int owner, name, type;
  std::int64_t count;
  int refers = 0;          // to descriptors of this type; -1: to an operation
  std::int64_t other = 0;  // count that is known too
  bool optional = false;
};
constexpr int kAnOperation = -1;
bool is_operation(int type) { return type == dnn::kConvolutionForward || type == dnn::kSdpa; }
constexpr Rule kRules[] = {
    {dnn::kTensor, dnn::kDataType, dnn::kTypeDataType, 1},
    {dnn::kTensor, dnn::kDimensions, dnn::kTypeInt64, 5, 0, 4},
    {dnn::kTensor, dnn::kTensorStrides, dnn::kTypeInt64, 5, 0, 4},
    {dnn::kTensor, dnn::kUniqueId, dnn::kTypeInt64, 1},
    {dnn::kTensor, dnn::kAlignment, dnn::kTypeInt64, 1},
    {dnn::kTensor, dnn::kIsByValue, dnn::kTypeBoolean, 1, 0, 0, true},
    {dnn::kConvolution, dnn::kSpatialDims, dnn::kTypeInt64, 1},
    {dnn::kConvolution, dnn::kComputeType, dnn::kTypeDataType, 1},
    {dnn::kConvolution, dnn::kConvolutionMode, dnn::kTypeConvolutionMode, 1},
    {dnn::kConvolution, dnn::kPaddingBefore, dnn::kTypeInt64, 3},
    {dnn::kConvolution, dnn::kPaddingBehind, dnn::kTypeInt64, 3},
    {dnn::kConvolution, dnn::kStrides, dnn::kTypeInt64, 3},
    {dnn::kConvolution, dnn::kDilations, dnn::kTypeInt64, 3},
    {dnn::kConvolutionForward, dnn::kForwardX, dnn::kTypeDescriptor, 1, dnn::kTensor},
    {dnn::kConvolutionForward, dnn::kForwardW, dnn::kTypeDescriptor, 1, dnn::kTensor},
    {dnn::kConvolutionForward, dnn::kForwardY, dnn::kTypeDescriptor, 1, dnn::kTensor},
    {dnn::kConvolutionForward, dnn::kForwardConvolution, dnn::kTypeDescriptor, 1, dnn::kConvolution},
    {dnn::kConvolutionForward, dnn::kForwardAlpha, dnn::kTypeFloat, 1},
    {dnn::kConvolutionForward, dnn::kForwardBeta, dnn::kTypeFloat, 1},
    {dnn::kOperationGraph, dnn::kGraphHandle, dnn::kTypeHandle, 1},
    {dnn::kSdpa, dnn::kSdpaQ, dnn::kTypeDescriptor, 1, dnn::kTensor},
    {dnn::kSdpa, dnn::kSdpaK, dnn::kTypeDescriptor, 1, dnn::kTensor},
    {dnn::kSdpa, dnn::kSdpaV, dnn::kTypeDescriptor, 1, dnn::kTensor},
    {dnn::kSdpa, dnn::kSdpaO, dnn::kTypeDescriptor, 1, dnn::kTensor},
    {dnn::kSdpa, dnn::kSdpaScale, dnn::kTypeDescriptor, 1, dnn::kTensor},
    {dnn::kOperationGraph, dnn::kGraphOperations, dnn::kTypeDescriptor, 1, kAnOperation},
    {dnn::kEngineHeuristic, dnn::kHeuristicGraph, dnn::kTypeDescriptor, 1, dnn::kOperationGraph},
    {dnn::kEngineHeuristic, dnn::kHeuristicMode, dnn::kTypeHeuristicMode, 1},
    {dnn::kExecutionPlan, dnn::kPlanHandle, dnn::kTypeHandle, 1},
    {dnn::kExecutionPlan, dnn::kPlanConfig, dnn::kTypeDescriptor, 1, dnn::kEngineConfig},
    {dnn::kVariantPack, dnn::kPackIds, dnn::kTypeInt64, 3, 0, 5},
    {dnn::kVariantPack, dnn::kPackPointers, dnn::kTypePointer, 3, 0, 5},
    {dnn::kVariantPack, dnn::kPackWorkspace, dnn::kTypePointer, 1},
};

std::size_t size_of(int type) {
  switch (type) {
    case dnn::kTypeHandle:
    case dnn::kTypeInt64:
    case dnn::kTypePointer:
    case dnn::kTypeDescriptor:
      return 8;
    case dnn::kTypeBoolean:
      return sizeof(bool);
    default:
      return 4;
  }
}

template <typename T>
T value(const Descriptor& d, int name, std::size_t at = 0) {
  T out;
  std::memcpy(&out, d.attributes.at(name).bytes.data() + at * sizeof(T), sizeof(T));
  return out;
}
template <std::size_t kCount>
std::array<std::int64_t, kCount> values(const Descriptor& d, int name) {
  std::array<std::int64_t, kCount> out;
  for (std::size_t i = 0; i < kCount; ++i) out[i] = value<std::int64_t>(d, name, i);
  return out;
}
const Descriptor& referred(const Descriptor& d, int name) { return *descriptors.at(value<void*>(d, name)); }

int set(void* handle, int name, int type, std::int64_t count, const void* from) {
  const std::lock_guard lock(mutex);
  const auto found = descriptors.find(handle);
  if (found == descriptors.end()) return refuse(kBadParameter, "no such descriptor");
  Descriptor& d = *found->second;
  if (d.finished) return refuse(kBadParameter, "a finalized descriptor is changed");
  const auto* rule = std::find_if(std::begin(kRules), std::end(kRules),
                                  [&](const Rule& r) { return r.owner == d.type && r.name == name; });
  const std::string what =
      "attribute " + std::to_string(name) + " of descriptor type " + std::to_string(d.type);
  if (rule == std::end(kRules)) return refuse(kUnsupported, what + " is not known");
  if (rule->type != type || (rule->count != count && rule->other != count))
    return refuse(kBadParameter, what + " has another type or count");
  if (rule->refers) {
    void* other = nullptr;
    std::memcpy(&other, from, sizeof other);
    const auto known = descriptors.find(other);
    Descriptor* target = known == descriptors.end() ? nullptr : known->second.get();
    const bool fits =
        target && (rule->refers == kAnOperation ? is_operation(target->type) : target->type == rule->refers);
    if (!fits || !target->finished) return refuse(kNotFinalized, what + " refers to no finalized descriptor");
    ++target->users;
    d.used.push_back(other);
  }
  if (type == dnn::kTypeHandle) {
    void* library = nullptr;
    std::memcpy(&library, from, sizeof library);
    if (!handles.contains(library)) return refuse(kBadParameter, what + " is no handle");
  }
  const auto* bytes = static_cast<const std::byte*>(from);
  d.attributes[name] = {type, count, {bytes, bytes + static_cast<std::size_t>(count) * size_of(type)}};
  return kSuccess;
}

// ---- finalize

std::size_t rank(const Descriptor& tensor) {
  return static_cast<std::size_t>(tensor.attributes.at(dnn::kDimensions).count);
}
bool is_scalar(const Descriptor& tensor) {
  return tensor.attributes.contains(dnn::kIsByValue) && value<bool>(tensor, dnn::kIsByValue);
}
Argument argument_of(const Descriptor& tensor) {
  std::size_t bytes = value<int>(tensor, dnn::kDataType) == dnn::kBfloat16 ? 2 : 4;
  for (std::size_t i = 0; i < rank(tensor); ++i)
    bytes *= static_cast<std::size_t>(value<std::int64_t>(tensor, dnn::kDimensions, i));
  return {value<std::int64_t>(tensor, dnn::kUniqueId), bytes, is_scalar(tensor)};
}

bool channels_last(const Descriptor& tensor) {
  const Five size = values<5>(tensor, dnn::kDimensions), step = values<5>(tensor, dnn::kTensorStrides);
  const std::int64_t row = size[4] * size[1], frame = size[3] * row;
  return step == Five{size[2] * frame, 1, frame, row, size[1]};
}

bool share_an_id(const std::vector<Argument>& arguments) {
  std::set<std::int64_t> ids;
  for (const Argument& argument : arguments) ids.insert(argument.id);
  return ids.size() < arguments.size();
}

// [b, length, heads, width] in memory.
bool is_sequence(const Descriptor& tensor) {
  if (rank(tensor) != 4 || is_scalar(tensor) || value<int>(tensor, dnn::kDataType) != dnn::kBfloat16)
    return false;
  const Four size = values<4>(tensor, dnn::kDimensions), step = values<4>(tensor, dnn::kTensorStrides);
  const std::int64_t row = size[1] * size[3];
  return step == Four{size[2] * row, size[3], row, 1};
}

std::string finish_attention(Descriptor& d) {
  const Descriptor &q = referred(d, dnn::kSdpaQ), &k = referred(d, dnn::kSdpaK),
                   &v = referred(d, dnn::kSdpaV), &o = referred(d, dnn::kSdpaO),
                   &scale = referred(d, dnn::kSdpaScale);
  for (const Descriptor* tensor : {&q, &k, &v, &o})
    if (!is_sequence(*tensor)) return "attention of a tensor that is no bf16 sequence";
  if (!is_scalar(scale) || value<int>(scale, dnn::kDataType) != dnn::kFloat32)
    return "a scale that is no fp32 value";
  Work& work = d.work;
  work.q = values<4>(q, dnn::kDimensions), work.k = values<4>(k, dnn::kDimensions);
  work.bf16 = work.bf16_out = true;
  work.arguments = {argument_of(q), argument_of(k), argument_of(v), argument_of(o), argument_of(scale)};
  if (share_an_id(work.arguments)) return "tensors of one id";
  if (values<4>(v, dnn::kDimensions) != work.k || values<4>(o, dnn::kDimensions) != work.q)
    return "sizes of k and v, or of q and o, differ";
  return work.q[0] != work.k[0] || work.q[1] != work.k[1] || work.q[3] != work.k[3] ? "q and k do not fit"
                                                                                    : "";
}

std::string finish_forward(Descriptor& d) {
  const Descriptor &x = referred(d, dnn::kForwardX), &w = referred(d, dnn::kForwardW),
                   &y = referred(d, dnn::kForwardY), &c = referred(d, dnn::kForwardConvolution);
  if (rank(x) != 5 || rank(w) != 5 || rank(y) != 5) return "a convolution of other than five dimensions";
  Work& work = d.work;
  work.x = values<5>(x, dnn::kDimensions), work.w = values<5>(w, dnn::kDimensions);
  work.y = values<5>(y, dnn::kDimensions);
  work.padding = values<3>(c, dnn::kPaddingBefore), work.stride = values<3>(c, dnn::kStrides);
  const int type = value<int>(x, dnn::kDataType), out = value<int>(y, dnn::kDataType);
  work.bf16 = type == dnn::kBfloat16, work.bf16_out = out == dnn::kBfloat16;
  work.arguments = {argument_of(x), argument_of(w), argument_of(y)};
  if (value<int>(w, dnn::kDataType) != type) return "x and w of different types";
  if (work.bf16_out && !work.bf16) return "fp32 into bf16";
  if (share_an_id(work.arguments)) return "tensors of one id";
  if (value<float>(d, dnn::kForwardAlpha) != 1.0f || value<float>(d, dnn::kForwardBeta) != 0.0f)
    return "alpha and beta are not known";
  if (values<3>(c, dnn::kPaddingBehind) != work.padding) return "zeros that differ before and behind";
  if (work.x[0] != 1 || work.y[0] != 1 || work.x[1] != work.w[1] || work.y[1] != work.w[0])
    return "channels differ";
  for (std::size_t i = 0; i < 3; ++i)
    if (work.y[2 + i] != (work.x[2 + i] + 2 * work.padding[i] - work.w[2 + i]) / work.stride[i] + 1)
      return "the size of y does not follow from x and w";
  return "";
}

std::string finish(Descriptor& d) {
  for (const Rule& rule : kRules)
    if (rule.owner == d.type && !rule.optional && !d.attributes.contains(rule.name))
      return "attribute " + std::to_string(rule.name) + " of descriptor type " + std::to_string(d.type) +
             " is missing";
  switch (d.type) {
    case dnn::kTensor: {
      const int type = value<int>(d, dnn::kDataType);
      if (type != dnn::kFloat32 && type != dnn::kBfloat16) return "a data type that is not known";
      if (value<std::int64_t>(d, dnn::kAlignment) != 16) return "an alignment that is not 16";
      if (d.attributes.at(dnn::kTensorStrides).count != d.attributes.at(dnn::kDimensions).count)
        return "strides of other dimensions";
      for (std::size_t i = 0; i < rank(d); ++i)
        if (value<std::int64_t>(d, dnn::kDimensions, i) < 1) return "an empty tensor";
      return rank(d) == 4 || channels_last(d) ? "" : "strides that are not channels last";
    }
    case dnn::kConvolution: {
      if (value<std::int64_t>(d, dnn::kSpatialDims) != 3) return "not three dimensions";
      if (value<int>(d, dnn::kComputeType) != dnn::kFloat32) return "sums that are not fp32";
      if (value<int>(d, dnn::kConvolutionMode) != dnn::kCrossCorrelation) return "a mode that is not known";
      if (values<3>(d, dnn::kDilations) != Three{1, 1, 1}) return "dilations that are not known";
      const Three stride = values<3>(d, dnn::kStrides);
      return std::any_of(stride.begin(), stride.end(), [](std::int64_t s) { return s < 1; })
                 ? "a stride below 1"
                 : "";
    }
    case dnn::kConvolutionForward:
      return finish_forward(d);
    case dnn::kSdpa:
      return finish_attention(d);
    case dnn::kOperationGraph:
      d.work = referred(d, dnn::kGraphOperations).work;
      return "";
    case dnn::kEngineHeuristic:
      d.work = referred(d, dnn::kHeuristicGraph).work;
      return "";
    case dnn::kExecutionPlan: {
      const Descriptor& config = referred(d, dnn::kPlanConfig);
      d.work = config.work;
      d.work.engine = config.engine;
      return "";
    }
    case dnn::kVariantPack:
      return "";
    default:
      return "a descriptor that is not finalized by the caller";
  }
}

int finalize(void* handle) {
  const std::lock_guard lock(mutex);
  const auto found = descriptors.find(handle);
  if (found == descriptors.end()) return refuse(kBadParameter, "no such descriptor");
  Descriptor& d = *found->second;
  if (const std::string why = finish(d); !why.empty()) return refuse(kBadParameter, why);
  const SoftwareOptions& options = SoftwareDevice::current()->options();
  if (d.type == dnn::kConvolutionForward && d.work.bf16 && !d.work.bf16_out && !options.dnn_widens)
    return kUnsupported;
  if (d.type == dnn::kEngineHeuristic && d.work.is_attention() && !options.dnn_has_attention)
    return kUnsupported;
  if (d.type == dnn::kEngineHeuristic && !d.work.bf16 && !options.dnn_has_f32) return kUnsupported;
  if (d.type == dnn::kExecutionPlan && d.work.engine == kBroken) return kUnsupported;
  d.finished = true;
  return kSuccess;
}

// ---- what the library answers

std::vector<int> proposals(const Descriptor& heuristic) {
  if (value<int>(heuristic, dnn::kHeuristicMode) == dnn::kModeFallback) return {kPlain};
  if (heuristic.work.bf16) return {kNondeterministic, kBroken, kTensor, kPlain};
  return {kTensorFloat, kNondeterministic, kBroken};
}
std::vector<int> notes(int engine) {
  switch (engine) {
    case kNondeterministic:
      return {dnn::kNoteNondeterministic};
    case kTensor:
      return {dnn::kNoteTensorCore};
    case kTensorFloat:
      return {dnn::kNoteTensorCore, dnn::kNoteDownConvertInputs};
    default:
      return {};
  }
}
std::int64_t workspace_of(const Work& work) {
  return 512 * (1 + (work.is_attention() ? work.k[2] : work.x[1] + work.y[1]) % 3);
}

int get(void* handle, int name, int type, std::int64_t wanted, std::int64_t* count, void* to) {
  const std::lock_guard lock(mutex);
  const auto found = descriptors.find(handle);
  if (found == descriptors.end() || !found->second->finished)
    return refuse(kNotFinalized, "reads a descriptor that is not finalized");
  const Descriptor& d = *found->second;
  if (d.type == dnn::kEngineHeuristic && name == dnn::kHeuristicResults && type == dnn::kTypeDescriptor) {
    const std::vector<int> engines = proposals(d);
    *count = static_cast<std::int64_t>(engines.size());
    for (std::size_t i = 0; i < engines.size() && static_cast<std::int64_t>(i) < wanted; ++i) {
      Descriptor* config = find(static_cast<void**>(to)[i], dnn::kEngineConfig);
      if (!config) return refuse(kBadParameter, "results need configurations to be put into");
      config->engine = engines[i], config->work = d.work, config->finished = true;
    }
    return kSuccess;
  }
  if (d.type == dnn::kEngineConfig && name == dnn::kConfigEngine && type == dnn::kTypeDescriptor &&
      wanted == 1) {
    Descriptor* engine = find(*static_cast<void**>(to), dnn::kEngine);
    if (!engine) return refuse(kBadParameter, "an engine needs a descriptor to be put into");
    engine->engine = d.engine, engine->finished = true;
    *count = 1;
    return kSuccess;
  }
  if (d.type == dnn::kEngine && name == dnn::kEngineNumericalNote && type == dnn::kTypeNumericalNote) {
    const std::vector<int> all = notes(d.engine);
    *count = static_cast<std::int64_t>(all.size());
    std::copy_n(all.begin(), std::min(*count, wanted), static_cast<int*>(to));
    return kSuccess;
  }
  if (d.type == dnn::kExecutionPlan && name == dnn::kPlanWorkspace && type == dnn::kTypeInt64 &&
      wanted == 1) {
    *static_cast<std::int64_t*>(to) = workspace_of(d.work);
    *count = 1;
    return kSuccess;
  }
  return refuse(kUnsupported, "attribute " + std::to_string(name) + " cannot be read");
}

std::size_t elements(const Five& size) {
  std::size_t count = 1;
  for (const std::int64_t s : size) count *= static_cast<std::size_t>(s);
  return count;
}

void compute(const Work& c, const void* from, const void* weights, void* to, std::int64_t channels) {
  const std::vector<float> x = widened(from, c.bf16, elements(c.x)),
                           w = widened(weights, c.bf16, elements(c.w));
  const std::int64_t cin = c.x[1], taps = c.w[2] * c.w[3] * c.w[4];
  std::size_t at = 0;
  for (std::int64_t t = 0; t < c.y[2]; ++t)
    for (std::int64_t h = 0; h < c.y[3]; ++h)
      for (std::int64_t v = 0; v < c.y[4]; ++v)
        for (std::int64_t o = 0; o < c.y[1]; ++o, ++at) {
          double sum = 0;
          for (std::int64_t tap = 0; tap < taps; ++tap) {
            const std::int64_t in_t = t * c.stride[0] - c.padding[0] + tap / (c.w[3] * c.w[4]),
                               in_h = h * c.stride[1] - c.padding[1] + tap / c.w[4] % c.w[3],
                               in_w = v * c.stride[2] - c.padding[2] + tap % c.w[4];
            if (in_t < 0 || in_t >= c.x[2] || in_h < 0 || in_h >= c.x[3] || in_w < 0 || in_w >= c.x[4])
              continue;
            const float* a = x.data() + ((in_t * c.x[3] + in_h) * c.x[4] + in_w) * cin;
            const float* b = w.data() + (o * taps + tap) * cin;
            for (std::int64_t i = 0; i < channels; ++i)
              sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
          }
          if (c.engine == kNondeterministic || c.engine == kTensorFloat) sum = NAN;
          put_rounded(to, c.bf16_out, at, sum);
        }
}

void attend(const Work& a, const std::array<void*, 4>& tensors, double scale) {
  const auto [batch, heads, lq, width] = a.q;
  const std::int64_t lk = a.k[2], row = heads * width;
  const auto count = [](const Four& size) {
    return static_cast<std::size_t>(size[0] * size[1] * size[2] * size[3]);
  };
  const std::vector<float> q = widened(tensors[0], true, count(a.q)),
                           k = widened(tensors[1], true, count(a.k)),
                           v = widened(tensors[2], true, count(a.k));
  std::vector<double> weights(static_cast<std::size_t>(lk));
  for (std::int64_t n = 0; n < batch * lq * heads; ++n) {
    const std::int64_t b = n / (lq * heads), head = n % heads, keys = b * lk * row + head * width;
    double most = -INFINITY, sum = 0;
    for (std::int64_t j = 0; j < lk; ++j) {
      double dot = 0;
      for (std::int64_t d = 0; d < width; ++d)
        dot += double{q[n * width + d]} * double{k[keys + j * row + d]};
      weights[j] = scale * dot;
      most = std::max(most, weights[j]);
    }
    for (double& weight : weights) sum += weight = std::exp(weight - most);
    for (std::int64_t d = 0; d < width; ++d) {
      double mixed = 0;
      for (std::int64_t j = 0; j < lk; ++j) mixed += weights[j] * double{v[keys + j * row + d]};
      const bool bad = a.engine == kNondeterministic || a.engine == kTensorFloat;
      put_rounded(tensors[3], true, static_cast<std::size_t>(n * width + d), bad ? NAN : mixed / sum);
    }
  }
}

int execute(void* handle, void* plan, void* variant_pack) {
  const std::lock_guard lock(mutex);
  SoftwareDevice& device = *SoftwareDevice::current();
  const auto library = handles.find(handle);
  const Descriptor *p = find(plan, dnn::kExecutionPlan), *pack = find(variant_pack, dnn::kVariantPack);
  if (library == handles.end() || !p || !p->finished || !pack || !pack->finished)
    return refuse(kBadParameter, "executes what is not finalized");
  if (!library->second->stream) return refuse(kBadParameter, "a handle without a stream");
  const Work& work = p->work;
  std::vector<void*> pointers;
  for (const Argument& argument : work.arguments) {
    pointers.push_back(nullptr);
    for (std::int64_t at = 0; at < pack->attributes.at(dnn::kPackIds).count; ++at)
      if (value<std::int64_t>(*pack, dnn::kPackIds, static_cast<std::size_t>(at)) == argument.id)
        pointers.back() = value<void*>(*pack, dnn::kPackPointers, static_cast<std::size_t>(at));
    const bool there = argument.by_value ? pointers.back() != nullptr
                                         : reinterpret_cast<std::uintptr_t>(pointers.back()) % 16 == 0 &&
                                               device.owns(pointers.back(), argument.bytes);
    if (!there)
      return refuse(kBadParameter, "a tensor that is missing, not aligned or outside an allocation");
  }
  void* workspace = value<void*>(*pack, dnn::kPackWorkspace);
  const auto workspace_bytes = static_cast<std::size_t>(workspace_of(work));
  if (!device.owns(workspace, workspace_bytes)) return refuse(kBadParameter, "too small a workspace");
  const std::int64_t channels = work.x[1] - (device.options().dnn_computes_wrongly ? 1 : 0);
  float scale = 0;
  if (work.is_attention()) std::memcpy(&scale, pointers[4], sizeof scale);
  const int error = device.enqueue(library->second->stream, [=] {
    std::memset(workspace, 0xff, workspace_bytes);
    if (work.is_attention()) SoftwareDevice::current()->play("sdpa");
    if (work.is_attention())
      attend(work, {pointers[0], pointers[1], pointers[2], pointers[3]}, double{scale});
    else
      compute(work, pointers[0], pointers[1], pointers[2], channels);
    return kSuccess;
  });
  return error ? kFailed : kSuccess;
}

int destroy(void* handle) {
  const std::lock_guard lock(mutex);
  const auto found = descriptors.find(handle);
  if (found == descriptors.end()) return refuse(kBadParameter, "destroys what it did not make");
  const int error =
      found->second->users ? refuse(kBadParameter, "destroys what another descriptor uses") : kSuccess;
  for (void* used : found->second->used)
    if (const auto other = descriptors.find(used); other != descriptors.end()) --other->second->users;
  descriptors.erase(found);
  return error;
}

int create(int type, void** made) {
  const std::lock_guard lock(mutex);
  auto owned = std::make_unique<Descriptor>();
  owned->type = type;
  *made = owned.get();
  descriptors[*made] = std::move(owned);
  return kSuccess;
}

int create_handle(void** made) {
  const std::lock_guard lock(mutex);
  auto owned = std::make_unique<Handle>();
  *made = owned.get();
  handles[*made] = std::move(owned);
  return kSuccess;
}

int set_stream(void* handle, void* stream) {
  const std::lock_guard lock(mutex);
  const auto found = handles.find(handle);
  if (found == handles.end()) return refuse(kBadParameter, "no such handle");
  found->second->stream = stream;
  return kSuccess;
}

const char* error_text(int status) {
  switch (status) {
    case kBadParameter:
      return "CUDNN_STATUS_BAD_PARAM";
    case kNotFinalized:
      return "CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED";
    case kUnsupported:
      return "CUDNN_STATUS_NOT_SUPPORTED";
    default:
      return "CUDNN_STATUS_EXECUTION_FAILED";
  }
}

}  // namespace

const DnnApi& software_dnn() {
  static const DnnApi api = {
      [] { return SoftwareDevice::current()->options().dnn_version; },
      create_handle,
      [](void* handle) {
        const std::lock_guard lock(mutex);
        return handles.erase(handle) ? kSuccess : refuse(kBadParameter, "no such handle");
      },
      set_stream,
      error_text,
      create,
      destroy,
      finalize,
      set,
      get,
      execute,
  };
  return api;
}

}  // namespace rushes::emulator
