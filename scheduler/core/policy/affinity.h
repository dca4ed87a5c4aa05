// How long a worker may stay with the model that it has loaded while the order calls for another one.
//
// Loading weights costs more than many tasks. The show or flow that is passed over meanwhile falls behind in
// virtual time; it may fall behind by kStay tasks and then has its turn. A worker that took its turn has its
// model loaded from then on, so shows share the farm in space instead of reloading in turns.
//
// Thread contract: pure function.
#pragma once

namespace rushes::scheduler::policy {

inline constexpr double kStay = 4;  // tasks

// lag: by how much virtual time the one that stays is ahead of the one whose turn it is. charge: what one of
// its tasks adds to that time.
inline bool may_stay(double lag, double charge) { return lag <= kStay * charge; }

}  // namespace rushes::scheduler::policy
