// What a shot will still be that is not planned yet: its takes before the first task is leased, its upgrade
// before a take is approved.
//
// Thread contract: as State; used by apply() only.
#pragma once

#include "scheduler/core/state/state.h"

namespace rushes::scheduler {

// The work of takes of such a shot, and what it depends on.
TakeWork plan_work(const ShotSpec& spec);
TakeShape shape_of(const ShotSpec& spec);

// Planned once for all shots of one shape.
TakeWorkId take_work_of(State& state, const ShotSpec& spec);

// Expected seconds of what is still to be planned of the shot: of all of it, of the longest way through its
// takes, and of the longest way that begins when they are judged.
double unplanned_seconds(const State& state, const Shot& shot);
double path_of_takes(const State& state, const Shot& shot);
double path_after_takes(const State& state, const Shot& shot);

}  // namespace rushes::scheduler
