// One run: a simulated farm works on N tasks under faults, then without, and every shot has to end.
//
// A run is a function of its plan: the same plan gives the same trace, bit for bit.
//
// Thread contract: pure function; runs of several threads do not touch each other.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tests/simulation/fault.h"
#include "tests/simulation/oracle.h"

namespace rushes::simulation {

struct Plan {
  std::uint64_t seed = 1;
  std::uint32_t tasks = 1000;  // planned at least; revisions and upgrades come on top
  std::vector<Fault> faults;
  std::size_t trace_lines = 0;  // how many of the last ones are kept as text
};

// The plan that a seed stands for.
Plan plan_of(std::uint64_t seed, std::uint32_t tasks, const FaultChoice& choice);

struct Report {
  std::uint64_t seed = 0, trace = 0;  // trace: the hash of all that happened
  std::vector<Violation> violations;  // of the first event that had any
  std::vector<std::string> tail;      // of the trace
  std::uint64_t events = 0, tasks = 0, accepted = 0, expired = 0, kills = 0, crashes = 0, lost_messages = 0,
                stale_results = 0;
  std::int64_t simulated_ms = 0;
};
Report simulate(const Plan& plan);

}  // namespace rushes::simulation
