// What several journal records have in common, as bytes: storage/records/reader.h says how a codec is used.
//
// Thread contract: pure functions.
#pragma once

#include "scheduler/core/state/state.h"
#include "storage/records/words_codec.h"

namespace rushes::scheduler {

RUSHES_CODEC_DECLARED(ShotSpec, records::ShotSpec)
RUSHES_CODEC_DECLARED(PlannedTask, records::PlannedTask)
RUSHES_CODEC_DECLARED(UpgradeGraph, records::UpgradeGraph)
RUSHES_CODEC_DECLARED(Version, records::Version)
RUSHES_CODEC_DECLARED(Batch, records::BatchRow)
RUSHES_CODEC_DECLARED(DeliveryDone, records::DeliveryDone)
RUSHES_CODEC_DECLARED(WorkerFacts, records::WorkerState)
RUSHES_CODEC_DECLARED(ShotFacts, records::ShotRow)
RUSHES_CODEC_DECLARED(TaskFacts, records::TaskRow)

// The cause as it was written; older builds wrote the reason only.
RevokeCause cause_of(RevokeCause cause, const std::string& reason);

// Seconds that can be added up.
inline bool is_duration(double seconds) { return seconds >= 0 && seconds < 1e12; }

inline Digest hash_of(const Bytes& recipe) { return recipe.empty() ? Digest{} : recipe_hash(recipe); }

}  // namespace rushes::scheduler
