// Convolutions by cuDNN: one execution plan per shape, sums in fp32.
//
// Thread contract: under CudaDevice::enter().
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>

#include "kernels/cuda/dnn.h"

namespace rushes::kernels::cuda {

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
  explicit Convolutions(Dnn& dnn) : dnn_(dnn) {}

  // How the library writes y of this convolution: fp32 where it can, otherwise as x; empty where it has no engine that
  // keeps the numbers.
  std::optional<Word> word_of_y(const Convolution& shape);
  // Queues it; only where word_of_y() is not empty.
  void run(const Convolution& shape, const void* x, const void* w, void* y);

  // Whether a small case was compared with the reference, by word of the operands.
  std::array<bool, 2> verified = {};

 private:
  struct Known {
    std::unique_ptr<Dnn::Plan> plan;  // null: no engine
    Word out = kWordF32;
  };
  using Key = std::array<std::int64_t, 18>;

  const Known& known(const Convolution& shape);
  std::unique_ptr<Dnn::Plan> plan(const Convolution& shape, Word out) const;

  Dnn& dnn_;
  std::map<Key, Known> plans_;
};

}  // namespace rushes::kernels::cuda
