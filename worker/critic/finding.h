// What critics read and what they say: the vocabulary of all files in this folder.
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
#include "worker/picture/colour.h"

namespace rushes::worker {

// Frames [begin, end) of a take, counted from 0.
struct FrameSpan {
  int begin = 0, end = 0;
  int count() const { return end - begin; }
  bool operator==(const FrameSpan&) const = default;
};

// Normalised 0..1, origin at the top left, y down, as annotations are.
struct Box {
  float x = 0, y = 0, width = 1, height = 1;
  bool operator==(const Box&) const = default;
};

enum class Verdict { kUnknown, kPass, kRevise, kReject };
std::string_view to_string(Verdict verdict);  // "unknown", "pass", "revise", "reject"

struct CriticContext {
  int first_frame = 0;  // number in the take of the clip's first frame
  std::vector<FrameSpan>
      windows;                  // of the take, ascending, neighbours overlap; empty: one window over the clip
  bool expects_motion = false;  // the prompt asks for movement, so that a still clip is a fault
  std::optional<WorkingSpace> space;  // of the model's VAE: its code 1.0 is a ceiling that light clips at
  config::CriticRules rules = config::default_rules();
};

struct Finding {
  std::string dimension;  // name of the critic
  double severity = 0;    // 1 - score
  FrameSpan frames;       // of the take
  int window = 0;         // the window to render again
  Box box;
  std::string message;   // in words, for a person
  std::string remedy;    // what would help
  double evidence = 0;   // the measured number, in the critic's unit
  double threshold = 0;  // the limit it broke, same unit
  bool blocks = true;    // false: advice, which changed no verdict
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
Finding make_finding(const CriticContext& context, FrameSpan local, double score);

// The window that a remark on these frames (of the take) belongs to: the largest share of them, the later on
// a tie.
int window_at(const CriticContext& context, FrameSpan frames);

std::string words_of(FrameSpan frames);         // "frame 7", "frames 7-9"
std::string decimal(double value, int digits);  // fixed point

}  // namespace rushes::worker
