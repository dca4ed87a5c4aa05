#include "worker/engine/blend.h"

#include <algorithm>
#include <string>

namespace rushes::worker {
namespace {

// One axis of the pyramid: distances (in elements, + 1/2) of each position in [begin, end) to the part's
// inner edges.
std::vector<float> ramp(Range part, Range whole) {
  std::vector<float> weights;
  for (int i = part.begin; i < part.end; ++i) {
    const int far = whole.size() + 1;
    const int low = part.begin == whole.begin ? far : i - part.begin;
    const int high = part.end == whole.end ? far : part.end - 1 - i;
    weights.push_back(static_cast<float>(std::min(low, high)) + 0.5F);
  }
  return weights;
}

Range rows(const Rect& rect) { return {rect.y, rect.y + rect.height}; }
Range columns(const Rect& rect) { return {rect.x, rect.x + rect.width}; }
Range intersection(Range a, Range b) { return {std::max(a.begin, b.begin), std::min(a.end, b.end)}; }

// Where a part's row (t, y) begins, in elements, for x = rect.x and channel 0.
std::size_t row_offset(const Region& region, int t, int y) {
  return (static_cast<std::size_t>(t - region.t.begin) * static_cast<std::size_t>(region.rect.height) +
          static_cast<std::size_t>(y - region.rect.y)) *
         static_cast<std::size_t>(region.rect.width);
}

// Calls visit(target offset, part offset, t, y, x run) for every row that part and target share.
template <typename Visit>
void for_each_row(const Region& target, const Region& part, Visit visit) {
  const Range t_run = intersection(target.t, part.t);
  const Range y_run = intersection(rows(target.rect), rows(part.rect));
  const Range x_run = intersection(columns(target.rect), columns(part.rect));
  if (x_run.size() <= 0) return;
  for (int t = t_run.begin; t < t_run.end; ++t)
    for (int y = y_run.begin; y < y_run.end; ++y)
      visit(row_offset(target, t, y) + static_cast<std::size_t>(x_run.begin - target.rect.x),
            row_offset(part, t, y) + static_cast<std::size_t>(x_run.begin - part.rect.x), t, y, x_run);
}

Status check_sizes(int channels, std::span<const Part> parts) {
  for (const Part& part : parts)
    if (part.values.size() != part.region.volume() * static_cast<std::size_t>(channels))
      return fail(ErrorKind::kInvalid, "latents: a part of " + std::to_string(part.region.volume()) + " x " +
                                           std::to_string(channels) + " has " +
                                           std::to_string(part.values.size()) + " values");
  return {};
}

}  // namespace

Result<std::vector<float>> blend(const Region& target, const Region& whole, int channels,
                                 std::span<const Part> parts) {
  if (Status sizes = check_sizes(channels, parts); !sizes) return tl::unexpected(sizes.error());
  const std::size_t volume = target.volume();
  std::vector<float> weight(volume, 0.0F);
  std::vector<int> contributors(volume, 0);
  std::vector<float> sum(volume * static_cast<std::size_t>(channels), 0.0F);
  for (const Part& part : parts) {
    const std::vector<float> wt = ramp(part.region.t, whole.t);
    const std::vector<float> wy = ramp(rows(part.region.rect), rows(whole.rect));
    const std::vector<float> wx = ramp(columns(part.region.rect), columns(whole.rect));
    const std::size_t part_volume = part.region.volume();
    for_each_row(target, part.region, [&](std::size_t to, std::size_t from, int t, int y, Range x_run) {
      const float row = wt[static_cast<std::size_t>(t - part.region.t.begin)] *
                        wy[static_cast<std::size_t>(y - part.region.rect.y)];
      for (int x = x_run.begin; x < x_run.end; ++x, ++to, ++from) {
        const float w = row * wx[static_cast<std::size_t>(x - part.region.rect.x)];
        weight[to] += w;
        ++contributors[to];
        for (int c = 0; c < channels; ++c)
          sum[static_cast<std::size_t>(c) * volume + to] +=
              w * part.values[static_cast<std::size_t>(c) * part_volume + from];
      }
    });
  }
  if (std::find(contributors.begin(), contributors.end(), 0) != contributors.end())
    return fail(ErrorKind::kInvalid, "latents: the inputs do not cover the window");
  for (int c = 0; c < channels; ++c)
    for (std::size_t i = 0; i < volume; ++i) sum[static_cast<std::size_t>(c) * volume + i] /= weight[i];
  // Where one part stands alone, w*v/w may differ from v in the last bit: copy it.
  for (const Part& part : parts) {
    const std::size_t part_volume = part.region.volume();
    for_each_row(target, part.region, [&](std::size_t to, std::size_t from, int, int, Range x_run) {
      for (int x = x_run.begin; x < x_run.end; ++x, ++to, ++from) {
        if (contributors[to] != 1) continue;
        for (int c = 0; c < channels; ++c)
          sum[static_cast<std::size_t>(c) * volume + to] =
              part.values[static_cast<std::size_t>(c) * part_volume + from];
      }
    });
  }
  return sum;
}

Result<std::vector<float>> cut(const Region& target, int channels, const Part& part) {
  const Part parts[] = {part};
  return blend(target, target, channels, parts);
}

}  // namespace rushes::worker
