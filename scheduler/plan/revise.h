// Findings become the smallest revision that answers them: which windows are rendered again.
//
// Only what was found is rendered again: the windows that the `revise` findings name, worst first, as far as
// the shot's budget goes. A finding at a seam between two windows is answered by rendering one of them again,
// the one with the worse findings (the later one when equal), because its neighbour is what it has to agree
// with. Findings of a critic that advises ask for nothing.
//
// Thread contract: pure functions.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "scheduler/plan/vocabulary.h"

namespace rushes::scheduler {

struct Spent {
  std::uint32_t windows = 0;  // revised so far, of this take
  double device_seconds = 0;  // of all its revisions so far, those of attempts in vain too
  double window_seconds = 0;  // device seconds that one window of this take cost, measured; 0: unknown
};

struct RevisionChoice {
  std::vector<std::uint32_t> windows;  // ascending; empty: no revision
  std::string reason;                  // why these, or why none, one line for people
};

// Whether a finding counts: it blocks and has a severity > 0.
bool asks_for_revision(const Finding& finding);

// `findings` are those of the version that is to be improved.
RevisionChoice choose_revision(const ShotSpec& spec, std::span<const Finding> findings, const Spent& spent);

}  // namespace rushes::scheduler
