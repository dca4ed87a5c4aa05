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

SchedulingClassId ReadyQueue::find_scheduling_class(FlowId flow, const Requirements& needs) const {
  const auto found = scheduling_class_index_.find({flow, needs});
  return found == scheduling_class_index_.end() ? SchedulingClassId() : found->second;
}

SchedulingClassId ReadyQueue::add_scheduling_class(SchedulingClass scheduling_class) {
  assert(flows_.has(scheduling_class.flow) && scheduling_class.lanes.empty());
  const SchedulingClassId id = scheduling_classes_.next_id();
  [[maybe_unused]] const bool is_new =
      scheduling_class_index_.insert({{scheduling_class.flow, scheduling_class.needs}, id}).second;
  assert(is_new);
  scheduling_classes_.add(std::move(scheduling_class));
  return id;
}

void ReadyQueue::add_worker_class(const WorkerOffer& offer) {
  for (SchedulingClass& scheduling_class : scheduling_classes_)
    scheduling_class.runs_in.push_back(kind_on(offer, scheduling_class.needs));
}

// ---- lanes

std::vector<SchedulingClassId>& ReadyQueue::listed_with(const SchedulingClass& scheduling_class) {
  Flow& flow = flows_[scheduling_class.flow];
  return scheduling_class.needs.ahead ? flow.ahead : flow.scheduling_classes;
}

// A scheduling class is listed by its flow while it has lanes.
void ReadyQueue::list(SchedulingClassId index) {
  SchedulingClass& scheduling_class = scheduling_classes_[index];
  assert(!scheduling_class.place);
  auto& listed = listed_with(scheduling_class);
  scheduling_class.place = static_cast<std::uint32_t>(listed.size());
  listed.push_back(index);
}

void ReadyQueue::unlist(SchedulingClassId index) {
  SchedulingClass& scheduling_class = scheduling_classes_[index];
  auto& listed = listed_with(scheduling_class);
  const std::uint32_t place = scheduling_class.place.value();
  assert(place < listed.size() && listed[place] == index);
  listed[place] = listed.back();
  scheduling_classes_[listed.back()].place = place;
  listed.pop_back();
  scheduling_class.place.reset();
}

void ReadyQueue::insert(SchedulingClassId index, const LaneKey& key, const ReadyKey& task) {
  SchedulingClass& scheduling_class = scheduling_classes_[index];
  if (scheduling_class.lanes.empty()) list(index);
  Lane& lane = scheduling_class.lanes[key];
  const float before = lane.empty() ? -1 : lane.begin()->path;
  lane.insert(task);
  if (before == lane.begin()->path) return;
  if (before >= 0) scheduling_class.by_path.erase({-before, key});
  scheduling_class.by_path.insert({-lane.begin()->path, key});
}

void ReadyQueue::erase(SchedulingClassId index, const LaneKey& key, const ReadyKey& task) {
  SchedulingClass& scheduling_class = scheduling_classes_[index];
  const auto found = scheduling_class.lanes.find(key);
  assert(found != scheduling_class.lanes.end());
  Lane& lane = found->second;
  const float before = lane.begin()->path;
  [[maybe_unused]] const auto erased = lane.erase(task);
  assert(erased == 1);
  const bool changed = lane.empty() || lane.begin()->path != before;
  if (changed) scheduling_class.by_path.erase({-before, key});
  if (lane.empty())
    scheduling_class.lanes.erase(found);
  else if (changed)
    scheduling_class.by_path.insert({-lane.begin()->path, key});
  if (scheduling_class.lanes.empty()) unlist(index);
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
