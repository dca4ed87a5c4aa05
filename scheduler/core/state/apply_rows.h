// What the rows of a snapshot put into a State: the part of apply() that rebuilds.
//
// Thread contract: as apply().
#pragma once

#include "scheduler/core/state/record.h"

namespace rushes::scheduler {

void apply_one(State& state, const record::FarmRow& r);
void apply_one(State& state, const record::BatchRow& r);
void apply_one(State& state, const record::WorkerRow& r);
void apply_one(State& state, const record::ShotRow& r);
void apply_one(State& state, const record::TaskRow& r);
void apply_one(State& state, const record::EstimateRow& r);
void apply_one(State& state, const record::Snapshotted& r);
void apply_one(State& state, const record::SnapshotEnd& r);

}  // namespace rushes::scheduler
