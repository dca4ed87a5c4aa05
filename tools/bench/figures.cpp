#include "tools/bench/figures.h"

#include <malloc.h>

#include <algorithm>
#include <iostream>

namespace rushes::bench {

double quantile(std::vector<double> values, double q) {
  if (values.empty()) return 0;
  const auto rank = static_cast<std::size_t>(q * static_cast<double>(values.size() - 1) + 0.5);
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(rank), values.end());
  return values[rank];
}

nlohmann::json quantiles(const std::vector<double>& values) {
  return {{"p50", quantile(values, 0.5)},
          {"p99", quantile(values, 0.99)},
          {"p99.9", quantile(values, 0.999)},
          {"count", values.size()}};
}

std::uint64_t heap_bytes() {
  const auto info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

int report_figures(const char* name, const Result<nlohmann::json>& report, bool as_json) {
  if (!report) {
    std::cerr << "rushes-bench " << name << ": " << report.error().message << "\n";
    return static_cast<int>(exit_code(report.error().kind));
  }
  if (as_json) {
    std::cout << report->dump(2) << "\n";
  } else {
    for (const auto& [key, value] : report->items()) std::cout << key << ": " << value.dump() << "\n";
  }
  return static_cast<int>(ExitCode::kOk);
}

}  // namespace rushes::bench
