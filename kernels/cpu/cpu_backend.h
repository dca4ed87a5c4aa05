// The CPU backend: own tiles for products (AVX512_BF16, AVX-512, AVX2, chosen at run time), blocked attention
// with online softmax, vectorised norms. matrix.cpp: linear and conv3d; attention.cpp; rows.cpp: the rest.
//
// Work is split over rows and output columns only, never over a sum: bits do not depend on the number of
// threads.
//
// Thread contract: as Backend; uses its own pool of threads inside an operation.
#pragma once

#include "kernels/cpu/packed.h"
#include "kernels/cpu/thread_pool.h"
#include "kernels/host_backend.h"

namespace rushes::kernels {

class CpuBackend final : public HostBackend {
 public:
  explicit CpuBackend(const CpuOptions& options);

  std::string numeric_class() const override;
  Precision precision() const override { return precision_; }
  DType operand_dtype() const override { return DType::kF32; }

  LinearPtr prepare_linear(const HostTensor& weight, const HostTensor& bias,
                           std::optional<Precision> precision) override;
  Conv3dPtr prepare_conv3d(const HostTensor& weight, const HostTensor& bias, Strides strides,
                           std::optional<Precision> precision) override;
  void linear(const Tensor& x, const Linear& weights, const Tensor& y, Activation act) override;
  void conv3d(const Tensor& x, const Conv3d& weights, const Padding& padding, const Tensor& y,
              const Tensor& residual) override;
  void attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& y,
                 const AttentionOptions& options) override;

  void layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, const Modulation& modulation,
                  float eps, const Tensor& y) override;
  void add_gated_layer_norm(const Tensor& x, const Tensor& update, const Tensor& gate, const Tensor& weight,
                            const Tensor& bias, const Modulation& modulation, float eps,
                            const Tensor& y) override;
  void rms_norm(const Tensor& x, const Tensor& weight, float eps, const Tensor& y) override;
  void rms_norm_rope(const Tensor& x, const Tensor& weight, float eps, const Tensor& table,
                     const Tensor& y) override;
  void channel_norm(const Tensor& x, const Tensor& gamma, Activation act, const Tensor& y) override;

  void add_gated(const Tensor& x, const Tensor& y, const Tensor& gate, const Tensor& group) override;
  void activate(const Tensor& x, Activation act, const Tensor& y) override;
  void gelu_gate(const Tensor& gate, const Tensor& a, const Tensor& y) override;
  void combine(const std::vector<Term>& terms, const Tensor& out) override;
  void channel_affine(const Tensor& x, const Tensor& scale, const Tensor& shift, const Tensor& y) override;
  void clamp(const Tensor& x, float low, float high, const Tensor& y) override;
  void upsample_nearest_2x(const Tensor& x, const Tensor& y) override;
  void group_mean(const Tensor& x, const Tensor& y) override;
  void group_repeat(const Tensor& x, const Tensor& y) override;

 private:
  Operands operands(Precision precision) const;
  const GemmKernels& kernels(Operands operands) const {
    return operands == Operands::kPairs ? *bf16_kernels_ : f32_kernels_;
  }
  // Rows [rows][cols] of x as operands, padded with zeros to `units` units; x itself where that is what it
  // is.
  Tensor as_operands(const Tensor& x, std::int64_t rows, std::int64_t cols, Operands operands,
                     std::int64_t units);
  // One frame-padded image stack of a convolution: [T][H + top + bottom][W + left + right][units].
  Tensor padded_images(const Tensor& x, const Padding& padding, Operands operands, std::int64_t units);
  void run_ranges(std::int64_t count, std::int64_t cost,
                  const std::function<void(std::int64_t begin, std::int64_t end)>& body);

  Precision precision_;
  GemmKernels f32_kernels_;
  std::optional<GemmKernels> bf16_kernels_;
  ThreadPool pool_;
};

}  // namespace rushes::kernels
