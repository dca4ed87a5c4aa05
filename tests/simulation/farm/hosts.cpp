// FarmRun: what hosts do. They come and go, fetch, load, run and report.
#include <algorithm>
#include <cassert>
#include <cmath>

#include "scheduler/core/state/needs.h"
#include "tests/simulation/farm/run.h"

namespace rushes::simulation::farm {
namespace {

namespace event = scheduler::event;

constexpr std::int64_t kHourMs = 3'600'000, kDayMs = 24 * kHourMs;
constexpr std::int64_t kLeaseMs = 15'000;       // farm.yaml's default: how long a host may be silent
constexpr std::int64_t kStopMs = 2'000;         // until an engine has left its attempt
constexpr std::int64_t kShiftMs = 30 * 60'000;  // people come and go within half an hour

}  // namespace

void FarmRun::plan_hosts() {
  for (std::size_t g = 0; g < farm_.hosts.size(); ++g) {
    for (int i = 0; i < farm_.hosts[g].count; ++i) {
      const std::size_t index = hosts_.size();
      Host& host = hosts_.emplace_back();
      host.name = "w" + std::to_string(index);
      host.group = g;
      const SlotCounts slots = farm_.hosts[g].offer().resources.slots;
      for (const SlotKind kind : kEverySlotKind)
        host.slots.resize(host.slots.size() + slots[kind], Slot{kind});
      if (farm_.hosts[g].always())
        timeline_.at(0, [this, index] { join(index); });
      else
        next_shift(index);
    }
  }
}

// The host's next time on the farm, and its end; a shift that is nearly over is left out.
void FarmRun::next_shift(std::size_t index) {
  const HostGroup& group = group_of(hosts_[index]);
  const std::int64_t length = (group.until_hour - group.from_hour + 24) % 24 * kHourMs;
  const std::int64_t now = timeline_.now();
  std::int64_t from = (now / kDayMs - 1) * kDayMs + group.from_hour * kHourMs;
  while (from + length <= now + kShiftMs) from += kDayMs;
  const std::int64_t until = from + length - host_dice_.between(0, kShiftMs);
  timeline_.at(from + host_dice_.between(0, kShiftMs), [this, index] { join(index); });
  timeline_.at(until, [this, index] {
    if (hosts_[index].up) leave(index, "the host's hours were over");
    next_shift(index);
  });
}

void FarmRun::join(std::size_t index) {
  Host& host = hosts_[index];
  const HostGroup& group = group_of(host);
  if (host.up) return;
  host.up = true;
  protocol::Hello hello;
  hello.name = host.name;
  hello.offer = group.offer();
  for (const int model : group.models) hello.offer.models.push_back(work_.offer(model));
  if (group.lost_every.count() > 0) {
    const double chance = (static_cast<double>(host_dice_.roll() >> 11) + 0.5) * 0x1p-53;
    const double wait = -std::log(chance) * static_cast<double>(group.lost_every.count());
    in(static_cast<std::int64_t>(wait), index, [this, index] { vanish(index); });
  }
  meter_.advance(timeline_.now());
  meter_.slots_changed(host.group, group.all_slots());
  say(host, hello);
}

// Power, network or kernel: the host is silent, and what it did is gone.
void FarmRun::vanish(std::size_t index) {
  Host& host = hosts_[index];
  meter_.advance(timeline_.now());
  meter_.slots_changed(host.group, -group_of(host).all_slots());
  drop_attempts(host, "the host was lost");
  step(event::Disconnected{host.name});
  timeline_.in(kLeaseMs, [this, index, life = host.life] {
    if (hosts_[index].life == life) say(hosts_[index], protocol::Bye{});
  });
  timeline_.in(group_of(host).away.count(), [this, index, life = host.life] {
    if (hosts_[index].life == life) join(index);
  });
}

void FarmRun::leave(std::size_t index, const char* cause) {
  Host& host = hosts_[index];
  meter_.advance(timeline_.now());
  meter_.slots_changed(host.group, -group_of(host).all_slots());
  drop_attempts(host, cause);
  say(host, protocol::Bye{});
}

void FarmRun::drop_attempts(Host& host, const char* cause) {
  ++host.life;
  host.up = false;
  for (const Attempt& attempt : host.attempts) {
    if (attempt.state == Attempt::State::kRunning || attempt.state == Attempt::State::kStopping) {
      meter_.run_over(show_of(attempt.ref.task), host.group);
      meter_.wasted(cause, static_cast<double>(timeline_.now() - attempt.began_ms) / 1000);
    }
  }
  host.attempts.clear();
  for (Slot& slot : host.slots) {
    drop_model(slot);
    slot.busy = false;
  }
}

void FarmRun::drop_model(Slot& slot) {
  slot.lost = slot.lost || slot.model != kNoModel;
  slot.model = kNoModel;
}

void FarmRun::assign(std::size_t index, const AttemptId& ref) {
  Host& host = hosts_[index];
  host.attempts.push_back({ref, Attempt::State::kFetching, 0, 0});
  std::uint64_t bytes = 0;
  for (const scheduler::Dependency& need : state_.task(ref.task).plan.needs) {
    if (!need.data || host.held.contains(need.task)) continue;
    std::uint64_t size = 0;
    for (const Output& output : state_.task(need.task).result.outputs) size += output.bytes;
    host.hold(need.task, size, farm_.cache);
    bytes += size;
  }
  if (bytes == 0) return fetched(index, ref.lease);
  in(static_cast<std::int64_t>(bytes * 1000 / farm_.network), index,
     [this, index, lease = ref.lease] { fetched(index, lease); });
}

void FarmRun::fetched(std::size_t index, std::uint64_t lease) {
  Attempt* attempt = hosts_[index].find(lease);
  if (attempt == nullptr) return;  // revoked meanwhile
  attempt->state = Attempt::State::kWaiting;
  fill_slots(index);
}

void FarmRun::fill_slots(std::size_t index) {
  for (std::size_t s = 0; s < hosts_[index].slots.size(); ++s) {
    Host& host = hosts_[index];
    if (host.slots[s].busy) continue;
    const auto next = std::find_if(host.attempts.begin(), host.attempts.end(), [&](const Attempt& attempt) {
      return attempt.state == Attempt::State::kWaiting &&
             state_.task(attempt.ref.task).holding.kind == host.slots[s].kind;
    });
    if (next == host.attempts.end()) continue;
    next->state = Attempt::State::kRunning;
    next->slot = s;
    host.slots[s].busy = true;
    begin(index, next->ref.lease);
  }
}

void FarmRun::begin(std::size_t index, std::uint64_t lease) {
  Host& host = hosts_[index];
  Attempt& attempt = *host.find(lease);
  const HostGroup& group = group_of(host);
  const scheduler::Task& task = state_.task(attempt.ref.task);
  const scheduler::Shot& shot = shot_of(attempt.ref.task);
  meter_.advance(timeline_.now());
  meter_.run_began(show_of(attempt.ref.task), host.group);
  if (attempt.ref.attempt == 1) {
    std::int64_t could = task.planned_wall_ms;
    for (const scheduler::Dependency& need : task.plan.needs)
      could = std::max(could, state_.task(need.task).finished_wall_ms);
    meter_.waited(static_cast<int>(shot.spec.priority), timeline_.now() - (could - kStartWallMs));
  }
  attempt.began_ms = timeline_.now();
  double seconds = 0;
  if (const int model = work_.model_of(shot);
      computes_tensors(task.plan) && host.slots[attempt.slot].model != model) {
    seconds = static_cast<double>(farm_.models[static_cast<std::size_t>(model)].load.count()) / 1000;
    meter_.loaded(seconds, host.slots[attempt.slot].lost);
    host.slots[attempt.slot] = {host.slots[attempt.slot].kind, true, model, false};
  }
  seconds +=
      work_.seconds(shot, task.plan) * work_.slowness(shot, task.plan, attempt.ref.attempt) / group.speed;
  const double part = work_.failure(shot, task.plan, attempt.ref.attempt, group.failures);
  in(std::max<std::int64_t>(1, std::llround(seconds * part * 1000)), index,
     [this, index, lease, failed = part < 1] { end(index, lease, failed); });
  say(host, protocol::Started{attempt.ref});
}

void FarmRun::free_slot(Host& host, const Attempt& attempt) {
  meter_.advance(timeline_.now());
  meter_.run_over(show_of(attempt.ref.task), host.group);
  host.slots[attempt.slot].busy = false;
}

void FarmRun::end(std::size_t index, std::uint64_t lease, bool failed) {
  Host& host = hosts_[index];
  Attempt* attempt = host.find(lease);
  if (attempt == nullptr || attempt->state != Attempt::State::kRunning) return;  // stopped meanwhile
  free_slot(host, *attempt);
  const AttemptId ref = attempt->ref;
  const double seconds = static_cast<double>(timeline_.now() - attempt->began_ms) / 1000;
  if (failed) {
    meter_.wasted("the engine failed", seconds);
    drop_model(host.slots[attempt->slot]);
    std::erase_if(host.attempts, [&](const Attempt& a) { return a.ref == ref; });
    fill_slots(index);
    return say(host, protocol::Failed{ref, FailKind::kEngine, "simulated", "", ""});
  }
  attempt->state = Attempt::State::kReporting;
  attempt->ran_seconds = seconds;
  const TaskResult result = work_.result(shot_of(ref.task), state_.task(ref.task).plan, seconds);
  const std::uint64_t bytes = result.outputs.front().bytes;
  host.hold(ref.task, bytes, farm_.cache);
  fill_slots(index);
  in(kMessageMs + static_cast<std::int64_t>(bytes * 1000 / farm_.network), index,
     [this, index, lease] { complete(index, lease); });
}

void FarmRun::complete(std::size_t index, std::uint64_t lease) {
  Host& host = hosts_[index];
  const Attempt* attempt = host.find(lease);
  if (attempt == nullptr) return;
  const AttemptId ref = attempt->ref;
  const double seconds = attempt->ran_seconds;
  std::erase_if(host.attempts, [&](const Attempt& a) { return a.ref == ref; });
  TaskResult result = work_.result(shot_of(ref.task), state_.task(ref.task).plan, seconds);
  step(event::FromWorker{host.name, protocol::Completed{ref, std::move(result), ""}}, ref.task);
  if (state_.task(ref.task).accepted_lease == ref.lease)
    meter_.useful(seconds);
  else
    meter_.wasted("the result was not wanted any more", seconds);
}

void FarmRun::revoke(std::size_t index, const AttemptId& ref, const std::string& cause) {
  Attempt* attempt = hosts_[index].find(ref.lease);
  if (attempt == nullptr || attempt->state == Attempt::State::kReporting) return;  // its result is on its way
  if (attempt->state == Attempt::State::kStopping) return;
  if (attempt->state != Attempt::State::kRunning) return stopped(index, ref.lease, cause);
  attempt->state = Attempt::State::kStopping;
  in(kStopMs, index, [this, index, lease = ref.lease, cause] { stopped(index, lease, cause); });
}

void FarmRun::stopped(std::size_t index, std::uint64_t lease, const std::string& cause) {
  Host& host = hosts_[index];
  const Attempt* attempt = host.find(lease);
  const AttemptId ref = attempt->ref;
  if (attempt->state == Attempt::State::kStopping) {
    free_slot(host, *attempt);
    // An engine leaves between two blocks and keeps its weights; one that is slow does not read its messages, and is
    // killed.
    if (cause.starts_with("it is slow")) drop_model(host.slots[attempt->slot]);
    meter_.wasted(cause.starts_with("take ") ? "the take was dropped" : cause.substr(0, cause.find(':')),
                  static_cast<double>(timeline_.now() - attempt->began_ms) / 1000);
  }
  std::erase_if(host.attempts, [&](const Attempt& a) { return a.ref == ref; });
  say(host, protocol::Stopped{ref});
  fill_slots(index);
}

}  // namespace rushes::simulation::farm
