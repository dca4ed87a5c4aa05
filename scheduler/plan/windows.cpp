#include "scheduler/plan/windows.h"

#include <algorithm>
#include <cassert>

#include "scheduler/plan/numbers.h"

namespace rushes::scheduler {
namespace {

int ceil_div(int a, int b) { return (a + b - 1) / b; }

// [begin, end) in `parts` runs as even as they can be, longer ones first.
void split_evenly(int begin, int end, int parts, std::vector<Range>& out) {
  const int length = end - begin;
  for (int i = 0; i < parts; ++i) {
    const int size = length / parts + (i < length % parts ? 1 : 0);
    out.push_back({begin, begin + size});
    begin += size;
  }
}

void split_at_most(int begin, int end, int most, std::vector<Range>& out) {
  if (end > begin) split_evenly(begin, end, ceil_div(end - begin, most), out);
}

// Steps that start above kDriftSigma; sigmas fall, so they are the first ones.
int drifting_steps(const std::vector<float>& sigmas) {
  int steps = 0;
  while (steps + 1 < static_cast<int>(sigmas.size()) && sigmas[static_cast<std::size_t>(steps)] > kDriftSigma)
    ++steps;
  return steps;
}

// Even origins of tiles of `size` over `length`, overlapping by at least `shared`.
std::vector<int> origins(int length, int size) {
  if (size >= length) return {0};
  const int eighth = size / 8 / 2 * 2;
  const int shared = std::min(std::clamp(eighth, kMinTileOverlap, kMaxTileOverlap), (size - 1) / 2 * 2);
  const int stride = std::max(2, (size - shared) / 2 * 2);
  const int count = ceil_div(length - size, stride) + 1;
  std::vector<int> result;
  for (int i = 0; i < count; ++i) {
    // Evenly spread, rounded down to even; the last one touches the border.
    const auto at = static_cast<int>(static_cast<std::int64_t>(length - size) * i / (count - 1));
    result.push_back(i + 1 == count ? length - size : at / 2 * 2);
  }
  return result;
}

// Windows of about the same length, longer ones first, each sharing `shared` frames with the next.
std::vector<Range> even_windows(int length, int native, int shared) {
  const int count = ceil_div(length - shared, native - shared);
  if (count == 2) {  // the overlap takes the slack
    const int size = std::max(ceil_div(length, 2), std::min(native, length - kOwnFrames));
    return {{0, size}, {length - size, length}};
  }
  std::vector<Range> result;
  const int sum = length + (count - 1) * shared;  // of all lengths
  int begin = 0;
  for (int i = 0; i < count; ++i) {
    const int size = sum / count + (i < sum % count ? 1 : 0);
    result.push_back({begin, begin + size});
    begin += size - shared;
  }
  return result;
}

int own_frames(const std::vector<Range>& windows, std::size_t window) {
  const int begin = window > 0 ? windows[window - 1].end : windows[window].begin;
  const int end = window + 1 < windows.size() ? windows[window + 1].begin : windows[window].end;
  return end - begin;
}

bool all_have_own_frames(const std::vector<Range>& windows) {
  for (std::size_t window = 0; window < windows.size(); ++window)
    if (own_frames(windows, window) < kOwnFrames) return false;
  return true;
}

}  // namespace

std::vector<Range> cut_windows(int length, int native) {
  assert(length >= 1 && native >= 1);
  if (length <= native) return {{0, length}};
  for (int shared = std::min(kWindowOverlap, (native - kOwnFrames) / 2); shared > 0; --shared) {
    std::vector<Range> windows = even_windows(length, native, shared);
    if (all_have_own_frames(windows)) return windows;
  }
  return even_windows(length, native, 0);
}

std::vector<Range> cut_segments(const std::vector<float>& sigmas, int windows) {
  assert(sigmas.size() >= 2);
  const auto steps = static_cast<int>(sigmas.size() - 1);
  const int drifting = drifting_steps(sigmas);
  std::vector<Range> result;
  split_at_most(0, drifting, windows > 1 ? 1 : kSegmentSteps, result);
  split_at_most(drifting, steps, windows > 1 ? kSharedSegmentSteps : kSegmentSteps, result);
  return result;
}

std::vector<Range> cut_master_segments(const std::vector<float>& sigmas, bool alone) {
  assert(sigmas.size() >= 2);
  const auto steps = static_cast<int>(sigmas.size() - 1);
  std::vector<Range> result;
  split_at_most(0, steps, alone ? steps : kMasterSegmentSteps, result);
  return result;
}

std::uint32_t inner_checkpoint(const Sampling& sampling) {
  const auto count = static_cast<int>(sampling.segments.size());
  int last = count;
  for (int s = 0; s < count; ++s) {
    if (sampling.sigmas[sampling.segments[s].begin] > kDriftSigma) last = s;
  }
  return last + 1 >= count ? count : last;
}

std::vector<Rect> cut_tiles(int height, int width, int tile_height, int tile_width) {
  const int h = std::min(height, tile_height), w = std::min(width, tile_width);
  std::vector<Rect> result;
  for (const int y : origins(height, h)) {
    for (const int x : origins(width, w)) result.push_back({y, x, h, w});
  }
  return result;
}

std::vector<Rect> cut_decode_tiles(int height, int width, const ModelGrid& grid, int frames) {
  int down = std::max(1, ceil_div(height, std::max(1, kDecodeTilePixels / grid.stride_y)));
  int across = std::max(1, ceil_div(width, std::max(1, kDecodeTilePixels / grid.stride_x)));
  const std::int64_t latent_bytes =
      std::int64_t{grid.stride_y} * grid.stride_x * std::max(frames, 1) * kFrameBytes;
  const std::int64_t most = std::max<std::int64_t>(kMaxTileBytes / latent_bytes, 1);  // latents of a tile
  for (;;) {
    const int rows = ceil_div(height, down), columns = ceil_div(width, across);
    if (std::int64_t{rows} * columns <= most) break;
    ++(rows * grid.stride_y >= columns * grid.stride_x ? down : across);
  }
  std::vector<Range> rows, columns;
  split_evenly(0, height, down, rows);
  split_evenly(0, width, across, columns);
  std::vector<Rect> result;
  for (const Range& row : rows) {
    for (const Range& column : columns)
      result.push_back({row.begin, column.begin, row.size(), column.size()});
  }
  return result;
}

std::vector<Range> cut_runs(int frames) {
  std::vector<Range> result;
  split_at_most(0, frames, kFinishRun, result);
  return result;
}

bool overlap(const Range& a, const Range& b) { return a.begin < b.end && b.begin < a.end; }

bool overlap(const Rect& a, const Rect& b) {
  return a.y < b.y + b.height && b.y < a.y + a.height && a.x < b.x + b.width && b.x < a.x + a.width;
}

}  // namespace rushes::scheduler
