// Task descriptions that are too large for a message.
//
// Thread contract: as the vault.
#pragma once

#include "config/result.h"
#include "scheduler/protocol/messages.h"
#include "storage/vault.h"

namespace rushes::scheduler {

// The message as it is sent: puts a task description beyond protocol::kMaxInlineSpec into the vault, its address into
// the message. The artifact has no reference: it is swept like an upload that no result names, long after the worker
// has fetched it. Error: kExhausted (the description is over protocol::kMaxStoredSpec, or the disk is full).
Result<protocol::SchedulerMessage> with_stored_spec(storage::Vault& vault,
                                                    protocol::SchedulerMessage message);

}  // namespace rushes::scheduler
