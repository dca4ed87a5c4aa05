#include "scheduler/protocol/keys.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "config/worker_name.h"

namespace rushes::protocol {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kZ85Bytes = 40;  // of a 32-byte key

bool is_key(const std::string& text) {
  std::array<std::uint8_t, 32> raw{};
  return text.size() == kZ85Bytes && zmq_z85_decode(raw.data(), text.c_str()) != nullptr;
}

Result<std::vector<std::string>> read_keys(const fs::path& file, std::size_t at_most) {
  std::ifstream stream(file);
  if (!stream)
    return fail(ErrorKind::kNotFound, file.string() + ": cannot read the key: " + std::strerror(errno));
  // Keys and their line ends, and one byte more: never more of an unknown file.
  std::string text(at_most * (kZ85Bytes + 2) + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(stream.gcount()));
  std::vector<std::string> keys;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (!line.empty()) keys.push_back(std::move(line));
  }
  if (keys.empty() || keys.size() > at_most || !std::all_of(keys.begin(), keys.end(), is_key))
    return fail(ErrorKind::kInvalid,
                file.string() + ": expected " +
                    (at_most == 1 ? std::string("one line") : "1 to " + std::to_string(at_most) + " lines") +
                    " of 40 Z85 characters; write keys with `rushes keygen`");
  return keys;
}

Result<std::string> read_key(const fs::path& file) {
  auto keys = read_keys(file, 1);
  if (!keys) return tl::unexpected(keys.error());
  return std::move(keys->front());
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

Result<std::vector<fs::path>> add_worker_keys(const fs::path& folder, const std::string& name) {
  if (!config::is_worker_name(name) || name == "scheduler")
    return fail(ErrorKind::kInvalid,
                "--worker: expected " + std::string(config::kWorkerNameRule) + ", and not scheduler");
  const std::vector<fs::path> files{folder / (name + ".key"), folder / (name + ".pub"),
                                    folder / "workers" / (name + ".pub")};
  std::error_code error;
  if (!fs::exists(folder / "scheduler.pub", error) || !fs::is_directory(folder / "workers", error))
    return fail(ErrorKind::kNotFound, folder.string() + ": expected the keys of a farm; `rushes keygen " +
                                          folder.string() + "` writes them");
  for (const fs::path& file : files)
    if (auto free = absent(file); !free) return tl::unexpected(free.error());
  const auto keys = make_keys();
  if (!keys) return tl::unexpected(keys.error());
  if (auto done = write_keys(folder, name, *keys); !done) return tl::unexpected(done.error());
  if (auto done = write_file(files.back(), keys->public_key, 0644); !done)
    return tl::unexpected(done.error());
  return files;
}

Result<std::vector<fs::path>> rotate_keys(const fs::path& folder, const std::string& name) {
  const fs::path secret = folder / (name + ".key"), open = folder / (name + ".pub");
  const fs::path old_secret = folder / (name + ".old.key"), old_open = folder / (name + ".old.pub");
  if (const auto now = read_secret_key(secret); !now) return tl::unexpected(now.error());
  for (const fs::path& file : {old_secret, old_open})
    if (auto free = absent(file); !free) return tl::unexpected(free.error());
  const auto fresh = make_keys();
  if (!fresh) return tl::unexpected(fresh.error());
  // The new pair is complete under another name before the old one moves.
  const std::string next = name + ".next";
  if (auto written = write_keys(folder, next, *fresh); !written) return tl::unexpected(written.error());
  std::error_code error;
  const auto move = [&error](const fs::path& from, const fs::path& to) {
    if (!error) fs::rename(from, to, error);
  };
  move(secret, old_secret);
  move(open, old_open);
  move(folder / (next + ".key"), secret);
  move(folder / (next + ".pub"), open);
  if (error)
    return fail(ErrorKind::kExhausted, folder.string() + ": cannot rename the keys: " + error.message());
  return std::vector{secret, open, old_secret, old_open};
}

Result<std::string> read_public_key(const fs::path& file) { return read_key(file); }

Result<std::vector<std::string>> read_public_keys(const fs::path& file, std::size_t at_most) {
  return read_keys(file, at_most);
}

Result<std::string> read_secret_key(const fs::path& file) {
  // A file of root's that this user reads by its group is how Kubernetes hands out a secret.
  struct stat info {};
  const bool there = ::stat(file.c_str(), &info) == 0;
  const mode_t others = there && info.st_uid == 0 && ::geteuid() != 0 ? 037 : 077;
  if (there && (info.st_mode & others) != 0)
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

}  // namespace rushes::protocol
