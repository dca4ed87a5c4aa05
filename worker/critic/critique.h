// The critics together: from frames to a verdict per window and per take.
//
// A window's score in a dimension is the worst evidence inside its frames; the take's score is the worst of
// all. The verdict is `reject` when any score is below that critic's `reject`, else `revise` when any is
// below `revise`, else `pass`; `unknown` when there was nothing to judge. Verdicts, and the scores of windows and
// takes, are those of the critics that block; a critic that advises adds its dimension and its findings, nothing
// else.
//
// Thread contract: pure functions and a Panel for one thread; the same clip and context give the same critique, bit
// for bit, except for compute_seconds (which is therefore not part of the JSON).
#pragma once

#include <string>
#include <vector>

#include "worker/critic/critics.h"
#include "worker/picture/frames.h"

namespace rushes::worker {

struct WindowCritique {
  int window = 0;
  Range frames;
  Verdict verdict = Verdict::kUnknown;
  double score = 1;
};

// A critique and what it says of each window. Dimensions are those of the critics that could judge the clip, in the
// table's order; findings that block come first, then the worst; critics are such as "flicker/1 freeze/1".
struct ClipCritique : Critique {
  std::vector<WindowCritique> windows;
  int start_frame = 0;  // as CriticContext
};

// The enabled critics of a table at work on one clip, which they get in runs of frames: a whole take, or a part of it
// that begins at context.first_frame. Memory does not grow with the clip but for a few numbers a frame.
class Panel {
 public:
  explicit Panel(CriticContext context, CriticTable table = critics());
  Panel(const Panel&) = delete;
  Panel& operator=(const Panel&) = delete;

  void see(ClipView frames);  // the next frames of the clip, all of one size
  ClipCritique conclude();    // once, after the last frame

 private:
  struct Seat {
    const Critic& row;
    const config::CriticRule& rule;
    std::unique_ptr<Judge> judge;
    Assessment assessment;  // of conclude()
  };
  std::pair<Verdict, double> verdict_on(Range frames) const;  // and the worst score of those that block
  CriticContext context_;
  std::vector<Seat> seats_;
  bool measures_ = false, logs_ = false;  // some critic needs kMotion, kStops
  Meter meter_;
  Plane stops_;     // of the frame at hand
  int frames_ = 0;  // seen
  double seconds_ = 0;
};

// Judges a clip at once.
ClipCritique critique(ClipView clip, const CriticContext& context, CriticTable table = critics());

// The rules of a task. A critic that this build does not know belongs to a newer scheduler: it is left out where it is off
// or only advises. Error: kInvalid, one that blocks.
Result<config::CriticRules> rules_of(const std::vector<CriticSetting>& settings);

// The names of the critics that are enabled, for people: "flicker, freeze, light".
std::string names_of(const config::CriticRules& rules);

// JSON of the HTTP API and of the critique artifact:
// {"verdict": "pass|revise|reject|unknown", "score": 0..1 | null: unknown, "critics": "...",
//  "dimensions": [{"dimension", "score", "threshold", "reject", "blocks"}],
//  "windows": [{"window", "frames": [first, last], "exr_frames": [first, last], "verdict", "score"}],
//  "findings": [{"dimension", "severity", "frames": [first, last], "exr_frames": [first, last], "window",
//                "box": [x, y, width, height], "message", "remedy", "evidence", "threshold", "blocks"}]}
// Both ends included; frames count from 0, exr_frames are the numbers of the EXR files.
std::string to_json(const ClipCritique& critique);

}  // namespace rushes::worker
