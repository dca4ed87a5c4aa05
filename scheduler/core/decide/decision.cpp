#include "scheduler/core/decide/decision.h"

#include "scheduler/core/state/apply.h"

namespace rushes::scheduler {

// Code that moves or destroys a variant of so many records is compiled here and in no other file of decisions.
Decision::Decision(State& state, const Settings& settings, Now now, std::uint64_t random)
    : state_(state), settings_(settings), now_(now), random_(random) {}

Decision::~Decision() = default;

Outcome Decision::take() { return std::move(outcome_); }

void Decision::emit(Record&& record) {
  outcome_.records.push_back(std::move(record));
  scheduler::apply(state_, outcome_.records.back());
}

void Decision::send(const std::string& worker, protocol::SchedulerMessage&& message) {
  const Worker* known = state_.find_worker(worker);
  send(worker, known != nullptr ? known->process.id : std::string(), std::move(message));
}

void Decision::send(const std::string& worker, const std::string& process,
                    protocol::SchedulerMessage&& message) {
  auto& to = std::get<command::ToWorker>(outcome_.commands.emplace_back());
  to.worker = worker;
  to.message = std::move(message);
  to.process = process;
}

void Decision::reply(RequestId request, std::string message) {
  if (request != 0)
    outcome_.commands.emplace_back(command::Reply{request, command::Done{std::move(message)}});
}

void Decision::reply(RequestId request, command::Submitted&& answer) {
  outcome_.commands.emplace_back(command::Reply{request, std::move(answer)});
}

void Decision::reply(RequestId request, command::Collected&& answer) {
  if (request != 0) outcome_.commands.emplace_back(command::Reply{request, std::move(answer)});
}

void Decision::refuse(RequestId request, ErrorKind kind, std::string message) {
  if (request != 0)
    outcome_.commands.emplace_back(command::Reply{request, tl::unexpected(Error{kind, std::move(message)})});
}

void learn_settings(Decision& decision) {
  const Settings& settings = decision.settings();
  Sharing sharing{settings.shows, settings.limits.shared};
  if (sharing != decision.state().sharing) decision.emit(record::Configured{std::move(sharing)});
}

}  // namespace rushes::scheduler
