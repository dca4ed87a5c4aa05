// Whether attention or a matrix product in 8 bits is near enough to that in bf16 for one layer of a model.
//
// Attention in 8 bits fails for some models altogether (SageAttention gives noise in one of them: kijai/
// ComfyUI-WanVideoWrapper issue 1554), so each layer of a model is judged before it is trusted.
//
// No backend asks this by itself. Its answer depends on the operands that it is given, and a layer's first call on a
// worker is that of whichever task came first there: two workers, or one worker after a restart, would choose differently
// for windows of one take, which would then not be the same pixels again. An engine asks it at its start, on operands that do
// not depend on tasks, and its answers are part of the numeric class (worker/engine/eight_bit_layers.h).
//
// Thread contract: as Backend, of both backends.
#pragma once

#include <optional>
#include <string>

#include "kernels/backend.h"

namespace rushes::kernels {

// What is near enough. Many keys with outliers keep attention's with a margin, where values are not noise alone; a model
// that 8 bits ruin is far beyond. Products of noise differ by 3.7e-2 (kernels/eight_bit_rows.h): theirs leave a third more,
// which is too little where the numbers of many rows lie more than 2^14 apart.
struct EightBitLimits {
  const char* what = "";
  double distance = 0, cosine = 0;
};
inline constexpr EightBitLimits kAttentionLimits = {"attention", 2e-2, 0.9995},
                                kProductLimits = {"a product", 5e-2, 0.9985};
inline constexpr int kGateRows = 256;  // that are compared, at most

struct EightBitVerdict {
  double distance = 0;  // ||a - b|| / ||b|| over the compared rows, b in bf16
  double cosine = 1;
  EightBitLimits limits = kAttentionLimits;
  bool near_enough() const { return distance <= limits.distance && cosine >= limits.cosine; }
  // "layer 3: attention in 8 bits differs by 4.2e-02 (cosine 0.99913) from bf16, more than ...: it stays in bf16".
  std::string text(int layer) const;
};

// kGateRows rows of x [rows, cols] at most, evenly spread.
Tensor some_rows(Backend& backend, const Tensor& x);

// Computes the same attention on both backends, which share a device, and compares kGateRows rows (a query of all heads),
// evenly spread over queries and batch entries. Waits. Operands and options as Backend::attention; NaN on one side only, or
// on both, is not near enough.
EightBitVerdict judge_eight_bit(Backend& eight_bit, Backend& bf16, const Tensor& q, const Tensor& k,
                                const Tensor& v, const AttentionOptions& options);

// The same of linear(x, weights) for some_rows() of x [tokens, K]; `weights` in bf16, of a device that both backends share. Empty: `eight_bit` computes no
// such products, or not of these sizes.
std::optional<EightBitVerdict> judge_eight_bit_product(Backend& eight_bit, Backend& bf16, const Tensor& x,
                                                       const Linear& weights);

}  // namespace rushes::kernels
