// What a shot will cost by what the State has learned (policy/price.h). The shot need not be on the farm yet.
//
// Priced are its encode, all its takes rendered once, the delivery of the draft and, where the shot asks for one, the
// upgrade of one take. Attempts in vain are not in it.
//
// Thread contract: reads the State; core thread.
#pragma once

#include <array>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "scheduler/core/policy/price.h"
#include "scheduler/core/state/state.h"

namespace rushes::scheduler {

// Prices the shots of one batch: what shots of one model or shape have in common is looked up once.
class Pricer {
 public:
  explicit Pricer(const State& state);
  policy::Price price_of(const ShotSpec& spec);

 private:
  // How fast one stage is, where it was measured.
  struct Rates {
    std::vector<policy::Estimate> measured;  // of several classes
    policy::PriceBasis basis = policy::PriceBasis::kGuess;
    double guess = 0;  // seconds of a unit of work, while nothing is measured
    policy::PriceRange price_of(const policy::WorkSum& work) const;
  };
  using StageRates = std::array<Rates, kStages>;
  Rates measure(Stage stage, std::uint32_t level, const std::string& model) const;
  const StageRates& rates_of(const std::string& model, std::uint32_t level);
  const TakeWork& work_of(const ShotSpec& spec);

  const State& state_;
  std::vector<std::string> classes_;  // numeric classes in which the connected workers would begin a shot
  std::map<std::pair<std::string, std::uint32_t>, StageRates> rates_;
  std::map<TakeShape, TakeWork> planned_;  // of shapes that the farm does not know yet
};

}  // namespace rushes::scheduler
