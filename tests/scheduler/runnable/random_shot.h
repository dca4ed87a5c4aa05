// Shots and models at random: everything that a studio may write down, small and large, possible and not.
//
// Thread contract: inside rc::check only.
#pragma once

#include <rapidcheck.h>

#include "config/model.h"
#include "config/shot.h"

namespace rushes::scheduler {

struct Asked {
  config::Shot shot;
  config::ModelManifest model;
};

// Within the bounds of the files' readers; whether the farm can make it is for the planner to say.
Asked random_shot();

}  // namespace rushes::scheduler
