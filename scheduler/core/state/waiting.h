// Where shots and tasks wait (core/state/ready_queue.h): shows, urgency, pauses, back-off. Used by apply() only.
//
// Thread contract: as State.
#pragma once

#include "scheduler/core/state/state.h"

namespace rushes::scheduler {

ShowId show_of(State& state, const std::string& name);  // makes it when it is new
void configure(State& state, const Sharing& sharing);

// Where tasks of a flow with these requirements wait; makes the scheduling class when it is new.
SchedulingClassId scheduling_class_of(State& state, FlowId flow, const Requirements& needs);

// A new shot at the end of State::shots, its facts set: its show, flow and limits.
void add_shot(State& state, ShotId shot);
// The shot's model or numeric class is known: the sums of what is left move there.
void set_pool(State& state, Shot& shot);
// Keeps the deadline of an open shot, forgets that of a closed one.
void watch_deadline(State& state, ShotId shot);
void set_urgent(State& state, ShotId shot, bool urgent);

// Puts the task into its scheduling class or takes it out, according to its state, its shot and its back-off.
void refresh_ready(State& state, Task& task);
void refresh_ready(State& state, Shot& shot);  // all of its tasks
// Its path changed: the task moves in its lane, if it waits.
void set_path(State& state, Task& task, float cost, float path);

}  // namespace rushes::scheduler
