#include "worker/model/middle_cache.h"

namespace rushes::worker {

void MiddleCache::select(const std::string& latents, const std::filesystem::path& folder) {
  if (latents == latents_) return;
  latents_ = latents;
  folder_ = folder;
  file_.reset();
  complete_ = false;
}

Status MiddleCache::read(std::uint64_t first, std::span<float> values) const {
  if (!complete_) return fail(ErrorKind::kInternal, "no features of these latents are kept");
  return file_->read(first, values);
}

void MiddleCache::restart() {
  complete_ = false;
  floats_ = 0;
  file_.reset();
  if (auto opened = Scratch::open(folder_)) file_.emplace(std::move(*opened));
}

void MiddleCache::append(std::span<const float> values) {
  if (!file_) return;
  if (file_->write(floats_, values)) {
    floats_ += values.size();
  } else {
    file_.reset();
  }
}

}  // namespace rushes::worker
