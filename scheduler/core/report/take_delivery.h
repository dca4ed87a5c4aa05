// A take that a person asks for before it is delivered, or another version of it: the task that would deliver it.
//
// A program that has the task's inputs writes the files as the delivery would; nothing is planned for it.
//
// Thread contract: pure functions of the State.
#pragma once

#include <optional>
#include <string_view>

#include "scheduler/core/state/state.h"

namespace rushes::scheduler {

enum class TakeKind {
  kDraft,   // EXR frames of a version
  kMaster,  // EXR frames of the upgraded take
  kProxy    // movie and contact sheet of a version
};

struct TakeChoice {
  TakeKind kind = TakeKind::kDraft;
  std::uint32_t take = 0;                // 0: the approved one, else the best ranked, else the only one
  std::optional<std::uint32_t> version;  // absent: the current one; a master has no versions
};

// A deliver task. Its inputs are the decoded frames of the take and its critique, or of a proxy its movie and sheet;
// its delivery's version is "take1_v0", of a master "take1". Errors: kNotFound (no such shot, take or version),
// kConflict (not there yet), kInvalid (which take, or a version of a master); each says what to do.
Result<TaskSpec> delivery_of(const State& state, std::string_view shot, const TakeChoice& choice);

}  // namespace rushes::scheduler
