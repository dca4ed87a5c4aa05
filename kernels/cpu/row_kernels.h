// Norms, activations and softmax over rows of fp32, vectorised for every instruction set by Highway.
//
// Sums run over lanes in a fixed order, so that a row's result depends on the instruction set only.
//
// Thread contract: pure functions on disjoint outputs. In place is allowed everywhere.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "kernels/backend.h"

namespace rushes::kernels {

std::string
cpu_instruction_set();  // "avx512", "avx2" or "scalar": what the functions here and fp32 tiles use

// Null pointers stand for absent parameters.
struct NormRow {
  const float *weight = nullptr, *bias = nullptr, *scale = nullptr, *shift = nullptr;
};
void layer_norm_row(const float* x, std::int64_t count, const NormRow& parameters, float eps, float* y);
// y = x / sqrt(mean(x^2) + eps) * weight
void rms_norm_row(const float* x, std::int64_t count, const float* weight, float eps, float* y);
// The same, then each head's pairs turned by `table` [width / 2][2] = (cos, sin).
void rms_norm_rope_row(const float* x, std::int64_t heads, std::int64_t width, const float* weight, float eps,
                       const float* table, float* y);
// y = act(x / max(||x||, 1e-12) * sqrt(count) * gamma) for `rows` rows.
void channel_norm_rows(const float* x, std::int64_t rows, std::int64_t count, const float* gamma,
                       Activation act, float* y);

void activate_row(const float* x, std::int64_t count, Activation act, float* y);
void gelu_gate_row(const float* gate, const float* a, std::int64_t count, float* y);
// out = f0 x0 + f1 x1 + ..., from the left, every product and sum rounded by itself.
struct RowTerm {
  float factor = 1.0f;
  const float* x = nullptr;
};
void combine_row(std::span<const RowTerm> terms, std::int64_t count, float* out);
void add_gated_row(float* x, const float* y, const float* gate, std::int64_t count);  // gate may be null
void affine_row(const float* x, const float* scale, const float* shift, std::int64_t count, float* y);

// y = act(c + bias) + residual for a tile of `rows` x `cols`; bias and residual may be null, residual may be
// y.
struct TileOutput {
  const float* bias = nullptr;
  const float* residual = nullptr;
  float* y = nullptr;
  std::int64_t stride = 0;  // floats between rows of y and of residual
  Activation act = Activation::kNone;
};
void finish_tile(const float* c, std::int64_t ldc, std::int64_t rows, std::int64_t cols,
                 const TileOutput& output);

// One step of online softmax. Scores s become p = exp(scale * s + bias + mask - max) (bias, mask may be
// null); max and sum are carried from tile to tile. Returns exp(old max - new max), by which earlier sums
// must be multiplied. Rows without any key so far keep max = -inf, p = 0 and return 1.
float softmax_row(float* s, std::int64_t count, float scale, const float* bias, const float* mask, float& max,
                  float& sum);

}  // namespace rushes::kernels
