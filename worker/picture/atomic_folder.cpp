#include "worker/picture/atomic_folder.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <utility>

namespace rushes::worker {
namespace {

namespace fs = std::filesystem;

bool is_taken(const fs::path& path) {
  std::error_code ignored;
  return fs::symlink_status(path, ignored).type() != fs::file_type::not_found;
}

tl::unexpected<Error> refused(const fs::path& path, std::error_code code) {
  const bool denied = code == std::errc::permission_denied || code == std::errc::read_only_file_system;
  return fail(denied ? ErrorKind::kDenied : ErrorKind::kExhausted,
              path.string() + ": cannot be created (" + code.message() +
                  "); is the folder writable and the disk not full?");
}

tl::unexpected<Error> is_there(const fs::path& path) {
  return fail(ErrorKind::kConflict,
              path.string() + ": it exists already; move it away, or write into another folder");
}

Status sync_folder(const fs::path& folder) {
  const int file = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = file >= 0 && ::fsync(file) == 0;
  const std::error_code code(errno, std::generic_category());
  if (file >= 0) ::close(file);
  // Some network file systems sync no folders.
  if (!synced && code != std::errc::invalid_argument) return refused(folder, code);
  return {};
}

// Renames a folder to a name that nothing has.
std::error_code rename_new(const fs::path& from, const fs::path& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return {};
  if (errno != EINVAL && errno != ENOSYS) return {errno, std::generic_category()};
  // Some network file systems know only rename(), which replaces nothing but an empty folder.
  if (is_taken(to)) return std::make_error_code(std::errc::file_exists);
  if (::rename(from.c_str(), to.c_str()) == 0) return {};
  return {errno, std::generic_category()};
}

}  // namespace

AtomicFolder::AtomicFolder(AtomicFolder&& other) noexcept
    : temporary_(std::exchange(other.temporary_, {})),
      final_(std::move(other.final_)),
      first_made_(std::exchange(other.first_made_, {})) {}

AtomicFolder::~AtomicFolder() {
  if (temporary_.empty()) return;
  std::error_code ignored;
  fs::remove_all(temporary_, ignored);
  if (first_made_.empty()) return;
  for (fs::path folder = final_.parent_path(); ::rmdir(folder.c_str()) == 0 && folder != first_made_;)
    folder = folder.parent_path();
}

Result<AtomicFolder> AtomicFolder::create(const fs::path& parent, const std::string& name) {
  static std::atomic<unsigned> counter{0};
  std::error_code code;
  const fs::path absolute = fs::absolute(parent, code).lexically_normal();
  if (code) return refused(parent, code);
  const fs::path folder =
      absolute.has_filename() ? absolute : absolute.parent_path();  // without "/" at its end
  if (is_taken(folder / name)) return is_there(folder / name);
  fs::path first_made;
  for (fs::path up = folder; !is_taken(up); up = up.parent_path()) first_made = up;
  AtomicFolder made(folder / ("." + name + ".part-" + std::to_string(::getpid()) + "-" +
                              std::to_string(counter.fetch_add(1))),
                    folder / name, first_made);
  fs::create_directories(made.temporary_, code);
  if (code) return refused(folder, code);
  return made;
}

Status AtomicFolder::publish() {
  if (Status synced = sync_folder(temporary_); !synced) return synced;
  const std::error_code code = rename_new(temporary_, final_);
  if (code == std::errc::file_exists || code == std::errc::directory_not_empty) return is_there(final_);
  if (code) return refused(final_, code);
  temporary_.clear();
  return sync_folder(final_.parent_path());
}

}  // namespace rushes::worker
