// Dense attention by cuDNN's own operation (scaled dot product attention): y = softmax(scale q k^T) v in
// bf16, sums in fp32. One execution plan per shape; the scale is read when it runs.
//
// Thread contract: under CudaDevice::enter().
#pragma once

#include <map>
#include <memory>

#include "kernels/cuda/attention.h"
#include "kernels/cuda/dnn.h"

namespace rushes::kernels::cuda {

class LibraryAttention {
 public:
  explicit LibraryAttention(Dnn& dnn) : dnn_(dnn) {}

  // Whether the library computes it: dense, with an engine whose sums have one order.
  bool takes(const AttentionArguments& a, int batch, int width);
  // Queues it; only where takes() is true.
  void run(const AttentionArguments& a, int batch, int width);

 private:
  using Key = std::array<std::int64_t, 5>;

  const Dnn::Plan* plan(const AttentionArguments& a, int batch, int width);
  std::unique_ptr<Dnn::Plan> make_plan(const AttentionArguments& a, int batch, int width) const;

  Dnn& dnn_;
  std::map<Key, std::unique_ptr<Dnn::Plan>> plans_;  // null: no engine
};

}  // namespace rushes::kernels::cuda
