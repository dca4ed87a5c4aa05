#include "scheduler/protocol/keys.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "scheduler/protocol/codec.h"

namespace rushes::protocol {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kZ85Bytes = 40;  // of a 32-byte key

bool is_key(const std::string& text) {
  std::array<std::uint8_t, 32> raw{};
  return text.size() == kZ85Bytes && zmq_z85_decode(raw.data(), text.c_str()) != nullptr;
}

Result<std::string> read_key(const fs::path& file) {
  std::ifstream stream(file);
  if (!stream)
    return fail(ErrorKind::kNotFound, file.string() + ": cannot read the key: " + std::strerror(errno));
  std::string line(kZ85Bytes + 2, '\0');  // a key and at most a line end: never more of an unknown file
  stream.read(line.data(), static_cast<std::streamsize>(line.size()));
  line.resize(static_cast<std::size_t>(stream.gcount()));
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.pop_back();
  if (!is_key(line))
    return fail(ErrorKind::kInvalid,
                file.string() + ": expected one line of 40 Z85 characters; write keys with `rushes keygen`");
  return line;
}

Status write_file(const fs::path& file, const std::string& key, mode_t mode) {
  const int target = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (target < 0)
    return fail(errno == EEXIST ? ErrorKind::kConflict : ErrorKind::kExhausted,
                file.string() + ": cannot write the key: " + std::strerror(errno));
  const std::string line = key + "\n";
  const bool written =
      ::write(target, line.data(), line.size()) == static_cast<ssize_t>(line.size()) && ::fsync(target) == 0;
  const std::string cause = std::strerror(errno);
  ::close(target);
  if (!written) return fail(ErrorKind::kExhausted, file.string() + ": cannot write the key: " + cause);
  return {};
}

Status absent(const fs::path& file) {
  std::error_code ignored;
  if (fs::exists(fs::symlink_status(file, ignored)))
    return fail(ErrorKind::kConflict,
                file.string() + ": exists already; keys are never overwritten, remove it first");
  return {};
}

}  // namespace

Result<KeyPair> make_keys() {
  std::array<char, kZ85Bytes + 1> public_key{}, secret_key{};
  if (zmq_curve_keypair(public_key.data(), secret_key.data()) != 0)
    return fail(ErrorKind::kInternal, std::string("cannot make CURVE keys: ") + zmq_strerror(zmq_errno()));
  return KeyPair{public_key.data(), secret_key.data()};
}

Status write_keys(const fs::path& folder, std::string_view name, const KeyPair& keys) {
  const fs::path secret = folder / (std::string(name) + ".key"), open = folder / (std::string(name) + ".pub");
  for (const fs::path& file : {secret, open})
    if (auto free = absent(file); !free) return free;
  if (auto written = write_file(secret, keys.secret_key, 0600); !written) return written;
  return write_file(open, keys.public_key, 0644);
}

Result<std::vector<fs::path>> write_farm_keys(const fs::path& folder) {
  const std::vector<fs::path> files{folder / "scheduler.key", folder / "scheduler.pub", folder / "worker.key",
                                    folder / "worker.pub", folder / "workers" / "worker.pub"};
  for (const fs::path& file : files)
    if (auto free = absent(file); !free) return tl::unexpected(free.error());
  std::error_code error;
  const bool fresh = fs::create_directories(folder, error);
  if (!error && fresh) fs::permissions(folder, fs::perms::owner_all, error);
  if (!error) fs::create_directories(folder / "workers", error);
  if (error)
    return fail(ErrorKind::kExhausted, folder.string() + ": cannot create the folder: " + error.message());
  const auto scheduler = make_keys(), worker = make_keys();
  if (!scheduler) return tl::unexpected(scheduler.error());
  if (!worker) return tl::unexpected(worker.error());
  if (auto done = write_keys(folder, "scheduler", *scheduler); !done) return tl::unexpected(done.error());
  if (auto done = write_keys(folder, "worker", *worker); !done) return tl::unexpected(done.error());
  if (auto done = write_file(files.back(), worker->public_key, 0644); !done)
    return tl::unexpected(done.error());
  return files;
}

Result<std::string> read_public_key(const fs::path& file) { return read_key(file); }

Result<std::string> read_secret_key(const fs::path& file) {
  struct stat info {};
  if (::stat(file.c_str(), &info) == 0 && (info.st_mode & 077) != 0)
    return fail(ErrorKind::kDenied,
                file.string() + ": others may read this secret key; run chmod 600 " + file.string());
  return read_key(file);
}

Result<std::string> public_key_of(std::string_view secret_key) {
  std::array<char, kZ85Bytes + 1> public_key{};
  const std::string secret(secret_key);
  if (!is_key(secret) || zmq_curve_public(public_key.data(), secret.c_str()) != 0)
    return fail(ErrorKind::kInvalid, "expected a secret key of 40 Z85 characters");
  return std::string(public_key.data());
}

Result<AllowList> AllowList::read(fs::path folder) {
  std::error_code error;
  if (!fs::is_directory(folder, error))
    return fail(ErrorKind::kNotFound,
                folder.string() + ": expected the folder of the workers' public keys (*.pub)");
  AllowList list(std::move(folder));
  list.reload();
  return list;
}

void AllowList::reload() {
  std::error_code error;
  const auto changed = fs::last_write_time(folder_, error);
  if (error || changed == read_at_) return;
  read_at_ = changed;
  names_.clear();
  for (const auto& entry : fs::directory_iterator(folder_, error)) {
    if (entry.path().extension() != ".pub") continue;
    const std::string name = entry.path().stem().string();
    const auto key = read_key(entry.path());
    if (!key)
      spdlog::warn("allow-list: {}", key.error().message);
    else if (!is_name(name))
      spdlog::warn("allow-list: {}: the file's name is no worker name", entry.path().string());
    else if (const auto [found, added] = names_.emplace(*key, name); !added)
      spdlog::warn("allow-list: {} holds the same key as {}.pub and is ignored", entry.path().string(),
                   found->second);
  }
}

std::optional<std::string> AllowList::name_of(std::string_view public_key) {
  reload();
  const auto found = names_.find(public_key);
  if (found == names_.end()) return std::nullopt;
  return found->second;
}

bool AllowList::may_use(std::string_view key_name, std::string_view worker) const {
  const auto matches = [&](std::string_view name) {
    return worker == name ||
           (worker.size() > name.size() && worker.starts_with(name) && worker[name.size()] == '-');
  };
  if (!is_name(worker) || !matches(key_name)) return false;
  for (const auto& [key, name] : names_)
    if (name.size() > key_name.size() && matches(name)) return false;
  return true;
}

}  // namespace rushes::protocol
