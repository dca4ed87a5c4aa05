#include "scheduler/protocol/allow_list.h"

#include <sys/stat.h>

#include <chrono>
#include <utility>

#include "config/log.h"
#include "config/worker_name.h"
#include "scheduler/protocol/keys.h"

namespace rushes::protocol {
namespace {

namespace fs = std::filesystem;

// File systems keep times in steps, some of a second: a file that changed just now may change once more in
// the same step.
constexpr std::int64_t kStepNs = 2'000'000'000;

std::int64_t wall_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

Result<AllowList> AllowList::read(fs::path folder) {
  std::error_code error;
  if (!fs::is_directory(folder, error))
    return fail(ErrorKind::kNotFound,
                folder.string() + ": expected the folder of the workers' public keys (*.pub)");
  AllowList list(std::move(folder));
  list.refresh();
  return list;
}

void AllowList::look_at(const fs::path& path, File& file) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) info = {};
  const std::int64_t changed = std::max(info.st_mtim.tv_sec * 1'000'000'000ll + info.st_mtim.tv_nsec,
                                        info.st_ctim.tv_sec * 1'000'000'000ll + info.st_ctim.tv_nsec);
  const bool same = file.changed_ns == changed && file.bytes == static_cast<std::uint64_t>(info.st_size) &&
                    file.inode == info.st_ino;
  if (same && file.settled) return;
  if (!same) file.complained = false;
  file.changed_ns = changed;
  file.bytes = static_cast<std::uint64_t>(info.st_size);
  file.inode = info.st_ino;
  const std::int64_t age = wall_ns() - changed;
  file.settled = age > kStepNs;
  auto keys = read_public_keys(path, kMaxKeys);
  if (keys) {
    file.keys = std::move(*keys);
  } else if (!file.complained) {
    file.complained = true;
    log::warn("allow-list: {}; {}", keys.error().message,
              file.keys.empty() ? "it admits no worker" : "its keys of before stay admitted");
  }
}

bool AllowList::refresh() {
  std::error_code error;
  std::map<std::string, File> files;
  for (fs::directory_iterator entry(folder_, error), end; !error && entry != end; entry.increment(error)) {
    if (entry->path().extension() != ".pub") continue;
    const std::string name = entry->path().stem().string();
    const auto known = files_.find(name);
    File& file = files[name] = known != files_.end() ? known->second : File{};
    if (config::is_worker_name(name))
      look_at(entry->path(), file);
    else if (known == files_.end())
      log::warn("allow-list: {}: the file's name is no worker name", entry->path().string());
  }
  if (error) {
    if (!complained_)
      log::warn("allow-list: {}: cannot be read ({}); the list stays as it was", folder_.string(),
                error.message());
    complained_ = true;
    return false;
  }
  complained_ = false;
  files_ = std::move(files);
  std::map<std::string, std::string, std::less<>> names;
  for (auto& [name, file] : files_)
    for (const std::string& key : file.keys) {
      const auto [found, added] = names.emplace(key, name);
      if (added || found->second == name || std::exchange(file.complained, true)) continue;
      log::warn("allow-list: {}.pub holds the same key as {}.pub and is ignored", name, found->second);
    }
  if (names == names_) return false;
  if (std::exchange(fresh_, false)) {
    log::info("allow-list: {} keys in {}", names.size(), folder_.string());
  } else {
    for (const auto& [key, name] : names_)
      if (const auto now = names.find(key); now == names.end() || now->second != name)
        log::warn("allow-list: key {} of {} is no longer allowed", key, name);
    for (const auto& [key, name] : names)
      if (const auto before = names_.find(key); before == names_.end() || before->second != name)
        log::info("allow-list: key {} may speak for {}", key, name);
  }
  names_ = std::move(names);
  return true;
}

std::optional<std::string> AllowList::name_of(std::string_view public_key) const {
  const auto found = names_.find(public_key);
  if (found == names_.end()) return std::nullopt;
  return found->second;
}

bool AllowList::may_use(std::string_view key_name, std::string_view worker) const {
  const auto matches = [&](std::string_view name) {
    return worker == name ||
           (worker.size() > name.size() && worker.starts_with(name) && worker[name.size()] == '-');
  };
  if (!config::is_worker_name(worker) || !matches(key_name)) return false;
  for (const auto& [key, name] : names_)
    if (name.size() > key_name.size() && matches(name)) return false;
  return true;
}

}  // namespace rushes::protocol
