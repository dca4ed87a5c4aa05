// Windows in time, tiles in space, segments of steps: how a take is cut.
//
// Thread contract: pure functions.
#pragma once

#include <cstdint>
#include <vector>

#include "scheduler/plan/vocabulary.h"

namespace rushes::scheduler {

// Windows over `length` latent frames, none longer than `native`. They cover everything; at least kOwnFrames frames of
// each belong to no other window, so that it can be rendered again alone (native >= 3); windows that are not
// neighbours never overlap, so a frame is in at most two windows and the stencil (w-1, w, w+1) is exact. Neighbours
// overlap by kWindowOverlap frames, fewer where the own frames leave no room. Two windows are as long as that allows;
// more share the length evenly, longer ones first. length >= 1, native >= 1.
std::vector<Range> cut_windows(int length, int native);

// Runs of denoise steps between checkpoints. windows > 1: one step each while the step starts above
// kDriftSigma. A boundary always lies where sigma falls to kDriftSigma.
std::vector<Range> cut_segments(const std::vector<float>& sigmas, int windows);
// Of the upgrade: at most kMasterSegmentSteps each; one segment when there is one tile and one window.
std::vector<Range> cut_master_segments(const std::vector<float>& sigmas, bool alone);
// The segment after which a gated shot's inner checkpoint lies: the last that starts above kDriftSigma, or
// none (segments.size()) when that is the last segment or there is no such.
std::uint32_t inner_checkpoint(const Sampling& sampling);

// Overlapping refine tiles over a height x width latent grid, each tile_height x tile_width (or the grid
// where that is smaller), row by row. Origins are even (patch 2x2); the first and last touch the border.
std::vector<Rect> cut_tiles(int height, int width, int tile_height, int tile_width);
// Disjoint decode tiles that cover the grid, at most kDecodeTilePixels a side, row by row; smaller ones where the
// `frames` of a tile would not fit into one artifact.
std::vector<Rect> cut_decode_tiles(int height, int width, const ModelGrid& grid, int frames);

// Runs of at most kFinishRun frames that cover [0, frames), as even as they can be.
std::vector<Range> cut_runs(int frames);

bool overlap(const Range& a, const Range& b);
bool overlap(const Rect& a, const Rect& b);

}  // namespace rushes::scheduler
