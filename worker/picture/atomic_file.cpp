#include "worker/picture/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <new>
#include <utility>

#include "config/file_kind.h"

namespace rushes::worker {
namespace {

tl::unexpected<Error> system_error(const std::string& path, const std::string& doing, int code) {
  ErrorKind kind = ErrorKind::kInternal;
  if (code == ENOENT || code == ENOTDIR) kind = ErrorKind::kNotFound;
  if (code == EACCES || code == EPERM || code == EROFS) kind = ErrorKind::kDenied;
  if (code == ENOSPC || code == EDQUOT || code == EMFILE || code == ENFILE || code == EFBIG) {
    kind = ErrorKind::kExhausted;
  }
  return fail(kind, path + ": cannot " + doing + ": " + std::strerror(code));
}

Status sync_folder(const std::filesystem::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return system_error(folder, "open the folder to sync it", errno);
  // Some network file systems cannot sync a folder (EINVAL): the rename itself is still atomic there.
  const int code = ::fsync(descriptor) == 0 ? 0 : errno;
  ::close(descriptor);
  if (code != 0 && code != EINVAL) return system_error(folder, "sync the folder", code);
  return {};
}

}  // namespace

Result<AtomicFile> AtomicFile::create(const std::string& path) {
  static std::atomic<unsigned> counter{0};
  const std::filesystem::path target(path);
  if (!target.has_filename()) return fail(ErrorKind::kInvalid, path + ": expected the name of a file");
  const std::string name = "." + target.filename().string() + ".part-" + std::to_string(::getpid()) + "-" +
                           std::to_string(counter.fetch_add(1));
  const std::string temporary = (target.parent_path() / name).string();
  const int descriptor = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (descriptor < 0) return system_error(path, "create the file", errno);
  return AtomicFile(descriptor, path, temporary);
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      path_(std::move(other.path_)),
      temporary_(std::move(other.temporary_)) {}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
}

Status AtomicFile::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return system_error(path_, "write", errno);
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Status AtomicFile::commit() {
  if (::fsync(descriptor_) != 0) return system_error(path_, "sync", errno);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0)
    return system_error(path_, "rename to the final name", errno);
  ::close(std::exchange(descriptor_, -1));
  const std::filesystem::path folder = std::filesystem::path(path_).parent_path();
  return sync_folder(folder.empty() ? "." : folder);
}

Status write_file(const std::string& path, std::string_view bytes) {
  auto file = AtomicFile::create(path);
  if (!file) return tl::unexpected<Error>(file.error());
  if (auto status = file->write(bytes); !status) return status;
  return file->commit();
}

Result<std::string> read_file(const std::string& path, std::size_t limit) {
  // A pipe would wait for its writer; reading a plain file is the same with this flag.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return system_error(path, "open", errno);
  struct stat info {};
  std::string bytes;
  int code = ::fstat(descriptor, &info) == 0 ? 0 : errno;
  const bool regular = code == 0 && S_ISREG(info.st_mode);
  const bool fits = regular && static_cast<std::uintmax_t>(info.st_size) <= limit;
  if (fits) {
    try {
      bytes.resize(static_cast<std::size_t>(info.st_size));
    } catch (const std::bad_alloc&) {
      ::close(descriptor);
      return fail(ErrorKind::kExhausted, path + ": not enough memory to read it");
    }
  }
  std::size_t have = 0;
  while (code == 0 && have < bytes.size()) {
    const ssize_t got = ::read(descriptor, bytes.data() + have, bytes.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) code = errno;
    if (got <= 0) break;
    have += static_cast<std::size_t>(got);
  }
  ::close(descriptor);
  if (!regular && (code == 0 || code == EISDIR))
    return fail(ErrorKind::kInvalid, path + ": expected a file, found " + config::kind_of_file(path));
  if (code != 0) return system_error(path, "read", code);
  if (!fits) {
    return fail(ErrorKind::kExhausted, path + ": expected at most " + std::to_string(limit) +
                                           " bytes, found " + std::to_string(info.st_size));
  }
  bytes.resize(have);  // it shrank while we read
  return bytes;
}

}  // namespace rushes::worker
