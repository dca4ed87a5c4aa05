// The CPU backend against the reference on random shapes, in both precisions; bits for any number of threads.
#include <gtest/gtest.h>
#include <hwy/targets.h>

#include "tests/kernels/operations.h"

namespace rushes::kernels {
namespace {

constexpr std::uint64_t kCases = 25;

class CpuOperation : public testing::TestWithParam<Operation> {};

void expect_near_reference(const Operation& operation, Precision precision, double tolerance,
                           std::uint64_t cases = kCases) {
  const auto reference = make_reference_backend();
  const auto cpu = make_cpu_backend({2, precision});
  for (std::uint64_t seed = 1; seed <= cases; ++seed) {
    const double error = distance(operation.run(*cpu, Random(seed)), operation.run(*reference, Random(seed)));
    EXPECT_LE(error, tolerance) << operation.name << " seed " << seed << " on " << cpu->numeric_class();
  }
}

double f32_tolerance(const Operation& operation) { return operation.kind == Operation::kExact ? 0 : 2e-6; }

TEST_P(CpuOperation, F32IsNearTheReference) {
  expect_near_reference(GetParam(), Precision::kF32, f32_tolerance(GetParam()));
}

TEST_P(CpuOperation, Bf16IsNearTheReference) {
  static const double tolerances[] = {2e-6, 1e-2, 3e-3, 0};
  expect_near_reference(GetParam(), Precision::kBf16, tolerances[GetParam().kind]);
}

TEST_P(CpuOperation, BitsDoNotDependOnThreads) {
  for (const Precision precision : {Precision::kF32, Precision::kBf16}) {
    const auto one = make_cpu_backend({1, precision}), two = make_cpu_backend({2, precision});
    const auto five = make_cpu_backend({5, precision});
    for (std::uint64_t seed = 1; seed <= kCases; ++seed) {
      const auto expected = GetParam().run(*one, Random(seed));
      EXPECT_TRUE(same_bits(GetParam().run(*two, Random(seed)), expected))
          << GetParam().name << " seed " << seed;
      EXPECT_TRUE(same_bits(GetParam().run(*five, Random(seed)), expected))
          << GetParam().name << " seed " << seed;
    }
  }
}

// Instruction sets that this machine has but would not choose.
TEST_P(CpuOperation, OtherInstructionSetsAreNearTheReference) {
  for (const auto disabled : {HWY_AVX3 | HWY_AVX3_DL, HWY_AVX3 | HWY_AVX3_DL | HWY_AVX2}) {
    hwy::DisableTargets(static_cast<std::int64_t>(disabled));
    hwy::GetChosenTarget().DeInit();
    expect_near_reference(GetParam(), Precision::kF32, f32_tolerance(GetParam()), 8);
    EXPECT_EQ(make_cpu_backend()->numeric_class(), disabled & HWY_AVX2 ? "cpu-scalar-f32" : "cpu-avx2-f32");
    hwy::DisableTargets(0);
    hwy::GetChosenTarget().DeInit();
  }
}

INSTANTIATE_TEST_SUITE_P(All, CpuOperation, testing::ValuesIn(operations()),
                         [](const auto& param) { return std::string(param.param.name); });

TEST(CpuBackend, LongProductsStayAccurate) {
  const auto reference = make_reference_backend(), cpu = make_cpu_backend({2, Precision::kF32});
  Random random(7);
  const std::int64_t k = 10368, n = 40, rows = 30;  // as long as a 3x3x3 convolution of 384 channels
  const auto w = random.normal(n * k, 0.01f), x = random.normal(rows * k);
  const auto run = [&](Backend& backend) {
    const Tensor y = backend.empty(DType::kF32, {rows, n});
    backend.linear(put(backend, x, {rows, k}), *backend.prepare_linear(host_tensor(w, {n, k}), {}), y);
    return get(backend, y);
  };
  EXPECT_LE(distance(run(*cpu), run(*reference)), 1e-6);
}

TEST(CpuBackend, AddsAndNormsInOnePass) {
  const auto cpu = make_cpu_backend({2, Precision::kF32});
  Random random(4);
  const std::int64_t rows = 70, cols = 333;
  const auto values = random.normal(rows * cols);
  const Tensor update = put(*cpu, random.normal(rows * cols), {rows, cols}),
               row = put(*cpu, random.normal(cols), {1, cols}), y = cpu->empty(DType::kF32, {rows, cols});
  for (const Tensor& gate : {row, Tensor{}}) {
    const Tensor fused = put(*cpu, values, {rows, cols}), plain = put(*cpu, values, {rows, cols});
    cpu->add_gated_layer_norm(fused, update, gate, {}, {}, {row, row, {}}, 1e-6f, y);
    const auto normed = get(*cpu, y);
    cpu->add_gated(plain, update, gate);
    cpu->layer_norm(plain, {}, {}, {row, row, {}}, 1e-6f, y);
    EXPECT_TRUE(same_bits(get(*cpu, fused), get(*cpu, plain)));
    EXPECT_TRUE(same_bits(normed, get(*cpu, y)));
  }
}

TEST(CpuBackend, LargeArgumentsOfActivations) {
  const auto cpu = make_cpu_backend({1, Precision::kF32});
  const std::vector<float> x = {-1e30f, -500.0f, -90.0f, 0.0f, 90.0f, 500.0f, 1e30f};
  for (const Activation act : {Activation::kSilu, Activation::kGeluTanh, Activation::kGeluErf}) {
    const Tensor y = put(*cpu, x, {7});
    cpu->activate(y, act, y);
    const auto values = get(*cpu, y);
    for (int i = 0; i < 7; ++i) {
      const float expected = i < 4 ? 0.0f : x[static_cast<std::size_t>(i)];
      // SiLU's clamp at e^88 leaves |x| * 6e-39 for absurd arguments.
      EXPECT_NEAR(values[static_cast<std::size_t>(i)], expected, 1e-7)
          << "input " << x[static_cast<std::size_t>(i)];
    }
  }
}

TEST(CpuBackend, OneLayerMayKeepF32) {
  const auto cpu = make_cpu_backend({1, Precision::kBf16}), f32 = make_cpu_backend({1, Precision::kF32});
  Random random(3);
  const auto w = random.normal(64 * 64), x = random.normal(5 * 64);
  const auto run = [&](Backend& backend, std::optional<Precision> precision) {
    const Tensor y = backend.empty(DType::kF32, {5, 64});
    backend.linear(put(backend, x, {5, 64}), *backend.prepare_linear(host_tensor(w, {64, 64}), {}, precision),
                   y);
    return get(backend, y);
  };
  EXPECT_TRUE(same_bits(run(*cpu, Precision::kF32), run(*f32, std::nullopt)));
  EXPECT_FALSE(same_bits(run(*cpu, std::nullopt), run(*f32, std::nullopt)));
}

}  // namespace
}  // namespace rushes::kernels
