// Shots, workers, shows and batches by the names that people and workers use.
//
// Thread contract: as State; only apply() calls functions that are not const.
#pragma once

#include <cassert>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "scheduler/core/state/facts.h"

namespace rushes::scheduler {

class Names {
 public:
  // kNoId: unknown.
  ShotId shot(std::string_view key) const { return find(shots_, key); }  // "show/shot"
  WorkerId worker(std::string_view name) const { return find(workers_, name); }
  ShowId show(std::string_view name) const { return find(shows_, name); }
  // The batch that was submitted with the idempotency key; 0: none.
  std::uint64_t batch(const std::string& key) const {
    const auto found = batches_.find(key);
    return found == batches_.end() ? 0 : found->second;
  }

  void add_shot(const std::string& key, ShotId shot) { shots_[key] = shot; }
  void rename_shot(const std::string& from, const std::string& to) {
    const auto found = shots_.find(from);
    assert(found != shots_.end() && !shots_.contains(to));
    shots_.emplace(to, found->second);
    shots_.erase(from);
  }
  void add_worker(const std::string& name, WorkerId worker) { workers_[name] = worker; }
  void add_show(const std::string& name, ShowId show) { shows_[name] = show; }
  void add_batch(const std::string& key, std::uint64_t batch) {
    if (!key.empty()) batches_[key] = batch;
  }

 private:
  struct Hash {
    using is_transparent = void;  // a name is looked up without a copy
    std::size_t operator()(std::string_view name) const { return std::hash<std::string_view>{}(name); }
  };
  template <class Row>
  using Index = std::unordered_map<std::string, Row, Hash, std::equal_to<>>;
  template <class Row>
  static Row find(const Index<Row>& index, std::string_view name) {
    const auto found = index.find(name);
    return found == index.end() ? Row(kNoId) : found->second;
  }

  Index<ShotId> shots_;
  Index<WorkerId> workers_;
  Index<ShowId> shows_;
  std::unordered_map<std::string, std::uint64_t> batches_;
};

}  // namespace rushes::scheduler
