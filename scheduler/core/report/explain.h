// Why a task waits: exactly one reason, found by the functions that the dispatcher decides with
// (core/dispatch/placement.h, core/policy/). When it will start is core/report/forecast.h's answer.
//
// Thread contract: pure functions of the State.
#pragma once

#include <string>

#include "scheduler/core/state/state.h"

namespace rushes::scheduler {

enum class Waiting : std::uint8_t {
  kNot,         // a worker has it (the text says which, and what it does), or it is final
  kInputs,      // a dependency is not done
  kCheckpoint,  // its inputs are there; a gate's verdict is not
  kBlocked,     // a dependency failed and needs a person
  kPaused,      // its shot is paused
  kBackoff,     // it failed and is held back for a while
  kNoWorker,    // no worker is connected
  kNoModel,     // no connected worker has the model
  kNoClass,     // no connected worker has the numeric class that the shot is pinned to
  kNoMemory,    // no connected worker has the memory
  kHeldBack,    // workers that fit are draining or quarantined
  kLimit,       // a shared limit is used up
  kReserved,    // a worker is kept free: for it, or for a wider task before it
  kShare,       // all that fit are busy, and other shows or priorities go first
  kCapacity,    // all that fit are busy
  kNext,        // the next dispatch will lease it
};
const char* to_string(Waiting waiting);  // "inputs", "checkpoint", "no memory", ...; kNot: ""

struct Explanation {
  Waiting waiting = Waiting::kNot;
  std::string text;  // one line for people
};

Explanation explain(const State& state, const Task& task, Now now);
// Of the shot: attention and pause first, then the reason of its oldest ready task, then of its oldest
// pending one. `task`: whose reason it is, 0: the shot's own.
Explanation explain(const State& state, const Shot& shot, Now now, TaskId* task = nullptr);

}  // namespace rushes::scheduler
