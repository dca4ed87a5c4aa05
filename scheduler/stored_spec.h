// Task descriptions that are too large for a message.
//
// Thread contract: as the vault.
#pragma once

#include "config/result.h"
#include "scheduler/protocol/messages.h"
#include "storage/vault.h"

namespace rushes::scheduler {

// Puts a spec beyond protocol::kMaxInlineSpec into the vault and its address into the message. The artifact
// has no reference: it is swept like an upload that no result names, long after the worker has fetched it. Error:
// kExhausted (the description is over protocol::kMaxStoredSpec, or the disk is full).
Status store_large_spec(storage::Vault& vault, protocol::Assign& assign);

}  // namespace rushes::scheduler
