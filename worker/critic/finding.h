// What critics read and what they measure; what they say is in storage/records/words.h.
//
// Scores run from 0 (worst) to 1 (faultless). Every critic measures one physical quantity, its evidence, and
// has one documented limit for it; score_of() turns evidence into a score so that evidence at the limit
// scores 0.5 for all of them. Verdicts compare scores with the rules in force (config/critics.h).
//
// Thread contract: plain values and pure functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/critics.h"
#include "storage/records/words.h"
#include "worker/picture/colour.h"

namespace rushes::worker {

struct CriticContext {
  int first_frame = 0;  // of the clip, in the take's frames from 0
  int start_frame = 0;  // what people call the take's frame 0: the number of its EXR file
  // In frames of the take, ascending, neighbours overlap; empty: one window over the clip.
  std::vector<Range> windows;
  bool expects_motion = false;        // the prompt asks for movement, so that a still clip is a fault
  std::optional<WorkingSpace> space;  // of the model's VAE: its code 1.0 is a ceiling that light clips at
  config::CriticRules rules = config::default_rules();
};

// What one critic found in one clip.
struct Assessment {
  bool known = true;              // false: the clip is too short for this critic
  double limit = 1;               // evidence that scores 0.5
  std::vector<double> evidence;   // one number per frame of the clip, >= 0
  std::vector<Finding> findings;  // those whose score is below the rule's `revise`
};

// 1 / (1 + (evidence / limit)^2): 1 without evidence, 0.5 at the limit, 0.1 at three times the limit; 0 for
// NaN.
double score_of(double evidence, double limit);
// The evidence at which score_of() gives `score`; score in (0, 1).
double evidence_of(double score, double limit);

// Whether the words of a prompt ask for movement ("moves", "pans", "rolls", ...).
bool asks_for_motion(std::string_view prompt);

// A finding on frames of the clip: severity, the take's frames and window filled in, the rest left to the critic.
Finding make_finding(const CriticContext& context, Range local, double score);

// The window that a remark on these frames (of the take) belongs to: the largest share of them, the later on
// a tie.
int window_at(const CriticContext& context, Range frames);

// Frames of the take as people count them, by the numbers of their EXR files: "frame 1008", "frames 1008-1010".
std::string words_of(const CriticContext& context, Range frames);
std::string decimal(double value, int digits);  // fixed point

}  // namespace rushes::worker
