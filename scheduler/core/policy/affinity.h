// Which worker loads which model.
//
// Loading weights costs more than many tasks. So a worker stays with the model that it has, while the order
// calls for another one, as long as the show or flow that is passed over has its share of the slots anyway,
// or lags behind in virtual time by no more than a load's time on the whole farm (at least by kStay tasks).
// Shows share the farm in space then instead of reloading in turns; the lag stays, and is made up for once.
//
// And a slot changes its model only if that is worth several loads, for it may have to change back: what
// waits for the model would keep those that have it busy for kEarned loads, or all that is left of the model
// would keep them busy for twice that beyond what is left of the slot's own model. Otherwise it waits for
// more of its own.
//
// Thread contract: pure functions.
#pragma once

#include <algorithm>
#include <cstdint>

namespace rushes::scheduler::policy {

inline constexpr double kStay = 2;    // tasks
inline constexpr double kEarned = 2;  // loads

// What is passed over for the model that stays.
struct Passed {
  double lag = 0;           // by how much virtual time it is behind the one that stays
  double rate = 1;          // what a second of service adds to the virtual time of the one that stays
  std::uint32_t slots = 0;  // that it holds
  double share = 0;         // of all slots: what it may claim
};

// seconds: of the task that stays. slots: of the farm. load_seconds: of the model that is not loaded.
inline bool may_stay(const Passed& passed, double seconds, double load_seconds, std::uint32_t slots) {
  if (passed.lag <= std::max(kStay * seconds, load_seconds * slots) * passed.rate) return true;
  return passed.slots + 1 > passed.share * slots;
}

struct Demand {             // for one model, in seconds
  double ready = 0;         // of what waits
  double held = 0;          // of what was taken already
  double left = 0;          // of all that is open, whether it can run now or not
  std::uint32_t slots = 0;  // that have the model
};

// What a waiting task adds to Demand::ready. One that failed or was slow on a worker that has the model may be
// kept from it, so it is worth a load elsewhere, however short it is.
inline double ready_seconds(double expected_seconds, bool is_kept_from_some) {
  constexpr double kWorthALoad = 1e6;
  return is_kept_from_some ? kWorthALoad : expected_seconds;
}

// own: of the model that the slot has.
inline bool worth_loading(const Demand& wanted, const Demand& own, double load_seconds) {
  if (wanted.slots == 0) return true;
  const double ready = wanted.ready + wanted.held / 2;  // what runs is half done on average
  if (ready > kEarned * load_seconds * wanted.slots) return true;
  const double own_left = own.slots > 0 ? own.left / own.slots : 0;
  return wanted.left / wanted.slots > 2 * kEarned * load_seconds + own_left;
}

}  // namespace rushes::scheduler::policy
