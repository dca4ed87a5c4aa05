// What an engine wrote to stdout and stderr during one attempt: a file of bounded size, and its end in
// memory.
//
// Thread contract: one thread.
#pragma once

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "scheduler/protocol/messages.h"

namespace rushes::worker {

class AttemptLog {
 public:
  static constexpr std::size_t kMaxFileBytes = 1u << 20;  // what comes after is counted, not kept
  static constexpr std::size_t kTailBytes = 8u << 10;     // the last bytes, for Failed and Completed
  static constexpr std::size_t kMaxFiles = 200;           // older logs leave

  // FOLDER/TASK-ATTEMPT.log. A log that cannot be written is kept in memory only: no reason to stop a render.
  void begin(const std::filesystem::path& folder, const AttemptId& id);
  void append(std::string_view text);
  std::string tail() const;  // clean text
  void end();

 private:
  std::ofstream file_;
  std::size_t written_ = 0, dropped_ = 0;
  std::string tail_;
};

}  // namespace rushes::worker
