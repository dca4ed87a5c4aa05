// Workers and what they hold: leases, slots, models, offers. Used by apply() only.
//
// Thread contract: as State.
#pragma once

#include "scheduler/core/state/state.h"

namespace rushes::scheduler {

// The task is held already, by its state. expires_ms 0: of a snapshot, recovery renews it.
void take_lease(State& state, Task& task, const Lease& lease, std::int64_t expires_ms);
void renew_lease(State& state, Task& task, std::int64_t expires_ms);
void drop_lease(State& state, Task& task);  // before the task's state changes

// The worker offers this from now on; new or known.
void set_offer(State& state, Worker& worker, const WorkerFacts& facts);
// After the worker came, went, or got or lost a task.
void refresh_worker(State& state, WorkerId worker);

// The virtual times of the task's show and flow: a lease begins; its real length is known.
void charge_lease(State& state, Task& task, const Charge& charge);
void settle_charge(State& state, const Task& task, double seconds);

}  // namespace rushes::scheduler
