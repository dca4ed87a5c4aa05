// The GPU attention kernel against the reference: on the software device everywhere, on a GPU where there is one.
#include "kernels/cuda/kernel_table.h"
#include "tests/kernels/attention_cases.h"
#include "tests/kernels/device_memory.h"
#include "tests/kernels/emulator/software_device.h"

namespace rushes::kernels::cuda {
namespace {

std::vector<float> run(DeviceApi& api, const AttentionCase& c) {
  Queue queue(api);
  const DeviceVector<std::uint16_t> q(queue, c.q), k(queue, c.k), v(queue, c.v),
      y(queue, std::vector<std::uint16_t>(c.q.size(), 0x7fc0));  // NaN where nothing is written
  const DeviceVector<std::int32_t> first(queue, c.plan.first), tile(queue, c.plan.tile);
  AttentionArguments a{q.data(), k.data(), v.data(), y.data(), c.heads, c.lq, c.lk, c.scale};
  a.query_tile = c.listed ? static_cast<int>(c.plan.query_tile) : c.lq;
  a.key_tile = c.listed ? static_cast<int>(c.plan.key_tile) : c.lk;
  if (c.listed) a.first = first.data(), a.tile = tile.data();
  const auto& kernel = c.width == 64 ? api.kernels().attention_64 : api.kernels().attention_128;
  EXPECT_EQ(launch(api, kernel, attention_shape(a, c.batch, c.width), a, queue.stream), kSuccess);
  std::vector<float> out;
  for (const std::uint16_t bits : y.values()) out.push_back(bf16_to_float(bits));
  return out;
}

void expect_near_reference(DeviceApi& api, std::uint64_t cases, int longest) {
  for (std::uint64_t seed = 1; seed <= cases; ++seed)
    for (const int width : {64, 128})
      for (const bool listed : {false, true}) {
        const AttentionCase c = attention_case(seed, width, longest, listed);
        EXPECT_LE(distance(run(api, c), c.expected), 3e-3)
            << "width " << width << " seed " << seed << ' ' << listed;
      }
}

TEST(CudaAttention, OnTheSoftwareDevice) {
  emulator::SoftwareDevice device;
  expect_near_reference(device, 3, 180);
  EXPECT_EQ(device.fault(), "");
}

TEST(CudaAttention, OnAGpu) {
  int count = 0;
  if (!device_api() || device_api()->device_count(&count) != kSuccess || count == 0)
    GTEST_SKIP() << "no CUDA device on this machine";
  expect_near_reference(*device_api(), 30, 600);
}

}  // namespace
}  // namespace rushes::kernels::cuda
