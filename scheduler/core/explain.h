// Why a task waits: exactly one reason, found the way the dispatcher decides.
//
// Thread contract: pure functions of the State.
#pragma once

#include <string>

#include "scheduler/core/state.h"

namespace rushes::scheduler {

enum class Waiting : std::uint8_t {
  kNot,       // it runs, or it is final
  kInputs,    // a dependency is not done
  kBlocked,   // a dependency failed and needs a person
  kPaused,    // its shot is paused
  kBackoff,   // it failed and is held back for a while
  kNoWorker,  // no worker is connected
  kNoModel,   // no connected worker has the model
  kNoClass,   // no connected worker has the numeric class that the shot is pinned to
  kNoMemory,  // no connected worker has the memory
  kHeldBack,  // workers that fit are draining or quarantined
  kCapacity,  // all that fit are busy
  kNext,      // the next dispatch will lease it
};

struct Explanation {
  Waiting waiting = Waiting::kNot;
  std::string text;  // one line for people
};

Explanation explain(const State& state, const Task& task, Now now);
// Of the shot: attention and pause first, then the reason of its oldest ready task, then of its oldest
// pending one.
Explanation explain(const State& state, const Shot& shot, Now now);

}  // namespace rushes::scheduler
