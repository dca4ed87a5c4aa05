// Overlapping windows and tiles as one volume of latents.
//
// Neighbouring windows and tiles overlap; whoever reads their latents blends them over the overlap, always in
// the same way. The weight of a part at an element is the product over t, y and x of its distance to the
// part's nearest inner edge (a pyramid, as context windows do); an edge on the border of the take
// counts as infinitely far. Weights are divided by their sum, so that where one part stands alone it is
// copied bit for bit.
//
// Sums run over the parts in the order given and in fp32: the same parts give the same bits everywhere.
//
// Thread contract: pure functions.
#pragma once

#include <span>
#include <vector>

#include "worker/engine/task.h"

namespace rushes::worker {

// A box of a take's latents, absolute coordinates.
struct Region {
  Range t;
  Rect rect;
  std::size_t volume() const {
    return static_cast<std::size_t>(t.size()) * static_cast<std::size_t>(rect.height) *
           static_cast<std::size_t>(rect.width);
  }
  bool operator==(const Region&) const = default;
};

// `values` are [channels, T, H, W] over `region`.
struct Part {
  Region region;
  std::span<const float> values;
};

// The latents of `target` from parts that together cover it; `whole` is the volume of the take at this level.
// Error: kInvalid when an element is covered by no part or a part has the wrong size.
Result<std::vector<float>> blend(const Region& target, const Region& whole, int channels,
                                 std::span<const Part> parts);

// The box of `target` out of a part that covers it. Error: kInvalid when it does not.
Result<std::vector<float>> cut(const Region& target, int channels, const Part& part);

}  // namespace rushes::worker
