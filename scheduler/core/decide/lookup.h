// The shot and the take that a person names, or the answer that says what there is.
//
// Thread contract: each call works on the Decision of its caller.
#pragma once

#include <string>

#include "scheduler/core/decide/decision.h"

namespace rushes::scheduler {

// null: there is none of that name (kNotFound), or it is archived (kConflict), and the request is answered.
const Shot* shot_or_refuse(Decision& decision, RequestId request, const std::string& key);

// null: the shot has no such take (kNotFound) or is cancelled (kConflict), and the request is answered.
const Take* take_or_refuse(Decision& decision, RequestId request, const Shot& shot, std::uint32_t take);

// Why a person's wish that takes a person's approval of the shot away is refused without event::*::overrules; empty where
// nobody approved a take, or only `approve: best` did.
std::string overruled(const Shot& shot);

// Why a person's wish for a cancelled shot is refused.
std::string cancelled(const Shot& shot);

}  // namespace rushes::scheduler
