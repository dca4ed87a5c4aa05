// The way of a shot: critiques -> verdict -> revision -> the better version -> ranking -> approval -> draft
// delivery -> upgrade -> delivered.
//
// Thread contract: each call works on the Decision of its caller.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "scheduler/core/decide/decision.h"

namespace rushes::scheduler {

// What a task that was just done (succeeded, skipped) leads to.
void follow_up(Decision& decision, TaskId task);

// The takes of a shot are planned when its first task is leased: a shot that waits is one task, however long
// it is.
void plan_takes(Decision& decision, ShotId shot);
// What is rendered again of a take, and why.
struct Rerendering {
  std::vector<std::uint32_t> windows = {};  // ascending
  std::string reason = {};                  // one line for people
  std::string by = {};                      // a person; empty: the critics
  std::optional<std::uint64_t> seed = {};   // of the new noise; else one that follows from the take's
  std::string prompt = {};                  // empty: that of before
};
// The record that plans the next version of a take; the caller emits it. The first rendering of a take needs no
// `wanted` and is never refused. Errors: kInvalid, the take has too many revisions for its tasks to be described;
// kConflict, the pixels would stay as they are.
Result<record::VersionPlanned> next_version(const Decision& decision, ShotId shot, std::uint32_t take,
                                            Rerendering wanted);
// The takes are ranked once all that are not dropped are judged. `approve: best` approves the best one that passed or
// that a person chose; without one, a person is asked.
void rank_if_judged(Decision& decision, ShotId shot);
// Error: kInvalid, the upgrade is larger than a limit of scheduler/plan/limits.h.
Status plan_upgrade_of(Decision& decision, ShotId shot);

void approve(Decision& decision, ShotId shot, std::uint32_t take, const std::string& by);
void withdraw_approval(Decision& decision, ShotId shot, const std::string& reason);
void drop_take(Decision& decision, ShotId shot, std::uint32_t take, const std::string& reason);

// Closes the open tasks of a take, or of the whole shot (take 0); held ones are called off.
void close_tasks(Decision& decision, ShotId shot, std::uint32_t take, TaskState then,
                 const std::string& reason);
// Closes the tasks that make the take's master.
void close_upgrade(Decision& decision, ShotId shot, std::uint32_t take, const std::string& reason);

}  // namespace rushes::scheduler
