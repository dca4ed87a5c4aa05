// What a build without nvcc has: the CUDA backend, and no device of this machine behind it. kernels/cuda/device_api.cpp is
// compiled here as such a build compiles it, and takes the place of the library's.
#include <gmock/gmock.h>

#include "kernels/backends.h"
#include "kernels/cuda/cuda_backend.h"
#include "tests/kernels/emulator/software_device.h"
#include "tests/kernels/operations.h"

namespace rushes::kernels::cuda {

[[gnu::weak]] DeviceApi* bind_cuda();  // bind_cuda.cpp, where something asks for it

namespace {

TEST(WithoutNvcc, NothingOfCudaIsLinked) { EXPECT_EQ(&bind_cuda, nullptr); }

TEST(WithoutNvcc, TheBackendIsRefused) {
  ASSERT_EQ(device_api(), nullptr);
  const auto made = make_backend({.kind = config::Backend::kCuda});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().kind, ErrorKind::kExhausted);
  EXPECT_THAT(made.error().message,
              testing::AllOf(testing::HasSubstr("no CUDA engine (it was built without nvcc)"),
                             testing::HasSubstr("--backend cpu")));
}

TEST(WithoutNvcc, TheBackendComputesOnAnotherDevice) {
  emulator::SoftwareDevice device;
  install(&device);
  {
    const auto made = make_backend({.kind = config::Backend::kCuda, .precision = Precision::kF32});
    ASSERT_TRUE(made) << made.error().message;
    const auto reference = make_reference_backend();
    for (const Operation& operation : operations())
      EXPECT_LE(distance(operation.run(**made, Random(1)), operation.run(*reference, Random(1))), 1e-5)
          << operation.name;
  }
  install(nullptr);
  EXPECT_EQ(device.fault(), "");
}

}  // namespace
}  // namespace rushes::kernels::cuda
