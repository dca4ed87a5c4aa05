#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/check.h"
#include "kernels/reference/reference_backend.h"

namespace rushes::kernels {

namespace {

// Weights with the output channel innermost, so that the inner loops run over contiguous memory.
struct ReferenceLinear final : Linear {
  std::vector<float> weight;  // [K, N]
  std::vector<float> bias;    // [N], zeros if there is none
  bool rounded = false;       // to bf16, and so is x
};
struct ReferenceConv3d final : Conv3d {
  std::vector<float> weight;  // [kt, kh, kw, Cin, Cout]
  std::vector<float> bias;    // [Cout]
  bool rounded = false;
};

// [N, K] -> [K, N]
std::vector<float> transposed(const std::vector<float>& w, std::size_t n, std::size_t k) {
  std::vector<float> out(w.size());
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < k; ++j) out[j * n + i] = w[i * k + j];
  return out;
}

std::vector<float> bias_or_zeros(const HostTensor& bias, std::int64_t size) {
  return bias.empty() ? std::vector<float>(static_cast<std::size_t>(size)) : widen(bias);
}

// Numbers as an operation takes them: as they are, or rounded to bf16.
struct Operand {
  Operand(const float* x, std::int64_t count, bool rounded) : data(x) {
    if (!rounded) return;
    copy.assign(x, x + count);
    for (float& value : copy) value = bf16_to_float(float_to_bf16(value));
    data = copy.data();
  }
  std::vector<float> copy;
  const float* data;
};

std::vector<float> widen_operand(const HostTensor& host, bool rounded) {
  std::vector<float> values = widen(host);
  if (rounded)
    for (float& value : values) value = bf16_to_float(float_to_bf16(value));
  return values;
}

void add_scaled(double* sum, double factor, const float* row, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) sum[i] += factor * static_cast<double>(row[i]);
}

}  // namespace

double reference_activation(double x, Activation act) {
  switch (act) {
    case Activation::kNone:
      return x;
    case Activation::kSilu:
      return x / (1.0 + std::exp(-x));
    case Activation::kGeluTanh:
      return 0.5 * x * (1.0 + std::tanh(std::sqrt(2.0 / M_PI) * (x + 0.044715 * x * x * x)));
    case Activation::kGeluErf:
      return 0.5 * x * (1.0 + std::erf(x / std::sqrt(2.0)));
  }
  refuse("activation", "unknown kind");
}

LinearPtr ReferenceBackend::prepare_linear(const HostTensor& weight, const HostTensor& bias,
                                           std::optional<Precision> precision) {
  check_linear_weights(weight, bias);
  auto layer = std::make_shared<ReferenceLinear>();
  layer->rounded = precision.value_or(precision_) == Precision::kBf16;
  layer->out_features = weight.shape[0];
  layer->in_features = weight.shape[1];
  layer->weight = transposed(widen_operand(weight, layer->rounded), static_cast<std::size_t>(weight.shape[0]),
                             static_cast<std::size_t>(weight.shape[1]));
  layer->bias = bias_or_zeros(bias, layer->out_features);
  return layer;
}

Conv3dPtr ReferenceBackend::prepare_conv3d(const HostTensor& weight, const HostTensor& bias, Strides strides,
                                           std::optional<Precision> precision) {
  check_conv3d_weights(weight, bias, strides);
  auto layer = std::make_shared<ReferenceConv3d>();
  layer->rounded = precision.value_or(precision_) == Precision::kBf16;
  Shape s = weight.shape;
  if (s.size() == 4) s.insert(s.begin() + 2, 1);
  layer->out_channels = s[0], layer->in_channels = s[1];
  layer->kernel_t = s[2], layer->kernel_h = s[3], layer->kernel_w = s[4];
  layer->stride_t = strides.t, layer->stride_h = strides.h, layer->stride_w = strides.w;
  const auto taps = static_cast<std::size_t>(s[2] * s[3] * s[4]);
  const auto cin = static_cast<std::size_t>(s[1]), cout = static_cast<std::size_t>(s[0]);
  const std::vector<float> w = widen_operand(weight, layer->rounded);
  layer->weight.resize(w.size());
  for (std::size_t o = 0; o < cout; ++o)
    for (std::size_t i = 0; i < cin; ++i)
      for (std::size_t k = 0; k < taps; ++k)
        layer->weight[(k * cin + i) * cout + o] = w[(o * cin + i) * taps + k];
  layer->bias = bias_or_zeros(bias, s[0]);
  return layer;
}

void ReferenceBackend::linear(const Tensor& x, const Linear& weights, const Tensor& y, Activation act) {
  const LinearSizes s = check_linear(x, weights, y, operand_dtype());
  const auto* layer = dynamic_cast<const ReferenceLinear*>(&weights);
  require(layer != nullptr, "linear", "weights of another device");
  const Operand operand(host_data<float>(x), x.elements(), layer->rounded);
  const float* in = operand.data;
  auto* out = host_data<float>(y);
  std::vector<double> sum(static_cast<std::size_t>(s.n));
  for (std::int64_t r = 0; r < s.rows; ++r) {
    std::copy(layer->bias.begin(), layer->bias.end(), sum.begin());
    for (std::int64_t k = 0; k < s.k; ++k) {
      add_scaled(sum.data(), static_cast<double>(in[r * s.k + k]), layer->weight.data() + k * s.n, s.n);
    }
    for (std::int64_t n = 0; n < s.n; ++n) {
      out[r * s.n + n] = static_cast<float>(reference_activation(sum[static_cast<std::size_t>(n)], act));
    }
  }
}

void ReferenceBackend::conv3d(const Tensor& x, const Conv3d& weights, const Padding& padding, const Tensor& y,
                              const Tensor& residual) {
  const ConvSizes s = check_conv3d(x, weights, padding, y, residual, operand_dtype());
  const auto* layer = dynamic_cast<const ReferenceConv3d*>(&weights);
  require(layer != nullptr, "conv3d", "weights of another device");
  const Operand operand(host_data<float>(x), x.elements(), layer->rounded);
  const float* in = operand.data;
  auto* out = host_data<float>(y);
  const float* add = residual.empty() ? nullptr : host_data<float>(residual);
  std::vector<double> sum(static_cast<std::size_t>(s.cout));
  const auto point = [&](std::int64_t t0, std::int64_t h0, std::int64_t w0) {
    std::copy(layer->bias.begin(), layer->bias.end(), sum.begin());
    const float* tap = layer->weight.data();
    for (std::int64_t kt = 0; kt < layer->kernel_t; ++kt)
      for (std::int64_t kh = 0; kh < layer->kernel_h; ++kh)
        for (std::int64_t kw = 0; kw < layer->kernel_w; ++kw, tap += s.cin * s.cout) {
          const std::int64_t t = t0 + kt, h = h0 + kh, w = w0 + kw;
          if (t < 0 || t >= s.t || h < 0 || h >= s.h || w < 0 || w >= s.w) continue;
          const float* from = in + ((t * s.h + h) * s.w + w) * s.cin;
          for (std::int64_t c = 0; c < s.cin; ++c) {
            add_scaled(sum.data(), static_cast<double>(from[c]), tap + c * s.cout, s.cout);
          }
        }
  };
  for (std::int64_t t = 0; t < s.to; ++t)
    for (std::int64_t h = 0; h < s.ho; ++h)
      for (std::int64_t w = 0; w < s.wo; ++w) {
        point(t * layer->stride_t - padding.front, h * layer->stride_h - padding.top,
              w * layer->stride_w - padding.left);
        const std::int64_t at = ((t * s.ho + h) * s.wo + w) * s.cout;
        for (std::int64_t c = 0; c < s.cout; ++c) {
          const double base = add ? static_cast<double>(add[at + c]) : 0.0;
          out[at + c] = static_cast<float>(sum[static_cast<std::size_t>(c)] + base);
        }
      }
}

namespace {

// True where the plan lets query i of head h attend to key j; a plan's tiles ascend, so the search is binary.
bool attends(const KeyTilePlan* plan, std::int64_t head, std::int64_t i, std::int64_t j) {
  if (!plan) return true;
  const std::int64_t query_tiles = (plan->query_length + plan->query_tile - 1) / plan->query_tile;
  const auto row = static_cast<std::size_t>(head * query_tiles + i / plan->query_tile);
  return std::binary_search(plan->tile.begin() + plan->first[row], plan->tile.begin() + plan->first[row + 1],
                            static_cast<std::int32_t>(j / plan->key_tile));
}

}  // namespace

void ReferenceBackend::attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& y,
                                 const AttentionOptions& options) {
  const AttentionSizes s = check_attention(q, k, v, y, options, operand_dtype());
  const KeyTilePlan* plan = host_plan(options, s.heads, s.lq, s.lk);
  check_host_mask(options, s.batch, s.lk);
  const float* bias = options.relative_bias.empty() ? nullptr : host_data<float>(options.relative_bias);
  const std::int32_t* mask = options.key_mask.empty() ? nullptr : host_data<std::int32_t>(options.key_mask);
  const bool rounded = precision_ == Precision::kBf16;
  const Operand query(host_data<float>(q), q.elements(), rounded),
      key(host_data<float>(k), k.elements(), rounded), value(host_data<float>(v), v.elements(), rounded);
  const float *queries = query.data, *keys = key.data, *values = value.data;
  auto* out = host_data<float>(y);
  std::vector<double> weight(static_cast<std::size_t>(s.lk)), sum(static_cast<std::size_t>(s.width));

  const auto score = [&](std::int64_t b, std::int64_t h, std::int64_t i, std::int64_t j) {
    if ((mask && !mask[b * s.lk + j]) || !attends(plan, h, i, j))
      return -std::numeric_limits<double>::infinity();
    const float* a = queries + ((b * s.lq + i) * s.heads + h) * s.width;
    const float* c = keys + ((b * s.lk + j) * s.heads + h) * s.width;
    double dot = 0;
    for (std::int64_t d = 0; d < s.width; ++d) dot += static_cast<double>(a[d]) * static_cast<double>(c[d]);
    dot *= static_cast<double>(options.scale);
    return bias ? dot + static_cast<double>(bias[h * (s.lq + s.lk - 1) + j - i + s.lq - 1]) : dot;
  };
  for (std::int64_t b = 0; b < s.batch; ++b)
    for (std::int64_t h = 0; h < s.heads; ++h)
      for (std::int64_t i = 0; i < s.lq; ++i) {
        for (std::int64_t j = 0; j < s.lk; ++j) weight[static_cast<std::size_t>(j)] = score(b, h, i, j);
        const double top = *std::max_element(weight.begin(), weight.end());
        double total = 0;
        std::fill(sum.begin(), sum.end(), 0.0);
        for (std::int64_t j = 0; j < s.lk; ++j) {
          const double p = std::exp(weight[static_cast<std::size_t>(j)] - top);
          if (p == 0.0) continue;
          total += p;
          add_scaled(sum.data(), p, values + ((b * s.lk + j) * s.heads + h) * s.width, s.width);
        }
        float* to = out + ((b * s.lq + i) * s.heads + h) * s.width;
        for (std::int64_t d = 0; d < s.width; ++d) {
          to[d] = static_cast<float>(sum[static_cast<std::size_t>(d)] / total);
        }
      }
}

std::unique_ptr<Backend> make_reference_backend(Precision precision) {
  return std::make_unique<ReferenceBackend>(precision);
}

}  // namespace rushes::kernels
