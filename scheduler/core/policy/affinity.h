// How long a worker may stay with the model that it has loaded while the order calls for another one.
//
// Loading weights costs more than many tasks. The show or flow that is passed over meanwhile falls behind in
// virtual time, by what all slots serve; it may fall behind by a load's time on the whole farm, at least by
// kStay tasks, and then has its turn. A worker that took its turn has its model loaded from then on, so shows
// share the farm in space instead of reloading in turns; the lag stays, and is made up for once.
//
// Thread contract: pure function.
#pragma once

#include <algorithm>
#include <cstdint>

namespace rushes::scheduler::policy {

inline constexpr double kStay = 4;          // tasks
inline constexpr double kLoadSeconds = 60;  // that a load takes, about: large weights from a disk

// lag: by how much virtual time the one that stays is ahead of the one whose turn it is. seconds: of its
// task. rate: what a second of service adds to its virtual time.
inline bool may_stay(double lag, double seconds, double rate, std::uint32_t slots) {
  return lag <= std::max(kStay * seconds, kLoadSeconds * slots) * rate;
}

}  // namespace rushes::scheduler::policy
