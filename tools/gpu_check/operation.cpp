// One random case of an operation on the device and on the reference, from fresh data; outputs start as NaN.
#include <algorithm>
#include <cmath>

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

Reply check_attention(Machine& machine, const Request& request) {
  const std::string& form = request.text("form");
  const bool hopper = form.starts_with("hopper"), listed = form.ends_with("list");
  if (hopper && machine.device().info().major != 9)
    return Reply().add("skipped", "needs compute capability 9.0");
  const kernels::AttentionCase c = kernels::attention_case(
      static_cast<std::uint64_t>(request.number("seed")), static_cast<int>(request.number("width")),
      static_cast<int>(request.number("longest")), listed, hopper ? 64 : 16);
  if (!hopper) return compared(cuda::run_portable(machine.api(), c), c.expected, 3e-3);
  const cuda::HopperResult result = cuda::run_hopper(machine.api(), c, form == "hopper_cluster");
  cuda::check(machine.api(), result.error, form.c_str());
  const std::vector<float> sums = cuda::expected_log_sum(c);
  for (std::size_t i = 0; i < sums.size(); ++i)
    if (!(std::abs(result.log_sum[i] - sums[i]) <= 2e-3f))
      return Reply().add("ok", false).add("why", "a row's logarithm of its sum is wrong");
  return compared(result.y, c.expected, 3e-3);
}

}  // namespace rushes::gpu_check
