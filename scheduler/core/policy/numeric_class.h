// Which numeric class a shot is rendered in.
//
// All tasks of a shot that compute tensors run in one class: what its takes share was made in it. The class is chosen
// when the first task is leased: the worker's first class in its own order of preference, except that a CPU
// worker leaves the choice to GPU workers while one is there that has the model.
//
// Thread contract: pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "storage/records/words.h"

namespace rushes::scheduler::policy {

// The class, or empty when this worker should not begin the shot. `gpu_there`: a GPU worker could begin it.
std::string choose_class(const WorkerOffer& offer, bool gpu_there);

// What a shot would meet in a class.
struct ClassLoad {
  double pace = 1;          // seconds there of what takes one second on a device of pace 1
  double left_seconds = 0;  // of the shots that are pinned to it, there
  std::uint32_t slots = 0;  // that fit the shot
  bool measured = true;     // else `pace` is a guess
  bool busy = false;        // something of it runs or waits for a slot
};

// Whether a shot should begin in the class `here`, of pace-1 seconds `path` on its longest way and `work`
// altogether. Each class takes its shots to the end, so one that has more left than others keeps them waiting
// while others run dry: a shot begins where it is done soonest, except that a class which would be later may
// have it as long as the whole farm is not done before. `waiting`: pace-1 seconds of all shots that have not
// begun. A class whose pace is not known yet gets no more than keeps it busy until it is: what has begun
// there stays there.
bool may_begin(std::span<const ClassLoad> classes, std::size_t here, double path, double work,
               double waiting);

}  // namespace rushes::scheduler::policy
