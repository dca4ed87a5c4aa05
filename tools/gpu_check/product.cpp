// Square products by cuBLASLt, as linear() makes them: in bf16, the ceiling of whatever multiplies matrices, and over rows in
// 8 bits, with the rounding of x.
#include "kernels/cuda/products.h"

#include <algorithm>

#include "kernels/cuda/cuda_backend.h"
#include "tools/gpu_check/numbers.h"
#include "tools/gpu_check/verbs.h"

namespace rushes::gpu_check {

namespace {

constexpr int kSets = 3;  // of operands, used in turn

std::vector<double> times_of(Machine& machine, const Request& request, const std::function<void(int)>& run) {
  run(0);
  const auto launches = request.number("launches");
  std::vector<double> times;
  for (std::int64_t round = 0; round < request.number("rounds"); ++round)
    times.push_back(machine.milliseconds([&] {
      for (std::int64_t i = 0; i < launches; ++i) run(static_cast<int>(i % kSets));
    }) / static_cast<double>(launches));
  return times;
}

// Of n x n x n; `most`: distance that is near enough.
Reply report(std::int64_t n, const std::vector<double>& times, const Nearness& near, double most) {
  const auto size = static_cast<double>(n);
  Reply reply;
  reply.add("ms", median(times)).add("rounds", times).add("flop", 2.0 * size * size * size);
  return near.add_to(reply).add("ok", near.distance <= most);
}

}  // namespace

Reply time_product(Machine& machine, const Request& request) {
  const auto n = request.number("size");
  const auto count = static_cast<std::size_t>(n) * static_cast<std::size_t>(n);
  const RandomBlock block(23, std::min<std::size_t>(count, 4'000'037));
  const DeviceBytes memory(machine.api(), kSets * 3 * count * 2);
  const auto matrix = [&](int set, int which) {
    return cuda::Vector{memory.at(static_cast<std::size_t>(set * 3 + which) * count * 2), cuda::kWordBf16};
  };
  const auto offset = [](int set, int which) { return static_cast<std::size_t>(set * 3 + which) * 100'003; };
  for (int set = 0; set < kSets; ++set)
    for (int which = 0; which < 2; ++which)
      block.fill(machine, matrix(set, which).data, count, offset(set, which));
  const auto entered = machine.device().enter();
  const auto run = [&](int set) {
    cuda::Product product{n, n, n};
    product.a = matrix(set, 0), product.b = matrix(set, 1), product.d = matrix(set, 2);
    product.stride_a = product.stride_b = product.stride_d = n;
    machine.device().products().run(product);
  };
  const std::vector<double> times = times_of(machine, request, run);
  // The first column of the first product: d[i] = sum over k of a[k, i] b[k, 0].
  const auto column = static_cast<std::size_t>(std::min<std::int64_t>(n, 256));
  std::vector<float> values, expected;
  machine.device().download(matrix(0, 2).data, column * 2,
                            [&](const std::byte* from, std::size_t, std::size_t bytes) {
                              const auto* bits = reinterpret_cast<const std::uint16_t*>(from);
                              for (std::size_t i = 0; i < bytes / 2; ++i)
                                values.push_back(kernels::bf16_to_float(bits[i]));
                            });
  for (std::size_t i = 0; i < column; ++i) {
    double sum = 0;
    for (std::size_t k = 0; k < static_cast<std::size_t>(n); ++k)
      sum += static_cast<double>(block.at(offset(0, 0), i * static_cast<std::size_t>(n) + k)) *
             static_cast<double>(block.at(offset(0, 1), k));
    expected.push_back(static_cast<float>(sum));
  }
  return report(n, times, nearness(values, expected), 1e-2);
}

Reply time_rounded_product(Machine& machine, const Request& request) {
  using kernels::DType;
  using kernels::Tensor;
  const auto n = request.number("size");
  const auto size = static_cast<std::size_t>(n), count = size * size;
  cuda::CudaOptions options;
  options.eight_bit = true;
  const auto backend = cuda::make_cuda_backend(&machine.timed(), options);
  const RandomBlock block(29, std::min<std::size_t>(count, 4'000'037));
  const auto offset = [](int set, int which) { return static_cast<std::size_t>(set * 2 + which) * 100'003; };
  const auto bits = [&](int set, int which) {
    std::vector<std::uint16_t> all;
    all.reserve(count);
    for (std::size_t i = 0; i < count; ++i)
      all.push_back(block.bits()[(offset(set, which) + i) % block.bits().size()]);
    return all;
  };
  std::vector<Tensor> x, y;
  std::vector<kernels::LinearPtr> weights;
  for (int set = 0; set < kSets; ++set) {
    const std::vector<std::uint16_t> left = bits(set, 0), right = bits(set, 1);
    x.push_back(backend->upload({left.data(), DType::kBf16, {n, n}}));
    weights.push_back(backend->in_8_bits(*backend->prepare_linear({right.data(), DType::kBf16, {n, n}}, {})));
    if (!weights.back()) return Reply().add("ok", true).add("skipped", "no scale for each row here");
    y.push_back(backend->empty(DType::kBf16, {n, n}));
  }
  const std::vector<double> times = times_of(machine, request, [&](int set) {
    const auto at = static_cast<std::size_t>(set);
    backend->linear(x[at], *weights[at], y[at]);
  });
  // The first row: y[0, j] = sum over k of x[0, k] w[j, k].
  std::vector<float> values(size), expected;
  backend->download(y[0].slice(0, 1), values.data());
  for (std::size_t j = 0; j < size; ++j) {
    double sum = 0;
    for (std::size_t k = 0; k < size; ++k)
      sum += static_cast<double>(block.at(offset(0, 0), k)) *
             static_cast<double>(block.at(offset(0, 1), j * size + k));
    expected.push_back(static_cast<float>(sum));
  }
  return report(n, times, nearness(values, expected), 5e-2);
}

}  // namespace rushes::gpu_check
