// Pictures of shots: where the farm takes them from.
//
// The server opens no path that a client names. A picture was sent before (POST /v1/pictures/DIGEST) and is named by its
// digest, or it lies below one of the `picture_roots` of farm.yaml. Any other path is refused without a look at the
// disk, so that nobody learns what lies there.
//
// Thread contract: HTTP threads; functions of their arguments, the vault and the files below the roots.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "config/shot.h"
#include "scheduler/plan/vocabulary.h"
#include "storage/vault.h"

namespace rushes::scheduler {

struct PictureSources {
  const std::map<std::string, Digest>& sent;  // by the path that the shot file has, lexically normal
  const std::vector<std::filesystem::path>& roots;
  storage::Vault& vault;
};

// The picture of a key frame, in the vault; with `dry_run` one from a root is not kept. Error: kInvalid says what to do.
Result<KeyFrame> find_picture(const config::KeyFrame& key, const PictureSources& sources, bool dry_run);

}  // namespace rushes::scheduler
