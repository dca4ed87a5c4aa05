// rushes-worker from its arguments to its exit code; its main() does nothing else.
//
// A library of its own so that tests run the same program on a GPU that they install first (kernels/cuda/device_api.h).
//
// Thread contract: on the main thread, before any other one is started.
#pragma once

namespace rushes::worker {

int run_program(int count, char** words);

}  // namespace rushes::worker
