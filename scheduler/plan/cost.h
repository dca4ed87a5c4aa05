// What a task needs and how much work it is: estimates, for placement and for times shown to people.
//
// Memory is what an attempt holds at most beyond the weights, with a margin; a worker offers what is left beside
// its weights. Stages read, compute and write a few frames at a time, so that what a long take needs does not
// depend on its length. The VAE's share is that of Tabletop's widths (16 to 64). Work is relative inside one stage: the core measures seconds per
// unit.
//
// Thread contract: pure functions.
#pragma once

#include "scheduler/plan/vocabulary.h"

namespace rushes::scheduler {

// latents: the size of what is sampled (frames, rows, columns), steps: how many, guidance 1 = one pass a
// step.
double sampling_work(std::uint64_t latents, std::uint32_t steps, float guidance);
std::uint64_t sampling_memory(std::uint64_t latents);  // activations of the transformer
// A take of so many latents, decoded in a tile and encoded.
struct LatentExtent {
  int frames = 0, rows = 0, columns = 0;
};
std::uint64_t decode_memory(const ModelGrid& grid, const LatentExtent& take, const Rect& tile);
std::uint64_t encode_memory(const ModelGrid& grid, const LatentExtent& take);
std::uint64_t picture_memory(std::uint64_t frame_pixels);  // frames read and written one by one
std::uint64_t movie_memory(std::uint64_t frame_pixels);    // the same, and a movie made of them
std::uint64_t clip_memory(std::uint64_t pixels);           // so many pixels at once, judged
inline constexpr std::uint64_t kBaseMemory = 128ull << 20;

// Seconds of one unit of work before anything of its kind was measured: orders of magnitude of one CPU core,
// good enough to tell a long path from a short one.
double first_guess(Stage stage);

}  // namespace rushes::scheduler
