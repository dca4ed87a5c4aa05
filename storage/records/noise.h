// Which seed makes the noise of a latent frame, when windows of a take were rendered again.
//
// A revision renders windows again with new noise while their neighbours stay: where a frame is shared with a window
// that stays, its noise stays too, so that both still describe the same light and the blend keeps its variance. The
// planner asks the same rule whether a revision changes any pixel.
//
// Thread contract: pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "storage/records/words.h"

namespace rushes {

// Latent frames of `windows` that lie in no window but the chosen ones, ascending.
std::vector<int> renewed_frames(std::span<const Range> windows, std::span<const std::uint32_t> chosen);

// The seed of latent frame t: of the newest revision that renewed it, else the take's.
std::uint64_t noise_seed(const Recipe& recipe, int t);

// Whether two recipes of a take differ in what they render: in the noise of a frame, or in the prompt of a window.
bool renders_otherwise(const Recipe& a, const Recipe& b);

}  // namespace rushes
