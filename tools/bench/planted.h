// Faults that are planted into clips without any: what critics are measured with.
//
// Each kind has three strengths: faint (a trained eye sees it), plain (anybody does), strong.
//
// Thread contract: constants and pure functions.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "storage/records/words.h"
#include "tools/bench/footage.h"

namespace rushes::bench {

inline constexpr int kStrengths = 3;
inline constexpr const char* kStrengthNames[kStrengths] = {"faint", "plain", "strong"};

enum class Wants { kAny, kMotion, kTravel };  // of the clip: without it the fault would not be one

struct Kind {
  const char* name;
  std::vector<std::string_view> dimensions;  // critics whose finding names it
  Wants wants;
  Range (*plant)(worker::Clip& clip, int strength, scene::Random& random);  // the frames that show it
};

std::span<const Kind> planted_kinds();

// Where windows of these clips meet: faults of the second window begin there.
inline constexpr Range kWindows[] = {{0, 21}, {13, kFootageFrames}};

}  // namespace rushes::bench
