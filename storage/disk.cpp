#include "storage/disk.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>

namespace rushes::storage {
namespace {

namespace fs = std::filesystem;

tl::unexpected<Error> failure(const fs::path& path, const std::string& what, const std::error_code& code) {
  const bool full = code == std::errc::no_space_on_device || code.value() == EDQUOT;
  const bool denied = code == std::errc::permission_denied || code == std::errc::read_only_file_system;
  return fail(full     ? ErrorKind::kExhausted
              : denied ? ErrorKind::kDenied
                       : ErrorKind::kInternal,
              path.string() + ": " + what + ": " + code.message());
}

}  // namespace

Result<std::uint64_t> free_bytes(const std::filesystem::path& folder) {
  std::error_code code;
  const auto space = std::filesystem::space(folder, code);
  if (code)
    return fail(ErrorKind::kNotFound, folder.string() + ": cannot see its free space: " + code.message());
  return space.available;
}

Status check_reserve(const std::filesystem::path& folder, std::uint64_t reserve) {
  const auto free = free_bytes(folder);
  if (!free) return tl::unexpected<Error>(free.error());
  if (*free >= reserve) return {};
  return fail(ErrorKind::kExhausted,
              folder.string() + ": " + std::to_string(*free >> 20) + " MiB free, " +
                  std::to_string(reserve >> 20) +
                  " MiB are kept in reserve (limits.disk_reserve); free some space first");
}

Result<FolderSize> size_of(const fs::path& folder, const std::atomic<bool>* canceled) {
  FolderSize size;
  std::error_code code;
  for (fs::recursive_directory_iterator it(folder, code), end; !code && it != end; it.increment(code)) {
    if (canceled != nullptr && *canceled)
      return fail(ErrorKind::kUnreachable, folder.string() + ": counting it was canceled");
    std::error_code gone;
    if (!it->is_regular_file(gone)) continue;
    const auto bytes = it->file_size(gone);
    if (gone) continue;
    size.bytes += bytes;
    ++size.files;
  }
  if (code) return fail(ErrorKind::kNotFound, folder.string() + ": cannot be read: " + code.message());
  return size;
}

Status sync_path(const fs::path& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool synced = file >= 0 && ::fsync(file) == 0;
  const std::error_code code(errno, std::generic_category());
  if (file >= 0) ::close(file);
  if (!synced) return failure(path, "cannot be synced", code);
  return {};
}

Status copy_folder(const fs::path& from, const fs::path& to) {
  std::error_code code;
  if (!fs::create_directory(to, code)) {
    if (!code) code = std::make_error_code(std::errc::file_exists);
    return failure(to, "cannot be made", code);
  }
  for (fs::directory_iterator it(from, code), end; !code && it != end; it.increment(code)) {
    const fs::path target = to / it->path().filename();
    if (it->is_directory(code)) {
      if (auto copied = copy_folder(it->path(), target); !copied) return copied;
    } else if (it->is_regular_file(code) && !it->is_symlink(code)) {
      fs::copy_file(it->path(), target, code);
      if (code) return failure(target, "cannot be copied", code);
      if (auto synced = sync_path(target); !synced) return synced;
    } else {
      return fail(ErrorKind::kInvalid, it->path().string() + ": expected a file or a folder");
    }
  }
  if (code) return failure(from, "cannot be read", code);
  return sync_path(to);
}

bool is_open(const fs::path& folder) {
  const int file = ::open((folder / "LOCK").c_str(), O_RDWR | O_CLOEXEC);
  if (file < 0) return false;
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  const bool held = ::fcntl(file, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
  ::close(file);
  return held;
}

}  // namespace rushes::storage
