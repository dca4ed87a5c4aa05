// apply(): the only function that changes a State.
//
// It decides nothing: a record says what is. Applying the same records to an empty State gives the same kept
// state, whatever version of decide() made them.
//
// Thread contract: pure function of its arguments.
#pragma once

#include "scheduler/core/state/record.h"
#include "scheduler/core/state/state.h"

namespace rushes::scheduler {

// The record must fit the state (decide() makes only such records; journal records were made by decide()).
// A record that does not is a corrupt journal: check() (core/journal/replay.h) says so before anything is changed.
// Call it qualified (scheduler::apply): Record is a std::variant, so std::apply is in sight too.
void apply(State& state, const Record& record);

}  // namespace rushes::scheduler
