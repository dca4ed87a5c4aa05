// Recipes: everything that decides a take's pixels, their canonical bytes and their hash.
//
// The hash is BLAKE2b-256 over the canonical Cap'n Proto form of storage/records.capnp Recipe: one segment,
// no segment table, default values trimmed. Equal recipes have equal bytes on every machine and in every
// build.
//
// Thread contract: pure functions.
#pragma once

#include <cstdint>
#include <span>

#include "config/result.h"
#include "scheduler/plan/vocabulary.h"

namespace rushes::scheduler {

Bytes encode_recipe(const Recipe& recipe);  // canonical
Digest recipe_hash(std::span<const std::uint8_t> canonical);

// Error: kCorrupt, for bytes that are not a recipe or beyond the bounds of plan/vocabulary_codec.h.
Result<Recipe> decode_recipe(std::span<const std::uint8_t> bytes);

// The seed of a take's revision n >= 1: SplitMix64's output function (Steele et al. 2014) of seed + n *
// golden gamma, so revisions of one take differ from each other and from the take.
std::uint64_t revision_seed(std::uint64_t take_seed, std::uint32_t number);

}  // namespace rushes::scheduler
