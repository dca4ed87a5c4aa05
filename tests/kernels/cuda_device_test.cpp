// The software device keeps CUDA's rules, and says which one was broken.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/cuda/kernel_table.h"
#include "tests/kernels/device_memory.h"
#include "tests/kernels/emulator/software_device.h"

namespace rushes::kernels::cuda {
namespace {

using emulator::SoftwareDevice;
using testing::Each;
using testing::HasSubstr;

int fill(Queue& queue, float* x, std::int64_t count, float value) {
  const FillArguments arguments{x, count, value};
  return launch(queue.api, queue.api.kernels().fill[kWordF32], element_shape(count), arguments, queue.stream);
}

TEST(SoftwareDevice, RunsWorkInTheOrderOfItsStream) {
  SoftwareDevice device;
  Queue queue(device);
  const DeviceVector<float> x(queue, 1000);
  EXPECT_EQ(fill(queue, x.data(), 1000, 1.0f), kSuccess);
  EXPECT_EQ(fill(queue, x.data(), 1000, 2.0f), kSuccess);
  EXPECT_EQ(device.launches(), 0) << "work waits until somebody waits for it";
  EXPECT_THAT(x.values(), Each(2.0f));
}

TEST(SoftwareDevice, StreamsMeetOnlyAtEvents) {
  int first_wins = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SoftwareDevice device({.seed = seed});
    Queue a(device), b(device);
    const DeviceVector<float> x(a, 8);
    EXPECT_EQ(fill(a, x.data(), 8, 1.0f), kSuccess);
    EXPECT_EQ(fill(b, x.data(), 8, 2.0f), kSuccess);
    EXPECT_EQ(device.stream_synchronize(b.stream), kSuccess);
    EXPECT_EQ(device.stream_synchronize(a.stream), kSuccess);
    first_wins += x.values()[0] == 1.0f;
  }
  EXPECT_GT(first_wins, 0) << "without an event both orders happen";
  EXPECT_LT(first_wins, 20);
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SoftwareDevice device({.seed = seed});
    Queue a(device), b(device);
    Event event = nullptr;
    EXPECT_EQ(device.event_create(&event), kSuccess);
    const DeviceVector<float> x(a, 8);
    EXPECT_EQ(fill(a, x.data(), 8, 1.0f), kSuccess);
    EXPECT_EQ(device.event_record(event, a.stream), kSuccess);
    EXPECT_EQ(device.stream_wait_event(b.stream, event), kSuccess);
    EXPECT_EQ(fill(b, x.data(), 8, 2.0f), kSuccess);
    EXPECT_EQ(device.stream_synchronize(b.stream), kSuccess);
    EXPECT_THAT(x.values(), Each(2.0f));
    EXPECT_EQ(device.event_destroy(event), kSuccess);
  }
}

TEST(SoftwareDevice, ReplaysAGraph) {
  SoftwareDevice device;
  Queue queue(device);
  const DeviceVector<float> x(queue, 8);
  Graph graph = nullptr;
  GraphRun run = nullptr;
  EXPECT_EQ(device.begin_capture(queue.stream), kSuccess);
  EXPECT_EQ(fill(queue, x.data(), 8, 3.0f), kSuccess);
  void* memory = nullptr;
  EXPECT_EQ(device.malloc(&memory, 8), kInCapture);
  EXPECT_EQ(device.stream_synchronize(queue.stream), kInCapture);
  EXPECT_EQ(device.end_capture(queue.stream, &graph), kSuccess);
  EXPECT_EQ(device.graph_instantiate(&run, graph), kSuccess);
  EXPECT_EQ(device.graph_destroy(graph), kSuccess);
  EXPECT_EQ(fill(queue, x.data(), 8, 1.0f), kSuccess);
  EXPECT_THAT(x.values(), Each(1.0f)) << "a capture runs nothing";
  EXPECT_EQ(device.graph_launch(run, queue.stream), kSuccess);
  EXPECT_THAT(x.values(), Each(3.0f));
  EXPECT_EQ(device.graph_run_destroy(run), kSuccess);
}

TEST(SoftwareDevice, GivesNoMoreMemoryThanItHas) {
  SoftwareDevice device({.memory_bytes = 1 << 20});
  void *a = nullptr, *b = nullptr;
  EXPECT_EQ(device.malloc(&a, 700'000), kSuccess);
  EXPECT_EQ(device.malloc(&b, 700'000), kOutOfMemory);
  EXPECT_EQ(device.free(a), kSuccess);
  EXPECT_EQ(device.malloc(&b, 700'000), kSuccess);
  EXPECT_EQ(device.free(b), kSuccess);
  EXPECT_EQ(device.free(b), kInvalidValue);
}

TEST(SoftwareDevice, FindsAWriteBehindARange) {
  SoftwareDevice device;
  Queue queue(device);
  const DeviceVector<float> x(queue, 4096);
  EXPECT_EQ(device.begin_range(x.data(), 400, queue.stream), kSuccess);
  EXPECT_EQ(fill(queue, x.data(), 100, 1.0f), kSuccess);
  EXPECT_EQ(device.end_range(x.data(), 400, queue.stream), kSuccess);
  EXPECT_EQ(device.stream_synchronize(queue.stream), kSuccess);
  EXPECT_EQ(device.begin_range(x.data(), 400, queue.stream), kSuccess);
  EXPECT_EQ(fill(queue, x.data(), 101, 1.0f), kSuccess);
  EXPECT_EQ(device.end_range(x.data(), 400, queue.stream), kSuccess);
  EXPECT_EQ(device.stream_synchronize(queue.stream), kIllegalAddress);
  EXPECT_THAT(device.fault(), HasSubstr("wrote behind a range of 400 bytes"));
}

TEST(SoftwareDevice, FaultsOnDemandAndStaysFaulty) {
  SoftwareDevice device({.illegal_address_at = 2});
  Queue queue(device);
  const DeviceVector<float> x(queue, 8);
  EXPECT_EQ(fill(queue, x.data(), 8, 1.0f), kSuccess);
  EXPECT_EQ(device.stream_synchronize(queue.stream), kSuccess);
  EXPECT_EQ(fill(queue, x.data(), 8, 1.0f), kSuccess) << "a fault shows where somebody waits";
  EXPECT_EQ(device.stream_synchronize(queue.stream), kIllegalAddress);
  EXPECT_EQ(fill(queue, x.data(), 8, 1.0f), kIllegalAddress);
}

using SoftwareDeviceDeathTest = testing::Test;
TEST(SoftwareDeviceDeathTest, TheHostCannotReadDeviceMemory) {
  SoftwareDevice device;
  Queue queue(device);
  const DeviceVector<float> x(queue, 8);
  EXPECT_DEATH((void)*static_cast<volatile float*>(x.data()), "");
}

}  // namespace
}  // namespace rushes::kernels::cuda
