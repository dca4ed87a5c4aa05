// Matrix products over rows in 8 bits on the software device: against plain code on operands rounded by plain code.
#include <gmock/gmock.h>

#include <iostream>
#include <sstream>

#include "kernels/cuda/cuda_backend.h"
#include "kernels/eight_bit_gate.h"
#include "kernels/eight_bit_rows.h"
#include "tests/kernels/emulator/grid.h"
#include "tests/kernels/emulator/software_device.h"
#include "tests/kernels/support.h"

namespace rushes::kernels::cuda {
namespace {

using emulator::SoftwareDevice;
using emulator::SoftwareOptions;

std::unique_ptr<Backend> make(SoftwareDevice& device, bool eight_bit = true) {
  CudaOptions options;
  options.eight_bit = eight_bit;
  return make_cuda_backend(&device, options);
}

std::vector<float> as_bf16(std::vector<float> values) {
  round_values(values);
  return values;
}

struct Layer {
  std::int64_t n = 0, k = 0;
  std::vector<float> weight, bias;
  LinearPtr in_bf16, in_8_bits;
  Layer(Backend& backend, Random& random, std::int64_t features, std::int64_t inputs, bool biased = true)
      : n(features), k(inputs), weight(as_bf16(random.normal(features * inputs, 0.1f))) {
    if (biased) bias = random.normal(features);
    in_bf16 =
        backend.prepare_linear(host_tensor(weight, {n, k}), biased ? host_tensor(bias, {n}) : HostTensor());
    in_8_bits = backend.in_8_bits(*in_bf16);
  }
  // act(x w^T + bias) in double, over both operands as plain code rounds them.
  std::vector<float> expected(const std::vector<float>& x, Activation act = Activation::kNone) const {
    const auto rows = static_cast<std::int64_t>(x.size()) / k;
    const std::vector<float> left = widen(round_rows(rows, k, x.data())),
                             right = widen(round_rows(n, k, weight.data()));
    const auto backend = make_reference_backend();
    const LinearPtr layer = backend->prepare_linear(
        host_tensor(right, {n, k}), bias.empty() ? HostTensor() : host_tensor(as_bf16(bias), {n}));
    const Tensor y = backend->empty(DType::kF32, {rows, n});
    backend->linear(put(*backend, left, {rows, k}), *layer, y, act);
    return get(*backend, y);
  }
};

std::vector<float> run(Backend& backend, const Tensor& x, const Layer& layer, DType dtype = DType::kF32,
                       Activation act = Activation::kNone) {
  const Tensor y = backend.empty(dtype, {x.dim(0), layer.n});
  backend.linear(x, *layer.in_8_bits, y, act);
  return get(backend, y);
}

TEST(CudaEightBitRows, AProductIsThatOfTheRoundedOperands) {
  for (const auto& options : {SoftwareOptions{}, SoftwareOptions{.blas_has_gelu = false},
                              SoftwareOptions{.blas_has_gelu = false, .blas_has_e4m3_into_f32 = false}}) {
    SoftwareDevice device(options);
    const auto backend = make(device);
    Random random(7);
    struct Case {
      std::int64_t rows, n, k;
    };
    for (const Case c : {Case{1, 16, 16}, {5, 32, 48}, {37, 144, 272}, {3, 16, 1040}}) {
      const Layer layer(*backend, random, c.n, c.k, c.rows != 5);
      ASSERT_TRUE(layer.in_8_bits) << c.n << ' ' << c.k;
      const std::vector<float> x = as_bf16(random.normal(c.rows * c.k));
      for (const DType in : {DType::kF32, DType::kBf16})
        for (const DType out : {DType::kF32, DType::kBf16})
          for (const Activation act : {Activation::kNone, Activation::kSilu, Activation::kGeluTanh}) {
            const Tensor rows = backend->empty(in, {c.rows, c.k});
            backend->copy_box(put(*backend, x, {c.rows, c.k}), {0, 0}, rows, {0, 0}, {c.rows, c.k});
            const bool wide = out == DType::kF32 && options.blas_has_e4m3_into_f32;
            EXPECT_LE(distance(run(*backend, rows, layer, out, act), layer.expected(x, act)),
                      wide ? 1e-6 : 6e-3)
                << c.rows << ' ' << dtype_name(in) << ' ' << dtype_name(out) << ' ' << static_cast<int>(act);
          }
    }
    backend->synchronize();
    EXPECT_EQ(device.fault(), "");
  }
}

// Scratch memory is bounded, whatever the number of rows; each row's result is its own.
TEST(CudaEightBitRows, ManyRowsAreComputedInPieces) {
  const std::int64_t rows = 700, k = 32, n = 48;
  for (const bool has_gelu : {true, false}) {
    SoftwareOptions device_options;
    device_options.blas_has_gelu = has_gelu;
    std::vector<float> whole;
    for (const std::size_t bytes : {std::size_t{64} << 20, std::size_t{1}}) {
      SoftwareDevice device(device_options);
      CudaOptions options;
      options.eight_bit = true;
      options.linear_bytes = bytes;
      const auto backend = make_cuda_backend(&device, options);
      Random random(5);
      const Layer layer(*backend, random, n, k);
      const Tensor x = backend->empty(DType::kBf16, {rows, k}),
                   rounded = backend->empty(DType::kF8E4M3, {rows, k});
      const Tensor stream = put(*backend, random.normal(rows * k), {rows, k});
      backend->copy_box(stream, {0, 0}, x, {0, 0}, {rows, k});
      backend->layer_norm(stream, {}, {}, {}, 1e-6f, rounded);
      const Tensor y = backend->empty(DType::kBf16, {rows, n});
      backend->linear(x, *layer.in_8_bits, y, Activation::kGeluTanh);
      std::vector<float> found = get(*backend, y);
      const std::vector<float> more = run(*backend, rounded, layer, DType::kBf16, Activation::kGeluTanh);
      found.insert(found.end(), more.begin(), more.end());
      if (whole.empty())
        whole = found;
      else
        EXPECT_TRUE(same_bits(found, whole));
      backend->synchronize();
      EXPECT_EQ(device.fault(), "");
    }
  }
}

// A norm writes what rounding its own result would: the same sums in the same order.
TEST(CudaEightBitRows, NormsWriteThemWithoutAnotherPass) {
  SoftwareDevice device;
  const auto backend = make(device);
  Random random(11);
  for (const std::int64_t cols : {std::int64_t{48}, std::int64_t{1104}, std::int64_t{8400}}) {
    const std::int64_t rows = 6;
    const Layer layer(*backend, random, 16, cols);
    ASSERT_TRUE(layer.in_8_bits);
    const auto tensor = [&](std::int64_t count) {
      return put(*backend, random.normal(count * cols), {count, cols});
    };
    const Tensor weight = tensor(1).reshape({cols}), bias = tensor(1).reshape({cols}), gate = tensor(1);
    const Modulation modulation{tensor(1), tensor(rows), {}};
    const std::vector<float> stream = random.normal(rows * cols);
    const Tensor update = tensor(rows), plain = backend->empty(DType::kF32, {rows, cols}),
                 rounded = backend->empty(DType::kF8E4M3, {rows, cols});

    Tensor x = put(*backend, stream, {rows, cols});
    backend->layer_norm(x, weight, bias, modulation, 1e-6f, plain);
    backend->layer_norm(x, weight, bias, modulation, 1e-6f, rounded);
    EXPECT_LE(distance(run(*backend, rounded, layer), layer.expected(get(*backend, plain))), 1e-6) << cols;

    backend->add_gated_layer_norm(x, update, gate, {}, {}, modulation, 1e-6f, plain);
    const std::vector<float> after = get(*backend, x);
    x = put(*backend, stream, {rows, cols});
    backend->add_gated_layer_norm(x, update, gate, {}, {}, modulation, 1e-6f, rounded);
    EXPECT_TRUE(same_bits(get(*backend, x), after)) << cols;
    EXPECT_LE(distance(run(*backend, rounded, layer), layer.expected(get(*backend, plain))), 1e-6) << cols;
  }
  backend->synchronize();
  EXPECT_EQ(device.fault(), "");
}

TEST(CudaEightBitRows, ZerosStayZerosAndNaNStaysInItsRow) {
  SoftwareDevice device;
  const auto backend = make(device);
  Random random(3);
  const Layer layer(*backend, random, 16, 32, false);
  std::vector<float> x(static_cast<std::size_t>(4 * layer.k), 0.0f);
  for (std::int64_t i = 2 * layer.k; i < 3 * layer.k; ++i) x[static_cast<std::size_t>(i)] = 1.0f;
  x[static_cast<std::size_t>(layer.k) + 3] = NAN;
  x[static_cast<std::size_t>(3 * layer.k) + 5] = INFINITY;
  const std::vector<float> y = run(*backend, put(*backend, x, {4, layer.k}), layer);
  for (std::size_t i = 0; i < 16; ++i) {
    EXPECT_EQ(y[i], 0.0f);
    EXPECT_TRUE(std::isnan(y[16 + i]));
    EXPECT_TRUE(std::isfinite(y[32 + i]) && y[32 + i] != 0.0f);
    EXPECT_TRUE(std::isnan(y[48 + i]));
  }
}

TEST(CudaEightBitRows, WhatCannotBeInThemIsNot) {
  const auto has = [](const SoftwareOptions& options, std::int64_t n = 32, std::int64_t k = 32,
                      bool eight_bit = true, std::optional<Precision> precision = {}) {
    SoftwareDevice device(options);
    const auto backend = make(device, eight_bit);
    const std::vector<float> weight(static_cast<std::size_t>(n * k), 0.5f);
    const bool found =
        backend->in_8_bits(*backend->prepare_linear(host_tensor(weight, {n, k}), {}, precision)) != nullptr;
    EXPECT_EQ(device.fault(), "");
    return found;
  };
  EXPECT_TRUE(has({}));
  EXPECT_TRUE(has({.blas_has_e4m3_into_f32 = false}));
  EXPECT_FALSE(has({.major = 8, .minor = 0}));
  EXPECT_FALSE(has({.major = 8, .minor = 9})) << "no scale for each row there";
  EXPECT_FALSE(has({.major = 10, .minor = 0}));
  EXPECT_FALSE(has({}, 40, 32));
  EXPECT_FALSE(has({}, 32, 40));
  EXPECT_FALSE(has({}, 32, 32, false));
  EXPECT_FALSE(has({}, 32, 32, true, Precision::kF32));

  SoftwareDevice device;
  const auto backend = make(device);
  const Tensor rows = backend->empty(DType::kF8E4M3, {4, 32});
  EXPECT_THROW(backend->fill(rows, 1.0f), std::invalid_argument);
  EXPECT_THROW(backend->permute(rows, {1, 0}, backend->empty(DType::kF8E4M3, {32, 4})),
               std::invalid_argument);
  Random random(1);
  const Layer layer(*backend, random, 16, 32);
  const Tensor y = backend->empty(DType::kF32, {2, 16});
  EXPECT_THROW(backend->linear(rows.slice(0, 2), *layer.in_8_bits, y), std::invalid_argument);
  EXPECT_THROW(backend->linear(rows, *layer.in_bf16, backend->empty(DType::kF32, {4, 16})),
               std::invalid_argument);
  EXPECT_THROW(make_cpu_backend()->empty(DType::kF8E4M3, {4, 32}), std::invalid_argument);
  EXPECT_THROW(make(device, false)->empty(DType::kF8E4M3, {4, 32}), std::invalid_argument);
}

TEST(CudaEightBitGate, JudgesAProductByItsOperands) {
  SoftwareDevice device;
  const auto eight = make(device), plain = make(device, false);
  Random random(5);
  const Layer layer(*plain, random, 64, 512);
  EXPECT_FALSE(layer.in_8_bits);
  std::vector<float> x = random.normal(300 * layer.k);
  const auto judge = [&] {
    return *judge_eight_bit_product(*eight, *plain, put(*plain, x, {300, layer.k}), *layer.in_bf16);
  };
  const EightBitVerdict noise = judge();
  EXPECT_TRUE(noise.near_enough()) << noise.text(2);
  EXPECT_GT(noise.distance, 1e-2) << "nothing was computed in 8 bits";
  EXPECT_THAT(noise.text(2), testing::HasSubstr("layer 2: a product in 8 bits"));

  // A number of each row is far above the others, where the weights are zero: no result needs it.
  for (std::size_t i = 0; i < x.size(); i += static_cast<std::size_t>(layer.k)) x[i] = 1e6f;
  std::vector<float> weight = layer.weight;
  for (std::size_t i = 0; i < weight.size(); i += static_cast<std::size_t>(layer.k)) weight[i] = 0.0f;
  const LinearPtr without = plain->prepare_linear(host_tensor(weight, {layer.n, layer.k}), {});
  const EightBitVerdict bad =
      *judge_eight_bit_product(*eight, *plain, put(*plain, x, {300, layer.k}), *without);
  EXPECT_FALSE(bad.near_enough()) << bad.text(0);
  EXPECT_THAT(bad.text(0), testing::HasSubstr("it stays in bf16"));
}

// RUSHES_MUTATION(n) of kernels/cuda/rows_f8.cu.
TEST(CudaEightBitRowsMutation, EveryPlantedMistakeIsCaught) {
  constexpr std::int64_t kRows = 3, kCols = 2064;  // two warps a row, four rows a block
  const auto failure = [&](std::uint64_t seed) -> std::string {
    SoftwareDevice device({.seed = seed});
    try {
      const auto backend = make(device);
      Random random(9);
      const Layer layer(*backend, random, 16, kCols);
      std::vector<float> x = random.normal(kRows * kCols);
      x[5] = -20.0f;  // the largest of its row
      const Tensor y = backend->empty(DType::kF32, {kRows, 16});
      backend->linear(put(*backend, x, {kRows, kCols}), *layer.in_8_bits, y);
      const double d = distance(get(*backend, y), layer.expected(x));
      backend->synchronize();
      std::ostringstream text;
      text << "result differs: " << d;
      return d <= 1e-5 ? device.fault() : text.str();
    } catch (const DeviceFault&) {
      return device.fault();
    }
  };
  const std::pair<int, const char*> mutations[] = {
      {46, "the largest of a thread for that of its row"},
      {47, "the largest number for the largest magnitude"},
  };
  for (std::uint64_t seed = 1; seed <= 4; ++seed) EXPECT_EQ(failure(seed), "") << "without a mistake";
  for (const auto& [number, name] : mutations) {
    emulator::planted = number;
    std::string caught;
    for (std::uint64_t seed = 1; seed <= 12 && caught.empty(); ++seed) caught = failure(seed);
    emulator::planted = 0;
    EXPECT_NE(caught, "") << name;
    std::cout << number << "  " << name << ": " << caught << '\n';
  }
}

}  // namespace
}  // namespace rushes::kernels::cuda
