// The shared words as bytes: storage/records/words.h <-> Cap'n Proto.
//
// Thread contract: pure functions.
#pragma once

#include <span>

#include "storage/records/reader.h"
#include "storage/records/records.capnp.h"
#include "storage/records/words.h"

namespace rushes {

RUSHES_CODEC_DECLARED(Range, records::Range)
RUSHES_CODEC_DECLARED(Rect, records::Tile)
RUSHES_CODEC_DECLARED(Sampling, records::Sampling)
RUSHES_CODEC_DECLARED(Recipe, records::Recipe)
RUSHES_CODEC_DECLARED(AttemptId, records::AttemptRef)
RUSHES_CODEC_DECLARED(CriticSetting, records::CriticSetting)
RUSHES_CODEC_DECLARED(TaskSpec, records::TaskSpec)
RUSHES_CODEC_DECLARED(TaskResult, records::TaskResult)
RUSHES_CODEC_DECLARED(ModelOffer, records::ModelOffer)
RUSHES_CODEC_DECLARED(WorkerProcess, records::WorkerProcess)

// ---- recipes: their hash is BLAKE2b-256 over the canonical Cap'n Proto form: one segment, no segment table,
// default values trimmed. Equal recipes have equal bytes on every machine and in every build.

Bytes encode_recipe(const Recipe& recipe);  // canonical
Digest recipe_hash(std::span<const std::uint8_t> canonical);
// Error: kCorrupt for bytes that are not a recipe or beyond its bounds.
Result<Recipe> decode_recipe(std::span<const std::uint8_t> bytes);

// ---- flat messages with their segment table, as they travel inside messages of the wire

inline constexpr std::size_t kMaxTaskBytes = 1u << 20;

std::string encode_task(const TaskSpec& spec);
Result<TaskSpec> decode_task(std::string_view bytes);
std::string encode_result(const TaskResult& result);
Result<TaskResult> decode_result(std::string_view bytes);

}  // namespace rushes
