#include "tests/simulation/disk.h"

#include <utility>

namespace rushes::simulation {

Disk::Disk(Timeline& timeline, SyncTime sync_time, std::uint64_t seed)
    : timeline_(timeline), sync_time_(std::move(sync_time)), dice_(seed, 2) {}

void Disk::append(Append append) {
  if (failure_) {  // a ledger that lost a write refuses everything until it is opened again
    if (append.done) append.done(tl::unexpected<Error>(*failure_));
    return;
  }
  queued_.push_back(std::move(append));
  if (writing_.empty()) begin_sync();
}

void Disk::begin_sync() {
  writing_ = std::exchange(queued_, {});
  timeline_.in(sync_time_().value_or(1), [this, life = life_] {
    if (life == life_) end_sync();
  });
}

void Disk::end_sync() {
  std::vector<Append> group = std::exchange(writing_, {});
  if (!sync_time_()) failure_ = Error{ErrorKind::kExhausted, "the disk is full"};
  if (!failure_) {
    ++syncs_;
    for (Append& append : group) keep(append);
  }
  const std::uint64_t life = life_;
  for (Append& append : group) {
    if (life != life_) return;  // the failure ended the process
    if (append.done) append.done(failure_ ? Status(tl::unexpected<Error>(*failure_)) : Status());
  }
  if (life == life_ && writing_.empty() && !queued_.empty()) begin_sync();
}

void Disk::keep(Append& append) {
  synced_ += append.records.size();
  for (std::string& record : append.records) records_.push_back(std::move(record));
  if (append.snapshot.empty()) return;
  for (scheduler::SnapshotRow& row : append.snapshot) snapshot_[row.key] = std::move(row.record);
  records_.clear();
}

std::uint64_t Disk::crash() {
  ++life_;
  const std::uint64_t survivors = failure_ ? 0 : dice_.below(writing_.size() + 1);
  for (std::uint64_t i = 0; i < survivors; ++i) keep(writing_[i]);
  writing_.clear();
  queued_.clear();
  failure_.reset();
  return synced_;
}

Result<scheduler::State> Disk::read() const {
  scheduler::State state;
  for (const auto& [key, row] : snapshot_)
    if (auto restored = scheduler::replay_record(state, row); !restored)
      return with_context(restored.error(), "snapshot");
  for (std::size_t i = 0; i < records_.size(); ++i)
    if (auto applied = scheduler::replay_record(state, records_[i]); !applied)
      return with_context(applied.error(), "record " + std::to_string(synced_ - records_.size() + i + 1));
  return state;
}

}  // namespace rushes::simulation
