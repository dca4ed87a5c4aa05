#include "scheduler/core/policy/numeric_class.h"

#include <algorithm>
#include <limits>

#include "scheduler/core/policy/fit.h"

namespace rushes::scheduler::policy {

std::string choose_class(const WorkerOffer& offer, bool gpu_there) {
  if (offer.numeric_classes.empty() || (gpu_there && tensor_kind(offer) != SlotKind::kGpu)) return {};
  return offer.numeric_classes.front();
}

bool may_begin(std::span<const ClassLoad> classes, std::size_t here, double path, double work,
               double waiting) {
  // When every class has done its own and the rest evenly: what waits, and pace-1 seconds of what is pinned,
  // over pace-1 seconds that pass in a second.
  double all = waiting, speed = 0;
  for (const ClassLoad& each : classes) {
    all += each.left_seconds / each.pace;
    speed += each.slots / each.pace;
  }
  if (!(speed > 0)) return true;
  const auto done = [&](const ClassLoad& at) {
    return at.left_seconds / at.slots + std::max(path, work / at.slots) * at.pace;
  };
  double soonest = std::numeric_limits<double>::infinity();
  std::size_t fitting = 0;
  for (const ClassLoad& each : classes) {
    if (each.slots == 0) continue;
    ++fitting;
    soonest = std::min(soonest, done(each));
  }
  const ClassLoad& mine = classes[here];
  if (!mine.measured && mine.busy && fitting > 1)
    return mine.left_seconds / mine.slots < 2 * path * mine.pace;
  return done(mine) <= std::max(soonest, all / speed);
}

}  // namespace rushes::scheduler::policy
