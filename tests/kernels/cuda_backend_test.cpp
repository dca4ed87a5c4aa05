// The CUDA backend on the software device, against the reference: every operation in both precisions, any alignment.
#include <gtest/gtest.h>

#include "kernels/cuda/cuda_backend.h"

#include "kernels/layout.h"
#include "tests/kernels/emulator/software_device.h"
#include "tests/kernels/operations.h"

namespace rushes::kernels::cuda {
namespace {

using emulator::SoftwareDevice;
using emulator::SoftwareOptions;

// Every thread of a kernel runs on the CPU: attention takes most of the time.
std::uint64_t cases_of(const Operation& operation) {
  return operation.kind == Operation::kAttention ? 4 : 10;
}

SoftwareOptions small(std::uint64_t seed) {
  SoftwareOptions options;
  options.memory_bytes = std::size_t{256} << 20;
  options.seed = seed;
  return options;
}

class CudaOperation : public testing::TestWithParam<Operation> {};

void expect_near_reference(const Operation& operation, const SoftwareOptions& software,
                           const CudaOptions& options, std::uint64_t cases) {
  static const double f32[] = {2e-6, 1e-5, 1e-5, 0}, bf16[] = {2e-6, 1e-2, 3e-3, 0};
  const double tolerance = (options.precision == Precision::kF32 ? f32 : bf16)[operation.kind];
  SoftwareDevice device(software);
  const auto reference = make_reference_backend();
  const auto backend = make_cuda_backend(&device, options);
  for (std::uint64_t seed = 1; seed <= cases; ++seed) {
    const double error =
        distance(operation.run(*backend, Random(seed)), operation.run(*reference, Random(seed)));
    EXPECT_LE(error, tolerance) << operation.name << " seed " << seed << " on " << backend->numeric_class();
  }
  EXPECT_EQ(device.fault(), "") << operation.name;
}

TEST_P(CudaOperation, F32IsNearTheReference) {
  expect_near_reference(GetParam(), small(1), {0, Precision::kF32}, cases_of(GetParam()));
}

TEST_P(CudaOperation, Bf16IsNearTheReference) {
  expect_near_reference(GetParam(), small(2), {0, Precision::kBf16}, cases_of(GetParam()));
}

// Compute capability 8.0, an epilogue without GELU, convolutions written in bf16 or missing in f32, and scores of a few queries at a time.
TEST_P(CudaOperation, WorksWithPoorLibrariesAndLittleMemory) {
  if (GetParam().kind == Operation::kRows || GetParam().kind == Operation::kExact) return;
  SoftwareOptions software = small(1);
  software.major = 8;  // attention without TMA and wgmma
  software.blas_has_gelu = software.dnn_widens = software.dnn_has_f32 = false;
  expect_near_reference(GetParam(), software, {0, Precision::kF32, 30'000}, 3);
  expect_near_reference(GetParam(), software, {0, Precision::kBf16, 30'000}, 3);
}

TEST_P(CudaOperation, BitsDoNotDependOnTheOrderOfThreads) {
  for (const Precision precision : {Precision::kF32, Precision::kBf16}) {
    std::vector<float> expected;
    for (const std::uint64_t seed : {3, 4, 5}) {
      SoftwareDevice device(small(seed));
      const auto backend = make_cuda_backend(&device, {0, precision});
      const std::vector<float> values = GetParam().run(*backend, Random(17));
      if (expected.empty()) expected = values;
      EXPECT_TRUE(same_bits(values, expected)) << GetParam().name << " seed " << seed;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, CudaOperation, testing::ValuesIn(operations()),
                         [](const auto& param) { return std::string(param.param.name); });

// `values` as a tensor whose first element lies `shift` elements behind an aligned one.
Tensor put_shifted(Backend& backend, const std::vector<float>& values, DType dtype, Shape shape,
                   std::int64_t shift) {
  const auto count = static_cast<std::int64_t>(values.size());
  const Tensor plain = put(backend, values, {count}), around = backend.empty(dtype, {count + shift});
  const Tensor x = around.slice(shift, count + shift);
  backend.copy_box(plain, {0}, x, {0}, {count});
  return x.reshape(std::move(shape));
}

// Tensors in operand_dtype(), at any element of their buffer.
std::vector<float> operand_chain(Backend& backend, std::int64_t shift) {
  Random random(11);
  const DType dtype = backend.operand_dtype();
  const std::int64_t rows = 24, c = 64;
  const auto tensor = [&](Shape shape) {
    return put_shifted(backend, random.normal(element_count(shape)), dtype, shape, shift);
  };
  const auto parameters = [&](std::int64_t count) {
    return put_shifted(backend, random.normal(count), DType::kF32, {count}, shift);
  };
  const LinearPtr layer = backend.prepare_linear(host_tensor(random.normal(c * c, 0.125f), {c, c}),
                                                 host_tensor(random.normal(c), {c}));
  const Tensor x = tensor({rows, c}), y = tensor({rows, c}),
               stream = put(backend, random.normal(rows * c), {rows, c});
  for (const Activation act :
       {Activation::kNone, Activation::kGeluTanh, Activation::kGeluErf, Activation::kSilu}) {
    backend.linear(x, *layer, y, act);
    backend.rms_norm(y, parameters(c), 1e-6f, x);
  }
  backend.rms_norm(x, parameters(c), 1e-6f, x);
  const Tensor heads = x.reshape({1, rows, 1, c});
  backend.rms_norm_rope(heads, parameters(c), 1e-6f, put(backend, random.normal(rows * c), {rows, c / 2, 2}),
                        heads);
  backend.attention(heads, heads, tensor({1, rows, 1, c}), y.reshape({1, rows, 1, c}), {0.125f, {}, {}, {}});
  Modulation modulation{parameters(c).reshape({1, c}), parameters(c).reshape({1, c}), {}};
  backend.add_gated(stream, y, parameters(c).reshape({1, c}));
  backend.layer_norm(stream, parameters(c), parameters(c), modulation, 1e-6f, x);
  backend.channel_affine(x, parameters(c), parameters(c), y);
  backend.gelu_gate(y, x, y);
  backend.combine({{0.5f, y}, {0.25f, x}}, y);
  const Conv3dPtr conv = backend.prepare_conv3d(
      host_tensor(random.normal(c * c * 27, 0.02f), {c, c, 3, 3, 3}), host_tensor(random.normal(c), {c}));
  const Tensor video = tensor({2, 3, 4, c});
  backend.conv3d(video, *conv, {2, 1, 1, 1, 1}, y.reshape({2, 3, 4, c}), y.reshape({2, 3, 4, c}));
  backend.conv3d(y.reshape({2, 3, 4, c}), *conv, {2, 1, 1, 1, 1}, video);
  return get(backend, video);
}

TEST(CudaBackend, TakesTensorsAtAnyAddress) {
  const auto expected = operand_chain(*make_reference_backend(), 0);
  for (const Precision precision : {Precision::kF32, Precision::kBf16})
    for (const std::int64_t shift : {0, 1, 4}) {
      SoftwareDevice device(small(1));
      const auto backend = make_cuda_backend(&device, {0, precision});
      EXPECT_LE(distance(operand_chain(*backend, shift), expected),
                precision == Precision::kF32 ? 1e-5 : 4e-2)
          << "shift " << shift;
      EXPECT_EQ(device.fault(), "");
    }
}

TEST(CudaBackend, ReadsLongRowsAgain) {
  const auto run = [](Backend& backend, std::int64_t cols) {
    Random random(5);
    const std::int64_t rows = 3;
    const Tensor x = put(backend, random.normal(rows * cols), {rows, cols});
    backend.layer_norm(x, {}, {}, {}, 1e-6f, x);
    backend.rms_norm(x, put(backend, random.normal(cols), {cols}), 1e-6f, x);
    const Tensor q = put(backend, random.normal(2 * 8), {1, 2, 1, 8}),
                 k = put(backend, random.normal(cols * 8), {1, cols, 1, 8});
    const Tensor y = backend.empty(DType::kF32, {1, 2, 1, 8});
    backend.attention(q, k, k, y, {0.35f, {}, {}, {}});
    std::vector<float> values = get(backend, x);
    for (const float value : get(backend, y)) values.push_back(100.0f * value);
    return values;
  };
  SoftwareDevice device(small(1));
  const auto reference = make_reference_backend(), backend = make_cuda_backend(&device, {0, Precision::kF32});
  for (const std::int64_t cols : {9000, 9001})
    EXPECT_LE(distance(run(*backend, cols), run(*reference, cols)), 1e-5);
  EXPECT_EQ(device.fault(), "");
}

// The fused operation is the two, bit for bit, also where a row does not fit into the registers.
TEST(CudaBackend, AddsAndNormsInOnePass) {
  for (const Precision precision : {Precision::kF32, Precision::kBf16})
    for (const std::int64_t cols : {60, 64, 1000, 9000, 9001}) {
      SoftwareDevice device(small(1));
      const auto backend = make_cuda_backend(&device, {0, precision});
      Random random(static_cast<std::uint64_t>(cols));
      const std::int64_t rows = 3;
      const auto values = random.normal(rows * cols);
      const Tensor update = backend->empty(backend->operand_dtype(), {rows, cols});
      write_values(*backend, random.normal(rows * cols), update);
      const Tensor row = put(*backend, random.normal(cols), {1, cols});
      const auto run = [&](bool fused) {
        const Tensor x = put(*backend, values, {rows, cols});
        const Tensor y = backend->empty(backend->operand_dtype(), {rows, cols});
        const Modulation modulation{row, row, {}};
        if (fused) {
          backend->add_gated_layer_norm(x, update, row, {}, {}, modulation, 1e-6f, y);
        } else {
          backend->add_gated(x, update, row);
          backend->layer_norm(x, {}, {}, modulation, 1e-6f, y);
        }
        std::vector<float> both = get(*backend, x);
        for (const float value : get(*backend, y)) both.push_back(value);
        return both;
      };
      EXPECT_TRUE(same_bits(run(true), run(false))) << cols;
      EXPECT_EQ(device.fault(), "");
    }
}

TEST(CudaBackend, MovesNumbers) {
  const auto run = [](Backend& backend) {
    Random random(9);
    const Tensor x = put(backend, random.normal(2 * 3 * 4 * 16), {2, 3, 4, 16});
    const Tensor turned = backend.empty(DType::kF32, {16, 2, 4, 3});
    backend.permute(x, {3, 0, 2, 1}, turned);
    const Tensor box = backend.empty(backend.operand_dtype(), {3, 5, 4, 24});
    backend.fill(box, 0.5f);
    backend.copy_box(x, {0, 1, 0, 8}, box, {1, 2, 1, 16}, {2, 2, 3, 8});
    backend.copy_box(x, {0, 0, 0, 0}, box, {0, 0, 0, 0}, {1, 3, 4, 16});
    const Tensor index = backend.upload(host_tensor(std::vector<std::int32_t>{5, 0, 5, 3}, {4}));
    const Tensor copied = backend.empty(DType::kI32, {2, 2});
    backend.copy_box(index.reshape({2, 2}), {0, 0}, copied, {0, 0}, {2, 2});
    const Tensor picked = backend.empty(DType::kF32, {4, 16});
    backend.gather_rows(x.reshape({24, 16}), copied.reshape({4}), picked);
    std::vector<float> values = get(backend, turned);
    std::vector<float> boxed = get(backend, box);
    round_values(boxed);
    values.insert(values.end(), boxed.begin(), boxed.end());
    for (const float value : get(backend, picked)) values.push_back(value);
    return values;
  };
  SoftwareDevice device(small(1));
  EXPECT_TRUE(same_bits(run(*make_cuda_backend(&device, {})), run(*make_reference_backend())));
  EXPECT_EQ(device.fault(), "");
}

TEST(CudaBackend, KeepsEveryHostDtype) {
  SoftwareDevice device(small(1));
  const auto backend = make_cuda_backend(&device, {});
  const std::vector<std::uint16_t> bf16 = {0x3f80, 0xc000, 0x7f80}, f16 = {0x3c00, 0xc000, 0x0001};
  const std::vector<std::uint8_t> f8 = {0x38, 0xc0, 0x01};
  EXPECT_EQ(get(*backend, backend->upload({bf16.data(), DType::kBf16, {3}})),
            (std::vector<float>{1.0f, -2.0f, INFINITY}));
  EXPECT_EQ(get(*backend, backend->upload({f16.data(), DType::kF16, {3}})),
            (std::vector<float>{1.0f, -2.0f, 0x1p-24f}));
  EXPECT_EQ(get(*backend, backend->upload({f8.data(), DType::kF8E4M3, {3}})),
            (std::vector<float>{1.0f, -2.0f, 0x1p-9f}));
  Random random(1);  // more than the pinned memory holds
  const auto values = random.normal(3'000'000);
  EXPECT_TRUE(same_bits(get(*backend, put(*backend, values, {3'000'000})), values));
  EXPECT_TRUE(backend->numeric_class().starts_with("cuda-sm90-bf16-")) << backend->numeric_class();
  EXPECT_EQ(device.fault(), "");
}

TEST(CudaBackend, OneLayerMayKeepF32) {
  SoftwareDevice device(small(1));
  const auto bf16 = make_cuda_backend(&device, {0, Precision::kBf16}),
             f32 = make_cuda_backend(&device, {0, Precision::kF32});
  Random random(3);
  const auto w = random.normal(64 * 64), x = random.normal(5 * 64);
  const auto run = [&](Backend& backend, std::optional<Precision> precision) {
    const Tensor y = backend.empty(DType::kF32, {5, 64});
    backend.linear(put(backend, x, {5, 64}), *backend.prepare_linear(host_tensor(w, {64, 64}), {}, precision),
                   y);
    return get(backend, y);
  };
  EXPECT_TRUE(same_bits(run(*bf16, Precision::kF32), run(*f32, std::nullopt)));
  EXPECT_FALSE(same_bits(run(*bf16, std::nullopt), run(*f32, std::nullopt)));
}

TEST(CudaBackend, TwoBackendsOfADeviceShareTensors) {
  SoftwareDevice device(small(1));
  const auto bf16 = make_cuda_backend(&device, {0, Precision::kBf16}),
             f32 = make_cuda_backend(&device, {0, Precision::kF32});
  const Tensor x = put(*bf16, {1.0f, 2.0f}, {1, 2});
  f32->combine({{3.0f, x}}, x);
  EXPECT_EQ(get(*bf16, x), (std::vector<float>{3.0f, 6.0f}));
  EXPECT_EQ(bf16->memory().in_use_bytes, f32->memory().in_use_bytes);
  const auto reference = make_reference_backend();
  EXPECT_THROW(f32->combine({{1.0f, put(*reference, {1.0f}, {1})}}, x.reshape({2}).slice(0, 1)),
               std::invalid_argument);
  SoftwareOptions two = small(1);
  two.devices = 2;
  SoftwareDevice pair(two);
  const auto first = make_cuda_backend(&pair, {0}), second = make_cuda_backend(&pair, {1});
  EXPECT_THROW(second->fill(first->empty(DType::kF32, {4}), 1.0f), std::invalid_argument);
}

TEST(CudaBackend, GivesNanForWhatItCannotRefuse) {
  SoftwareDevice device(small(1));
  const auto backend = make_cuda_backend(&device, {});
  const Tensor table = put(*backend, {1, 2, 3, 4}, {2, 2}), y = backend->empty(DType::kF32, {3, 2});
  backend->gather_rows(table, backend->upload(host_tensor(std::vector<std::int32_t>{1, 2, -1}, {3})), y);
  const auto values = get(*backend, y);
  EXPECT_EQ(values[0], 3.0f);
  for (std::size_t i = 2; i < 6; ++i) EXPECT_TRUE(std::isnan(values[i]));
  const Tensor x = put(*backend, {1, 1, 1, 1, 1, 1}, {3, 2});
  backend->add_gated(x, y, table, backend->upload(host_tensor(std::vector<std::int32_t>{1, 2, 0}, {3})));
  EXPECT_EQ(get(*backend, x)[0], 10.0f);
  EXPECT_TRUE(std::isnan(get(*backend, x)[2]));
  EXPECT_EQ(device.fault(), "");
}

}  // namespace
}  // namespace rushes::kernels::cuda
