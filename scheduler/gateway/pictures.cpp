#include "scheduler/gateway/pictures.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/file_kind.h"
#include "config/path_map.h"
#include "config/picture.h"
#include "config/whole_picture.h"

namespace rushes::scheduler {
namespace {

namespace fs = std::filesystem;

// A file that was open before its path was checked could be another one than the path says.
class OpenFile {
 public:
  explicit OpenFile(const fs::path& path)
      : file_(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)) {}
  ~OpenFile() {
    if (file_ >= 0) ::close(file_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  // Bytes; nothing: it is no plain file, or not the one at `path`.
  std::optional<std::uint64_t> size_at(const fs::path& path) const {
    struct stat info {};
    std::error_code code;
    if (file_ < 0 || ::fstat(file_, &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
    if (fs::read_symlink("/proc/self/fd/" + std::to_string(file_), code) != path || code) return std::nullopt;
    return static_cast<std::uint64_t>(info.st_size);
  }
  std::string read(std::uint64_t bytes) const {
    std::string text(bytes, '\0');
    std::size_t done = 0;
    for (ssize_t got;
         done < text.size() && (got = ::read(file_, text.data() + done, text.size() - done)) > 0;)
      done += static_cast<std::size_t>(got);
    text.resize(done);
    return text;
  }

 private:
  const int file_;
};

// `wanted` lies below `root` as it is written; links may still lead elsewhere.
Result<std::string> read_below(const fs::path& wanted, const fs::path& root) {
  const auto missing =
      fail(ErrorKind::kInvalid, "expected a PNG or EXR file below picture_roots; there is none of this name");
  std::error_code code;
  const fs::path base = fs::canonical(root, code);
  if (code) return missing;
  const fs::path resolved = fs::canonical(wanted, code);
  if (code || !config::lies_below(resolved, base)) return missing;
  const OpenFile file(resolved);
  const auto size = file.size_at(resolved);
  if (!size) {
    const std::string found = config::kind_of_file(resolved);
    if (found == "a file" || found == "no file") return missing;  // or no longer the one that was there
    return fail(ErrorKind::kInvalid, "expected a PNG or EXR file below picture_roots, found " + found);
  }
  if (*size > config::kMaxPictureBytes)
    return tl::unexpected<Error>(config::check_picture("", *size).error());
  return file.read(*size);
}

Result<StoredPicture> sent_picture(const config::KeyFrame& key, const Digest& digest,
                                   const PictureSources& sources, bool dry_run) {
  const auto found = sources.vault.find(digest);
  if (!found) return tl::unexpected<Error>(found.error());
  if (!*found)
    return fail(ErrorKind::kInvalid, "the farm does not have " + to_hex(digest) +
                                         "; send it with POST /v1/pictures/" + to_hex(digest));
  const KeyFrame picture{key.frame, digest, (*found)->bytes};
  // It may have been sent long ago: no sweep takes it before the shot refers to it.
  if (!dry_run)
    if (const auto renewed = sources.vault.renew(digest); !renewed)
      return tl::unexpected<Error>(renewed.error());
  if (const auto load = sources.check.known(digest)) return StoredPicture{picture, *load};
  const auto begin = sources.vault.read(digest, 0, config::kPictureBegin);
  if (!begin) return tl::unexpected<Error>(begin.error());
  if (const auto checked = config::check_picture(*begin, picture.bytes); !checked)
    return tl::unexpected<Error>(checked.error());
  const auto bytes = sources.vault.read_all(digest, config::kMaxPictureBytes);
  if (!bytes) return tl::unexpected<Error>(bytes.error());
  const auto load = sources.check.check(digest, *bytes);
  if (!load) return tl::unexpected<Error>(load.error());
  return StoredPicture{picture, *load};
}

Result<StoredPicture> rooted_picture(const config::KeyFrame& key, const PictureSources& sources,
                                     bool dry_run) {
  for (const fs::path& root : sources.roots) {
    if (!key.image.is_absolute() || !config::lies_below(key.image, root)) continue;
    const auto bytes = read_below(key.image, root);
    if (!bytes) return tl::unexpected<Error>(bytes.error());
    const Digest digest = digest_of(*bytes);
    const auto load = sources.check.check(digest, *bytes);
    if (!load) return tl::unexpected<Error>(load.error());
    if (!dry_run)
      if (const auto kept = sources.vault.put(*bytes); !kept) return tl::unexpected<Error>(kept.error());
    return StoredPicture{{key.frame, digest, bytes->size()}, *load};
  }
  return fail(ErrorKind::kInvalid,
              "the farm opens no file that a client names: send it with the batch, as `rushes submit` does, "
              "or put it below a folder that farm.yaml lists as picture_roots");
}

}  // namespace

std::optional<config::PictureLoad> PictureCheck::known(const Digest& digest) {
  const std::lock_guard lock(mutex_);
  const auto found = known_.find(digest);
  if (found == known_.end()) return std::nullopt;
  return found->second;
}

Result<config::PictureLoad> PictureCheck::check(const Digest& digest, const std::string& bytes) {
  if (const auto load = known(digest)) return *load;
  const auto load = [&] {
    const std::lock_guard one(decoding_);
    return config::check_whole_picture(bytes);
  }();
  if (!load) return load;
  const std::lock_guard lock(mutex_);
  if (known_.size() >= kMaxKnown) known_.clear();
  known_[digest] = *load;
  return load;
}

Result<StoredPicture> find_picture(const config::KeyFrame& key, const PictureSources& sources, bool dry_run) {
  const std::string name = key.image.generic_string();
  const auto sent = sources.sent.find(name);
  auto picture = sent != sources.sent.end() ? sent_picture(key, sent->second, sources, dry_run)
                                            : rooted_picture(key, sources, dry_run);
  if (!picture) return with_context(picture.error(), "picture " + name);
  return picture;
}

}  // namespace rushes::scheduler
