// How much memory a model's tensors take on a GPU, found without one: the model runs on a device that counts and
// computes nothing (kernels/cuda/dry_device.h), over a few sizes, and straight lines are laid through what it took.
//
// Thread contract: callable from any thread; a call holds the model's files open and a few hundred MiB of host memory.
#pragma once

#include "config/model.h"
#include "config/result.h"

namespace rushes::worker {

// Error: as Model::open.
Result<config::ModelMemory> measure_memory(const config::ModelManifest& manifest);

}  // namespace rushes::worker
