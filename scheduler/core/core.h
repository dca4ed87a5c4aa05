// The farm's state machine.
//
// decide() holds all policy. It answers one event with records (what was decided) and commands (what to tell
// workers and people). It applies its own records, in order: the caller must not apply them again, only write
// the durable ones to the journal and, after the sync, send the commands.
//
// apply() (core/state/apply.h) is the only function that changes a State. Recovery is a snapshot's records and
// every journal record after it, each through scheduler::apply(), then decide(Recover).
//
// Thread contract: pure functions of their arguments; one thread at a time per State. No clock, no socket, no
// disk.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/farm.h"
#include "scheduler/core/command.h"
#include "scheduler/core/event.h"
#include "scheduler/core/state/apply.h"
#include "scheduler/core/state/record.h"
#include "scheduler/core/state/state.h"

namespace rushes::scheduler {

// What the core needs of farm.yaml.
struct Settings {
  config::Times times;
  config::Retries retries;
  config::Limits limits;
  std::vector<config::Show> shows;  // a show that is not listed has weight 1 and no floor
  config::Scheduling scheduling;
};
Settings settings_of(const config::Farm& farm);

// All durable records of a decision go to the ledger in one append, so that a crash keeps all of them or
// none.
struct Decision {
  std::vector<Record> records;    // already applied; journal those with is_durable()
  std::vector<Command> commands;  // send after the sync
};

// `random` is a fresh random number per call (it only jitters back-off times).
Decision decide(State& state, const Settings& settings, const Event& event, Now now, std::uint64_t random);

// A snapshot is a list of records that rebuild the kept part of the state when applied to an empty State.
// Replacing all older journal records by it loses nothing. Sizes: one record per shot, task, worker and
// batch.
std::vector<Record> snapshot(const State& state);

// BLAKE2b-256 over the kept part: equal after any replay of the same records.
Digest state_hash(const State& state);

}  // namespace rushes::scheduler
