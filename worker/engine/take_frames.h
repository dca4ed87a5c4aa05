// The decoded frames of one take, read run by run from the artifacts of its tiles.
//
// Only the frames that are asked for lie in memory: the tiles are memory-mapped and their pages leave this
// process after every read, so a reader of a whole take needs as much memory for 2,400 frames as for one.
//
// Thread contract: one thread.
#pragma once

#include <vector>

#include "worker/engine/artifacts.h"
#include "worker/engine/payload.h"

namespace rushes::worker {

class TakeFrames {
 public:
  // The delivered rectangle of `take`, of the highest level that the task has tiles of. Error: kInvalid when
  // the tiles do not cover it exactly, kCorrupt when one holds too few frames.
  static Result<TakeFrames> delivered(const Task& task, const LocalArtifacts& artifacts, int take);
  // All pixels that the draft of the task's take was rendered with, spare frames included. Errors as above.
  static Result<TakeFrames> rendered(const Task& task, const LocalArtifacts& artifacts);

  int width() const { return rect_.width; }
  int height() const { return rect_.height; }
  int frames() const { return frames_; }

  // Frames [run.begin, run.end), inside [0, frames()) (asserted), at the recipe's rate. All values are within
  // half. Error: kInvalid for a run that no clip holds.
  Result<Clip> read(Range run) const;

 private:
  struct Tile {
    Mapped mapped;
    PixelReader reader;
  };
  static Result<TakeFrames> open(const Task& task, const LocalArtifacts& artifacts, int take, int level,
                                 const Rect& rect, int frames);

  Rect rect_;  // pixels
  int frames_ = 0;
  config::Rate fps_;
  std::vector<Tile> tiles_;
};

}  // namespace rushes::worker
