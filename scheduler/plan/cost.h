// What a task needs and how much work it is: estimates, for placement and for times shown to people.
//
// Memory is what an attempt holds at most beyond the weights; a worker offers what is left beside its weights. Tensors,
// which lie on the device of a GPU engine, are counted apart from pictures and files, by the numbers that the model's
// manifest gives (config/model_memory.h). Stages read, compute and write a few frames at a time, so that what a long
// take needs does not depend on its length. Work is relative inside one stage: the core measures seconds per unit.
//
// Thread contract: pure functions.
#pragma once

#include "scheduler/plan/vocabulary.h"

namespace rushes::scheduler {

// latents: the size of what is sampled (frames, rows, columns), steps: how many, guidance 1 = one pass a
// step.
double sampling_work(std::uint64_t latents, std::uint32_t steps, float guidance);
// Bytes that an attempt needs; they become PlannedTask's.
struct TaskMemory {
  std::uint64_t host = 0, tensors = 0;
};
inline void set_memory(PlannedTask& task, const TaskMemory& memory) {
  task.host_bytes = memory.host;
  task.tensor_bytes = memory.tensors;
}
TaskMemory sampling_memory(const ModelGrid& grid, std::uint64_t latents);
// A take of so many latents, decoded in a tile and encoded.
struct LatentExtent {
  int frames = 0, rows = 0, columns = 0;
};
TaskMemory decode_memory(const ModelGrid& grid, const LatentExtent& take, const Rect& tile);
TaskMemory encode_memory(const ModelGrid& grid, const LatentExtent& take);
// Of the host, beside that: pictures that people sent, which are scaled to frames of so many pixels.
std::uint64_t reading_memory(const config::PictureLoad& pictures, std::uint64_t frame_pixels);
TaskMemory picture_memory(std::uint64_t frame_pixels);  // frames read and written one by one
TaskMemory movie_memory(std::uint64_t frame_pixels);    // the same, and a movie made of them
// So many frames at once, decoded and judged.
TaskMemory decoded_clip_memory(const ModelGrid& grid, std::uint64_t frame_latents, std::uint64_t frames);
inline constexpr std::uint64_t kBaseMemory = 128ull << 20;  // of the host, whatever the stage

// Seconds of one core that reading them takes at most, scaled to a frame.
double reading_seconds(const config::PictureLoad& pictures);

// Seconds of one unit of work before anything of its kind was measured: orders of magnitude of one CPU core,
// good enough to tell a long path from a short one.
double first_guess(Stage stage);

}  // namespace rushes::scheduler
