// cuDNN on one device: descriptors of its graph interface, and execution plans whose numbers can be relied on.
//
// Thread contract: under CudaDevice::enter().
#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "kernels/cuda/dnn_api.h"
#include "kernels/cuda/vector.h"

namespace rushes::kernels::cuda {

class CudaDevice;

class Dnn {
 public:
  class Descriptor;
  struct Plan;

  explicit Dnn(CudaDevice& device);
  ~Dnn();
  Dnn(const Dnn&) = delete;
  Dnn& operator=(const Dnn&) = delete;

  const DnnApi& api() const { return api_; }
  std::string version() const;                     // "cuDNN 9.19.0"
  void check(int status, const char* call) const;  // throws DeviceFault

  // A dense or strided tensor, 16-byte aligned; sizes and strides in elements.
  template <std::size_t kRank>
  Descriptor tensor(std::int64_t id, Word word, const std::array<std::int64_t, kRank>& size,
                    const std::array<std::int64_t, kRank>& strides) const;
  // One fp32 value of the host, read when the plan runs.
  Descriptor scalar(std::int64_t id) const;
  // Whether the operation, which is the last of `parts` and not finalized, has an engine that keeps the numbers: sums
  // in one order, and operands in fp32 (`word`) that are not rounded. Null: it has none.
  std::unique_ptr<Plan> plan(std::vector<Descriptor> parts, Word word) const;
  // Queues a plan; ids and pointers are those of its tensors.
  void run(const Plan& plan, std::span<const std::int64_t> ids, std::span<void* const> pointers);

 private:
  static constexpr std::int64_t kAlignment = 16;  // bytes

  std::vector<Descriptor> proposals(const Descriptor& graph, int mode) const;
  bool keeps_numbers(const Descriptor& config, Word word) const;

  CudaDevice& device_;
  const DnnApi& api_;
  void* handle_ = nullptr;
};

// One descriptor; destroyed with this object. Attributes that the library refuses throw DeviceFault.
class Dnn::Descriptor {
 public:
  Descriptor(const Dnn& owner, int type);
  ~Descriptor();
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
    return set_bytes(name, type, count, values);
  }
  template <typename T>
  Descriptor& set(int name, int type, T value) {
    return set_bytes(name, type, 1, &value);
  }
  Descriptor& set(int name, const Descriptor& other) {
    return set_bytes(name, dnn::kTypeDescriptor, 1, &other.handle_);
  }
  template <typename T, std::size_t kCount>
  Descriptor& set(int name, const std::array<T, kCount>& values) {
    return set_bytes(name, dnn::kTypeInt64, static_cast<std::int64_t>(kCount), values.data());
  }
  bool try_finalize();
  Descriptor& finalize();
  // How many of `wanted` there are.
  template <typename T>
  std::int64_t get(int name, int type, std::int64_t wanted, T* values) const {
    return get_bytes(name, type, wanted, values);
  }
  void* handle() const { return handle_; }

 private:
  Descriptor& set_bytes(int name, int type, std::int64_t count, const void* values);
  std::int64_t get_bytes(int name, int type, std::int64_t wanted, void* values) const;

  const Dnn* owner_;
  void* handle_ = nullptr;
};

struct Dnn::Plan {
  ~Plan() {
    while (!made.empty()) made.pop_back();  // users before what they use
  }
  // The plan last, what it was made from before it: nothing says who may go first.
  std::vector<Descriptor> made;
  std::int64_t workspace_bytes = 0;
};

template <std::size_t kRank>
Dnn::Descriptor Dnn::tensor(std::int64_t id, Word word, const std::array<std::int64_t, kRank>& size,
                            const std::array<std::int64_t, kRank>& strides) const {
  Descriptor made(*this, dnn::kTensor);
  made.set(dnn::kDataType, dnn::kTypeDataType, word == kWordF32 ? dnn::kFloat32 : dnn::kBfloat16)
      .set(dnn::kDimensions, size)
      .set(dnn::kTensorStrides, strides)
      .set(dnn::kUniqueId, dnn::kTypeInt64, id)
      .set(dnn::kAlignment, dnn::kTypeInt64, kAlignment)
      .finalize();
  return made;
}

}  // namespace rushes::kernels::cuda
