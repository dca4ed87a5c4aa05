// Parts of journal records <-> Cap'n Proto: what several records have in common. Used by record_codec.cpp
// only.
//
// read() functions throw as those of plan/vocabulary_codec.h do.
//
// Thread contract: pure functions.
#pragma once

#include "scheduler/core/state/state.h"
#include "scheduler/plan/vocabulary_codec.h"

namespace rushes::scheduler::codec {

void write(records::ShotSpec::Builder out, const ShotSpec& spec);
ShotSpec read(records::ShotSpec::Reader in);
void write(records::PlannedTask::Builder out, const PlannedTask& task);
PlannedTask read(records::PlannedTask::Reader in);
void write(records::VersionGraph::Builder out, const VersionGraph& graph);
VersionGraph read(records::VersionGraph::Reader in);
void write(records::UpgradeGraph::Builder out, const UpgradeGraph& graph);
UpgradeGraph read(records::UpgradeGraph::Reader in);
void write(records::Version::Builder out, const Version& version);
Version read(records::Version::Reader in);
void write(records::AttemptRef::Builder out, const AttemptRef& ref);
AttemptRef read(records::AttemptRef::Reader in);
void write(records::BatchRow::Builder out, const Batch& batch);
Batch read(records::BatchRow::Reader in);
void write(records::DeliveryDone::Builder out, const DeliveryDone& delivery);
DeliveryDone read(records::DeliveryDone::Reader in);
void write(records::WorkerState::Builder out, const Worker& worker);
Worker read(records::WorkerState::Reader in);
void write(records::ShotRow::Builder out, const Shot& shot);
Shot read(records::ShotRow::Reader in);
void write(records::TaskRow::Builder out, const Task& task);
Task read(records::TaskRow::Reader in);

Bytes read_recipe_bytes(capnp::Data::Reader data, Digest& hash);  // empty: none
TaskState read_task_state(records::TaskState state);
ShotState read_shot_state(records::ShotState state);
TakeState read_take_state(records::TakeState state);
Verdict read_verdict(records::Verdict verdict);
AttemptEnd read_end(records::EndCause end);

template <typename List, typename T>
void write_all(List builder, const std::vector<T>& values) {
  for (unsigned i = 0; i < values.size(); ++i) write(builder[i], values[i]);
}
template <typename T, typename List>
std::vector<T> read_all(const List& list, const char* field) {
  std::vector<T> values;
  values.reserve(std::min(read_size(list, field), 4096u));
  for (auto entry : list) values.push_back(read(entry));
  return values;
}

}  // namespace rushes::scheduler::codec
