// Kernels over rows and elements at the sizes of a transformer step: bytes moved per second, to be held against a copy.
#include <algorithm>
#include <cmath>

#include "kernels/cuda/cuda_backend.h"
#include "kernels/layout.h"
#include "tools/gpu_check/numbers.h"
#include "tools/gpu_check/verbs.h"

namespace rushes::gpu_check {

namespace {

using kernels::Activation;
using kernels::Backend;
using kernels::DType;
using kernels::Shape;
using kernels::Tensor;

// What one call works on: rows of 5120 (or fewer) columns as in a step, the same numbers on every backend.
struct Operands {
  Backend& backend;
  std::int64_t rows, cols, heads;
  Tensor x, second, y, operand, gain, shift, one_row, table, index;
  Tensor stream;  // what an operation changes in place

  Operands(Backend& on, std::int64_t row_count, std::int64_t col_count, std::uint64_t seed);
  Tensor floats(Shape shape, std::uint64_t seed) const;
};

// Larger tensors repeat a thousand rows.
Tensor Operands::floats(Shape shape, std::uint64_t seed) const {
  const auto count = static_cast<std::size_t>(kernels::element_count(shape));
  const std::size_t period = std::min(count, static_cast<std::size_t>(1009 * cols));
  std::vector<float> values = normal_values(seed, period);
  values.resize(count);
  for (std::size_t i = period; i < count; ++i) values[i] = values[i - period];
  return backend.upload(kernels::host_tensor(values, std::move(shape)));
}

Operands::Operands(Backend& on, std::int64_t row_count, std::int64_t col_count, std::uint64_t seed)
    : backend(on), rows(row_count), cols(col_count), heads(col_count / 128) {
  x = floats({rows, cols}, seed), second = floats({rows, cols}, seed + 4);
  stream = floats({rows, cols}, seed + 6);
  y = backend.empty(DType::kF32, {rows, cols});
  operand = backend.empty(backend.operand_dtype(), {rows, cols});
  gain = floats({cols}, seed + 1), shift = floats({cols}, seed + 2), one_row = floats({1, cols}, seed + 3);
  std::vector<float> angles;
  for (std::int64_t i = 0; i < rows * 64; ++i) {
    angles.push_back(std::cos(0.37f * static_cast<float>(i % 9973)));
    angles.push_back(std::sin(0.37f * static_cast<float>(i % 9973)));
  }
  table = backend.upload(kernels::host_tensor(angles, {rows, 64, 2}));
  std::vector<std::int32_t> order(static_cast<std::size_t>(rows));
  for (std::int64_t i = 0; i < rows; ++i)
    order[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(i * 7919 % rows);
  index = backend.upload(kernels::host_tensor(order, {rows}));
}

struct RowKernel {
  const char* name;
  double bytes;  // moved per element
  void (*run)(const Operands&);
  Tensor Operands::*result = &Operands::y;
};

// What a call writes it does not read, so that it can be repeated, but for `stream`. Rows are a multiple of 16.
const std::vector<RowKernel>& row_kernels() {
  static const std::vector<RowKernel> all = {
      {"layer_norm_modulated", 6,
       [](const Operands& o) {
         o.backend.layer_norm(o.x, {}, {}, {o.one_row, o.one_row, {}}, 1e-6f, o.operand);
       },
       &Operands::operand},
      {"add_gated_layer_norm", 14,
       [](const Operands& o) {
         o.backend.add_gated_layer_norm(o.stream, o.x, o.one_row, {}, {}, {o.one_row, o.one_row, {}}, 1e-6f,
                                        o.operand);
       },
       &Operands::operand},
      {"add_gated", 12, [](const Operands& o) { o.backend.add_gated(o.stream, o.x, o.one_row); },
       &Operands::stream},
      {"rms_norm", 6, [](const Operands& o) { o.backend.rms_norm(o.x, o.gain, 1e-6f, o.operand); },
       &Operands::operand},
      {"rms_norm_rope", 6,
       [](const Operands& o) {
         const Shape heads = {1, o.rows, o.heads, 128};
         o.backend.rms_norm_rope(o.x.reshape(heads), o.gain, 1e-6f, o.table, o.operand.reshape(heads));
       },
       &Operands::operand},
      {"channel_norm_silu", 6,
       [](const Operands& o) { o.backend.channel_norm(o.x, o.gain, Activation::kSilu, o.operand); },
       &Operands::operand},
      {"gelu", 6, [](const Operands& o) { o.backend.activate(o.x, Activation::kGeluTanh, o.operand); },
       &Operands::operand},
      {"channel_affine", 8, [](const Operands& o) { o.backend.channel_affine(o.x, o.gain, o.shift, o.y); }},
      {"gelu_gate", 12, [](const Operands& o) { o.backend.gelu_gate(o.x, o.second, o.y); }},
      {"combine", 12,
       [](const Operands& o) {
         o.backend.combine({{0.7f, o.x}, {0.3f, o.second}}, o.y);
       }},
      {"clamp", 8, [](const Operands& o) { o.backend.clamp(o.x, -1.0f, 1.0f, o.y); }},
      {"gather_rows", 8, [](const Operands& o) { o.backend.gather_rows(o.x, o.index, o.y); }},
      {"copy_box", 8,
       [](const Operands& o) {
         o.backend.copy_box(o.x, {0, 0}, o.y, {0, 0}, {o.rows, o.cols});
       }},
      {"permute", 8,
       [](const Operands& o) {
         o.backend.permute(o.x.reshape({o.rows, o.heads, 128}), {1, 0, 2},
                           o.y.reshape({o.heads, o.rows, 128}));
       }},
      {"fill", 4, [](const Operands& o) { o.backend.fill(o.y, 1.5f); }},
      {"group_mean", 5,  // of groups of four: a quarter of `y`
       [](const Operands& o) {
         const Tensor part = o.y.slice(0, o.rows / 4);
         o.backend.group_mean(o.x.reshape({o.rows * o.cols / 4, 4}), part.reshape({o.rows * o.cols / 4}));
       }},
      {"upsample_nearest_2x", 5,
       [](const Operands& o) {
         const std::int64_t quarter = o.rows / 4;
         o.backend.upsample_nearest_2x(o.x.slice(0, quarter).reshape({1, 4, quarter / 4, o.cols}),
                                       o.y.reshape({1, 8, quarter / 2, o.cols}));
       }},
  };
  return all;
}

std::vector<float> result(Backend& backend, const RowKernel& kernel, std::int64_t cols) {
  const Operands o(backend, 48, cols, 3);
  backend.fill(o.y, 0.0f);
  kernel.run(o);
  return kernels::read_values(backend, o.*kernel.result);
}

}  // namespace

std::vector<std::string> row_names() {
  std::vector<std::string> names = {"copy"};
  for (const RowKernel& kernel : row_kernels()) names.push_back(kernel.name);
  return names;
}

Reply time_rows(Machine& machine, const Request& request) {
  const std::string& name = request.text("name");
  const RowKernel* kernel = nullptr;
  for (const RowKernel& known : row_kernels())
    if (known.name == name) kernel = &known;
  const bool copy = name == "copy";
  if (!kernel && !copy) throw std::invalid_argument("there is no row kernel " + name);
  Backend& backend = machine.backend(kernels::Precision::kBf16);
  const std::int64_t rows = request.number("rows"), cols = request.number("cols");
  const Operands sets[] = {{backend, rows, cols, 3}, {backend, rows, cols, 13}};
  const auto copy_plainly = [&](std::size_t set) {
    const auto entered = machine.device().enter();
    const auto at = [](const Tensor& x) {
      return static_cast<const cuda::CudaBuffer*>(x.buffer())->data() + x.offset();
    };
    cuda::check(machine.api(),
                machine.api().memcpy_async(at(sets[set].y), at(sets[set].x), sets[set].x.bytes(),
                                           cuda::CopyKind::kOnDevice, machine.device().stream()),
                "cudaMemcpyAsync");
  };
  std::vector<double> times;
  const auto launches = request.number("launches");
  const auto once = [&](std::size_t set) { copy ? copy_plainly(set) : kernel->run(sets[set]); };
  once(0);
  for (std::int64_t round = 0; round < request.number("rounds"); ++round)
    times.push_back(machine.milliseconds([&] {
      for (std::int64_t i = 0; i < launches; ++i) once(static_cast<std::size_t>(i % 2));
    }) / static_cast<double>(launches));
  const double per_element = copy ? 8 : kernel->bytes;
  Reply reply;
  reply.add("ms", median(times))
      .add("rounds", times)
      .add("bytes", per_element * static_cast<double>(rows * cols));
  if (copy) return reply.add("rel_l2", 0.0).add("cosine", 1.0).add("ok", true);
  const auto reference = kernels::make_reference_backend();
  const Nearness near = nearness(result(backend, *kernel, cols), result(*reference, *kernel, cols));
  return near.add_to(reply).add("ok", near.distance <= 3e-3);
}

}  // namespace rushes::gpu_check
