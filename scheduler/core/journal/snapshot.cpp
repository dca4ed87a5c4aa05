#include "scheduler/core/journal/snapshot.h"

#include <algorithm>

#include "scheduler/core/journal/record_codec.h"

namespace rushes::scheduler {
namespace {

// Rows in the order in which they rebuild a State: the first byte of their keys.
enum class RowKind : char { kFarm = 1, kBatch, kWorker, kShot, kTask, kEstimate, kEnd };

std::string key_of(RowKind kind, std::uint64_t number = 0) {
  std::string key(1, static_cast<char>(kind));
  for (int shift = 56; shift >= 0; shift -= 8) key += static_cast<char>(number >> shift);
  return key;
}

std::string key_of(const WorkKey& key) {
  const Digest name = digest_of(key.model + '\0' + key.numeric_class);  // of any length
  return key_of(RowKind::kEstimate, static_cast<std::uint64_t>(key.stage) << 32 | key.level) +
         std::string(name.begin(), name.end());
}

// Calls `each` with every record of a snapshot, one at a time: a large farm is never copied whole.
template <typename Each>
void for_each_row(const State& state, const Each& each) {
  each(record::FarmRow{state.next_lease, state.epoch, state.events.last()});
  for (std::uint64_t batch = 1; batch < state.batches.next_id(); ++batch)
    each(record::BatchRow{batch, state.batches[batch]});
  for (WorkerId i(0); state.workers.has(i); ++i) each(record::WorkerRow{i, state.workers[i]});
  for (ShotId i(0); state.shots.has(i); ++i) each(record::ShotRow{i, state.shots[i]});
  for (const Task& task : state.tasks) each(record::TaskRow{task});
  for (const auto& [key, estimate] : state.rates) each(record::EstimateRow{key, estimate});
  each(record::SnapshotEnd{});
}

// As their keys are sorted: rows that lie beside each other are read, and found in the store, with fewer misses.
template <class Row>
std::vector<Row> in_order(std::vector<Row> rows) {
  std::sort(rows.begin(), rows.end());
  return rows;
}

}  // namespace

std::vector<Record> snapshot(const State& state) {
  std::vector<Record> rows;
  for_each_row(state, [&rows](auto row) { rows.emplace_back(std::move(row)); });
  return rows;
}

std::vector<SnapshotRow> changed_rows(const State& state) {
  const Changed& changed = state.changed;
  std::vector<SnapshotRow> rows;
  rows.reserve(changed.tasks.size() + changed.shots.size() + changed.workers.size() + 64);
  const auto put = [&rows](std::string key, const Bytes& row) {
    rows.push_back({std::move(key), std::string(chars_of(row))});
  };
  put(key_of(RowKind::kFarm),
      encode_record(record::FarmRow{state.next_lease, state.epoch, state.events.last()}));
  for (std::uint64_t batch = changed.batches + 1; batch < state.batches.next_id(); ++batch)
    put(key_of(RowKind::kBatch, batch), encode_record(record::BatchRow{batch, state.batches[batch]}));
  for (const WorkerId id : changed.workers)
    put(key_of(RowKind::kWorker, id.number()), encode_record(record::WorkerRow{id, state.workers[id]}));
  for (const ShotId id : in_order(changed.shots))
    put(key_of(RowKind::kShot, id.number()), encode_row(id, state.shots[id]));
  for (const TaskId id : in_order(changed.tasks))
    put(key_of(RowKind::kTask, id.number()), encode_row(state.task(id)));
  for (const auto& [key, estimate] : state.rates)
    put(key_of(key), encode_record(record::EstimateRow{key, estimate}));
  put(key_of(RowKind::kEnd), encode_record(record::SnapshotEnd{}));
  return rows;
}

Digest state_hash(const State& state) {
  DigestStream stream;
  for_each_row(state,
               [&stream](auto row) { stream.update(chars_of(encode_record(Record(std::move(row))))); });
  return stream.finish();
}

}  // namespace rushes::scheduler
