// Shape and dtype checks that every backend makes before an operation, and the sizes they yield.
//
// Each function throws std::invalid_argument("kernels: OP: ...") when an operand does not fit; `operand` is
// the backend's operand_dtype().
//
// Thread contract: pure functions.
#pragma once

#include "kernels/backend.h"

namespace rushes::kernels {

[[noreturn]] void refuse(const char* op, const std::string& what);

// The last dimension is `cols`, everything before it `rows`.
struct Rows {
  std::int64_t rows = 0, cols = 0;
};
struct LinearSizes {
  std::int64_t rows = 0, k = 0, n = 0;
};
struct ConvSizes {
  std::int64_t t = 0, h = 0, w = 0, cin = 0;      // input
  std::int64_t to = 0, ho = 0, wo = 0, cout = 0;  // output
};
struct AttentionSizes {
  std::int64_t batch = 0, lq = 0, lk = 0, heads = 0, width = 0;
};

void require(bool condition, const char* op, const std::string& what);
void require_float(const char* op, const char* name, const Tensor& x, DType operand);
void require_parameter(const char* op, const char* name, const Tensor& x, std::int64_t size);  // kF32 [size]
void require_same_shape(const char* op, const Tensor& x, const Tensor& y);

Rows rows_of(const char* op, const Tensor& x);
Rows check_map(const char* op, const Tensor& x, const Tensor& y, DType operand);  // float, equal shapes
LinearSizes check_linear(const Tensor& x, const Linear& w, const Tensor& y, DType operand);
ConvSizes check_conv3d(const Tensor& x, const Conv3d& w, const Padding& padding, const Tensor& y,
                       const Tensor& residual, DType operand);
AttentionSizes check_attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& y,
                               const AttentionOptions& options, DType operand);
void check_key_tile_plan(const KeyTilePlan& plan);
Rows check_layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, const Modulation& modulation,
                      const Tensor& y, DType operand);
Rows check_add_gated(const Tensor& x, const Tensor& y, const Tensor& gate, const Tensor& group,
                     DType operand);
// `parameters` is kF32 [G, C] (or empty); with 1 < G < R `group` is kI32 [R].
void check_row_groups(const char* op, const Tensor& parameters, const Tensor& group, Rows rows);
// x kF32 [C, T, H, W] and one source for each of its frames.
void check_fill_noise(const Tensor& x, const std::vector<NoiseSource>& frames);
void check_combine(const std::vector<Term>& terms, const Tensor& out, DType operand);
void check_rms_norm_rope(const Tensor& x, const Tensor& weight, const Tensor& table, const Tensor& y,
                         DType operand);
void check_copy_box(const Tensor& source, const Shape& source_start, const Tensor& target,
                    const Shape& target_start, const Shape& extent);
void check_permute(const Tensor& x, const std::vector<int>& order, const Tensor& y);
void check_upsample(const Tensor& x, const Tensor& y, DType operand);
std::int64_t check_group(const char* op, const Tensor& grouped, const Tensor& single, DType operand);  // g
Rows check_gather(const Tensor& table, const Tensor& index, const Tensor& y, DType operand);
// Shapes of prepared weights.
void check_linear_weights(const HostTensor& weight, const HostTensor& bias);
void check_conv3d_weights(const HostTensor& weight, const HostTensor& bias, Strides strides);

}  // namespace rushes::kernels
