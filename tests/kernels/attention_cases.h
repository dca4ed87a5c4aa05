// Random bf16 attention problems with the reference's answer: what the GPU kernel and its emulation must
// reproduce.
#pragma once

#include "tests/kernels/support.h"

namespace rushes::kernels {

struct AttentionCase {
  int batch = 1, heads = 1, lq = 0, lk = 0, width = 64;
  float scale = 1.0f;
  // What trained models have and white noise has not: outliers (a bias of every 16th channel of k, with a random sign), and
  // values whose average is not noise alone (a random bias of each channel of v, about so large).
  float key_bias = 0.0f, value_bias = 0.0f;
  bool listed = false;
  KeyTilePlan plan;                    // where `listed`
  std::vector<std::uint16_t> q, k, v;  // bf16, [B, L, heads, width]
  std::vector<float> expected;
};

// `longest` bounds both lengths; `listed` asks for a random list of key tiles, of multiples of `key_unit` keys.
AttentionCase attention_case(std::uint64_t seed, int width, int longest, bool listed, int key_unit = 16);

// Fills what a case lacks: its sizes are given, and where `listed` those of the plan's tiles.
void complete(AttentionCase& c, std::uint64_t seed);

}  // namespace rushes::kernels
