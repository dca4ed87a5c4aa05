// One random case of an operation on the device and on the reference, from fresh data; outputs start as NaN.
#include <algorithm>
#include <cmath>

#include "tests/kernels/eight_bit_runs.h"
#include "tests/kernels/hopper_runs.h"
#include "tests/kernels/operations.h"
#include "tools/gpu_check/numbers.h"
#include "tools/gpu_check/verbs.h"

namespace rushes::gpu_check {

namespace {

using kernels::Precision;

// As the tests on the software device have them.
double tolerance(const kernels::Operation& operation, Precision precision) {
  static const double f32[] = {2e-6, 1e-5, 1e-5, 0}, bf16[] = {2e-6, 1e-2, 3e-3, 0};
  return (precision == Precision::kF32 ? f32 : bf16)[operation.kind];
}

Reply compared(const std::vector<float>& values, const std::vector<float>& expected, double most) {
  const Nearness near = nearness(values, expected);
  Reply reply;
  near.add_to(reply).add("most", most);
  const bool zero = std::all_of(expected.begin(), expected.end(), [](float x) { return x == 0; });
  return reply.add("ok", zero ? values == expected : near.distance <= most);
}

}  // namespace

std::vector<std::string> operation_names() {
  std::vector<std::string> names;
  for (const kernels::Operation& operation : kernels::operations()) names.push_back(operation.name);
  return names;
}

Reply check_operation(Machine& machine, const Request& request) {
  const Precision precision = request.text("precision") == "f32" ? Precision::kF32 : Precision::kBf16;
  const auto seed = static_cast<std::uint64_t>(request.number("seed"));
  for (const kernels::Operation& operation : kernels::operations()) {
    if (operation.name != request.text("name")) continue;
    const std::int64_t damaged = machine.damaged();
    const std::vector<float> values =
        operation.run(machine.checked_backend(precision), kernels::Random(seed));
    const auto reference = kernels::make_reference_backend();
    if (machine.damaged() > damaged)
      return Reply().add("ok", false).add("why", "memory behind a result was overwritten");
    return compared(values, operation.run(*reference, kernels::Random(seed)),
                    tolerance(operation, precision));
  }
  throw std::invalid_argument("there is no operation " + request.text("name"));
}

namespace {

bool near_sums(const std::vector<float>& found, const std::vector<float>& expected, float most) {
  return std::equal(found.begin(), found.end(), expected.begin(), expected.end(),
                    [&](float a, float b) { return std::abs(a - b) <= most; });
}
Reply wrong_sums() { return Reply().add("ok", false).add("why", "a row's logarithm of its sum is wrong"); }

// Attention in 8 bits: the rounded operands bit for bit; the result as near as the weights' rounding lets noise be, and over
// many keys with outliers as near as the scheme is held to.
Reply check_int8(Machine& machine, const Request& request, bool hopper, bool listed) {
  const auto seed = static_cast<std::uint64_t>(request.number("seed"));
  const int width = static_cast<int>(request.number("width")),
            longest = static_cast<int>(request.number("longest"));
  const cuda::Attention8Form form = machine.attention8_form();
  const kernels::AttentionCase c =
      seed % 2 ? kernels::attention_case(seed, width, longest, listed, hopper ? 128 : 16)
               : cuda::outlier_case(width, 20 + static_cast<int>(seed), 4 * longest, listed ? 128 : 0);
  const cuda::EightBitResult result = cuda::run_eight_bit(machine.api(), c, form, hopper);
  cuda::check(machine.api(), result.error, "attention in 8 bits");
  const kernels::EightBitOperands expected = cuda::quantise(c);
  const kernels::EightBitOperands& found = result.operands;
  if (found.q != expected.q || found.k != expected.k ||
      (form == cuda::kValuesE4m3 && found.v != expected.v) ||
      !kernels::same_bits(found.q_scale, expected.q_scale) ||
      !kernels::same_bits(found.k_scale, expected.k_scale))
    return Reply().add("ok", false).add("why", "an operand is not rounded as the formula says");
  if (!near_sums(result.log_sum, cuda::expected_log_sum(c), cuda::kMostLogSumError)) return wrong_sums();
  if (seed % 2) return compared(result.y, c.expected, cuda::kMostNoiseDistance);
  if (nearness(result.y, c.expected).cosine < cuda::kLeastOutlierCosine)
    return Reply().add("ok", false).add("why", "the cosine is below 0.9995");
  return compared(result.y, c.expected, cuda::kMostOutlierDistance);
}

}  // namespace

Reply check_attention(Machine& machine, const Request& request) {
  const std::string& form = request.text("form");
  const bool hopper = form.find("hopper") != std::string::npos, listed = form.ends_with("list");
  if (hopper && machine.device().info().major != 9)
    return Reply().add("skipped", "needs compute capability 9.0");
  if (form.starts_with("int8")) return check_int8(machine, request, hopper, listed);
  const kernels::AttentionCase c = kernels::attention_case(
      static_cast<std::uint64_t>(request.number("seed")), static_cast<int>(request.number("width")),
      static_cast<int>(request.number("longest")), listed, hopper ? 64 : 16);
  const cuda::AttentionResult result = hopper ? cuda::run_hopper(machine.api(), c, form == "hopper_cluster")
                                              : cuda::run_portable(machine.api(), c);
  cuda::check(machine.api(), result.error, form.c_str());
  if (!near_sums(result.log_sum, cuda::expected_log_sum(c), 2e-3f)) return wrong_sums();
  return compared(result.y, c.expected, 3e-3);
}

}  // namespace rushes::gpu_check
