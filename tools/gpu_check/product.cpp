// Square products in bf16 by cuBLASLt, as linear() makes them: the ceiling of whatever multiplies matrices.
#include "kernels/cuda/products.h"

#include <algorithm>

#include "tools/gpu_check/numbers.h"
#include "tools/gpu_check/verbs.h"

namespace rushes::gpu_check {

Reply time_product(Machine& machine, const Request& request) {
  const auto n = request.number("size");
  const auto count = static_cast<std::size_t>(n) * static_cast<std::size_t>(n);
  constexpr int kSets = 3;
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
  run(0);
  const auto launches = request.number("launches");
  std::vector<double> times;
  for (std::int64_t round = 0; round < request.number("rounds"); ++round)
    times.push_back(machine.milliseconds([&] {
      for (std::int64_t i = 0; i < launches; ++i) run(static_cast<int>(i % kSets));
    }) / static_cast<double>(launches));
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
  Reply reply;
  reply.add("ms", median(times))
      .add("rounds", times)
      .add("flop", 2.0 * static_cast<double>(n) * static_cast<double>(count));
  const Nearness near = nearness(values, expected);
  return near.add_to(reply).add("ok", near.distance <= 1e-2);
}

}  // namespace rushes::gpu_check
