// Convolutions by cuDNN's graph interface: one execution plan per shape, sums in fp32.
//
// Thread contract: under CudaDevice::enter().
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernels/cuda/dnn_api.h"
#include "kernels/cuda/vector.h"

namespace rushes::kernels::cuda {

class CudaDevice;

// y = correlation of x with w: x [t, h, w, cin], w [cout, kt, kh, kw, cin], y [t', h', w', cout], all dense and 16-byte
// aligned; x and w have one word. `padding` zeros stand before and behind each dimension.
struct Convolution {
  Word word = kWordF32;
  std::int64_t cin = 0, cout = 0;
  std::array<std::int64_t, 3> size = {}, kernel = {}, stride = {}, padding = {},
                              out = {};  // time, height, width
};

class Convolutions {
 public:
  explicit Convolutions(CudaDevice& device);
  ~Convolutions();
  Convolutions(const Convolutions&) = delete;
  Convolutions& operator=(const Convolutions&) = delete;

  // How the library writes y of this convolution: fp32 where it can, otherwise as x; empty where it has no engine that
  // keeps the numbers.
  std::optional<Word> word_of_y(const Convolution& shape);
  // Queues it; only where word_of_y() is not empty.
  void run(const Convolution& shape, const void* x, const void* w, void* y);
  std::string version() const;  // "cuDNN 9.19.0"

  // Whether a small case was compared with the reference, by word of the operands.
  std::array<bool, 2> verified = {};

 private:
  class Descriptor;
  struct Plan;
  using Key = std::array<std::int64_t, 18>;

  const Plan* plan(const Convolution& shape);  // null: no engine
  Descriptor tensor(std::int64_t id, Word word, const std::array<std::int64_t, 5>& size) const;
  // The graph last, what it was made from before it; empty where the library does not know such an operation.
  std::vector<Descriptor> graph(const Convolution& shape, Word out) const;
  std::vector<Descriptor> proposals(const Descriptor& graph, int mode) const;
  bool keeps_numbers(const Descriptor& config, Word word) const;
  bool try_plan(Plan& plan, const Convolution& shape, Word out) const;
  void check(int status, const char* call) const;

  CudaDevice& device_;
  const DnnApi& api_;
  void* handle_ = nullptr;
  std::map<Key, std::unique_ptr<Plan>> plans_;
};

}  // namespace rushes::kernels::cuda
