// The software device's model of Hopper keeps the rules of PTX, and says which one a kernel broke.
#include <gtest/gtest.h>
#include <ptx/hopper.h>

#include <gmock/gmock.h>

#include "tests/kernels/support.h"

namespace rushes::kernels::device {
namespace {

using cuda::TensorMap;
using cuda::TensorMapShape;
using testing::HasSubstr;

struct Arguments {
  TensorMap map{};
  void (*body)(const Arguments&) = nullptr;
  std::uint16_t* out = nullptr;
};
void kernel(const Arguments& a) { a.body(a); }

// The fault of a grid; empty where there is none.
std::string fault_of(void (*body)(const Arguments&), std::uint32_t threads = 128, std::uint32_t cluster = 1,
                     Arguments a = {}) {
  const auto code = RUSHES_HANDLE("probe", false, kernel);
  a.body = body;
  cuda::LaunchShape shape;
  shape.grid[0] = shape.cluster = cluster, shape.threads = threads, shape.shared_bytes = 32 << 10;
  try {
    for (std::uint64_t seed = 1; seed <= 6; ++seed) emulator::run_grid(code, shape, &a, seed);
  } catch (const emulator::KernelFault& fault) {
    return fault.what();
  }
  return "";
}

Mbarrier* barrier(int i = 0) { return reinterpret_cast<Mbarrier*>(shared_memory() + (31 << 10)) + i; }

// Thread 0 makes barrier(0).
void prepare(int arrivals) {
  if (thread_index() == 0) {
    mbarrier_init(barrier(), arrivals);
    fence_mbarrier_init();
  }
  sync_block();
}

TEST(SoftwareDeviceHopper, CountsArrivalsAndBytes) {
  EXPECT_EQ(fault_of([](const Arguments&) {
              prepare(128);
              for (int phase = 0; phase < 3; ++phase) {
                mbarrier_arrive(barrier());
                mbarrier_wait(barrier(), phase % 2);
              }
            }),
            "");
  EXPECT_THAT(fault_of([](const Arguments&) {
                prepare(129);
                mbarrier_arrive(barrier());
                mbarrier_wait(barrier(), 0);
              }),
              HasSubstr("deadlock: 128 x mbarrier"));
  EXPECT_THAT(fault_of([](const Arguments&) {
                prepare(1);
                if (thread_index() < 2) mbarrier_arrive_expect(barrier(), 16);
              }),
              HasSubstr("an arrival too many"));
  EXPECT_THAT(fault_of([](const Arguments&) { mbarrier_arrive(barrier()); }), HasSubstr("not initialised"));
}

// Warps that a pause holds back are no deadlock, whenever the pause is drawn anew.
TEST(SoftwareDeviceHopper, PausedWarpsAreNoDeadlock) {
  const auto code = RUSHES_HANDLE("probe", false, kernel);
  Arguments a;
  a.body = [](const Arguments&) {
    for (int i = 0; i < 40; ++i) {
      for (int turn = 0; turn < i; ++turn) (void)shuffle_xor(1.0f, 1);
      sync_block();
    }
  };
  cuda::LaunchShape shape;
  shape.threads = 64;
  for (std::uint64_t seed = 2; seed < 150; ++seed)
    EXPECT_NO_THROW(emulator::run_grid(code, shape, &a, seed)) << seed;
}

// A matrix of 16 rows and 80 columns; boxes of 64 columns and 8 rows.
Arguments boxes(const std::vector<std::uint16_t>& matrix, std::vector<std::uint16_t>& out) {
  TensorMapShape shape;
  shape.rank = 5, shape.start = matrix.data();
  const std::uint64_t size[5] = {80, 10, 1, 1, 1}, stride[5] = {2, 160, 1600, 1600, 1600};
  const std::uint32_t box[5] = {64, 8, 1, 1, 1};
  std::copy_n(size, 5, shape.size), std::copy_n(stride, 5, shape.stride_bytes),
      std::copy_n(box, 5, shape.box);
  EXPECT_EQ(emulator::wrong_with(shape), "");
  Arguments a;
  std::memcpy(a.map.bytes, &shape, sizeof shape);
  a.out = out.data();
  return a;
}

TEST(SoftwareDeviceHopper, CopiesABoxSwizzledAndZeroFilled) {
  std::vector<std::uint16_t> matrix(10 * 80), out(8 * 64);
  for (std::size_t i = 0; i < matrix.size(); ++i) matrix[i] = static_cast<std::uint16_t>(i + 1);
  EXPECT_EQ(fault_of(
                [](const Arguments& a) {
                  prepare(1);
                  if (thread_index() == 0) {
                    mbarrier_arrive_expect(barrier(), 1024);
                    tma_load(shared_memory() + 1024, &a.map, barrier(), 32, 4, 0, 0, 0);
                  }
                  mbarrier_wait(barrier(), 0);
                  if (thread_index() == 0) std::memcpy(a.out, shared_memory() + 1024, 1024);
                },
                128, 1, boxes(matrix, out)),
            "");
  for (std::size_t row = 0; row < 8; ++row)
    for (std::size_t x = 0; x < 64; ++x) {
      const std::size_t word = (x / 8 ^ row) * 8 + x % 8;  // 16-byte words are exchanged by the row
      const bool inside = row + 4 < 10 && x + 32 < 80;
      ASSERT_EQ(out[row * 64 + word], inside ? matrix[(row + 4) * 80 + x + 32] : 0) << row << ' ' << x;
    }
  EXPECT_THAT(fault_of(
                  [](const Arguments& a) {
                    prepare(1);
                    if (thread_index() == 0) tma_load(shared_memory() + 64, &a.map, barrier(), 0, 0, 0, 0, 0);
                  },
                  128, 1, boxes(matrix, out)),
              HasSubstr("not aligned to 1024 bytes"));
}

TEST(SoftwareDeviceHopper, MapsKeepTheDriversRules) {
  std::vector<std::uint16_t> matrix(800), out;
  const Arguments a = boxes(matrix, out);
  const auto with = [&](auto change) {
    TensorMapShape shape;
    std::memcpy(&shape, a.map.bytes, sizeof shape);
    change(shape);
    return emulator::wrong_with(shape);
  };
  EXPECT_THAT(with([](TensorMapShape& s) { s.box[0] = 128; }), HasSubstr("128 bytes"));
  EXPECT_THAT(with([](TensorMapShape& s) { s.box[1] = 257; }), HasSubstr("256"));
  EXPECT_THAT(with([](TensorMapShape& s) { s.stride_bytes[1] = 40; }), HasSubstr("16 bytes"));
  EXPECT_THAT(with([](TensorMapShape& s) { s.start = reinterpret_cast<const char*>(s.start) + 8; }),
              HasSubstr("16 bytes"));
}

// Operands of ones, written by threads; the product is 16 everywhere.
void multiply_ones(bool proxy_fence) {
  const std::uint32_t ones[4] = {0x3f803f80, 0x3f803f80, 0x3f803f80, 0x3f803f80};
  for (int i = 0; i < 8; ++i) store_shared_16(shared_memory() + (i * 128 + thread_index()) * 16, ones);
  if (proxy_fence) fence_proxy_async();
  sync_block();
  float d[64];
  const std::uint64_t operand = matrix_descriptor(shared_memory(), 16, 1024);
  wgmma_fence(d);
  wgmma_ss(d, operand, operand, false);
  wgmma_commit();
  wgmma_wait<0>(d);
  for (const float value : d)
    if (value != 16.0f) throw emulator::KernelFault("a wrong product");
}

TEST(SoftwareDeviceHopper, ProductsNeedAProxyFenceAfterWrites) {
  EXPECT_EQ(fault_of([](const Arguments&) { multiply_ones(true); }), "");
  EXPECT_THAT(fault_of([](const Arguments&) { multiply_ones(false); }), HasSubstr("without a proxy fence"));
}

TEST(SoftwareDeviceHopper, WarpsOfAWarpgroupIssueTheSameProducts) {
  EXPECT_THAT(fault_of([](const Arguments&) {
                float d[64];
                const int group = 1024 + 16 * (thread_index() / 32 / 3);
                const std::uint64_t operand = matrix_descriptor(shared_memory(), 16, group);
                wgmma_fence(d);
                wgmma_ss(d, operand, operand, false);
                wgmma_commit();
                wgmma_wait<0>(d);
              }),
              HasSubstr("different products"));
}

void require(bool right) {
  if (!right) throw emulator::KernelFault("a wrong product");
}

// Operands of ones, both K-major. Sums of int8 are exact; those of e4m3 keep 13 bits, so that a long sum loses what is
// added to it.
TEST(SoftwareDeviceHopper, ProductsInEightBits) {
  EXPECT_EQ(fault_of([](const Arguments&) {
              const std::uint32_t ones[4] = {0x01010101, 0x01010101, 0x01010101, 0x01010101};
              for (int i = 0; i < 8; ++i)
                store_shared_16(shared_memory() + (i * 128 + thread_index()) * 16, ones);
              fence_proxy_async();
              sync_block();
              std::int32_t d[64];
              for (std::int32_t& value : d) value = 1 << 25;
              const std::uint64_t operand = matrix_descriptor(shared_memory(), 16, 1024);
              wgmma_fence(d);
              wgmma_ss_s8(d, operand, operand, true);
              wgmma_commit();
              wgmma_wait<0>(d);
              for (const std::int32_t value : d) require(value == (1 << 25) + 32);
            }),
            "");
  EXPECT_EQ(fault_of([](const Arguments&) {
              const std::uint32_t ones[4] = {0x38383838, 0x38383838, 0x38383838, 0x38383838};
              for (int i = 0; i < 8; ++i)
                store_shared_16(shared_memory() + (i * 128 + thread_index()) * 16, ones);
              fence_proxy_async();
              sync_block();
              float d[64];
              for (int i = 0; i < 64; ++i) d[i] = i % 2 ? 0x1p18f : 0x1p19f;
              wgmma_fence(d);
              wgmma_rs_e4m3(d, ones, matrix_descriptor(shared_memory(), 16, 1024), true);
              wgmma_commit();
              wgmma_wait<0>(d);
              for (int i = 0; i < 64; ++i) require(d[i] == (i % 2 ? 0x1p18f + 32.0f : 0x1p19f));
            }),
            "");
}

TEST(SoftwareDeviceHopper, NobodyEndsWithAProductUnderWay) {
  EXPECT_THAT(fault_of([](const Arguments&) {
                float d[64];
                const std::uint64_t operand = matrix_descriptor(shared_memory(), 16, 1024);
                wgmma_fence(d);
                wgmma_ss(d, operand, operand, false);
                wgmma_commit();
              }),
              HasSubstr("while its product was under way"));
}

TEST(SoftwareDeviceHopper, CountsThreadsOfNamedBarriers) {
  EXPECT_EQ(fault_of(
                [](const Arguments&) {
                  if (thread_index() < 128) {
                    named_barrier_sync<256>(1);
                  } else {
                    named_barrier_arrive<256>(1);
                  }
                },
                256),
            "");
  EXPECT_THAT(fault_of([](const Arguments&) {
                named_barrier_arrive<256>(1);
                named_barrier_arrive<256>(1);
              }),
              HasSubstr("arrives twice"));
  EXPECT_THAT(fault_of([](const Arguments&) {
                if (thread_index() < 64) {
                  named_barrier_sync<128>(2);
                } else {
                  named_barrier_sync<96>(2);
                }
              }),
              HasSubstr("different counts"));
  EXPECT_THAT(fault_of([](const Arguments&) { named_barrier_sync<256>(3); }),
              HasSubstr("deadlock: 128 x named barrier"));
}

TEST(SoftwareDeviceHopper, BlocksOfAClusterMeet) {
  // Each block arrives at the other's barrier.
  EXPECT_EQ(fault_of(
                [](const Arguments&) {
                  prepare(128);
                  cluster_arrive();
                  cluster_wait();
                  mbarrier_arrive_at(barrier(), 1 - cluster_rank());
                  mbarrier_wait(barrier(), 0);
                },
                128, 2),
            "");
  EXPECT_THAT(fault_of(
                  [](const Arguments&) {
                    prepare(128);
                    mbarrier_arrive_at(barrier(), 1 - cluster_rank());
                    mbarrier_wait(barrier(), 0);
                  },
                  128, 2),
              HasSubstr("reaches"));
  EXPECT_THAT(fault_of([](const Arguments&) { cluster_wait(); }, 128, 2), HasSubstr("without an arrival"));
}

}  // namespace
}  // namespace rushes::kernels::device
