// Pictures of shots: where the farm takes them from.
//
// The server opens no path that a client names. A picture was sent before (POST /v1/pictures/DIGEST) and is named by its
// digest, or it lies below one of the `picture_roots` of farm.yaml. Any other path is refused without a look at the
// disk, so that nobody learns what lies there.
//
// Every picture is decoded before a shot has it: a broken one is refused here and not by a worker.
//
// Thread contract: HTTP threads; functions of their arguments, the vault and the files below the roots. One PictureCheck
// serves all threads.
#pragma once

#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "config/picture.h"
#include "config/shot.h"
#include "scheduler/plan/vocabulary.h"
#include "storage/vault.h"

namespace rushes::scheduler {

// Decodes one picture at a time, so that memory is bounded, and remembers the good ones.
class PictureCheck {
 public:
  // The load of `bytes`, which have this digest, if they are a picture that a worker can read. Error: kInvalid,
  // kExhausted.
  Result<config::PictureLoad> check(const Digest& digest, const std::string& bytes);
  std::optional<config::PictureLoad> known(const Digest& digest);  // of one that is good

 private:
  static constexpr std::size_t kMaxKnown = 4096;  // then all are forgotten
  std::mutex decoding_;
  std::mutex mutex_;
  std::map<Digest, config::PictureLoad> known_;  // guarded by mutex_
};

struct PictureSources {
  const std::map<std::string, Digest>& sent;  // by the path that the shot file has, lexically normal
  const std::vector<std::filesystem::path>& roots;
  storage::Vault& vault;
  PictureCheck& check;
};

// The picture of a key frame, in the vault; with `dry_run` one from a root is not kept. Error: kInvalid says what to do.
Result<StoredPicture> find_picture(const config::KeyFrame& key, const PictureSources& sources, bool dry_run);

}  // namespace rushes::scheduler
