#include "worker/picture/version_folder.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <utility>

#include "config/path_map.h"
#include "config/version_name.h"
#include "worker/picture/atomic_folder.h"

namespace rushes::worker {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxTries = 1000;  // each is lost to a writer that claimed a version meanwhile
constexpr const char* kOwnerFile = ".owner";
constexpr std::string_view kGrowing = ".part";

// A version that grows. Its owner is empty while it is being published.
struct Growing {
  fs::path path;
  unsigned number = 0;
  std::string owner, host;
};

std::string growing_name(unsigned number) {
  return "." + config::version_name(number) + std::string(kGrowing);
}

struct Versions {
  std::vector<unsigned> complete;  // ascending
  std::vector<Growing> growing;
  unsigned highest = 0;
};

Versions list_versions(const fs::path& parent) {
  Versions found;
  std::error_code code;
  for (fs::directory_iterator entry(parent, code), end; !code && entry != end; entry.increment(code)) {
    const std::string name = entry->path().filename().string();
    auto number = config::version_number(name);
    if (number) {
      found.complete.push_back(*number);
    } else if (name.front() == '.' && name.ends_with(kGrowing)) {
      number = config::version_number(
          std::string_view(name).substr(1, name.size() - 1 - std::min(name.size() - 1, kGrowing.size())));
      if (!number) continue;
      Growing& growing = found.growing.emplace_back(Growing{entry->path(), *number, "", ""});
      std::ifstream file(growing.path / kOwnerFile);
      std::getline(file, growing.owner);
      std::getline(file, growing.host);
    } else {
      continue;
    }
    found.highest = std::max(found.highest, *number);
  }
  std::sort(found.complete.begin(), found.complete.end());
  return found;
}

// Of another host nobody can tell whether it works. Without an owner it was published, or is at this moment.
bool may_be_removed(const Growing& growing) { return growing.host == host_name() || growing.owner.empty(); }

// Removes PARENT and those above it, up to ROOT, while they are empty.
void remove_empty(const fs::path& root, fs::path parent) {
  while (parent != root && ::rmdir(parent.c_str()) == 0) parent = parent.parent_path();
}

Result<fs::path> absolute_folder(const fs::path& root) {
  std::error_code code;
  const fs::path absolute = fs::absolute(root, code).lexically_normal();
  if (code) return not_created(root, code);
  return config::without_slash(absolute);
}

// PARENT/.vNNN.part of this owner; kConflict when it is there.
Status claim(const fs::path& parent, unsigned number, const std::string& owner) {
  auto folder = AtomicFolder::create(parent, growing_name(number));
  if (!folder) return tl::unexpected(folder.error());
  std::ofstream file(folder->path() / kOwnerFile);
  file << owner << "\n" << host_name() << "\n";
  file.close();
  if (!file) return not_created(folder->path(), std::make_error_code(std::errc::no_space_on_device));
  return folder->publish();
}

}  // namespace

VersionFolder::VersionFolder(VersionFolder&& other) noexcept
    : root_(std::move(other.root_)),
      growing_(std::exchange(other.growing_, {})),
      final_(std::move(other.final_)),
      lock_(std::exchange(other.lock_, std::nullopt)),
      kept_(other.kept_) {}

VersionFolder::~VersionFolder() {
  if (growing_.empty()) return;
  lock_.reset();
  if (!kept_) remove_unheld(growing_);
  remove_empty(root_, growing_.parent_path());
}

void VersionFolder::sweep(const fs::path& root, const fs::path& below) {
  const auto absolute = absolute_folder(root);
  if (!absolute) return;
  AtomicFolder::sweep(*absolute / below);
  for (const Growing& growing : list_versions(*absolute / below).growing)
    if (may_be_removed(growing)) remove_unheld(growing.path);
  remove_empty(*absolute, *absolute / below);
}

Result<VersionFolder> VersionFolder::open(const fs::path& root, const fs::path& below, unsigned least,
                                          const std::string& owner) {
  const auto absolute = absolute_folder(root);
  if (!absolute) return tl::unexpected(absolute.error());
  std::error_code code;
  if (!fs::is_directory(*absolute, code))
    return fail(ErrorKind::kExhausted, absolute->string() + ": is not there; is the share mounted?");
  const fs::path parent = *absolute / below;
  for (int tries = 0; tries < kMaxTries; ++tries) {
    unsigned next = least;
    const Versions versions = list_versions(parent);
    for (const Growing& growing : versions.growing) {
      if (growing.owner == owner)
        if (auto lock = FolderLock::hold(growing.path))
          return VersionFolder(*absolute, growing.path, parent / config::version_name(growing.number),
                               std::move(*lock));
      if (!may_be_removed(growing) || !remove_unheld(growing.path)) next = std::max(next, growing.number + 1);
    }
    if (!versions.complete.empty()) next = std::max(next, versions.complete.back() + 1);
    const Status claimed = claim(parent, next, owner);
    if (!claimed && claimed.error().kind != ErrorKind::kConflict) return tl::unexpected(claimed.error());
    // It may have been completed between the look and the claim.
    if (claimed && is_taken(parent / config::version_name(next))) remove_unheld(parent / growing_name(next));
  }
  return fail(ErrorKind::kExhausted, parent.string() + ": every version is taken; move some away");
}

Status VersionFolder::publish() {
  std::error_code code;
  std::vector<fs::path> hidden;  // the owner's name, and what a killed writer left
  for (fs::directory_iterator entry(growing_, code), end; !code && entry != end; entry.increment(code))
    if (entry->path().filename().string().front() == '.') hidden.push_back(entry->path());
  for (const fs::path& path : hidden) fs::remove_all(path, code);
  if (Status synced = sync_folder(growing_); !synced) return synced;
  code = rename_new(growing_, final_);
  if (code == std::errc::file_exists || code == std::errc::directory_not_empty)
    return fail(ErrorKind::kConflict, final_.string() + ": it appeared while it was being written");
  if (code) return not_created(final_, code);
  growing_.clear();
  return sync_folder(final_.parent_path());
}

std::vector<unsigned> versions_in(const fs::path& parent) { return list_versions(parent).complete; }

}  // namespace rushes::worker
