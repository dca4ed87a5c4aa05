#include "worker/picture/atomic_folder.h"

#include <unistd.h>

#include <atomic>
#include <utility>

#include "config/path_map.h"

namespace rushes::worker {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxTries = 8;  // each is lost to a sweeper that came between two calls

tl::unexpected<Error> is_there(const fs::path& path) {
  return fail(ErrorKind::kConflict,
              path.string() + ": it exists already; move it away, or write into another folder");
}

// Removes the folders from `last` up to `first` while they are empty.
void remove_empty(fs::path last, const fs::path& first) {
  while (::rmdir(last.c_str()) == 0 && last != first) last = last.parent_path();
}

// With which names of what this host writes go on.
std::string part_of_host() { return ".part-" + host_name() + "-"; }

}  // namespace

AtomicFolder::AtomicFolder(AtomicFolder&& other) noexcept
    : temporary_(std::exchange(other.temporary_, {})),
      final_(std::move(other.final_)),
      first_made_(std::exchange(other.first_made_, {})),
      lock_(std::move(other.lock_)) {}

AtomicFolder::~AtomicFolder() {
  if (temporary_.empty()) return;
  std::error_code ignored;
  fs::remove_all(temporary_, ignored);
  if (!first_made_.empty()) remove_empty(final_.parent_path(), first_made_);
}

void AtomicFolder::sweep(const fs::path& parent) {
  std::error_code code;
  for (fs::directory_iterator entry(parent, code), end; !code && entry != end; entry.increment(code)) {
    const std::string name = entry->path().filename().string();
    if (name.front() == '.' && name.find(part_of_host()) != std::string::npos) remove_unheld(entry->path());
  }
}

Result<AtomicFolder> AtomicFolder::create(const fs::path& parent, const std::string& name) {
  static std::atomic<unsigned> counter{0};
  std::error_code code;
  const fs::path absolute = fs::absolute(parent, code).lexically_normal();
  if (code) return not_created(parent, code);
  const fs::path folder = config::without_slash(absolute);
  if (is_taken(folder / name)) return is_there(folder / name);
  fs::path first_made;
  for (fs::path up = folder; !is_taken(up); up = up.parent_path()) first_made = up;
  sweep(folder);
  for (int tries = 0; tries < kMaxTries; ++tries) {
    fs::path temporary = folder / ("." + name + part_of_host() + std::to_string(::getpid()) + "-" +
                                   std::to_string(counter.fetch_add(1)));
    fs::create_directories(temporary, code);
    if (code) {
      if (!first_made.empty()) remove_empty(folder, first_made);
      return not_created(folder, code);
    }
    if (auto lock = FolderLock::hold(temporary))
      return AtomicFolder(std::move(temporary), folder / name, first_made, std::move(*lock));
  }
  return not_created(folder, std::make_error_code(std::errc::resource_unavailable_try_again));
}

Status AtomicFolder::publish() {
  if (Status synced = sync_folder(temporary_); !synced) return synced;
  const std::error_code code = rename_new(temporary_, final_);
  if (code == std::errc::file_exists || code == std::errc::directory_not_empty) return is_there(final_);
  if (code) return not_created(final_, code);
  temporary_.clear();
  return sync_folder(final_.parent_path());
}

}  // namespace rushes::worker
