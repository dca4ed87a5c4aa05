// The CUDA backend's memory, and what it says where something is missing, wrong or gone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/backends.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/dry_device.h"
#include "kernels/cuda/workspace.h"
#include "tests/kernels/emulator/software_device.h"
#include "tests/kernels/operations.h"

namespace rushes::kernels::cuda {
namespace {

using emulator::SoftwareDevice;
using emulator::SoftwareOptions;
using testing::AllOf;
using testing::HasSubstr;

// The device of this process while it lives.
class Installed {
 public:
  explicit Installed(DeviceApi* api) : before_(device_api()) { install(api); }
  ~Installed() { install(before_); }
  Installed(const Installed&) = delete;
  Installed& operator=(const Installed&) = delete;

 private:
  DeviceApi* before_;
};

std::string refusal(const SoftwareOptions& software, int number = 0, bool checked = true) {
  SoftwareDevice device(software);
  const Installed installed(&device);
  BackendOptions options;
  options.kind = config::Backend::kCuda, options.device = number, options.precision = Precision::kBf16;
  const auto made = make_backend(options);
  const Status status = check_backend(options);
  EXPECT_FALSE(made.has_value());
  if (made) return "";
  EXPECT_EQ(made.error().kind, ErrorKind::kExhausted);
  EXPECT_EQ(!status.has_value(), checked);
  if (!status) {
    EXPECT_EQ(status.error().message, made.error().message);
  }
  return made.error().message;
}

TEST(CudaRefusals, SayWhatIsMissingAndWhatToDo) {
  SoftwareOptions options;
  options.devices = 0;
  EXPECT_THAT(refusal(options), AllOf(HasSubstr("no NVIDIA GPU"), HasSubstr("--backend cpu")));
  options = {};
  options.driver = 12080;
  EXPECT_THAT(refusal(options), AllOf(HasSubstr("install driver 580"), HasSubstr("--backend cpu")));
  options = {};
  EXPECT_THAT(refusal(options, 3), HasSubstr("no device 3: this machine has devices 0 to 0"));
  EXPECT_THAT(refusal(options, -1), HasSubstr("no device -1"));
  options.major = 7, options.minor = 5;
  EXPECT_THAT(refusal(options), HasSubstr("Software device has compute capability 7.5, and 8.0 or higher"));
  options = {};
  options.has_blas = false;
  EXPECT_THAT(refusal(options),
              AllOf(HasSubstr("libcublasLt.so.13 was not found"), HasSubstr("--backend cpu")));
  options = {};
  options.has_dnn = false;
  EXPECT_THAT(refusal(options), HasSubstr("libcudnn.so.9 was not found"));
  options = {};
  options.dnn_version = 91002;
  EXPECT_THAT(refusal(options), HasSubstr("cuDNN 9.10.2 is older than 9.15.0"));
  options = {};
  options.blas_version = 120500;
  EXPECT_THAT(refusal(options), HasSubstr("cuBLASLt 12.5.0 is older than 13.0.0"));
}

TEST(CudaRefusals, NameALibraryThatComputesWrongly) {
  SoftwareOptions options;
  options.dnn_computes_wrongly = true;
  EXPECT_THAT(
      refusal(options, 0, false),
      AllOf(HasSubstr("cuDNN 9.19.0 computes a convolution in bf16 wrongly"), HasSubstr("--backend cpu")));
}

TEST(CudaRefusals, SayThatTheBuildHasNone) {
  const Installed installed(nullptr);
  BackendOptions options;
  options.kind = config::Backend::kCuda;
  const Status status = check_backend(options);
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message,
              AllOf(HasSubstr("this build has no CUDA engine"), HasSubstr("--backend cpu")));
  EXPECT_FALSE(make_backend(options));
}

TEST(CudaMemory, IsTakenOnce) {
  SoftwareDevice device;
  const auto backend = make_cuda_backend(&device, {});
  const auto step = [&] {
    for (const Operation& operation : operations()) (void)operation.run(*backend, Random(7));
  };
  step();
  const std::int64_t before = device.allocations();
  const Memory memory = backend->memory();
  step();
  EXPECT_EQ(device.allocations(), before)
      << "a second run of the same operations takes memory from the device";
  EXPECT_EQ(backend->memory().peak_bytes, memory.peak_bytes);
  EXPECT_EQ(backend->memory().pooled_bytes, device.allocated_bytes());
  EXPECT_EQ(memory.in_use_bytes, 0u);
  EXPECT_EQ(device.fault(), "");
}

TEST(CudaMemory, CountsWhatIsInUse) {
  SoftwareDevice device;
  const auto backend = make_cuda_backend(&device, {});
  const std::size_t peak = backend->memory().peak_bytes;
  {
    const Tensor a = backend->empty(DType::kF32, {1 << 20});
    EXPECT_GE(backend->memory().in_use_bytes, std::size_t{4} << 20);
    EXPECT_LT(backend->memory().in_use_bytes, (std::size_t{4} << 20) + 1024);
    const Tensor b = a;
    EXPECT_LT(backend->memory().in_use_bytes, (std::size_t{4} << 20) + 1024);
  }
  EXPECT_EQ(backend->memory().in_use_bytes, 0u);
  EXPECT_GE(backend->memory().peak_bytes, std::max(peak, std::size_t{4} << 20));
  backend->reserve(std::size_t{80} << 20);
  EXPECT_GE(backend->memory().pooled_bytes, std::size_t{80} << 20);
  const std::int64_t before = device.allocations();
  const Tensor large = backend->empty(DType::kF32, {17 << 20});
  EXPECT_EQ(device.allocations(), before) << "reserved memory is in one piece";
  for (int i = 0; i < 60; ++i) (void)backend->empty(DType::kF32, {1 << 19});
  EXPECT_EQ(device.allocations(), before) << "memory that was given back is taken again";
  Tensor outlives = put(*make_cuda_backend(&device, {}), {1.0f}, {1});
  EXPECT_EQ(get(*backend, outlives)[0], 1.0f);
}

// As when weights that were rounded to 8 bits leave their bf16 ones behind: gaps of 8 MiB, more in all than is reserved.
TEST(CudaMemory, AReservationIsOnePieceAmongGaps) {
  const auto device = make_dry_device();
  const auto backend = make_cuda_backend(device.get(), {});
  constexpr std::size_t kWanted = std::size_t{48} << 20;
  std::vector<Tensor> kept, freed;
  for (int i = 0; i < 80; ++i) (i % 2 ? kept : freed).push_back(backend->empty(DType::kF32, {2 << 20}));
  freed.clear();
  const Memory gaps = backend->memory();
  ASSERT_GE(gaps.pooled_bytes, gaps.in_use_bytes + kWanted + kMostDnnWorkspace);
  backend->reserve(gaps.in_use_bytes + kWanted);
  const std::size_t pooled = backend->memory().pooled_bytes;
  EXPECT_GT(pooled, gaps.pooled_bytes);
  const Tensor large = backend->empty(DType::kF32, {kWanted / 4});
  EXPECT_EQ(backend->memory().pooled_bytes, pooled);
}

TEST(CudaMemory, ExhaustedLeavesTheBackendUsable) {
  SoftwareOptions options;
  options.memory_bytes = std::size_t{96} << 20;
  SoftwareDevice device(options);
  const auto backend = make_cuda_backend(&device, {});
  EXPECT_THROW((void)backend->empty(DType::kF32, {30 << 20}), std::bad_alloc);
  EXPECT_THROW(backend->reserve(std::size_t{1} << 30), std::bad_alloc);
  const std::int64_t length = 5120;
  const Tensor q = backend->empty(DType::kF32, {1, length, 1, 16}),
               y = backend->empty(DType::kF32, q.shape());
  const Memory before = backend->memory();
  backend->fill(q, 1.0f);
  EXPECT_THROW(backend->attention(q, q, q, y, {}), std::bad_alloc) << "scores of 150 MB";
  EXPECT_EQ(backend->memory().in_use_bytes, before.in_use_bytes) << "an operation that failed holds nothing";
  const Tensor part = q.reshape({20, 256, 1, 16}), out = backend->empty(DType::kF32, part.shape());
  backend->attention(part, part, part, out, {});
  EXPECT_THAT(get(*backend, out), testing::Each(1.0f));
  EXPECT_EQ(device.fault(), "");
}

void expect_fault(SoftwareOptions options, int code, const std::string& name) {
  SoftwareDevice device(options);
  const auto backend = make_cuda_backend(&device, {});
  const Tensor x = backend->empty(DType::kF32, {64});
  try {
    for (int i = 0; i < 100; ++i) backend->fill(x, 1.0f);
    backend->synchronize();
    FAIL() << "no fault";
  } catch (const DeviceFault& fault) {
    EXPECT_EQ(fault.code(), code);
    EXPECT_THAT(fault.what(), AllOf(HasSubstr("cudaStreamSynchronize answered " + name), HasSubstr("start")));
  }
  EXPECT_THROW(backend->fill(x, 1.0f), DeviceFault);
  std::vector<float> values(64);
  EXPECT_THROW(backend->download(x, values.data()), DeviceFault);
}

TEST(CudaFaults, AreThrownWhereSomebodyWaits) {
  SoftwareOptions options;
  options.vanish_at = 60;
  expect_fault(options, kNoDevice, "cudaErrorNoDevice (100)");
  options = {};
  options.illegal_address_at = 60;
  expect_fault(options, kIllegalAddress, "cudaErrorIllegalAddress (700)");
}

TEST(CudaFaults, WrongShapesAreTheCallersFault) {
  SoftwareDevice device;
  const auto backend = make_cuda_backend(&device, {});
  const Tensor x = backend->empty(DType::kF32, {2, 3}), y = backend->empty(DType::kF32, {3, 2});
  EXPECT_THROW(backend->activate(x, Activation::kSilu, y), std::invalid_argument);
  EXPECT_THROW((void)backend->empty(DType::kF16, {2}), std::invalid_argument);
  const LinearPtr foreign =
      make_reference_backend()->prepare_linear(host_tensor(std::vector<float>(6), {2, 3}), {});
  EXPECT_THROW(backend->linear(x, *foreign, backend->empty(DType::kF32, {2, 2}), Activation::kNone),
               std::invalid_argument);
}

// A step is queued without waiting: later it is recorded and replayed.
TEST(CudaGraphs, OperationsCanBeRecorded) {
  SoftwareDevice device;
  const auto backend = make_cuda_backend(&device, {});
  const std::shared_ptr<CudaDevice> shared = CudaDevice::open(&device, 0);
  Random random(2);
  const std::int64_t rows = 20, c = 64;
  const LinearPtr layer = backend->prepare_linear(host_tensor(random.normal(c * c, 0.1f), {c, c}),
                                                  host_tensor(random.normal(c), {c}));
  const Conv3dPtr conv =
      backend->prepare_conv3d(host_tensor(random.normal(c * c * 3, 0.1f), {c, c, 3, 1, 1}), {});
  const Tensor x = put(*backend, random.normal(rows * c), {rows, c}),
               y = backend->empty(DType::kF32, {rows, c});
  const Tensor weight = put(*backend, random.normal(c), {c});
  const auto step = [&] {
    backend->linear(x, *layer, y, Activation::kGeluErf);
    backend->rms_norm(y, weight, 1e-6f, y);
    backend->attention(y.reshape({1, rows, 1, c}), y.reshape({1, rows, 1, c}), y.reshape({1, rows, 1, c}),
                       y.reshape({1, rows, 1, c}), {0.1f, {}, {}, {}});
    backend->conv3d(y.reshape({5, 2, 2, c}), *conv, {2, 0, 0, 0, 0}, y.reshape({5, 2, 2, c}));
  };
  step();
  const auto expected = get(*backend, y);
  Graph graph = nullptr;
  GraphRun run = nullptr;
  ASSERT_EQ(device.begin_capture(shared->stream()), kSuccess);
  EXPECT_NO_THROW(step());
  ASSERT_EQ(device.end_capture(shared->stream(), &graph), kSuccess);
  ASSERT_EQ(device.graph_instantiate(&run, graph), kSuccess);
  backend->fill(y, 0.0f);
  ASSERT_EQ(device.graph_launch(run, shared->stream()), kSuccess);
  EXPECT_TRUE(same_bits(get(*backend, y), expected));
  EXPECT_EQ(device.graph_run_destroy(run), kSuccess);
  EXPECT_EQ(device.graph_destroy(graph), kSuccess);
}

}  // namespace
}  // namespace rushes::kernels::cuda
