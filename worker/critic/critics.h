// The critics, one function and one file each. Which fault each one looks for, how, and where its limit comes
// from is written at the top of its file.
//
// Thread contract: pure functions; many threads may share one set of measures.
#pragma once

#include "worker/critic/finding.h"
#include "worker/critic/measure.h"

namespace rushes::worker {

Assessment judge_flicker(const Measures& measures, const CriticContext& context);
Assessment judge_freeze(const Measures& measures, const CriticContext& context);
Assessment judge_exposure(const Measures& measures, const CriticContext& context);
Assessment judge_light(ClipView clip, const CriticContext& context);
Assessment judge_seam(const Measures& measures, const CriticContext& context);

}  // namespace rushes::worker
