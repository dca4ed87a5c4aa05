// The reference backend: what each operation means, as plainly as it can be written.
//
// Sums, norms and functions in double, tensors in fp32. matrix.cpp: linear, conv3d, attention; rows.cpp: the
// rest.
//
// Thread contract: as Backend; single-threaded.
#pragma once

#include "kernels/host_backend.h"

namespace rushes::kernels {

class ReferenceBackend final : public HostBackend {
 public:
  explicit ReferenceBackend(Precision precision = Precision::kF32) : precision_(precision) {}

  std::string numeric_class() const override {
    return precision_ == Precision::kF32 ? "reference-f64" : "reference-f64-bf16";
  }
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
  Precision precision_;
};

double reference_activation(double x, Activation act);

}  // namespace rushes::kernels
