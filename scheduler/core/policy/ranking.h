// Which version of a take is kept, and which take is best.
//
// Thread contract: pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "scheduler/plan/vocabulary.h"

namespace rushes::scheduler::policy {

struct Judged {
  std::uint32_t number = 0;
  Verdict verdict = Verdict::kUnknown;
  float score = 0;
};

// Several critiques of one version become one verdict: the worst one. `unknown` counts only when nothing else
// is said.
Verdict worst(std::span<const Verdict> verdicts);

// A revision replaces what is kept only when it is not rejected and scores higher; an equal score keeps what
// is there.
bool is_better(const Judged& revision, const Judged& kept);

// Numbers of the takes, best first: passed before revised before unknown, then by score, then the smaller
// number.
std::vector<std::uint32_t> rank(std::span<const Judged> takes);

}  // namespace rushes::scheduler::policy
