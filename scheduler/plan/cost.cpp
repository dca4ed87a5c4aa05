#include "scheduler/plan/cost.h"

#include <algorithm>

namespace rushes::scheduler {

double sampling_work(std::uint64_t latents, std::uint32_t steps, float guidance) {
  return static_cast<double>(latents) * steps * (guidance == 1.0f ? 1 : 2);
}

// A token is 1x2x2 latents (patch of the Wan family). 64 KiB a token: residual stream, q, k, v and
// feed-forward activations of a model of width 1536 in fp32 with a margin; smaller models need less.
TaskMemory sampling_memory(std::uint64_t latents) { return {kBaseMemory, latents / 4 * (64ull << 10)}; }

namespace {

constexpr std::uint64_t kChunk = 256ull << 20;  // the VAE chooses its chunks and boxes below it
constexpr int kHalo = 13;                       // latents around a decode tile
constexpr std::uint64_t kVaePixel = 1024;       // bytes: a pixel of a tile, of all frames of one latent
constexpr std::uint64_t kMiddleLatent = 10240;  // bytes: the middle block's; measured 9,500 at 3840x2176
constexpr std::uint64_t kDraftPixel = 8;   // bytes a pixel of the master: the draft's frames of one latent
constexpr std::uint64_t kFramePixel = 72;  // bytes: fp32 light and code, halves, planes, a packed file
constexpr std::uint64_t kClipPixel = 32;   // bytes
constexpr std::uint64_t kMoviePixel = 4;   // bytes: a picture that the encoder looks ahead at
constexpr std::uint64_t kLookahead = 40ull * 1920 * 1088, kMorePictures = 20;

std::uint64_t area(int rows, int columns) {
  return static_cast<std::uint64_t>(rows) * static_cast<std::uint64_t>(columns);
}

std::uint64_t pixels_of(const ModelGrid& grid, int rows, int columns) {
  return area(rows, columns) * area(grid.stride_y, grid.stride_x);
}

}  // namespace

TaskMemory decode_memory(const ModelGrid& grid, const LatentExtent& take, const Rect& tile) {
  const int rows = std::min(take.rows, tile.height + 2 * kHalo),
            columns = std::min(take.columns, tile.width + 2 * kHalo);
  const std::uint64_t one = pixels_of(grid, rows, columns) * kVaePixel;
  const std::uint64_t whole = one * static_cast<std::uint64_t>(take.frames);
  return {kBaseMemory,
          std::max(one, std::min(kChunk, whole)) + area(take.rows, take.columns) * kMiddleLatent};
}

TaskMemory encode_memory(const ModelGrid& grid, const LatentExtent& take) {
  const std::uint64_t pixels = pixels_of(grid, take.rows, take.columns);
  const std::uint64_t whole = pixels * kVaePixel * static_cast<std::uint64_t>(take.frames);
  return {kBaseMemory + pixels * kDraftPixel,
          std::min(kChunk, whole) + area(take.rows, take.columns) * kMiddleLatent};
}

TaskMemory picture_memory(std::uint64_t frame_pixels) {
  return {kBaseMemory + frame_pixels * kFramePixel, 0};
}

TaskMemory movie_memory(std::uint64_t frame_pixels) {
  const std::uint64_t ahead =
      std::min<std::uint64_t>(40, kLookahead / std::max<std::uint64_t>(1, frame_pixels));
  return {picture_memory(frame_pixels).host + (ahead + kMorePictures) * frame_pixels * kMoviePixel, 0};
}

TaskMemory decoded_clip_memory(std::uint64_t pixels) {
  const std::uint64_t half = pixels * kClipPixel / 2;  // what the VAE makes of it; and its light
  return {kBaseMemory + half, half};
}

double first_guess(Stage stage) {
  switch (stage) {
    case Stage::kEncode:
      return 1;  // a task is one unit
    case Stage::kDenoise:
    case Stage::kRefine:
      return 3e-4;  // a latent and step
    case Stage::kDecode:
    case Stage::kEnlarge:
      return 1e-6;  // a pixel
    case Stage::kCritique:
    case Stage::kFinish:
    case Stage::kDeliver:
      return 3e-7;
  }
  return 1;
}

}  // namespace rushes::scheduler
