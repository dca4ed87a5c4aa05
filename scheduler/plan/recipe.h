// Recipes of a take's revisions; the recipe itself is in storage/records/words.h, its bytes in words_codec.h.
//
// Thread contract: pure functions.
#pragma once

#include <cstdint>

#include "storage/records/words_codec.h"

namespace rushes::scheduler {

// The seed of a take's revision n >= 1: the low 53 bits (config::kMaxSeed) of SplitMix64's output function (Steele et
// al. 2014) of seed + n * golden gamma, so revisions of one take differ from each other and from the take. Journals have
// seeds of 64 bits of older builds: they stay as they were written.
std::uint64_t revision_seed(std::uint64_t take_seed, std::uint32_t number);

}  // namespace rushes::scheduler
