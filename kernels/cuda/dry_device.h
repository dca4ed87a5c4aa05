// A CUDA device that has memory by number only and computes nothing: what a backend asks of a GPU can be counted where
// there is none.
//
// The backend runs as on a GPU of compute capability 9.0, takes memory and queues its work; addresses are made up, work
// is dropped, uploads are not read and downloads give zeros. The libraries ask for the largest workspace that the
// backend allows them. So memory().peak_bytes of a dry run is what the same run takes on a GPU at most.
//
// Thread contract: callable from any thread.
#pragma once

#include <memory>

#include "kernels/cuda/device_api.h"

namespace rushes::kernels::cuda {

// Each is a device of its own; it outlives the backends that are made on it.
std::unique_ptr<DeviceApi> make_dry_device();

}  // namespace rushes::kernels::cuda
