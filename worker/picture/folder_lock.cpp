#include "worker/picture/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <utility>

namespace rushes::worker {
namespace {

namespace fs = std::filesystem;

int open_folder(const fs::path& folder) {
  return ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

bool is_there(int file) {
  struct stat info {};
  return ::fstat(file, &info) == 0 && info.st_nlink > 0;
}

}  // namespace

FolderLock::FolderLock(FolderLock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}

FolderLock& FolderLock::operator=(FolderLock&& other) noexcept {
  std::swap(file_, other.file_);
  return *this;
}

FolderLock::~FolderLock() {
  if (file_ >= 0) ::close(file_);
}

std::optional<FolderLock> FolderLock::hold(const fs::path& folder) {
  const int file = open_folder(folder);
  if (file < 0) return std::nullopt;
  FolderLock lock(file);
  if (::flock(file, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK) return std::nullopt;
  if (!is_there(file)) return std::nullopt;
  return lock;
}

bool remove_unheld(const fs::path& folder) {
  const int file = open_folder(folder);
  if (file < 0) return false;
  const FolderLock lock(file);
  if (::flock(file, LOCK_EX | LOCK_NB) != 0) return false;
  std::error_code code;
  fs::remove_all(folder, code);
  return !code;
}

bool is_taken(const fs::path& path) {
  std::error_code ignored;
  return fs::symlink_status(path, ignored).type() != fs::file_type::not_found;
}

std::error_code rename_new(const fs::path& from, const fs::path& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return {};
  if (errno != EINVAL && errno != ENOSYS) return {errno, std::generic_category()};
  // Some network file systems know only rename(), which replaces nothing but an empty folder.
  if (is_taken(to)) return std::make_error_code(std::errc::file_exists);
  if (::rename(from.c_str(), to.c_str()) == 0) return {};
  return {errno, std::generic_category()};
}

Status sync_folder(const fs::path& folder) {
  const int file = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = file >= 0 && ::fsync(file) == 0;
  const std::error_code code(errno, std::generic_category());
  if (file >= 0) ::close(file);
  // Some network file systems sync no folders.
  if (!synced && code != std::errc::invalid_argument) return not_created(folder, code);
  return {};
}

tl::unexpected<Error> not_created(const fs::path& path, std::error_code code) {
  const bool denied = code == std::errc::permission_denied || code == std::errc::read_only_file_system;
  return fail(denied ? ErrorKind::kDenied : ErrorKind::kExhausted,
              path.string() + ": cannot be created (" + code.message() +
                  "); is the folder writable and the disk not full?");
}

const std::string& host_name() {
  static const std::string name = [] {
    std::array<char, 65> text{};
    ::gethostname(text.data(), text.size() - 1);
    std::string plain;
    for (const char c : std::string(text.data()))
      plain += (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ? c : '_';
    return plain;
  }();
  return name;
}

}  // namespace rushes::worker
