// The decision on one event while it is made: the only holder of a State that may change.
//
// emit() applies a record to the state and keeps it for the journal. All other code that decides reads the
// state through state(), so a change without a record does not compile.
//
// Thread contract: lives for one call of decide(), on its thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "scheduler/core/command.h"
#include "scheduler/core/settings.h"
#include "scheduler/core/state/record.h"

namespace rushes::scheduler {

// The outputs of one call of decide().
struct Outcome {
  std::vector<Record> records;    // already applied; the durable ones go to the journal in one append
  std::vector<Command> commands;  // sent after the sync
};

class Decision {
 public:
  Decision(State& state, const Settings& settings, Now now, std::uint64_t random);
  ~Decision();

  const State& state() const { return state_; }
  const Settings& settings() const { return settings_; }
  const Now& now() const { return now_; }
  std::uint64_t random() const { return random_; }  // one number per decision; it jitters back-off times
  std::int64_t lease_end() const { return now_.boot_ms + settings_.times.lease.count(); }

  void emit(Record&& record);
  std::size_t emitted() const { return outcome_.records.size(); }
  void send(const std::string& worker,
            protocol::SchedulerMessage&& message);  // to the process that has the name
  void send(const std::string& worker, const std::string& process, protocol::SchedulerMessage&& message);
  // Answers to people. Request 0 wants no answer.
  void reply(RequestId request, std::string message);
  void reply(RequestId request, command::Submitted&& answer);
  void reply(RequestId request, command::Collected&& answer);
  void refuse(RequestId request, ErrorKind kind, std::string message);

  Outcome take();

 private:
  State& state_;
  const Settings& settings_;
  const Now now_;
  const std::uint64_t random_;
  Outcome outcome_;
};

// Records what farm.yaml says about shares and limits, where the state does not have it yet.
void learn_settings(Decision& decision);

}  // namespace rushes::scheduler
