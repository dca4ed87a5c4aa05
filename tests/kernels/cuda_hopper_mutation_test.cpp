// Whether the software device would notice a mistake in the Hopper kernel: RUSHES_MUTATION(n) of
// kernels/cuda/attention_hopper_block.h plants mistake n, and a run must fail. The table that the test prints says how.
#include <gtest/gtest.h>
#include <iomanip>
#include <iostream>
#include <sstream>

#include "tests/kernels/emulator/async.h"
#include "tests/kernels/emulator/software_device.h"
#include "tests/kernels/hopper_runs.h"

namespace rushes::kernels::cuda {
namespace {

struct Mutation {
  int number;
  const char* name;
  const char* form = "dense";  // "dense", "cluster", "listed"
};
constexpr Mutation kMutations[] = {
    {1, "block and group strides of the values' descriptor exchanged"},
    {2, "wrong phase in the first wait for keys"},
    {3, "no bytes expected at a full barrier"},
    {4, "keys never released"},
    {5, "values never released"},
    {6, "too few bytes expected", "listed"},
    {7, "wrong row of the lower half of a fragment"},
    {8, "no mask of the last step"},
    {9, "wrong advance along the width"},
    {10, "output not rescaled"},
    {11, "sum not rescaled"},
    {12, "no wgmma fence before the first product"},
    {13, "key tile of the entry before", "listed"},
    {14, "scores read before their product is waited for"},
    {15, "output rescaled before its product is waited for"},
    {16, "keys read with another swizzle"},
    {17, "no cluster barrier before the first copy", "cluster"},
    {18, "no cluster barrier at the end", "cluster"},
    {19, "multicast to one block only", "cluster"},
    {20, "exponent without log2(e)"},
    {21, "keys released in the own block only", "cluster"},
    {22, "stage overwritten without a wait"},
    {23, "first turn of the warpgroups not given"},
    {24, "a turn given too many"},
    {25, "keys released before their product is waited for"},
    {26, "no wait for the queries"},
    {27, "no wait for the values"},
    {28, "log-sum-exp in powers of two"},
    {29, "weights of a pair exchanged"},
    {30, "producer keeps its registers"},
    {31, "batch ignored"},
    {32, "list of the first head for all", "listed"},
    {33, "maximum of one thread instead of a row"},
    {34, "barriers without a fence after initialisation"},
    {35, "weights written while their product is under way"},
};

// Several steps with a ragged tail; a second head and batch entry.
AttentionCase mutation_case(const std::string& form) {
  AttentionCase c;
  c.width = 128, c.batch = 2, c.heads = 2, c.lq = 100, c.lk = 176 * 3 + 60;
  if (form == "cluster") c.batch = 1, c.lq = 130;
  if (form == "listed") c.listed = true, c.batch = 1, c.plan.query_tile = 128, c.plan.key_tile = 64;
  complete(c, 11);
  return c;
}

// Empty: the run gave the right result.
std::string failure(const AttentionCase& c, const std::vector<float>& log_sum, bool cluster,
                    std::uint64_t seed) {
  emulator::SoftwareDevice device({.seed = seed});
  const AttentionResult result = run_hopper(device, c, cluster);
  if (result.error) return device.fault();
  std::ostringstream text;
  text << std::setprecision(3);
  if (const double d = distance(result.y, c.expected); !(d <= 3e-3)) {
    text << "result differs: " << d;
  } else if (const double l = distance(result.log_sum, log_sum); !(l <= 1e-3)) {
    text << "log-sum-exp differs: " << l;
  }
  return text.str();
}

TEST(CudaHopperMutation, EveryPlantedMistakeIsCaught) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the device's rules catch the mistakes, not a sanitizer, which is ten times slower";
#endif
  constexpr std::uint64_t kSeeds = 40;
  for (const std::string form : {"dense", "cluster", "listed"}) {
    const AttentionCase c = mutation_case(form);
    const std::vector<float> log_sum = expected_log_sum(c);
    for (std::uint64_t seed = 1; seed <= 6; ++seed)
      EXPECT_EQ(failure(c, log_sum, form == "cluster", seed), "") << form << " without a mistake";
    for (const Mutation& mutation : kMutations) {
      if (form != mutation.form) continue;
      emulator::planted = mutation.number;
      std::string caught;
      std::uint64_t seed = 0;
      while (caught.empty() && ++seed <= kSeeds) caught = failure(c, log_sum, form == "cluster", seed);
      emulator::planted = 0;
      EXPECT_NE(caught, "") << mutation.name;
      std::cout << std::setw(3) << mutation.number << "  " << std::left << std::setw(60) << mutation.name
                << std::right << caught << " (order " << seed << ")\n";
    }
  }
}

}  // namespace
}  // namespace rushes::kernels::cuda
