// What the farm decides on each event. One function per event; the file says whose events they are.
//
// Thread contract: each call works on the Decision of its caller.
#pragma once

#include "scheduler/core/decide/decision.h"
#include "scheduler/core/event.h"

namespace rushes::scheduler {

// people.cpp
void on(Decision& decision, const event::SubmitBatch& e);
void on(Decision& decision, const event::Cancel& e);
void on(Decision& decision, const event::Pause& e);
void on(Decision& decision, const event::Resume& e);
void on(Decision& decision, const event::Approve& e);
void on(Decision& decision, const event::Upgrade& e);
void on(Decision& decision, const event::Retry& e);
void on(Decision& decision, const event::Keep& e);
void on(Decision& decision, const event::Revert& e);
void on(Decision& decision, const event::RestoreTake& e);
void on(Decision& decision, const event::RemoveShot& e);
void on(Decision& decision, const event::Skip& e);

// operators.cpp
void on(Decision& decision, const event::DrainWorker& e);
void on(Decision& decision, const event::UndrainWorker& e);
void on(Decision& decision, const event::ForgetWorker& e);

// retention.cpp
void on(Decision& decision, const event::CollectGarbage& e);
void collect_if_due(Decision& decision);  // at a tick

// workers.cpp
void on(Decision& decision, const event::FromWorker& e);
void on(Decision& decision, const event::Disconnected& e);

// clock.cpp
void on(Decision& decision, const event::Recover& e);
void on(Decision& decision, const event::Tick& e);

}  // namespace rushes::scheduler
