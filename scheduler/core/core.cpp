#include "scheduler/core/core.h"

#include "config/mutation.h"
#include "scheduler/core/decider.h"

namespace rushes::scheduler {

Settings settings_of(const config::Farm& farm) {
  return {farm.times, farm.retries, farm.limits, farm.shows, farm.scheduling};
}

Decision decide(State& state, const Settings& settings, const Event& event, Now now, std::uint64_t random) {
  Decider decider(state, settings, now, random);
  std::visit([&decider](const auto& e) { decider.on(e); }, event);
  decider.dispatch();
  return decider.take();
}

// Whatever moves or destroys a variant of so many records is compiled here and in no other file of the core.
Decider::Decider(State& state, const Settings& settings, Now now, std::uint64_t random)
    : state_(state), settings_(settings), now_(now), random_(random) {}

Decider::~Decider() = default;

Decision Decider::take() { return std::move(decision_); }

void Decider::emit(Record&& record) {
  decision_.records.push_back(std::move(record));
  scheduler::apply(state_, decision_.records.back());
}

void Decider::send(Command&& command) { decision_.commands.push_back(std::move(command)); }

void Decider::configure() {
  Sharing sharing{settings_.shows, settings_.limits.shared};
  if (sharing != state_.sharing) emit(record::Configured{std::move(sharing)});
}

void Decider::done(RequestId request, std::string message) {
  if (request != 0) send(command::Reply{request, command::Done{std::move(message)}});
}

void Decider::refuse(RequestId request, ErrorKind kind, std::string message) {
  if (request != 0) send(command::Reply{request, tl::unexpected(Error{kind, std::move(message)})});
}

const Shot* Decider::shot_or_refuse(RequestId request, const std::string& key) {
  const Shot* shot = state_.find_shot(key);
  if (shot == nullptr) refuse(request, ErrorKind::kNotFound, "no shot " + key + " on this farm");
  return shot;
}

const Task* Decider::current(const AttemptRef& ref, const Worker& worker) const {
  if (!state_.has_task(ref.task)) return nullptr;
  const Task& task = state_.task(ref.task);
  const bool same =
      task.attempt == ref.attempt && task.lease.id == ref.lease && task.lease.worker == id_of(worker);
  return is_held(task.state) && (same || mutated(Mutation::kAcceptStaleAttempt)) ? &task : nullptr;
}

const Task* Decider::accepted(const AttemptRef& ref) const {
  if (!state_.has_task(ref.task)) return nullptr;
  const Task& task = state_.task(ref.task);
  const bool same = task.state == TaskState::kSucceeded && task.accepted_attempt == ref.attempt &&
                    task.accepted_lease == ref.lease;
  return same ? &task : nullptr;
}

}  // namespace rushes::scheduler
