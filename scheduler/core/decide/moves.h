// Steps that several decisions share: a shot or take moves on, a person is asked, an attempt is called off.
//
// Each emits at most the records of its own step.
//
// Thread contract: each call works on the Decision of its caller.
#pragma once

#include <cstdint>
#include <string>

#include "scheduler/core/decide/decision.h"

namespace rushes::scheduler {

// `task`: the evidence of kAttention, 0: none. A shot that needs a person stays in attention until that is
// resolved: new work of other takes does not hide it.
void move_shot(Decision& decision, ShotId shot, ShotState to, std::string reason = {}, TaskId task = {});
void move_take(Decision& decision, ShotId shot, std::uint32_t take, TakeState to, std::string reason = {});

void give_to_person(Decision& decision, TaskId task, const std::string& message);
// Out of attention when none of the shot's tasks needs a person any more.
void leave_attention(Decision& decision, ShotId shot);
// A shot whose pause was requested is paused once none of its tasks is held.
void note_pause(Decision& decision, ShotId shot);

// Calls a held attempt off. The lease lasts until the worker reports Stopped, or until it expires; the task
// becomes `then`. `reason` is for people.
void revoke(Decision& decision, const Task& task, TaskState then, RevokeCause cause,
            const std::string& reason);

}  // namespace rushes::scheduler
