// Norms, elementwise operations and movement of the CUDA backend.
#include "kernels/check.h"
#include "kernels/cuda/cuda_backend.h"

namespace rushes::kernels::cuda {

namespace {

bool all_aligned(std::initializer_list<const void*> starts) {
  for (const void* start : starts)
    if (!aligned(start)) return false;
  return true;
}

// Steps of a dense tensor, in elements.
Shape dense_steps(const Shape& shape) {
  Shape steps(shape.size(), 1);
  for (std::size_t i = shape.size(); i-- > 1;) steps[i - 1] = steps[i] * shape[i];
  return steps;
}

}  // namespace

void CudaBackend::launch_map(Map map, MapArguments a) {
  if (a.count == 0) return;
  const bool by_column = a.scale || a.shift || a.gate.data || a.x_stride;
  a.wide = a.count % 8 == 0 && (!by_column || (a.cols % 8 == 0 && a.x_stride % 8 == 0)) &&
           all_aligned({a.x.data, a.y.data, a.out.data, a.scale, a.shift, a.gate.data});
  if (a.wide && !by_column) a.cols = 8;
  device_->launch(device_->kernels().map[map], element_shape(a.wide ? a.count / 8 : a.count), a);
}

void CudaBackend::launch_norm(Norm norm, NormArguments a) {
  if (a.rows == 0) return;
  a.warps = row_warps(a.cols);
  a.wide = a.cols % 8 == 0 && (norm != kRmsNormRope || a.width % 8 == 0) &&
           all_aligned({a.x.data, a.y.data, a.update.data, a.gate.data, a.weight, a.bias, a.shift.data,
                        a.scale.data, a.table});
  device_->launch(device_->kernels().norm[norm], row_shape(a.rows, a.warps), a);
}

void CudaBackend::launch_rows_e4m3(RowsE4m3 form, NormArguments a, const Codes& to) {
  a.y = to.vector(), a.y_scale = to.scale;
  if (a.rows == 0) return;
  a.warps = row_warps(a.cols);
  a.wide = a.cols % 8 == 0 && all_aligned({a.x.data, a.y.data, a.update.data, a.gate.data, a.weight, a.bias,
                                           a.shift.data, a.scale.data});
  device_->launch(device_->kernels().rows_e4m3[form], row_shape(a.rows, a.warps), a);
}

void CudaBackend::round_to_codes(const Vector& x, std::int64_t rows, std::int64_t cols, const Codes& to) {
  NormArguments a;
  a.x = x, a.rows = rows, a.cols = static_cast<int>(cols);
  launch_rows_e4m3(kRoundedE4m3, a, to);
}

// ---- norms

NormArguments CudaBackend::layer_norm_arguments(const Tensor& x, const Tensor& weight, const Tensor& bias,
                                                const Modulation& modulation, float eps,
                                                const Tensor& y) const {
  const Rows s = check_layer_norm(x, weight, bias, modulation, y, operand_dtype());
  NormArguments a;
  a.x = vector(x), a.rows = s.rows, a.cols = static_cast<int>(s.cols);
  if (y.dtype() != DType::kF8E4M3) a.y = vector(y);
  a.weight = floats(weight), a.bias = floats(bias);
  a.shift = row_parameters(modulation.shift, modulation.group);
  a.scale = row_parameters(modulation.scale, modulation.group);
  a.eps = eps;
  return a;
}

void CudaBackend::layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias,
                             const Modulation& modulation, float eps, const Tensor& y) {
  const auto entered = device_->enter();
  const NormArguments a = layer_norm_arguments(x, weight, bias, modulation, eps, y);
  if (y.dtype() == DType::kF8E4M3) return launch_rows_e4m3(kLayerNormE4m3, a, codes(y));
  launch_norm(kLayerNorm, a);
}

void CudaBackend::add_gated_layer_norm(const Tensor& x, const Tensor& update, const Tensor& gate,
                                       const Tensor& weight, const Tensor& bias, const Modulation& modulation,
                                       float eps, const Tensor& y) {
  check_add_gated(x, update, gate, modulation.group, operand_dtype());
  const auto entered = device_->enter();
  NormArguments a = layer_norm_arguments(x, weight, bias, modulation, eps, y);
  a.update = vector(update), a.gate = row_parameters(gate, modulation.group);
  if (y.dtype() == DType::kF8E4M3) return launch_rows_e4m3(kAddGatedLayerNormE4m3, a, codes(y));
  launch_norm(kAddGatedLayerNorm, a);
}

void CudaBackend::rms_norm(const Tensor& x, const Tensor& weight, float eps, const Tensor& y) {
  const Rows s = check_map("rms_norm", x, y, operand_dtype());
  require_parameter("rms_norm", "weight", weight, s.cols);
  const auto entered = device_->enter();
  NormArguments a{vector(x), vector(y), s.rows, static_cast<int>(s.cols)};
  a.weight = floats(weight), a.eps = eps;
  launch_norm(kRmsNorm, a);
}

void CudaBackend::rms_norm_rope(const Tensor& x, const Tensor& weight, float eps, const Tensor& table,
                                const Tensor& y) {
  check_rms_norm_rope(x, weight, table, y, operand_dtype());
  const auto entered = device_->enter();
  NormArguments a{vector(x), vector(y), x.dim(0) * x.dim(1), static_cast<int>(x.dim(2) * x.dim(3))};
  a.weight = floats(weight), a.eps = eps;
  a.table = floats(table), a.length = static_cast<int>(x.dim(1)), a.width = static_cast<int>(x.dim(3));
  launch_norm(kRmsNormRope, a);
}

void CudaBackend::channel_norm(const Tensor& x, const Tensor& gamma, Activation act, const Tensor& y) {
  const Rows s = check_map("channel_norm", x, y, operand_dtype());
  require_parameter("channel_norm", "gamma", gamma, s.cols);
  require(act == Activation::kNone || act == Activation::kSilu, "channel_norm", "act is none or SiLU");
  const auto entered = device_->enter();
  NormArguments a{vector(x), vector(y), s.rows, static_cast<int>(s.cols)};
  a.weight = floats(gamma), a.activation = static_cast<int>(act);
  launch_norm(kChannelNorm, a);
}

// ---- elementwise

void CudaBackend::add_gated(const Tensor& x, const Tensor& y, const Tensor& gate, const Tensor& group) {
  const Rows s = check_add_gated(x, y, gate, group, operand_dtype());
  const auto entered = device_->enter();
  MapArguments a{vector(y), vector(x), vector(x), x.elements(), static_cast<int>(s.cols)};
  a.gate = row_parameters(gate, group);
  launch_map(kMapAddGated, a);
}

void CudaBackend::activate(const Tensor& x, Activation act, const Tensor& y) {
  const Rows s = check_map("activate", x, y, operand_dtype());
  const auto entered = device_->enter();
  MapArguments a{vector(x), {}, vector(y), x.elements(), static_cast<int>(s.cols)};
  a.activation = static_cast<int>(act);
  launch_map(kMapAffine, a);
}

void CudaBackend::gelu_gate(const Tensor& gate, const Tensor& a, const Tensor& y) {
  const Rows s = check_map("gelu_gate", gate, y, operand_dtype());
  check_map("gelu_gate", a, y, operand_dtype());
  const auto entered = device_->enter();
  launch_map(kMapGeluGate, {vector(gate), vector(a), vector(y), y.elements(), static_cast<int>(s.cols)});
}

void CudaBackend::combine(const std::vector<Term>& terms, const Tensor& out) {
  check_combine(terms, out, operand_dtype());
  const auto entered = device_->enter();
  CombineArguments a;
  a.out = vector(out), a.count = out.elements(), a.terms = static_cast<int>(terms.size());
  if (a.count == 0) return;
  a.wide = a.count % 8 == 0 && aligned(a.out.data);
  for (std::size_t n = 0; n < terms.size(); ++n) {
    a.x[n] = vector(terms[n].x), a.factor[n] = terms[n].factor;
    a.wide = a.wide && aligned(a.x[n].data);
  }
  device_->launch(device_->kernels().combine, element_shape(a.wide ? a.count / 8 : a.count), a);
}

void CudaBackend::channel_affine(const Tensor& x, const Tensor& scale, const Tensor& shift, const Tensor& y) {
  const Rows s = check_map("channel_affine", x, y, operand_dtype());
  if (!scale.empty()) require_parameter("channel_affine", "scale", scale, s.cols);
  if (!shift.empty()) require_parameter("channel_affine", "shift", shift, s.cols);
  const auto entered = device_->enter();
  MapArguments a{vector(x), {}, vector(y), x.elements(), static_cast<int>(s.cols)};
  a.scale = floats(scale), a.shift = floats(shift);
  launch_map(kMapAffine, a);
}

void CudaBackend::clamp(const Tensor& x, float low, float high, const Tensor& y) {
  const Rows s = check_map("clamp", x, y, operand_dtype());
  require(low <= high, "clamp", "low is above high");
  const auto entered = device_->enter();
  MapArguments a{vector(x), {}, vector(y), x.elements(), static_cast<int>(s.cols)};
  a.a = low, a.b = high;
  launch_map(kMapClamp, a);
}

// ---- movement

void CudaBackend::fill(const Tensor& x, float value) {
  require(x.dtype() != DType::kI32, "fill", "expected a float tensor");
  const auto entered = device_->enter();
  const Vector to = vector(x);
  if (x.elements())
    device_->launch(device_->kernels().fill[to.word], element_shape(x.elements()),
                    FillArguments{to.data, x.elements(), value});
}

void CudaBackend::fill_noise(const Tensor& x, const std::vector<NoiseSource>& frames,
                             const NoisePlace& first) {
  check_fill_noise(x, frames);
  const auto entered = device_->enter();
  NoiseArguments a;
  a.rows = x.dim(2), a.cols = x.dim(3), a.count = x.dim(0) * a.rows * a.cols;
  a.channel_step = x.dim(1) * a.rows * a.cols;
  if (a.count == 0) return;
  auto* out = reinterpret_cast<float*>(bytes(x));
  for (std::size_t t = 0; t < frames.size(); ++t, out += a.rows * a.cols) {
    a.x = out, a.key = noise_key(frames[t]);
    a.channel = first[0], a.frame = first[1] + static_cast<std::uint32_t>(t);
    a.row = first[2], a.column = first[3];
    device_->launch(device_->kernels().noise, element_shape(a.count), a);
  }
}

void CudaBackend::copy_steps(const Vector& x, const Shape& x_step, const Vector& y, const Shape& y_step,
                             const Shape& extent) {
  StridedArguments a{x, y, element_count(extent)};
  if (a.count == 0) return;
  // Dimensions that follow each other on both sides are merged: fewer divisions in the kernel.
  a.dimensions = 0;
  for (std::size_t i = 0; i < extent.size(); ++i) {
    if (extent[i] == 1) continue;
    const int last = a.dimensions - 1;
    if (last >= 0 && a.x_step[last] == x_step[i] * extent[i] && a.y_step[last] == y_step[i] * extent[i]) {
      a.extent[last] *= extent[i], a.x_step[last] = x_step[i], a.y_step[last] = y_step[i];
    } else {
      a.extent[last + 1] = extent[i], a.x_step[last + 1] = x_step[i], a.y_step[last + 1] = y_step[i];
      ++a.dimensions;
    }
  }
  if (a.dimensions == 0) a.dimensions = 1, a.extent[0] = a.x_step[0] = a.y_step[0] = 1;
  const int last = a.dimensions - 1;
  a.wide = a.extent[last] % 8 == 0 && a.x_step[last] == 1 && a.y_step[last] == 1 && aligned(x.data) &&
           aligned(y.data) && a.count >> 32 == 0;
  for (int i = 0; i < last; ++i) a.wide = a.wide && a.x_step[i] % 8 == 0 && a.y_step[i] % 8 == 0;
  device_->launch(device_->kernels().strided, element_shape(a.wide ? a.count / 8 : a.count), a);
}

void CudaBackend::copy_box(const Tensor& source, const Shape& source_start, const Tensor& target,
                           const Shape& target_start, const Shape& extent) {
  check_copy_box(source, source_start, target, target_start, extent);
  const auto entered = device_->enter();
  const auto start = [](const Vector& x, const Tensor& tensor, const Shape& steps, const Shape& at) {
    std::int64_t offset = 0;
    for (std::size_t i = 0; i < steps.size(); ++i) offset += steps[i] * at[i];
    return Vector{
        static_cast<std::byte*>(x.data) + static_cast<std::size_t>(offset) * dtype_bytes(tensor.dtype()),
        x.word};
  };
  const Shape from = dense_steps(source.shape()), to = dense_steps(target.shape());
  require(extent.size() <= kMostDimensions, "copy_box", "more than 8 dimensions");
  copy_steps(start(vector(source), source, from, source_start), from,
             start(vector(target), target, to, target_start), to, extent);
}

void CudaBackend::permute(const Tensor& x, const std::vector<int>& order, const Tensor& y) {
  check_permute(x, order, y);
  const auto entered = device_->enter();
  const Shape steps = dense_steps(x.shape());
  Shape from;
  for (const int axis : order) from.push_back(steps[static_cast<std::size_t>(axis)]);
  copy_steps(vector(x), from, vector(y), dense_steps(y.shape()), y.shape());
}

void CudaBackend::upsample_nearest_2x(const Tensor& x, const Tensor& y) {
  check_upsample(x, y, operand_dtype());
  const auto entered = device_->enter();
  const std::int64_t rows = x.dim(0) * x.dim(1), w = x.dim(2), c = x.dim(3);
  copy_steps(vector(x), {w * c, 0, c, 0, 1}, vector(y), {4 * w * c, 2 * w * c, 2 * c, c, 1},
             {rows, 2, w, 2, c});
}

void CudaBackend::group_mean(const Tensor& x, const Tensor& y) {
  const std::int64_t size = check_group("group_mean", x, y, operand_dtype());
  const auto entered = device_->enter();
  if (y.elements())
    device_->launch(device_->kernels().group_mean, element_shape(y.elements()),
                    GroupMeanArguments{vector(x), vector(y), y.elements(), static_cast<int>(size)});
}

void CudaBackend::group_repeat(const Tensor& x, const Tensor& y) {
  const std::int64_t size = check_group("group_repeat", y, x, operand_dtype());
  const auto entered = device_->enter();
  copy_steps(vector(x), {1, 0}, vector(y), {size, 1}, {x.elements(), size});
}

void CudaBackend::gather_rows(const Tensor& table, const Tensor& index, const Tensor& y) {
  const Rows s = check_gather(table, index, y, operand_dtype());
  const auto entered = device_->enter();
  if (y.elements())
    device_->launch(
        device_->kernels().gather, element_shape(y.elements()),
        GatherArguments{vector(table), vector(y), reinterpret_cast<const std::int32_t*>(bytes(index)),
                        y.elements(), table.dim(0), static_cast<int>(s.cols)});
}

}  // namespace rushes::kernels::cuda
