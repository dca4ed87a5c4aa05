#include <algorithm>
#include <array>
#include <thread>

#include "kernels/check.h"
#include "kernels/cpu/cpu_backend.h"

namespace rushes::kernels {

namespace {

constexpr std::int64_t kElementsPerTask = 1 << 14;  // below this a thread costs more than it brings

int thread_count(int wanted) {
  return wanted > 0 ? wanted : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace

CpuBackend::CpuBackend(const CpuOptions& options)
    : precision_(options.precision),
      f32_kernels_(f32_gemm_kernels()),
      bf16_kernels_(bf16_gemm_kernels()),
      pool_(thread_count(options.threads)) {}

std::string CpuBackend::numeric_class() const {
  if (precision_ == Precision::kF32) return "cpu-" + cpu_instruction_set() + "-f32";
  return "cpu-" + cpu_instruction_set() + (bf16_kernels_ ? "bf16" : "") + "-bf16";
}

Operands CpuBackend::operands(Precision precision) const {
  if (precision == Precision::kF32) return Operands::kF32;
  return bf16_kernels_ ? Operands::kPairs : Operands::kRounded;
}

void CpuBackend::run_ranges(std::int64_t count, std::int64_t cost,
                            const std::function<void(std::int64_t, std::int64_t)>& body) {
  pool_.run_ranges(count, std::max<std::int64_t>(1, kElementsPerTask / std::max<std::int64_t>(1, cost)),
                   body);
}

namespace {

// The parameters of each row of a layer norm.
struct NormRows {
  NormRows(const Tensor& weight, const Tensor& bias, const Modulation& modulation, std::int64_t rows)
      : shift("layer_norm", modulation.shift, modulation.group, rows),
        scale("layer_norm", modulation.scale, modulation.group, rows),
        w(weight.empty() ? nullptr : host_data<float>(weight)),
        b(bias.empty() ? nullptr : host_data<float>(bias)) {}
  NormRow row(std::int64_t r) const {
    return {w, b, scale ? scale.row(r) : nullptr, shift ? shift.row(r) : nullptr};
  }
  RowGroups shift, scale;
  const float *w, *b;
};

}  // namespace

void CpuBackend::layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias,
                            const Modulation& modulation, float eps, const Tensor& y) {
  const Rows s = check_layer_norm(x, weight, bias, modulation, y, operand_dtype());
  const NormRows parameters(weight, bias, modulation, s.rows);
  const auto* in = host_data<float>(x);
  auto* out = host_data<float>(y);
  run_ranges(s.rows, s.cols, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r)
      layer_norm_row(in + r * s.cols, s.cols, parameters.row(r), eps, out + r * s.cols);
  });
}

void CpuBackend::add_gated_layer_norm(const Tensor& x, const Tensor& update, const Tensor& gate,
                                      const Tensor& weight, const Tensor& bias, const Modulation& modulation,
                                      float eps, const Tensor& y) {
  const Rows s = check_layer_norm(x, weight, bias, modulation, y, operand_dtype());
  check_add_gated(x, update, gate, modulation.group, operand_dtype());
  const NormRows parameters(weight, bias, modulation, s.rows);
  const RowGroups gates("add_gated", gate, modulation.group, s.rows);
  auto *sum = host_data<float>(x), *out = host_data<float>(y);
  const auto* in = host_data<float>(update);
  run_ranges(s.rows, 2 * s.cols, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      float* row = sum + r * s.cols;
      add_gated_row(row, in + r * s.cols, gates ? gates.row(r) : nullptr, s.cols);
      layer_norm_row(row, s.cols, parameters.row(r), eps, out + r * s.cols);
    }
  });
}

void CpuBackend::rms_norm(const Tensor& x, const Tensor& weight, float eps, const Tensor& y) {
  const Rows s = check_map("rms_norm", x, y, operand_dtype());
  require_parameter("rms_norm", "weight", weight, s.cols);
  const auto *in = host_data<float>(x), *w = host_data<float>(weight);
  auto* out = host_data<float>(y);
  run_ranges(s.rows, s.cols, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r)
      rms_norm_row(in + r * s.cols, s.cols, w, eps, out + r * s.cols);
  });
}

void CpuBackend::rms_norm_rope(const Tensor& x, const Tensor& weight, float eps, const Tensor& table,
                               const Tensor& y) {
  check_rms_norm_rope(x, weight, table, y, operand_dtype());
  const std::int64_t length = x.dim(1), heads = x.dim(2), width = x.dim(3), cols = heads * width;
  const auto *in = host_data<float>(x), *w = host_data<float>(weight), *rotation = host_data<float>(table);
  auto* out = host_data<float>(y);
  run_ranges(x.dim(0) * length, cols, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      rms_norm_rope_row(in + r * cols, heads, width, w, eps, rotation + (r % length) * width, out + r * cols);
    }
  });
}

void CpuBackend::channel_norm(const Tensor& x, const Tensor& gamma, Activation act, const Tensor& y) {
  const Rows s = check_map("channel_norm", x, y, operand_dtype());
  require_parameter("channel_norm", "gamma", gamma, s.cols);
  require(act == Activation::kNone || act == Activation::kSilu, "channel_norm", "act is none or SiLU");
  const auto *in = host_data<float>(x), *g = host_data<float>(gamma);
  auto* out = host_data<float>(y);
  run_ranges(s.rows, s.cols, [&](std::int64_t begin, std::int64_t end) {
    channel_norm_rows(in + begin * s.cols, end - begin, s.cols, g, act, out + begin * s.cols);
  });
}

void CpuBackend::add_gated(const Tensor& x, const Tensor& y, const Tensor& gate, const Tensor& group) {
  const Rows s = check_add_gated(x, y, gate, group, operand_dtype());
  const RowGroups gates("add_gated", gate, group, s.rows);
  auto* sum = host_data<float>(x);
  const auto* in = host_data<float>(y);
  run_ranges(s.rows, s.cols, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      add_gated_row(sum + r * s.cols, in + r * s.cols, gates ? gates.row(r) : nullptr, s.cols);
    }
  });
}

void CpuBackend::activate(const Tensor& x, Activation act, const Tensor& y) {
  check_map("activate", x, y, operand_dtype());
  const auto* in = host_data<float>(x);
  auto* out = host_data<float>(y);
  run_ranges(x.elements(), 1, [&](std::int64_t begin, std::int64_t end) {
    activate_row(in + begin, end - begin, act, out + begin);
  });
}

void CpuBackend::gelu_gate(const Tensor& gate, const Tensor& a, const Tensor& y) {
  check_map("gelu_gate", gate, y, operand_dtype());
  check_map("gelu_gate", a, y, operand_dtype());
  const auto *g = host_data<float>(gate), *in = host_data<float>(a);
  auto* out = host_data<float>(y);
  run_ranges(y.elements(), 1, [&](std::int64_t begin, std::int64_t end) {
    gelu_gate_row(g + begin, in + begin, end - begin, out + begin);
  });
}

void CpuBackend::combine(const std::vector<Term>& terms, const Tensor& out) {
  check_combine(terms, out, operand_dtype());
  std::array<RowTerm, kMostTerms> rows;
  for (std::size_t n = 0; n < terms.size(); ++n) rows[n] = {terms[n].factor, host_data<float>(terms[n].x)};
  auto* sum = host_data<float>(out);
  run_ranges(out.elements(), 1, [&](std::int64_t begin, std::int64_t end) {
    std::array<RowTerm, kMostTerms> part = rows;
    for (std::size_t n = 0; n < terms.size(); ++n) part[n].x += begin;
    combine_row({part.data(), terms.size()}, end - begin, sum + begin);
  });
}

void CpuBackend::channel_affine(const Tensor& x, const Tensor& scale, const Tensor& shift, const Tensor& y) {
  const Rows s = check_map("channel_affine", x, y, operand_dtype());
  if (!scale.empty()) require_parameter("channel_affine", "scale", scale, s.cols);
  if (!shift.empty()) require_parameter("channel_affine", "shift", shift, s.cols);
  const float* factor = scale.empty() ? nullptr : host_data<float>(scale);
  const float* add = shift.empty() ? nullptr : host_data<float>(shift);
  const auto* in = host_data<float>(x);
  auto* out = host_data<float>(y);
  run_ranges(s.rows, s.cols, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r)
      affine_row(in + r * s.cols, factor, add, s.cols, out + r * s.cols);
  });
}

void CpuBackend::clamp(const Tensor& x, float low, float high, const Tensor& y) {
  check_map("clamp", x, y, operand_dtype());
  require(low <= high, "clamp", "low is above high");
  const auto* in = host_data<float>(x);
  auto* out = host_data<float>(y);
  run_ranges(x.elements(), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) out[i] = std::clamp(in[i], low, high);
  });
}

void CpuBackend::upsample_nearest_2x(const Tensor& x, const Tensor& y) {
  check_upsample(x, y, operand_dtype());
  const std::int64_t w = x.dim(2), c = x.dim(3), out_row = 2 * w * c;
  const auto* in = host_data<float>(x);
  auto* out = host_data<float>(y);
  run_ranges(x.dim(0) * x.dim(1), 2 * out_row, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const float* from = in + r * w * c;
      float* to = out + 2 * r * out_row;
      for (std::int64_t col = 0; col < w; ++col) {
        std::copy_n(from + col * c, c, to + 2 * col * c);
        std::copy_n(from + col * c, c, to + (2 * col + 1) * c);
      }
      std::copy_n(to, out_row, to + out_row);
    }
  });
}

void CpuBackend::group_mean(const Tensor& x, const Tensor& y) {
  const std::int64_t size = check_group("group_mean", x, y, operand_dtype());
  const auto* in = host_data<float>(x);
  auto* out = host_data<float>(y);
  const float count = static_cast<float>(size);
  run_ranges(y.elements(), size, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      float sum = 0;
      for (std::int64_t j = 0; j < size; ++j) sum += in[i * size + j];
      out[i] = sum / count;
    }
  });
}

void CpuBackend::group_repeat(const Tensor& x, const Tensor& y) {
  const std::int64_t size = check_group("group_repeat", y, x, operand_dtype());
  const auto* in = host_data<float>(x);
  auto* out = host_data<float>(y);
  run_ranges(x.elements(), size, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) std::fill_n(out + i * size, size, in[i]);
  });
}

std::unique_ptr<Backend> make_cpu_backend(const CpuOptions& options) {
  return std::make_unique<CpuBackend>(options);
}

}  // namespace rushes::kernels
