// Rotary position table of the Wan transformer: three axes, each with its own frequency base.
//
// A head's D/2 complex pairs are split between time, height and width as D/2 - 2·(D/6), D/6, D/6 (D = 128:
// 22, 21, 21); pair j of an axis with D_a real dimensions turns by position · 10000^(-2j/D_a). Angles in
// fp64. Source: Wan2.1 wan/modules/model.py, rope_params and rope_apply.
//
// Thread contract: pure functions.
#pragma once

#include <cstdint>
#include <vector>

namespace rushes::worker {

// A box of tokens: `frames` x `rows` x `columns` patches, frames slowest, columns fastest.
struct TokenGrid {
  std::int64_t frames = 0, rows = 0, columns = 0;
  std::int64_t tokens() const { return frames * rows * columns; }
  bool operator==(const TokenGrid&) const = default;
};

// Position of the grid's first token, in patches: where a window or tile lies in the shot.
struct TokenOrigin {
  std::int64_t frame = 0, row = 0, column = 0;
  bool operator==(const TokenOrigin&) const = default;
};

// [tokens, head_dim / 2, 2] = (cos, sin). head_dim is even.
std::vector<float> rope_table(const TokenGrid& grid, const TokenOrigin& origin, std::int64_t head_dim);

// What the time embedding gets: [cos(t·f_0) ... cos(t·f_{n-1}), sin(t·f_0) ...], n = width / 2,
// f_i = 10000^(-i/n), in fp64, rounded once. Source: wan/modules/model.py, sinusoidal_embedding_1d.
std::vector<float> time_sinusoid(double timestep, std::int64_t width);

}  // namespace rushes::worker
