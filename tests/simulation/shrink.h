// The shortest list of faults that still breaks what the whole list broke.
//
// Delta debugging (Zeller): parts of the list are left out, ever smaller ones, as long as the rest still
// fails.
//
// Thread contract: pure functions.
#pragma once

#include <functional>
#include <vector>

#include "tests/simulation/simulation.h"

namespace rushes::simulation {

// `fails` says whether a list still fails; it is asked at most `most` times. The whole list does.
std::vector<Fault> shortest(std::vector<Fault> faults,
                            const std::function<bool(const std::vector<Fault>&)>& fails, int most = 500);

// The plan with the shortest list that violates the invariant that `report` violates.
Plan shrink(const Plan& plan, const Report& report);

}  // namespace rushes::simulation
