// Whether the software device would notice a mistake in the kernels over rows: RUSHES_MUTATION(n) of kernels/cuda/rows.cu
// plants mistake n, and a run must fail for one of a few orders of threads.
#include <gtest/gtest.h>

#include <iostream>
#include <sstream>

#include "kernels/cuda/cuda_backend.h"
#include "tests/kernels/emulator/grid.h"
#include "tests/kernels/emulator/software_device.h"
#include "tests/kernels/support.h"

namespace rushes::kernels::cuda {
namespace {

struct Mutation {
  int number;
  const char* name;
};
constexpr Mutation kMutations[] = {
    {41, "no barrier before the warps' sums are overwritten"},
    {42, "no barrier before the warps' sums are read"},
    {43, "sums of the block's first row for all"},
    {44, "rows behind the last one computed"},
    {45, "the update added again where a row is read again"},
};
constexpr std::uint64_t kSeeds = 12;

// Rows of two warps, four in a block; the last block has two. Then rows too long for the registers.
std::vector<float> norms(Backend& backend) {
  Random random(3);
  const std::int64_t rows = 6, cols = 1100;
  const Tensor x = put(backend, random.normal(rows * cols), {rows, cols});
  backend.layer_norm(x, {}, {}, {}, 1e-6f, x);
  const std::int64_t length = 8400;
  const Tensor stream = put(backend, random.normal(2 * length), {2, length}),
               y = backend.empty(DType::kF32, {2, length});
  backend.add_gated_layer_norm(stream, put(backend, random.normal(2 * length), {2, length}), {}, {}, {}, {},
                               1e-6f, y);
  std::vector<float> values = get(backend, x);
  for (const Tensor& result : {stream, y})
    for (const float value : get(backend, result)) values.push_back(value);
  return values;
}

// Empty: the run gave the right result.
std::string failure(const std::vector<float>& expected, std::uint64_t seed) {
  emulator::SoftwareDevice device({.seed = seed});
  try {
    const auto backend = make_cuda_backend(&device, {0, Precision::kF32});
    const double d = distance(norms(*backend), expected);
    backend->synchronize();  // red zones are checked where memory is given back
    std::ostringstream text;
    text << "result differs: " << d;
    return d <= 1e-5 ? device.fault() : text.str();
  } catch (const DeviceFault&) {
    return device.fault();
  }
}

TEST(CudaRowsMutation, EveryPlantedMistakeIsCaught) {
  const std::vector<float> expected = norms(*make_reference_backend());
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed)
    EXPECT_EQ(failure(expected, seed), "") << "without a mistake, order " << seed;
  for (const Mutation& mutation : kMutations) {
    emulator::planted = mutation.number;
    std::string caught;
    std::uint64_t seed = 0;
    while (caught.empty() && ++seed <= kSeeds) caught = failure(expected, seed);
    emulator::planted = 0;
    EXPECT_NE(caught, "") << mutation.name;
    std::cout << mutation.number << "  " << mutation.name << ": " << caught << " (order " << seed << ")\n";
  }
}

}  // namespace
}  // namespace rushes::kernels::cuda
