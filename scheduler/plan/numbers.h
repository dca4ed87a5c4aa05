// The planner's numbers, each with its reason.
//
// Thread contract: constants.
#pragma once

#include <cstdint>

#include "config/limits.h"

namespace rushes::scheduler {

// Windows drift apart while noise is high: above this level neighbours exchange latents after every step.
// It is also where a gated shot's inner checkpoint lies: what is where is decided by then.
inline constexpr float kDriftSigma = 0.7f;

// Steps between two checkpoints, at most. A checkpoint costs one task's overhead (load, store, dispatch) and
// gives one place to go on after a fault or a preemption.
inline constexpr int kSegmentSteps = 10;       // one window: no neighbour waits for its latents
inline constexpr int kSharedSegmentSteps = 4;  // several windows, below kDriftSigma
inline constexpr int kMasterSegmentSteps = 2;  // of a tiled upgrade: tiles are blended every second step

// Latent frames that neighbouring windows share: peers use 16 frames, 4 latents, of 81. Latent frames of a window
// that belong to no other: they are what changes when the window is rendered again alone.
inline constexpr int kWindowOverlap = 5, kOwnFrames = 2;

// Latent pixels that neighbouring refine tiles share: an eighth of the tile, even, within these bounds.
inline constexpr int kMinTileOverlap = 2, kMaxTileOverlap = 6;

// Side of a decode tile in pixels. The halo (13 latents for Wan 2.1) is decoded twice, so tiles stay large.
inline constexpr int kDecodeTilePixels = 512;

// Frames of one finish task: enough to amortise fetching the tiles, few enough to spread over workers.
inline constexpr int kFinishRun = 16;

// Bytes of a decoded pixel in an artifact (three halves), and of the frames of one tile at most.
inline constexpr std::int64_t kFrameBytes = 6, kMaxTileBytes = kMaxArtifactBytes - (1 << 20);

}  // namespace rushes::scheduler
