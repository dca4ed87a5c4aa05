// What the core needs of farm.yaml.
//
// Thread contract: plain values, set once before the first decision.
#pragma once

#include <vector>

#include "config/farm.h"

namespace rushes::scheduler {

struct Settings {
  config::Times times;
  config::Retries retries;
  config::Limits limits;
  std::vector<config::Show> shows;  // a show that is not listed has weight 1, no floor and any numeric class
  config::Scheduling scheduling;
  config::CriticRules critics = config::default_rules();  // of shots that are submitted from now on
  config::Retention retention = {};                       // of shows that do not say
};
inline Settings settings_of(const config::Farm& farm) {
  return {farm.times, farm.retries, farm.limits, farm.shows, farm.scheduling, farm.critics, farm.retention};
}

}  // namespace rushes::scheduler
