#include "tests/simulation/shrink.h"

#include <algorithm>

namespace rushes::simulation {

std::vector<Fault> shortest(std::vector<Fault> faults,
                            const std::function<bool(const std::vector<Fault>&)>& fails, int most) {
  std::size_t part = std::max<std::size_t>(1, faults.size() / 2);
  while (!faults.empty()) {
    bool shorter = false;
    for (std::size_t begin = 0; begin < faults.size();) {
      if (most-- <= 0) return faults;
      const std::size_t end = std::min(begin + part, faults.size());
      std::vector<Fault> rest = faults;
      rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(begin),
                 rest.begin() + static_cast<std::ptrdiff_t>(end));
      if (fails(rest)) {
        faults = std::move(rest);  // what followed has moved to `begin`
        shorter = true;
      } else {
        begin = end;
      }
    }
    if (part == 1 && !shorter) break;
    part = std::max<std::size_t>(1, part / 2);
  }
  return faults;
}

Plan shrink(const Plan& plan, const Report& report) {
  if (report.violations.empty()) return plan;
  Plan shrunk = plan;
  shrunk.trace_lines = 0;
  const int invariant = report.violations.front().invariant;
  shrunk.faults = shortest(plan.faults, [&](const std::vector<Fault>& faults) {
    Plan part = shrunk;
    part.faults = faults;
    const Report again = simulate(part);
    return !again.violations.empty() && again.violations.front().invariant == invariant;
  });
  return shrunk;
}

}  // namespace rushes::simulation
