// The farm's state machine.
//
// decide() holds all policy. It answers one event with records (what was decided) and commands (what to tell
// workers and people). It applies its own records, in order: the caller must not apply them again, only write
// the durable ones to the journal and, after the sync, send the commands.
//
// apply() (core/state/apply.h) is the only function that changes a State. Recovery is a snapshot's records and
// every journal record after it, each through replay_record() (core/journal/replay.h), then decide(Recover).
//
// Thread contract: pure functions of their arguments; one thread at a time per State. No clock, no socket, no
// disk.
#pragma once

#include <cstdint>

#include "scheduler/core/command.h"
#include "scheduler/core/decide/decision.h"
#include "scheduler/core/event.h"
#include "scheduler/core/settings.h"
#include "scheduler/core/state/record.h"
#include "scheduler/core/state/state.h"

namespace rushes::scheduler {

// All durable records of an outcome go to the ledger in one append, so that a crash keeps all of them or
// none. `random` is a fresh random number per call.
Outcome decide(State& state, const Settings& settings, const Event& event, Now now, std::uint64_t random);

}  // namespace rushes::scheduler
