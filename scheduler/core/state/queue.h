// Where waiting tasks stand: shows, flows, buckets, lanes. Used by apply() only.
//
// show -> flow (priority, model) -> bucket (needs) -> lane (a shot's tasks). A decision looks at the flows
// and buckets of a few shows and at the first lanes, so its cost does not grow with what waits behind them.
//
// Thread contract: as State.
#pragma once

#include "scheduler/core/state/state.h"

namespace rushes::scheduler::index {

ShowId show_of(State& state, const std::string& name);  // makes it when it is new
void configure(State& state, const Sharing& sharing);

// Where tasks of a flow with these needs wait; makes it when it is new.
std::uint32_t bucket_of(State& state, FlowId flow, const Requirements& needs);

// A new shot: its flow and claims.
void add_shot(State& state, ShotId shot);
// Into State::with_deadline while it is open.
void watch_deadline(State& state, ShotId shot);
void set_urgent(State& state, ShotId shot, bool urgent);

// Puts the task into its bucket or takes it out, according to its state, its shot and its back-off.
void refresh_ready(State& state, Task& task);
void refresh_ready(State& state, Shot& shot);  // all of its tasks

// Costs and paths of tasks first..last, which are the shot's newest, and of what they depend on.
void set_paths(State& state, TaskId first);
// The same for all open tasks of a shot, by the estimates of now.
void refresh_paths(State& state, Shot& shot);
void count_unplanned_cost(State& state, Shot& shot);   // of takes that are not planned yet
void add_cost(State& state, Task& task, double sign);  // to the sums of what is left

// The virtual times of its show and flow: a lease begins, its real length is known.
void charge(State& state, Task& task, const Charge& charge);
void settle(State& state, const Task& task, double seconds);

}  // namespace rushes::scheduler::index
