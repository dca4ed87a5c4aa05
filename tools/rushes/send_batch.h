// A shot file on its way to the farm, with the pictures that it names: they are read here, relative to the file, and sent
// first; the batch names them by their digests. The farm opens no path of a client.
//
// Thread contract: one thread.
#pragma once

#include "tools/rushes/verbs.h"

namespace rushes::tools {

// The farm's answer to the batch. Errors: kInvalid, kNotFound of a file; those of the farm.
Result<Json> send_batch(Client& farm, const SubmitOptions& options);

}  // namespace rushes::tools
