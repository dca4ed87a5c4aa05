// Passes that the CUDA backend records and replays: the bits of the pass itself, in memory that nobody else is given.
#include <gtest/gtest.h>

#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/recording.h"
#include "tests/kernels/emulator/software_device.h"
#include "tests/kernels/support.h"

namespace rushes::kernels::cuda {
namespace {

using emulator::SoftwareDevice;

constexpr std::int64_t kRows = 20, kWidth = 64;

// y = W x + x through a tensor that the first part makes and the second one reads.
struct TwoParts {
  explicit TwoParts(SoftwareDevice& device) : backend(make_cuda_backend(&device, {})) {
    Random random(2);
    layer = backend->prepare_linear(host_tensor(random.normal(kWidth * kWidth, 0.1f), {kWidth, kWidth}), {});
    x = backend->empty(DType::kF32, {kRows, kWidth});
    y = backend->empty(DType::kF32, {kRows, kWidth});
  }
  PassParts parts() {
    const auto product = std::make_shared<Tensor>();
    return {[this, product] {
              ++called;
              const Tensor twice = backend->empty(DType::kF32, x.shape());
              backend->combine({{2.0f, x}}, twice);
              *product = backend->empty(DType::kF32, x.shape());
              backend->linear(twice, *layer, *product);
            },
            [this, product] {
              ++called;
              backend->combine({{0.5f, *product}, {1.0f, x}}, y);
              *product = Tensor();
            }};
  }
  void write(std::uint64_t seed) {
    backend->copy_box(put(*backend, Random(seed).normal(kRows * kWidth), x.shape()), {0, 0}, x, {0, 0},
                      x.shape());
  }
  // What a pass without a recording gives.
  std::vector<float> expected(std::uint64_t seed) {
    write(seed);
    EXPECT_TRUE(backend->run_pass(nullptr, parts(), {}));
    const auto values = get(*backend, y);
    backend->fill(y, 0.0f);
    return values;
  }
  std::vector<float> run(Recording& recording, std::uint64_t seed) {
    write(seed);
    EXPECT_TRUE(backend->run_pass(&recording, parts(), {}));
    return get(*backend, y);
  }

  std::unique_ptr<Backend> backend;
  LinearPtr layer;
  Tensor x, y;
  int called = 0;
};

bool recorded(const RecordingPtr& recording) {
  return dynamic_cast<const CudaRecording&>(*recording).recorded();
}

TEST(CudaRecording, ReplaysWhatThePassComputes) {
  SoftwareDevice device;
  TwoParts pass(device);
  const RecordingPtr recording = pass.backend->make_recording();
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const auto expected = pass.expected(seed);
    pass.called = 0;
    const std::int64_t allocations = device.allocations();
    EXPECT_TRUE(same_bits(pass.run(*recording, seed), expected)) << "pass " << seed;
    EXPECT_EQ(pass.called, seed <= 2 ? 2 : 0) << "pass " << seed;
    EXPECT_TRUE(seed == 1 || device.allocations() == allocations);
  }
  EXPECT_TRUE(recorded(recording));
  EXPECT_EQ(device.fault(), "");
}

// A replay writes where the pass wrote: what was made in the meantime lies elsewhere.
TEST(CudaRecording, KeepsItsMemoryUntilItsEnd) {
  SoftwareDevice device;
  TwoParts pass(device);
  const std::size_t before = pass.backend->memory().in_use_bytes;
  RecordingPtr recording = pass.backend->make_recording();
  (void)pass.run(*recording, 1);
  (void)pass.run(*recording, 2);
  const std::size_t held = pass.backend->memory().in_use_bytes;
  EXPECT_GE(held, before + 2 * kRows * kWidth * sizeof(float));
  std::vector<Tensor> others;
  for (int i = 0; i < 8; ++i) {
    others.push_back(pass.backend->empty(DType::kF32, pass.x.shape()));
    pass.backend->fill(others.back(), 7.0f);
  }
  (void)pass.run(*recording, 3);
  for (const Tensor& other : others)
    EXPECT_EQ(get(*pass.backend, other), std::vector<float>(kRows * kWidth, 7.0f));
  others.clear();
  EXPECT_EQ(pass.backend->memory().in_use_bytes, held);
  recording.reset();
  EXPECT_EQ(pass.backend->memory().in_use_bytes, before);
  EXPECT_EQ(device.fault(), "");
}

// Whichever pass ends early, and wherever: the next ones are whole.
TEST(CudaRecording, GoesOnAfterAPassThatEndedEarly) {
  for (int ended = 0; ended < 3; ++ended)
    for (int part = 0; part < 2; ++part) {
      SoftwareDevice device;
      TwoParts pass(device);
      const RecordingPtr recording = pass.backend->make_recording();
      for (int n = 0; n < ended; ++n) (void)pass.run(*recording, 1);
      int asked = 0;
      EXPECT_FALSE(pass.backend->run_pass(recording.get(), pass.parts(), [&] { return asked++ < part; }));
      EXPECT_EQ(asked, part + 1);
      for (std::uint64_t seed = 1; seed <= 3; ++seed) {
        const auto expected = pass.expected(seed);
        EXPECT_TRUE(same_bits(pass.run(*recording, seed), expected))
            << "ended in pass " << ended << " before part " << part;
      }
      EXPECT_TRUE(recorded(recording));
      EXPECT_EQ(device.fault(), "");
    }
}

// More memory than the first pass took cannot be had while a stream is captured.
TEST(CudaRecording, GoesOnUnrecordedWhereAPassCannotBeCaptured) {
  SoftwareDevice device;
  TwoParts pass(device);
  const RecordingPtr recording = pass.backend->make_recording();
  int passes = 0;
  const auto growing = [&](std::uint64_t seed) {
    PassParts parts = pass.parts();
    const auto second = parts[1];
    parts[1] = [&, second] {
      (void)pass.backend->empty(DType::kF32, {passes == 0 ? 1 : std::int64_t{32} << 20});
      second();
    };
    pass.write(seed);
    EXPECT_TRUE(pass.backend->run_pass(recording.get(), parts, {}));
    ++passes;
    return get(*pass.backend, pass.y);
  };
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    const auto expected = pass.expected(seed);
    EXPECT_TRUE(same_bits(growing(seed), expected)) << "pass " << seed;
  }
  EXPECT_FALSE(recorded(recording));
}

TEST(CudaRecording, RefusesAnotherPass) {
  SoftwareDevice other;
  const auto stranger = make_cuda_backend(&other, {});
  SoftwareDevice device;
  TwoParts pass(device);
  const RecordingPtr recording = pass.backend->make_recording();
  (void)pass.run(*recording, 1);
  EXPECT_THROW(pass.backend->run_pass(recording.get(), {[] {}}, {}), std::invalid_argument);
  EXPECT_THROW(stranger->run_pass(recording.get(), pass.parts(), {}), std::invalid_argument);
}

TEST(CudaRecording, PassesOnThatTheDeviceIsGone) {
  std::int64_t launches = 0;
  {
    SoftwareDevice device;
    TwoParts pass(device);
    const RecordingPtr recording = pass.backend->make_recording();
    for (std::uint64_t seed = 1; seed <= 3; ++seed) (void)pass.run(*recording, seed);
    launches = device.launches();
  }
  for (std::int64_t place = 1; place <= launches; ++place) {
    SoftwareDevice device({.vanish_at = place});
    EXPECT_THROW(
        {
          TwoParts pass(device);
          const RecordingPtr recording = pass.backend->make_recording();
          for (std::uint64_t seed = 1; seed <= 3; ++seed) (void)pass.run(*recording, seed);
        },
        DeviceFault)
        << place;
  }
}

TEST(Recording, ACpuRunsThePartsEachTime) {
  const auto backend = make_cpu_backend({1, Precision::kF32});
  EXPECT_EQ(backend->make_recording(), nullptr);
  std::string ran;
  const PassParts parts = {[&] { ran += 'a'; }, [&] { ran += 'b'; }};
  EXPECT_TRUE(backend->run_pass(nullptr, parts, {}));
  int asked = 0;
  EXPECT_FALSE(backend->run_pass(nullptr, parts, [&] { return asked++ < 1; }));
  EXPECT_EQ(ran, "aba");
}

}  // namespace
}  // namespace rushes::kernels::cuda
