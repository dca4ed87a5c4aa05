// How attempts end: with a result, with a failure, or without either.
//
// Thread contract: each call works on the Decision of its caller.
#pragma once

#include <string>

#include "scheduler/core/decide/decision.h"

namespace rushes::scheduler {

// The attempt `ref` of a held task delivered its result.
void accept_result(Decision& decision, const Task& task, const AttemptId& ref, WorkerId worker,
                   const TaskResult& result);
// The worker reported a failure, or its result is not what the stage has to make.
void fail_attempt(Decision& decision, const Task& task, WorkerId worker, const protocol::Failed& failed);
// The attempt ended without a fault of the task: it was called off, or its worker was lost.
void end_attempt(Decision& decision, const Task& task, AttemptEnd end, const std::string& message);

}  // namespace rushes::scheduler
