#include "scheduler/core/state/ready_queue.h"

#include <algorithm>
#include <cassert>

namespace rushes::scheduler {

LimitSetId ReadyQueue::limit_set_of(const std::vector<std::string>& limits) {
  const auto known = std::find(limit_sets_.begin(), limit_sets_.end(), limits);
  if (known != limit_sets_.end()) return limit_sets_.id_of(*known);
  limit_sets_.add(limits);
  return limit_sets_.id_of(limit_sets_.back());
}

std::pair<FlowId, bool> ReadyQueue::flow_of(ShowId show, std::uint32_t priority, const Digest& model) {
  const auto [found, is_new] = flow_index_.try_emplace({show, priority, model}, flows_.next_id());
  if (is_new) {
    Flow& flow = flows_.add();
    flow.show = show;
    flow.priority = priority;
    flow.model = model;
  }
  return {found->second, is_new};
}

BucketId ReadyQueue::find_bucket(FlowId flow, const Requirements& needs) const {
  const auto found = bucket_index_.find({flow, needs});
  return found == bucket_index_.end() ? BucketId() : found->second;
}

BucketId ReadyQueue::add_bucket(Bucket bucket) {
  assert(flows_.has(bucket.flow) && bucket.lanes.empty());
  const BucketId id = buckets_.next_id();
  [[maybe_unused]] const bool is_new = bucket_index_.insert({{bucket.flow, bucket.needs}, id}).second;
  assert(is_new);
  buckets_.add(std::move(bucket));
  return id;
}

void ReadyQueue::add_worker_class(const WorkerOffer& offer) {
  for (Bucket& bucket : buckets_) bucket.runs_in.push_back(kind_on(offer, bucket.needs));
}

// ---- lanes

std::vector<BucketId>& ReadyQueue::listed_with(const Bucket& bucket) {
  Flow& flow = flows_[bucket.flow];
  return bucket.needs.ahead ? flow.ahead : flow.buckets;
}

// A bucket is listed by its flow while it has lanes.
void ReadyQueue::list(BucketId index) {
  Bucket& bucket = buckets_[index];
  assert(bucket.place == kNoIndex);
  auto& listed = listed_with(bucket);
  bucket.place = static_cast<std::uint32_t>(listed.size());
  listed.push_back(index);
}

void ReadyQueue::unlist(BucketId index) {
  Bucket& bucket = buckets_[index];
  auto& listed = listed_with(bucket);
  assert(bucket.place < listed.size() && listed[bucket.place] == index);
  listed[bucket.place] = listed.back();
  buckets_[listed.back()].place = bucket.place;
  listed.pop_back();
  bucket.place = kNoIndex;
}

void ReadyQueue::insert(BucketId index, const LaneKey& key, const ReadyKey& task) {
  Bucket& bucket = buckets_[index];
  if (bucket.lanes.empty()) list(index);
  Lane& lane = bucket.lanes[key];
  const float before = lane.empty() ? -1 : lane.begin()->path;
  lane.insert(task);
  if (before == lane.begin()->path) return;
  if (before >= 0) bucket.by_path.erase({-before, key});
  bucket.by_path.insert({-lane.begin()->path, key});
}

void ReadyQueue::erase(BucketId index, const LaneKey& key, const ReadyKey& task) {
  Bucket& bucket = buckets_[index];
  const auto found = bucket.lanes.find(key);
  assert(found != bucket.lanes.end());
  Lane& lane = found->second;
  const float before = lane.begin()->path;
  [[maybe_unused]] const auto erased = lane.erase(task);
  assert(erased == 1);
  const bool changed = lane.empty() || lane.begin()->path != before;
  if (changed) bucket.by_path.erase({-before, key});
  if (lane.empty())
    bucket.lanes.erase(found);
  else if (changed)
    bucket.by_path.insert({-lane.begin()->path, key});
  if (bucket.lanes.empty()) unlist(index);
}

// ---- counts and virtual times

void ReadyQueue::count_ready(int by) {
  assert(by > 0 || ready_ > 0);
  ready_ += static_cast<std::uint64_t>(by);  // wraps for -1
}

void ReadyQueue::count_ahead(int by) {
  assert(by > 0 || ahead_ > 0);
  ahead_ += static_cast<std::uint64_t>(by);
}

void ReadyQueue::add_shot(FlowId id, double show_clock) {
  Flow& flow = flows_[id];
  if (flow.shots == 0) flow.pass = std::max(flow.pass, show_clock);
  ++flow.shots;
}

void ReadyQueue::remove_shot(FlowId id) {
  assert(flows_[id].shots > 0);
  --flows_[id].shots;
}

void ReadyQueue::count_slot(FlowId id, SlotKind kind, int by) {
  std::uint32_t& slots = flows_[id].slots[kind];
  assert(by > 0 || slots > 0);
  slots += static_cast<std::uint32_t>(by);
}

void ReadyQueue::charge(FlowId id, double virtual_seconds) { flows_[id].pass += virtual_seconds; }

void ReadyQueue::move_clock(double pass) { clock_ = std::max(clock_, pass); }

}  // namespace rushes::scheduler
