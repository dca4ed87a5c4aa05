// What the benches of the farm share: quantiles of measured times, memory, and how a report is printed.
//
// Thread contract: plain functions.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

#include "config/result.h"

namespace rushes::bench {

// The value that a share `q` of all values does not pass (nearest rank); 0 without values.
double quantile(std::vector<double> values, double q);
nlohmann::json quantiles(const std::vector<double>& values);  // p50, p99, p99.9, count

std::uint64_t heap_bytes();  // in use by this process, mapped blocks included

// Prints the report (one line per figure, or JSON) or its error; the exit code of the subcommand NAME.
int report_figures(const char* name, const Result<nlohmann::json>& report, bool as_json);

}  // namespace rushes::bench
