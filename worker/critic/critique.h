// The measured critics together: from frames to a verdict per window and per take.
//
// A window's score in a dimension is the worst evidence inside its frames; the take's score is the worst of
// all. The verdict is `reject` when any score is below that critic's `reject`, else `revise` when any is
// below `revise`, else `pass`; `unknown` when there was nothing to judge.
//
// Thread contract: pure functions; the same clip and context give the same critique, bit for bit, except for
// compute_seconds (which is therefore not part of the JSON).
#pragma once

#include <string>
#include <vector>

#include "worker/critic/finding.h"
#include "worker/picture/frames.h"

namespace rushes::worker {

// Changes when a critic's numbers change.
inline constexpr std::string_view kCriticsVersion = "flicker/1 freeze/1 exposure/1 light/1 seam/1";

struct DimensionScore {
  CriticName dimension = CriticName::kFlicker;
  double score = 1;
  double threshold = kReviseBelow;  // the `revise` in force
};

struct WindowCritique {
  int window = 0;
  FrameSpan frames;
  Verdict verdict = Verdict::kUnknown;
  double score = 1;
};

struct Critique {
  Verdict verdict = Verdict::kUnknown;
  double score = 1;                        // the worst dimension's
  std::vector<DimensionScore> dimensions;  // of the critics that ran, in the order of kCritics
  std::vector<WindowCritique> windows;
  std::vector<Finding> findings;  // worst first
  std::string critics{kCriticsVersion};
  double compute_seconds = 0;
};

// Judges a clip: a whole take, or a part of it that begins at context.first_frame.
Critique critique(ClipView clip, const CriticContext& context);

// JSON of the HTTP API and of the critique artifact:
// {"verdict": "pass|revise|reject|unknown", "score": 0..1, "critics": "...",
//  "dimensions": [{"dimension", "score", "threshold"}],
//  "windows": [{"window", "frames": [first, last], "verdict", "score"}],
//  "findings": [{"dimension", "severity", "frames": [first, last], "window", "box": [x, y, width, height],
//  "message",
//                "remedy", "evidence", "threshold"}]}     frames count from 0, both ends included
std::string to_json(const Critique& critique);

}  // namespace rushes::worker
