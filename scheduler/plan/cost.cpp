#include "scheduler/plan/cost.h"

#include <algorithm>

namespace rushes::scheduler {

double sampling_work(std::uint64_t latents, std::uint32_t steps, float guidance) {
  return static_cast<double>(latents) * steps * (guidance == 1.0f ? 1 : 2);
}

TaskMemory sampling_memory(const ModelGrid& grid, std::uint64_t latents) {
  return {kBaseMemory, grid.memory.step_bytes(latents)};
}

namespace {

constexpr std::uint64_t kChunk = config::ModelMemory::kVaeChunk;
// Of a model whose manifest says nothing: Tabletop's VAE (widths 16 to 64) on a CPU.
constexpr int kHalo = 13;                  // latents around a decode tile
constexpr std::uint64_t kVaePixel = 1024;  // bytes: a pixel of a tile, of all frames of one latent
constexpr std::uint64_t kDraftPixel = 8;   // bytes a pixel of the master: the draft's frames of one latent
constexpr std::uint64_t kFramePixel = 72;  // bytes: fp32 light and code, halves, planes, a packed file
constexpr std::uint64_t kClipPixel = 32;   // bytes: what the VAE gives, and its light
constexpr std::uint64_t kKeyPixel = 40;    // bytes: a picture scaled to the frame, its codes in two layouts
constexpr double kReadPixel = 1e-7;        // seconds: a pixel of a picture unpacked, made light of and summed
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
  const std::uint64_t frame = area(take.rows, take.columns);
  if (grid.memory.measured)
    return {kBaseMemory, grid.memory.decode_bytes(area(tile.height, tile.width), frame,
                                                  static_cast<std::uint64_t>(take.frames))};
  const int rows = std::min(take.rows, tile.height + 2 * kHalo),
            columns = std::min(take.columns, tile.width + 2 * kHalo);
  const std::uint64_t one = pixels_of(grid, rows, columns) * kVaePixel;
  const std::uint64_t whole = one * static_cast<std::uint64_t>(take.frames);
  return {kBaseMemory, std::max(one, std::min(kChunk, whole)) + frame * grid.memory.frame_latent};
}

TaskMemory encode_memory(const ModelGrid& grid, const LatentExtent& take) {
  const std::uint64_t pixels = pixels_of(grid, take.rows, take.columns),
                      frame = area(take.rows, take.columns);
  const auto frames = static_cast<std::uint64_t>(take.frames);
  const std::uint64_t host = kBaseMemory + pixels * kDraftPixel;
  if (grid.memory.measured) return {host, grid.memory.encode_bytes(frame, frames)};
  return {host, std::min(kChunk, pixels * kVaePixel * frames) + frame * grid.memory.frame_latent};
}

std::uint64_t reading_memory(const config::PictureLoad& pictures, std::uint64_t frame_pixels) {
  return pictures.memory + frame_pixels * kKeyPixel;
}

double reading_seconds(const config::PictureLoad& pictures) {
  return static_cast<double>(pictures.pixels) * kReadPixel;
}

TaskMemory picture_memory(std::uint64_t frame_pixels) {
  return {kBaseMemory + frame_pixels * kFramePixel, 0};
}

TaskMemory movie_memory(std::uint64_t frame_pixels) {
  const std::uint64_t ahead =
      std::min<std::uint64_t>(40, kLookahead / std::max<std::uint64_t>(1, frame_pixels));
  return {picture_memory(frame_pixels).host + (ahead + kMorePictures) * frame_pixels * kMoviePixel, 0};
}

TaskMemory decoded_clip_memory(const ModelGrid& grid, std::uint64_t frame_latents, std::uint64_t frames) {
  const std::uint64_t bytes = frame_latents * area(grid.stride_y, grid.stride_x) * frames * kClipPixel;
  if (!grid.memory.measured) return {kBaseMemory + bytes / 2, bytes / 2};
  return {kBaseMemory + bytes,
          grid.memory.decode_bytes(frame_latents, frame_latents,
                                   frames / static_cast<std::uint64_t>(grid.stride_t) + 1)};
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
