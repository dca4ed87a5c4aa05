#include "scheduler/core/core.h"

#include "scheduler/core/decide/events.h"
#include "scheduler/core/dispatch/dispatcher.h"
#include "scheduler/core/dispatch/watch.h"

namespace rushes::scheduler {

Outcome decide(State& state, const Settings& settings, const Event& event, Now now, std::uint64_t random) {
  Decision decision(state, settings, now, random);
  std::visit([&decision](const auto& e) { on(decision, e); }, event);
  if (std::holds_alternative<event::Tick>(event)) {
    watch_deadlines(decision);
    relieve_stragglers(decision);
  }
  Dispatcher(decision).run();
  return decision.take();
}

}  // namespace rushes::scheduler
