// One critic of the table at work alone.
//
// Thread contract: pure functions.
#pragma once

#include <stdexcept>
#include <string>

#include "worker/critic/critics.h"

namespace rushes::worker::testing {

inline const Critic& critic_of(std::string_view name) {
  for (const Critic* row : critics())
    if (row->name == name) return *row;
  throw std::invalid_argument("no critic " + std::string(name));
}

inline Assessment judged_by(std::string_view name, ClipView clip, const CriticContext& context) {
  const Critic& row = critic_of(name);
  for (const config::CriticRule& rule : context.rules) {
    if (rule.name != name) continue;
    const auto judge = row.judge(context, rule);
    Meter meter;
    for (int t = 0; t < clip.frames(); ++t) {
      if (row.needs == Needs::kMotion) meter.add(clip.one(t));
      const Plane stops = row.needs == Needs::kStops ? stops_of(clip.one(t)) : Plane{};
      judge->see({t, clip.one(t), stops, meter});
    }
    return judge->conclude();
  }
  throw std::invalid_argument("no rule for " + std::string(name));
}

}  // namespace rushes::worker::testing
