// The figures of a run, by name, and whether they meet the goals of its description.
//
// Thread contract: pure functions.
#pragma once

#include <string>
#include <vector>

#include "tests/simulation/farm/run.h"

namespace rushes::simulation::farm {

struct Figure {
  std::string
      name;  // "wait.priority_50.p90_s": dots group, the last word ends with its unit where it has one
  double value = 0;
  std::string meaning;  // one line for people
};

// The same for the same description, bit for bit.
std::vector<Figure> figures_of(const FarmRun& run);

struct Outcome {
  Goal goal;
  double value = 0;
  bool known = false;  // there is such a figure
  bool met = false;
};
std::vector<Outcome> judge(const std::vector<Goal>& goals, const std::vector<Figure>& figures);

}  // namespace rushes::simulation::farm
