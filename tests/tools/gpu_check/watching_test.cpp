// What watches a device while tools/gpu-check measures: red zones, times by kernel, weights without memory.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "kernels/cuda/cuda_backend.h"
#include "tools/gpu_check/checked_api.h"
#include "tools/gpu_check/numbers.h"
#include "tools/gpu_check/timed_api.h"
#include "tools/gpu_check/weights.h"

namespace rushes::gpu_check {
namespace {

using kernels::DType;
using kernels::Tensor;

TEST(GpuCheckWatching, OutputsStartAsNanAndWhatIsWrittenBehindThemIsCounted) {
  emulator::SoftwareDevice software;
  CheckedApi checked(software);
  const auto device = cuda::CudaDevice::open(&checked, 0);
  const auto backend = cuda::make_cuda_backend(&checked, {});
  const auto damaged_by = [&](std::size_t bytes_too_many) {
    const std::int64_t before = checked.damaged();
    {
      const Tensor x = backend->empty(DType::kF32, {100});  // 400 bytes of 512
      std::vector<float> values(100);
      backend->download(x, values.data());
      for (const float value : values) EXPECT_TRUE(std::isnan(value));
      auto* start = static_cast<cuda::CudaBuffer*>(x.buffer())->data();
      EXPECT_EQ(checked.memset_async(start, 1, 512 + bytes_too_many, device->stream()), cuda::kSuccess);
    }
    return checked.damaged() - before;
  };
  EXPECT_EQ(damaged_by(0), 0);
  EXPECT_EQ(damaged_by(1), 1);
  EXPECT_EQ(software.fault(), "");
}

TEST(GpuCheckWatching, TimesAreSummedByKernelAndLibraryCall) {
  emulator::SoftwareDevice software;
  TimedApi timed(software);
  const auto backend = cuda::make_cuda_backend(&timed, {});
  const std::vector<float> ones(64 * 64, 1.0f);
  const auto layer = backend->prepare_linear(kernels::host_tensor(ones, {64, 64}), {});
  const auto conv = backend->prepare_conv3d(kernels::host_tensor(ones, {8, 8, 1, 8, 8}), {});
  const Tensor x = backend->empty(DType::kF32, {2, 64}), y = backend->empty(DType::kF32, {2, 64});
  const Tensor video = backend->empty(DType::kF32, {1, 8, 8, 8}),
               pixel = backend->empty(DType::kF32, {1, 1, 1, 8});
  backend->fill(video, 1.0f);
  timed.record();
  for (int i = 0; i < 3; ++i) backend->fill(x, 1.0f);
  backend->linear(x, *layer, y, kernels::Activation::kNone);
  backend->conv3d(video, *conv, {}, pixel, {});
  const auto shares = timed.finish();
  backend->fill(x, 1.0f);  // no longer recorded
  EXPECT_TRUE(timed.finish().empty());
  const auto calls = [&](const char* name) { return shares.contains(name) ? shares.at(name).calls : 0; };
  EXPECT_EQ(calls("fill_f32"), 3);
  EXPECT_EQ(calls("cublasLtMatmul"), 1);
  EXPECT_EQ(calls("cudnnBackendExecute"), 1);
  for (const auto& [name, share] : shares) EXPECT_GE(share.milliseconds, 0) << name;
  EXPECT_GT(shares.at("cublasLtMatmul").milliseconds, 0);
  EXPECT_EQ(software.fault(), "");
}

TEST(GpuCheckWatching, RandomWeightsHaveTheirShapesAndAreFinite) {
  const auto file = std::filesystem::temp_directory_path() / ("gpu_check_shapes_" + std::to_string(getpid()));
  std::ofstream(file) << "norm.weight gain 37\nlarge.weight weight 300 1001\nsmall.bias weight 5\n";
  const RandomWeights weights(file, true);
  ASSERT_EQ(weights.file().tensors().size(), 3u);
  const auto gains = must(weights.file().floats("norm.weight"));
  EXPECT_EQ(gains.size(), 37u);
  for (const float value : gains) EXPECT_NEAR(value, 1.0f, 0.6f);
  const auto large = must(weights.file().floats("large.weight"));
  EXPECT_EQ(weights.file().find("large.weight")->shape, (std::vector<std::int64_t>{300, 1001}));
  double squares = 0;
  for (const float value : large) squares += static_cast<double>(value * value);
  EXPECT_NEAR(std::sqrt(squares / static_cast<double>(large.size())), 0.02, 2e-3);
  EXPECT_TRUE(std::isfinite(must(weights.file().floats("small.bias")).back()));
  std::filesystem::remove(file);
}

TEST(GpuCheckWatching, NearnessSeesDirectionAndLength) {
  const std::vector<float> a = {1, 2, 3}, twice = {2, 4, 6}, broken = {1, NAN, 3};
  EXPECT_EQ(nearness(a, a).distance, 0);
  EXPECT_NEAR(nearness(twice, a).distance, 1, 1e-12);
  EXPECT_NEAR(nearness(twice, a).cosine, 1, 1e-12);
  EXPECT_FALSE(nearness(broken, a).distance <= 1e9);
  EXPECT_FALSE(nearness(a, {}).distance <= 1e9);
}

}  // namespace
}  // namespace rushes::gpu_check
