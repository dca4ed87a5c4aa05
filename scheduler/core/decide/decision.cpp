#include "scheduler/core/decide/decision.h"

#include "scheduler/core/state/apply.h"

namespace rushes::scheduler {

void Decision::emit(Record&& record) {
  outcome_.records.push_back(std::move(record));
  scheduler::apply(state_, outcome_.records.back());
}

void Decision::send(Command&& command) { outcome_.commands.push_back(std::move(command)); }

void Decision::reply(RequestId request, std::string message) {
  if (request != 0) send(command::Reply{request, command::Done{std::move(message)}});
}

void Decision::reply(RequestId request, command::Submitted&& answer) {
  send(command::Reply{request, std::move(answer)});
}

void Decision::refuse(RequestId request, ErrorKind kind, std::string message) {
  if (request != 0) send(command::Reply{request, tl::unexpected(Error{kind, std::move(message)})});
}

void learn_settings(Decision& decision) {
  const Settings& settings = decision.settings();
  Sharing sharing{settings.shows, settings.limits.shared};
  if (sharing != decision.state().sharing) decision.emit(record::Configured{std::move(sharing)});
}

}  // namespace rushes::scheduler
