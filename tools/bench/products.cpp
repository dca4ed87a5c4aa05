// rushes-bench gemm, rushes-bench conv3d: the CPU backend's products against oneDNN in the same process.
#include <omp.h>

#include <cstring>
#include <dnnl.hpp>
#include <string>
#include <unordered_map>

#include "tools/bench/bench.h"
#include "tools/bench/kernel_bench.h"

namespace rushes::bench {

namespace {

using Memory = dnnl::memory;
using Tag = dnnl::memory::format_tag;

Memory::data_type onednn_type(kernels::Precision precision) {
  return precision == kernels::Precision::kBf16 ? Memory::data_type::bf16 : Memory::data_type::f32;
}

// A oneDNN primitive with its weights already in the layout that it prefers.
struct OneDnn {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  dnnl::primitive primitive;
  std::unordered_map<int, Memory> arguments;

  void bind(const Memory::desc& source, const Memory::desc& weights, const Memory::desc& target) {
    const auto zeros = [&](const Memory::desc& desc) {
      Memory memory(desc, engine);
      std::memset(memory.get_data_handle(), 0, desc.get_size());
      return memory;
    };
    arguments = {
        {DNNL_ARG_SRC, zeros(source)}, {DNNL_ARG_WEIGHTS, zeros(weights)}, {DNNL_ARG_DST, zeros(target)}};
  }
  void run() {
    primitive.execute(stream, arguments);
    stream.wait();
  }
};

// x [m, k] times w [n, k]: inputs and outputs as our backend takes them (bf16 inputs spare oneDNN our
// conversion).
OneDnn onednn_matmul(kernels::Precision precision, std::int64_t m, std::int64_t k, std::int64_t n) {
  OneDnn one;
  const auto type = onednn_type(precision);
  const Memory::desc x({m, k}, type, Tag::ab), w({k, n}, type, Tag::any),
      y({m, n}, Memory::data_type::f32, Tag::ab);
  const dnnl::matmul::primitive_desc description(dnnl::matmul::desc(x, w, y), one.engine);
  one.primitive = dnnl::matmul(description);
  one.bind(description.src_desc(), description.weights_desc(), description.dst_desc());
  return one;
}

struct ConvShape {
  std::int64_t t, h, w, cin, cout, kernel_t, kernel_s;
};

OneDnn onednn_conv3d(kernels::Precision precision, const ConvShape& s) {
  OneDnn one;
  const auto type = onednn_type(precision);
  const std::int64_t pad = s.kernel_s / 2;
  const Memory::desc x({1, s.cin, s.t, s.h, s.w}, type, Tag::ndhwc);
  const Memory::desc w({s.cout, s.cin, s.kernel_t, s.kernel_s, s.kernel_s}, type, Tag::any);
  const Memory::desc y({1, s.cout, s.t, s.h, s.w}, Memory::data_type::f32, Tag::ndhwc);
  const dnnl::convolution_forward::desc desc(dnnl::prop_kind::forward_inference,
                                             dnnl::algorithm::convolution_direct, x, w, y, {1, 1, 1},
                                             {s.kernel_t - 1, pad, pad}, {0, pad, pad});
  const dnnl::convolution_forward::primitive_desc description(desc, one.engine);
  one.primitive = dnnl::convolution_forward(description);
  one.bind(description.src_desc(), description.weights_desc(), description.dst_desc());
  return one;
}

// Weights of any values: speed does not depend on them, as long as they are ordinary numbers.
std::vector<float> weights(std::int64_t count) {
  return std::vector<float>(static_cast<std::size_t>(count), 0.01f);
}

}  // namespace

int bench_gemm(int argc, char** argv) {
  KernelOptions options;
  if (const int code = parse_kernel_options(argc, argv, "linear layers against oneDNN", options); code >= 0)
    return code;
  omp_set_num_threads(options.threads);
  KernelReport report(options, "gemm");
  const std::int64_t shapes[][3] = {
      {135, 384, 384}, {135, 384, 1536}, {540, 1536, 384}, {2048, 1536, 3072}, {1, 256, 1536}};
  for (const kernels::Precision precision : {kernels::Precision::kF32, kernels::Precision::kBf16}) {
    const auto backend = kernels::make_cpu_backend({options.threads, precision});
    for (const auto& [m, k, n] : shapes) {
      const auto w = weights(n * k);
      const kernels::LinearPtr layer = backend->prepare_linear(kernels::host_tensor(w, {n, k}), {});
      const kernels::Tensor x = random_tensor(*backend, {m, k}),
                            y = backend->empty(kernels::DType::kF32, {m, n});
      OneDnn one = onednn_matmul(precision, m, k, n);
      const auto times = best_seconds(options, {[&] { backend->linear(x, *layer, y); }, [&] { one.run(); }});
      const double flop = 2e-9 * static_cast<double>(m * k * n);
      report.add(precision, std::to_string(m) + " x " + std::to_string(k) + " -> " + std::to_string(n),
                 {{"ours", flop / times[0]}, {"onednn", flop / times[1]}});
    }
  }
  report.finish();
  return 0;
}

int bench_conv3d(int argc, char** argv) {
  KernelOptions options;
  if (const int code = parse_kernel_options(argc, argv, "3D convolutions against oneDNN", options);
      code >= 0) {
    return code;
  }
  omp_set_num_threads(options.threads);
  KernelReport report(options, "conv3d");
  constexpr ConvShape kShapes[] = {{9, 24, 40, 128, 128, 3, 3}, {17, 48, 80, 64, 64, 3, 3},
                                   {33, 48, 80, 32, 32, 3, 3},  {33, 48, 80, 16, 16, 3, 3},
                                   {9, 24, 40, 128, 256, 3, 1}, {9, 24, 40, 128, 64, 1, 1}};
  for (const kernels::Precision precision : {kernels::Precision::kF32, kernels::Precision::kBf16}) {
    const auto backend = kernels::make_cpu_backend({options.threads, precision});
    for (const ConvShape& s : kShapes) {
      const std::int64_t taps = s.kernel_t * s.kernel_s * s.kernel_s, pad = s.kernel_s / 2;
      const auto w = weights(s.cout * s.cin * taps);
      const kernels::Conv3dPtr layer = backend->prepare_conv3d(
          kernels::host_tensor(w, {s.cout, s.cin, s.kernel_t, s.kernel_s, s.kernel_s}), {});
      const kernels::Tensor x = random_tensor(*backend, {s.t, s.h, s.w, s.cin});
      const kernels::Tensor y = backend->empty(kernels::DType::kF32, {s.t, s.h, s.w, s.cout});
      const kernels::Padding padding{s.kernel_t - 1, pad, pad, pad, pad};
      OneDnn one = onednn_conv3d(precision, s);
      const auto times =
          best_seconds(options, {[&] { backend->conv3d(x, *layer, padding, y); }, [&] { one.run(); }});
      const double flop = 2e-9 * static_cast<double>(s.t * s.h * s.w * s.cin * s.cout * taps);
      report.add(precision,
                 std::to_string(s.t) + "x" + std::to_string(s.h) + "x" + std::to_string(s.w) + " " +
                     std::to_string(s.cin) + " -> " + std::to_string(s.cout) + " k" +
                     std::to_string(s.kernel_t) + std::to_string(s.kernel_s) + std::to_string(s.kernel_s),
                 {{"ours", flop / times[0]}, {"onednn", flop / times[1]}});
    }
  }
  report.finish();
  return 0;
}

}  // namespace rushes::bench
