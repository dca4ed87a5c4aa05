// The agent's slots: which are ready, offered and taken.
#include <algorithm>

#include "storage/records/text.h"
#include "worker/agent/agent.h"

namespace rushes::worker {
namespace {

constexpr int kFalseStarts = 2;   // after which a GPU slot is withdrawn
constexpr int kDeviceFaults = 3;  // without a result between them: after which it rests
constexpr Time kRest{600'000};

std::string last_line(std::string_view text) {
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  return one_line(text.substr(text.rfind('\n') + 1), 400);
}

}  // namespace

std::vector<SlotKind> slot_kinds(const SlotCounts& slots) {
  std::vector<SlotKind> kinds(slots[SlotKind::kGpu], SlotKind::kGpu);
  kinds.insert(kinds.end(), slots[SlotKind::kCpu], SlotKind::kCpu);
  return kinds;
}

void Agent::take_notes(const std::vector<std::string>& notes) {
  std::vector<std::string>& remarks = options_.process.remarks;
  for (const std::string& note : notes) {
    std::string line = one_line(note, kMaxTextBytes);
    if (std::find(remarks.begin(), remarks.end(), line) != remarks.end()) continue;
    log(line);
    if (remarks.size() < kMaxProcessRemarks) remarks.push_back(std::move(line));
  }
}

void Agent::on_ready(std::uint32_t slot, const std::string& numeric_class, Time now,
                     const std::vector<std::string>& notes) {
  if (slot >= slots_.size()) return;
  take_notes(notes);
  slots_[slot].false_starts = 0;
  if (slots_[slot].rests_until) {
    slots_[slot].rests_with = numeric_class;
    return;
  }
  std::vector<std::string>& classes = options_.offer.numeric_classes;
  const bool tensors = slots_[slot].kind == tensor_kind();
  if (tensors && !classes.empty() && classes.front() != numeric_class) {
    if (!slots_[slot].withdrawn)
      withdraw(slot,
               "its engine is of numeric class " + numeric_class + ", this worker's others are of " +
                   classes.front() +
                   ": give unlike GPUs workers of their own; after a change of models or "
                   "libraries start the worker again",
               now);
    return;
  }
  slots_[slot].ready = true;
  if (std::exchange(slots_[slot].withdrawn, false)) {
    log("slot " + std::to_string(slot) + " is offered again");
    send_hello(now);
  }
  if (tensors && classes.empty()) {
    classes.push_back(numeric_class);
    send_hello(now);
  }
  fill_slots(now);
}

Resources Agent::offered() const {
  Resources all = options_.offer.resources;
  const std::uint32_t gpus = all.slots[SlotKind::kGpu];
  for (const Slot& slot : slots_)
    if (slot.withdrawn) --all.slots[slot.kind];
  if (gpus > 0) all.device_bytes = all.device_bytes / gpus * all.slots[SlotKind::kGpu];
  return all;
}

// A device that fell off the bus or fails again and again, a driver that does not start: the other slots go on.
void Agent::withdraw(std::uint32_t slot, const std::string& why, Time now) {
  slots_[slot].withdrawn = true;
  warn("slot " + std::to_string(slot) + " is withdrawn: " + why);
  const Resources left = offered();
  if (left.slots[SlotKind::kCpu] + left.slots[SlotKind::kGpu] > 0) {
    if (left.slots[SlotKind::kGpu] == 0)
      give_back(SlotKind::kGpu, now);  // nothing here would ever begin them
    return send_hello(now);
  }
  exit_ = {ExitCode::kEnvironment, "no slot is left: " + why};
  on_shutdown(now);
}

void Agent::end_rests(Time now) {
  for (std::uint32_t slot = 0; slot < slots_.size(); ++slot) {
    if (!slots_[slot].rests_until || now < *slots_[slot].rests_until) continue;
    slots_[slot].rests_until.reset();
    if (const auto numeric_class = std::exchange(slots_[slot].rests_with, std::nullopt))
      on_ready(slot, *numeric_class, now);
  }
}

void Agent::give_back(std::optional<SlotKind> kind, Time now) {
  std::vector<AttemptId> not_begun;
  for (const Attempt& attempt : attempts_)
    if ((attempt.state == State::kFetching || attempt.state == State::kWaiting) &&
        (!kind || attempt.kind == *kind))
      not_begun.push_back(attempt.id);
  for (const AttemptId& id : not_begun) stop(attempts_[*find(id)], std::nullopt, now);
  if (!not_begun.empty())
    log(std::to_string(not_begun.size()) + " attempts that had not begun are given back");
}

void Agent::fill_slots(Time now) {
  if (leaves()) return;
  for (std::uint32_t slot = 0; slot < slots_.size(); ++slot) {
    if (!slots_[slot].ready || slots_[slot].running) continue;
    const auto next = std::find_if(attempts_.begin(), attempts_.end(), [&](const Attempt& attempt) {
      return attempt.state == State::kWaiting && attempt.kind == slots_[slot].kind;
    });
    if (next == attempts_.end()) continue;
    next->state = State::kRunning;
    next->slot = slot;
    next->started = next->progressed = now;
    next->progress.text = "starting";
    slots_[slot].running = next->id;
    actions_.emplace_back(action::Run{slot, next->id, *next->spec});
    log(name_of(next->id) + " starts in slot " + std::to_string(slot));
    send(protocol::Started{next->id});
  }
}

void Agent::on_exit(std::uint32_t slot, const std::string& cause, const std::string& log_tail, Time now) {
  if (slot >= slots_.size()) return;
  const bool announced = std::exchange(slots_[slot].ending, false);
  const bool was_ready = std::exchange(slots_[slot].ready, false) || announced;
  if (const auto id = std::exchange(slots_[slot].running, std::nullopt)) {
    const std::size_t index = *find(*id);
    Attempt& attempt = attempts_[index];
    if (attempt.state == State::kRunning)
      attempt.failure =
          protocol::Failed{*id, FailKind::kCrash, "the engine process ended with " + cause, cause, log_tail};
    else if (attempt.failure)
      attempt.failure->exit_cause = cause, attempt.failure->log_tail = log_tail;
    ended(index, now);
  }
  Slot& ended_slot = slots_[slot];
  ended_slot.rests_with.reset();
  if (ended_slot.kind != SlotKind::kGpu || ended_slot.withdrawn || leaves()) return leave_if_empty();
  if (ended_slot.device_faults >= kDeviceFaults) {
    ended_slot.rests_until = now + kRest;
    ended_slot.device_faults = kDeviceFaults - 1;  // the next one is one too many again
    withdraw(slot,
             "its GPU failed again and again without a result between (" + ended_slot.last_fault +
                 "); it is tried again in " + std::to_string(kRest.count() / 60'000) + " min",
             now);
  } else if (!was_ready && ++ended_slot.false_starts >= kFalseStarts) {
    const std::string words = last_line(log_tail);
    withdraw(slot,
             "its engine ended " + std::to_string(kFalseStarts) + " times before it was ready (" + cause +
                 (words.empty() ? "" : ": " + words) + "); it is tried again",
             now);
  }
  leave_if_empty();
}

}  // namespace rushes::worker
