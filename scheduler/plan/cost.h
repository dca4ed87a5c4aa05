// What a task needs and how much work it is: estimates, for placement and for times shown to people.
//
// Memory is what an attempt needs beyond the weights, from the sizes of its tensors with a margin; a worker
// offers what is left beside its weights. Work is relative inside one stage: the core measures seconds per
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
std::uint64_t pixel_memory(std::uint64_t pixels);      // decoding, encoding, writing of so many pixels
inline constexpr std::uint64_t kBaseMemory = 128ull << 20;

// Seconds of one unit of work before anything of its kind was measured: orders of magnitude of one CPU core,
// good enough to tell a long path from a short one.
double first_guess(Stage stage);

}  // namespace rushes::scheduler
