// Results that the scheduler has not acknowledged yet, on disk: a crash of the agent loses no finished work.
//
// One file per result, FOLDER/TASK-ATTEMPT.result, holding the Completed message as it goes over the wire;
// written under a temporary name, synced, renamed, the folder synced. A file that cannot be read is set aside
// as *.broken.
//
// Thread contract: one thread.
#pragma once

#include <filesystem>
#include <vector>

#include "config/result.h"
#include "scheduler/protocol/messages.h"

namespace rushes::worker {

class Outbox {
 public:
  // Creates the folder if missing. Error: kExhausted (cannot be created or written).
  static Result<Outbox> open(std::filesystem::path folder);
  // Results left from before, oldest task first.
  std::vector<protocol::Completed> load() const;
  // On return the result survives a crash of the machine. Error: kExhausted.
  Status keep(const protocol::Completed& result) const;
  void forget(const AttemptId& id) const;

 private:
  explicit Outbox(std::filesystem::path folder) : folder_(std::move(folder)) {}
  std::filesystem::path file_of(const AttemptId& id) const;
  std::filesystem::path folder_;
};

}  // namespace rushes::worker
