// The attention kernel on a GPU against the reference; skipped where there is no device.
#include <cuda_runtime.h>

#include "kernels/cuda/attention.h"
#include "tests/kernels/attention_cases.h"

namespace rushes::kernels {
namespace {

class DeviceMemory {
 public:
  template <typename T>
  explicit DeviceMemory(const std::vector<T>& values) : DeviceMemory(values.size() * sizeof(T)) {
    EXPECT_EQ(cudaMemcpy(data_, values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice),
              cudaSuccess);
  }
  explicit DeviceMemory(std::size_t bytes) { EXPECT_EQ(cudaMalloc(&data_, bytes ? bytes : 16), cudaSuccess); }
  ~DeviceMemory() { cudaFree(data_); }
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;
  template <typename T>
  T* get() const {
    return static_cast<T*>(data_);
  }

 private:
  void* data_ = nullptr;
};

std::vector<float> run_on_device(const AttentionCase& c) {
  const DeviceMemory q(c.q), k(c.k), v(c.v), y(c.q.size() * 2), first(c.plan.first), tile(c.plan.tile);
  CudaAttention a{q.get<void>(), k.get<void>(), v.get<void>(), y.get<void>(), c.batch,
                  c.heads,       c.lq,          c.lk,          c.width,       c.scale};
  if (c.listed) {
    a.first = first.get<std::int32_t>(), a.tile = tile.get<std::int32_t>();
    a.query_tile = static_cast<int>(c.plan.query_tile), a.key_tile = static_cast<int>(c.plan.key_tile);
  }
  const Status status = cuda_attention(a, nullptr);
  EXPECT_TRUE(status) << (status ? "" : status.error().message);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  std::vector<std::uint16_t> bits(c.q.size());
  EXPECT_EQ(cudaMemcpy(bits.data(), y.get<void>(), bits.size() * 2, cudaMemcpyDeviceToHost), cudaSuccess);
  std::vector<float> out;
  for (const std::uint16_t value : bits) out.push_back(bf16_to_float(value));
  return out;
}

TEST(CudaAttention, MatchesTheReference) {
  if (cuda_device_count() == 0) GTEST_SKIP() << "no CUDA device on this machine";
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    for (const int width : {64, 128}) {
      for (const bool listed : {false, true}) {
        const AttentionCase c = attention_case(seed, width, 600, listed);
        EXPECT_LE(distance(run_on_device(c), c.expected), 3e-3) << "width " << width << " seed " << seed;
      }
    }
  }
}

TEST(CudaAttention, RefusesOtherWidths) {
  CudaAttention a;
  a.lq = a.lk = 8, a.width = 96;
  const Status status = cuda_attention(a, nullptr);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::kInvalid);
}

TEST(CudaAttention, StartsWithoutADriver) { EXPECT_GE(cuda_device_count(), 0); }

}  // namespace
}  // namespace rushes::kernels
