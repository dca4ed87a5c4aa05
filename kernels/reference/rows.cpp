#include <algorithm>
#include <cmath>

#include "kernels/check.h"
#include "kernels/reference/reference_backend.h"

namespace rushes::kernels {

namespace {

double mean_square(const float* x, std::int64_t count) {
  double sum = 0;
  for (std::int64_t i = 0; i < count; ++i) sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  return sum / static_cast<double>(count);
}

// y[i] = f(x[i]) over whole tensors.
template <typename F>
void map(const Tensor& x, const Tensor& y, F f) {
  const auto* in = host_data<float>(x);
  auto* out = host_data<float>(y);
  for (std::int64_t i = 0; i < x.elements(); ++i) out[i] = static_cast<float>(f(static_cast<double>(in[i])));
}

}  // namespace

void ReferenceBackend::layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias,
                                  const Modulation& modulation, float eps, const Tensor& y) {
  const Rows s = check_layer_norm(x, weight, bias, modulation, y, operand_dtype());
  const RowGroups shift("layer_norm", modulation.shift, modulation.group, s.rows);
  const RowGroups scale("layer_norm", modulation.scale, modulation.group, s.rows);
  const float* w = weight.empty() ? nullptr : host_data<float>(weight);
  const float* b = bias.empty() ? nullptr : host_data<float>(bias);
  for (std::int64_t r = 0; r < s.rows; ++r) {
    const float* in = host_data<float>(x) + r * s.cols;
    float* out = host_data<float>(y) + r * s.cols;
    double mean = 0, variance = 0;
    for (std::int64_t c = 0; c < s.cols; ++c) mean += static_cast<double>(in[c]);
    mean /= static_cast<double>(s.cols);
    for (std::int64_t c = 0; c < s.cols; ++c) {
      const double d = static_cast<double>(in[c]) - mean;
      variance += d * d;
    }
    const double factor = 1.0 / std::sqrt(variance / static_cast<double>(s.cols) + static_cast<double>(eps));
    for (std::int64_t c = 0; c < s.cols; ++c) {
      double value = (static_cast<double>(in[c]) - mean) * factor;
      if (w && b) value = value * static_cast<double>(w[c]) + static_cast<double>(b[c]);
      if (scale) value *= 1.0 + static_cast<double>(scale.row(r)[c]);
      if (shift) value += static_cast<double>(shift.row(r)[c]);
      out[c] = static_cast<float>(value);
    }
  }
}

void ReferenceBackend::add_gated_layer_norm(const Tensor& x, const Tensor& update, const Tensor& gate,
                                            const Tensor& weight, const Tensor& bias,
                                            const Modulation& modulation, float eps, const Tensor& y) {
  add_gated(x, update, gate, modulation.group);
  layer_norm(x, weight, bias, modulation, eps, y);
}

void ReferenceBackend::rms_norm(const Tensor& x, const Tensor& weight, float eps, const Tensor& y) {
  const Rows s = check_map("rms_norm", x, y, operand_dtype());
  require_parameter("rms_norm", "weight", weight, s.cols);
  const auto* w = host_data<float>(weight);
  for (std::int64_t r = 0; r < s.rows; ++r) {
    const float* in = host_data<float>(x) + r * s.cols;
    float* out = host_data<float>(y) + r * s.cols;
    const double factor = 1.0 / std::sqrt(mean_square(in, s.cols) + static_cast<double>(eps));
    for (std::int64_t c = 0; c < s.cols; ++c) {
      out[c] = static_cast<float>(static_cast<double>(in[c]) * factor * static_cast<double>(w[c]));
    }
  }
}

void ReferenceBackend::rms_norm_rope(const Tensor& x, const Tensor& weight, float eps, const Tensor& table,
                                     const Tensor& y) {
  check_rms_norm_rope(x, weight, table, y, operand_dtype());
  const std::int64_t length = x.dim(1), width = x.dim(3), cols = x.dim(2) * width;
  const auto *w = host_data<float>(weight), *rotation = host_data<float>(table);
  for (std::int64_t r = 0; r < x.dim(0) * length; ++r) {
    const float* in = host_data<float>(x) + r * cols;
    float* out = host_data<float>(y) + r * cols;
    const float* angles = rotation + (r % length) * width;
    const double factor = 1.0 / std::sqrt(mean_square(in, cols) + static_cast<double>(eps));
    for (std::int64_t c = 0; c < cols; c += 2) {
      const double cosine = static_cast<double>(angles[c % width]),
                   sine = static_cast<double>(angles[c % width + 1]);
      const double a = static_cast<double>(in[c]) * factor * static_cast<double>(w[c]);
      const double b = static_cast<double>(in[c + 1]) * factor * static_cast<double>(w[c + 1]);
      out[c] = static_cast<float>(a * cosine - b * sine);
      out[c + 1] = static_cast<float>(a * sine + b * cosine);
    }
  }
}

void ReferenceBackend::channel_norm(const Tensor& x, const Tensor& gamma, Activation act, const Tensor& y) {
  const Rows s = check_map("channel_norm", x, y, operand_dtype());
  require_parameter("channel_norm", "gamma", gamma, s.cols);
  require(act == Activation::kNone || act == Activation::kSilu, "channel_norm", "act is none or SiLU");
  const auto* g = host_data<float>(gamma);
  const double root = std::sqrt(static_cast<double>(s.cols));
  for (std::int64_t r = 0; r < s.rows; ++r) {
    const float* in = host_data<float>(x) + r * s.cols;
    float* out = host_data<float>(y) + r * s.cols;
    const double norm = std::sqrt(mean_square(in, s.cols) * static_cast<double>(s.cols));
    const double factor = root / std::max(norm, 1e-12);
    for (std::int64_t c = 0; c < s.cols; ++c) {
      out[c] = static_cast<float>(
          reference_activation(static_cast<double>(in[c]) * factor * static_cast<double>(g[c]), act));
    }
  }
}

void ReferenceBackend::add_gated(const Tensor& x, const Tensor& y, const Tensor& gate, const Tensor& group) {
  const Rows s = check_add_gated(x, y, gate, group, operand_dtype());
  const RowGroups gates("add_gated", gate, group, s.rows);
  auto* sum = host_data<float>(x);
  const auto* in = host_data<float>(y);
  for (std::int64_t i = 0; i < s.rows * s.cols; ++i) {
    const double g = gates ? static_cast<double>(gates.row(i / s.cols)[i % s.cols]) : 1.0;
    sum[i] = static_cast<float>(static_cast<double>(sum[i]) + g * static_cast<double>(in[i]));
  }
}

void ReferenceBackend::activate(const Tensor& x, Activation act, const Tensor& y) {
  check_map("activate", x, y, operand_dtype());
  map(x, y, [act](double value) { return reference_activation(value, act); });
}

void ReferenceBackend::gelu_gate(const Tensor& gate, const Tensor& a, const Tensor& y) {
  check_map("gelu_gate", gate, y, operand_dtype());
  check_map("gelu_gate", a, y, operand_dtype());
  const auto *g = host_data<float>(gate), *in = host_data<float>(a);
  auto* out = host_data<float>(y);
  for (std::int64_t i = 0; i < y.elements(); ++i) {
    out[i] = static_cast<float>(static_cast<double>(in[i]) *
                                reference_activation(static_cast<double>(g[i]), Activation::kGeluTanh));
  }
}

// In fp32: its bits are part of what it means.
void ReferenceBackend::combine(const std::vector<Term>& terms, const Tensor& out) {
  check_combine(terms, out, operand_dtype());
  auto* to = host_data<float>(out);
  for (std::int64_t i = 0; i < out.elements(); ++i) {
    float sum = terms[0].factor * host_data<float>(terms[0].x)[i];
    for (std::size_t n = 1; n < terms.size(); ++n) sum += terms[n].factor * host_data<float>(terms[n].x)[i];
    to[i] = sum;
  }
}

void ReferenceBackend::channel_affine(const Tensor& x, const Tensor& scale, const Tensor& shift,
                                      const Tensor& y) {
  const Rows s = check_map("channel_affine", x, y, operand_dtype());
  if (!scale.empty()) require_parameter("channel_affine", "scale", scale, s.cols);
  if (!shift.empty()) require_parameter("channel_affine", "shift", shift, s.cols);
  const float* factor = scale.empty() ? nullptr : host_data<float>(scale);
  const float* add = shift.empty() ? nullptr : host_data<float>(shift);
  const auto* in = host_data<float>(x);
  auto* out = host_data<float>(y);
  for (std::int64_t i = 0; i < x.elements(); ++i) {
    double value = static_cast<double>(in[i]);
    if (factor) value *= static_cast<double>(factor[i % s.cols]);
    if (add) value += static_cast<double>(add[i % s.cols]);
    out[i] = static_cast<float>(value);
  }
}

void ReferenceBackend::clamp(const Tensor& x, float low, float high, const Tensor& y) {
  check_map("clamp", x, y, operand_dtype());
  require(low <= high, "clamp", "low is above high");
  map(x, y,
      [=](double value) { return std::clamp(value, static_cast<double>(low), static_cast<double>(high)); });
}

void ReferenceBackend::upsample_nearest_2x(const Tensor& x, const Tensor& y) {
  check_upsample(x, y, operand_dtype());
  const std::int64_t h = y.dim(1), w = y.dim(2), c = y.dim(3);
  const auto* in = host_data<float>(x);
  auto* out = host_data<float>(y);
  for (std::int64_t t = 0; t < y.dim(0); ++t)
    for (std::int64_t row = 0; row < h; ++row)
      for (std::int64_t col = 0; col < w; ++col) {
        std::copy_n(in + ((t * (h / 2) + row / 2) * (w / 2) + col / 2) * c, c,
                    out + ((t * h + row) * w + col) * c);
      }
}

void ReferenceBackend::group_mean(const Tensor& x, const Tensor& y) {
  const std::int64_t size = check_group("group_mean", x, y, operand_dtype());
  const auto* in = host_data<float>(x);
  auto* out = host_data<float>(y);
  for (std::int64_t i = 0; i < y.elements(); ++i) {
    double sum = 0;
    for (std::int64_t j = 0; j < size; ++j) sum += static_cast<double>(in[i * size + j]);
    out[i] = static_cast<float>(sum / static_cast<double>(size));
  }
}

void ReferenceBackend::group_repeat(const Tensor& x, const Tensor& y) {
  const std::int64_t size = check_group("group_repeat", y, x, operand_dtype());
  const auto* in = host_data<float>(x);
  auto* out = host_data<float>(y);
  for (std::int64_t i = 0; i < x.elements(); ++i) std::fill_n(out + i * size, size, in[i]);
}

}  // namespace rushes::kernels
