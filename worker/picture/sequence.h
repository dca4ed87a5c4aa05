// Reading clips that lie in a folder as numbered frames: EXR (scene light) or PNG (display light).
//
// Thread contract: functions of their arguments.
#pragma once

#include <string>
#include <vector>

#include "config/result.h"
#include "worker/picture/exr.h"
#include "worker/picture/frames.h"

namespace rushes::worker {

// The files of one sequence, "PREFIX<number>.EXTENSION", sorted by number.
struct SequenceFiles {
  std::string folder;
  std::string prefix;     // up to the digits, for example "sh010_v001_lin_ap0_scene."
  std::string extension;  // "exr" or "png"
  std::vector<int> numbers;
  std::vector<std::string> paths;
};

// All sequences in one folder (not below it), by prefix and extension. A file without a number is a sequence
// of one with number -1. Hidden files are not looked at.
Result<std::vector<SequenceFiles>> find_sequences(const std::string& folder);

struct LoadedSequence {
  Clip clip;  // ACES2065-1
  SequenceFiles files;
  bool display_light = false;  // from PNG: decoded sRGB, not scene light (see png_image.h)
  ExrHeader header;            // of the first frame; empty for PNG
};

// `path` is a folder with exactly one sequence, or one frame of a sequence (the whole sequence is read).
// Numbers must be contiguous and all frames of one size; kInvalid otherwise, naming the file. The rate is the
// header's, or `fps` where there is none.
Result<LoadedSequence> load_sequence(const std::string& path, config::Rate fps = {});

}  // namespace rushes::worker
