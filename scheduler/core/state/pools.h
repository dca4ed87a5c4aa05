// What every model has left to do in every numeric class, and which workers have it loaded. Used by apply()
// only.
//
// Thread contract: as State.
#pragma once

#include "scheduler/core/state/state.h"

namespace rushes::scheduler::index {

std::uint32_t class_of(State& state, const std::string& numeric_class);  // empty: kNoIndex
std::uint32_t pool_of(State& state, const Digest& model, std::uint32_t numeric_class);

// The shot's pool, when it is new or was pinned.
void set_pool(State& state, Shot& shot);
// To the sums of what is left of the shot, its pool and the farm.
void add_left(State& state, Shot& shot, double seconds);
// A task enters (1) or leaves (-1) a bucket.
void count_waiting(State& state, const Bucket& bucket, const Task& task, int by);
void count_held(State& state, const Task& task, double seconds);

// Who has which model, after the worker came, went, changed its offer, got or lost a task.
void count_model(State& state, Worker& worker);
void uncount_model(State& state, Worker& worker);  // before

}  // namespace rushes::scheduler::index
