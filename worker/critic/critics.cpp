#include "worker/critic/critics.h"

#include <algorithm>
#include <array>

namespace rushes::worker {

// Each is defined in the file of its name.
extern const Critic kFlicker, kFreeze, kExposure, kLight, kSeam, kSharpness, kTint, kJudder, kHotPixels,
    kGrid, kBanding, kNoise;

CriticTable critics() {
  static constexpr std::array<const Critic*, 12> kTable{&kFlicker,   &kFreeze,    &kExposure, &kLight,
                                                        &kSeam,      &kSharpness, &kTint,     &kJudder,
                                                        &kHotPixels, &kGrid,      &kBanding,  &kNoise};
  return kTable;
}

Status check_critics(CriticTable table) {
  std::string problems;
  const auto missing = [&](std::string_view name, const char* where) {
    problems +=
        (problems.empty() ? "critic \"" : "; critic \"") + std::string(name) + "\": missing in " + where;
  };
  for (const Critic* row : table)
    if (config::find_critic(row->name) == nullptr) missing(row->name, "config/critics.h");
  for (const config::KnownCritic& known : config::kCritics)
    if (std::none_of(table.begin(), table.end(), [&](const Critic* row) { return row->name == known.name; }))
      missing(known.name, "worker/critic/critics.cpp");
  if (!problems.empty()) return fail(ErrorKind::kInternal, problems);
  return {};
}

}  // namespace rushes::worker
