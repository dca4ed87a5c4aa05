// Attention by cuDNN, as the backend calls it: on the software device, whose cuDNN checks every descriptor.
#include <gtest/gtest.h>

#include "kernels/cuda/cuda_backend.h"
#include "tests/kernels/attention_cases.h"
#include "tests/kernels/emulator/software_device.h"

namespace rushes::kernels::cuda {
namespace {

using emulator::SoftwareDevice;
using emulator::SoftwareOptions;

CudaOptions by_library() {
  CudaOptions options;
  options.library_attention = true;
  return options;
}

struct Answer {
  double distance = 0;        // to the reference
  std::int64_t launches = 0;  // of kernels of ours
};

Answer attend(SoftwareDevice& device, Backend& backend, const AttentionCase& c) {
  const auto put = [&](const std::vector<std::uint16_t>& values, int length) {
    return backend.upload({values.data(), DType::kBf16, {c.batch, length, c.heads, c.width}});
  };
  AttentionOptions options;
  options.scale = c.scale;
  if (c.listed) options.key_tiles = backend.prepare_key_tiles(c.plan);
  const Tensor q = put(c.q, c.lq), k = put(c.k, c.lk), v = put(c.v, c.lk);
  const Tensor y = backend.empty(DType::kBf16, q.shape());
  const std::int64_t before = device.launches();
  backend.attention(q, k, v, y, options);
  std::vector<float> got(static_cast<std::size_t>(y.elements()));
  backend.download(y, got.data());
  return {distance(got, c.expected), device.launches() - before};
}

TEST(LibraryAttention, ComputesDenseAttentionAndLeavesTheRest) {
  SoftwareDevice device;
  const auto backend = make_cuda_backend(&device, by_library());
  for (std::uint64_t seed = 1; seed <= 3; ++seed)
    for (const int width : {64, 128})
      for (const bool listed : {false, true}) {
        const Answer answer = attend(device, *backend, attention_case(seed, width, 90, listed, 64));
        EXPECT_LE(answer.distance, 3e-3) << "width " << width << " seed " << seed << ' ' << listed;
        EXPECT_EQ(answer.launches, listed ? 1 : 0);
      }
  EXPECT_TRUE(backend->numeric_class().starts_with("cuda-sm90-bf16-sdpa-")) << backend->numeric_class();
  EXPECT_EQ(device.fault(), "");
}

TEST(LibraryAttention, WithoutAnEngineIsOurs) {
  SoftwareOptions without;
  without.dnn_has_attention = false;
  SoftwareDevice device(without);
  const auto backend = make_cuda_backend(&device, by_library());
  const Answer answer = attend(device, *backend, attention_case(1, 64, 90, false));
  EXPECT_LE(answer.distance, 3e-3);
  EXPECT_EQ(answer.launches, 1);
  EXPECT_EQ(device.fault(), "");
}

TEST(LibraryAttention, IsOffUnlessAskedFor) {
  SoftwareDevice device;
  const auto backend = make_cuda_backend(&device, {});
  EXPECT_EQ(attend(device, *backend, attention_case(1, 64, 90, false)).launches, 1);
}

}  // namespace
}  // namespace rushes::kernels::cuda
