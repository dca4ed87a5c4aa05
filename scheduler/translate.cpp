#include "scheduler/translate.h"

#include "storage/records/words_codec.h"

namespace rushes::scheduler {
namespace {

template <class... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};
template <class... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;

template <class T>
T with_ref(const AttemptId& id) {
  T event;
  static_cast<AttemptId&>(event) = id;
  return event;
}

event::Hello hello_of(const std::string& worker, protocol::Hello&& hello) {
  event::Hello event;
  event.worker = worker;
  event.offer = std::move(hello.offer);
  event.running = std::move(hello.running);
  event.sequence = hello.sequence;
  return event;
}

event::Heartbeat heartbeat_of(const std::string& worker, protocol::Heartbeat&& beat) {
  event::Heartbeat event;
  event.worker = worker;
  for (auto& progress : beat.attempts) {
    auto attempt = with_ref<event::AttemptBeat>(progress.id);
    attempt.fraction = progress.fraction;
    attempt.text = std::move(progress.text);
    attempt.compute_seconds = progress.compute_seconds;
    event.attempts.push_back(std::move(attempt));
  }
  event.cached = std::move(beat.cached);
  event.sequence = beat.sequence;
  return event;
}

}  // namespace

Result<FromWorker> to_event(const std::string& worker, protocol::WorkerMessage message) {
  using Answer = Result<FromWorker>;
  return std::visit(Overloaded{
                        [&](protocol::Hello& m) -> Answer {
                          return FromWorker{hello_of(worker, std::move(m)), {}};
                        },
                        [&](protocol::Heartbeat& m) -> Answer {
                          return FromWorker{heartbeat_of(worker, std::move(m)), {}};
                        },
                        [&](protocol::Started& m) -> Answer {
                          auto event = with_ref<event::Started>(m.id);
                          event.worker = worker;
                          return FromWorker{std::move(event), {}};
                        },
                        [&](protocol::Completed& m) -> Answer {
                          auto result = decode_result(m.result);
                          if (!result) return with_context(result.error(), to_string(m.id));
                          auto event = with_ref<event::Completed>(m.id);
                          event.worker = worker;
                          event.result = std::move(*result);
                          return FromWorker{std::move(event), std::move(m.log_tail)};
                        },
                        [&](protocol::Failed& m) -> Answer {
                          auto event = with_ref<event::Failed>(m.id);
                          event.worker = worker;
                          event.kind = m.kind;
                          event.message = std::move(m.message);
                          event.exit_cause = std::move(m.exit_cause);
                          event.log_tail = m.log_tail;
                          return FromWorker{std::move(event), std::move(m.log_tail)};
                        },
                        [&](protocol::Stopped& m) -> Answer {
                          auto event = with_ref<event::Stopped>(m.id);
                          event.worker = worker;
                          return FromWorker{std::move(event), {}};
                        },
                        [&](protocol::Bye&) -> Answer {
                          return FromWorker{event::Bye{worker}, {}};
                        },
                    },
                    message);
}

std::optional<std::pair<std::string, protocol::SchedulerMessage>> to_message(const Command& command) {
  using Answer = std::optional<std::pair<std::string, protocol::SchedulerMessage>>;
  return std::visit(
      Overloaded{
          [](const command::Welcome& c) -> Answer {
            protocol::Welcome m;
            m.worker_id = c.worker_id;
            m.epoch = c.epoch;
            m.heartbeat_ms = c.heartbeat_ms;
            m.lease_ms = c.lease_ms;
            m.first_lease = c.first_lease;
            m.sequence = c.sequence;
            for (const auto& ref : c.stop) m.stop.push_back(ref);
            return std::pair{c.worker, protocol::SchedulerMessage(std::move(m))};
          },
          [](const command::Refused& c) -> Answer {
            return std::pair{c.worker, protocol::SchedulerMessage(protocol::Refused{c.reason})};
          },
          [](const command::HeartbeatAck& c) -> Answer {
            return std::pair{c.worker, protocol::SchedulerMessage(protocol::HeartbeatAck{c.sequence})};
          },
          [](const command::Assign& c) -> Answer {
            protocol::Assign m;
            m.id = AttemptId(c);
            m.lease_ms = c.lease_ms;
            m.no_progress_ms = c.no_progress_ms;
            m.spec = c.spec;
            return std::pair{c.worker, protocol::SchedulerMessage(std::move(m))};
          },
          [](const command::Revoke& c) -> Answer {
            return std::pair{c.worker, protocol::SchedulerMessage(protocol::Revoke{AttemptId(c), c.reason})};
          },
          [](const command::Accepted& c) -> Answer {
            return std::pair{c.worker,
                             protocol::SchedulerMessage(protocol::Accepted{{c.task, c.attempt, 0}})};
          },
          [](const command::RefusedResult& c) -> Answer {
            return std::pair{c.worker, protocol::SchedulerMessage(
                                           protocol::RefusedResult{{c.task, c.attempt, 0}, c.reason})};
          },
          [](const command::FailedAck& c) -> Answer {
            return std::pair{c.worker,
                             protocol::SchedulerMessage(protocol::FailedAck{{c.task, c.attempt, 0}})};
          },
          [](const command::Drain& c) -> Answer {
            return std::pair{c.worker, protocol::SchedulerMessage(protocol::Drain{})};
          },
          [](const command::Reply&) -> Answer { return std::nullopt; },
      },
      command);
}

}  // namespace rushes::scheduler
