#include "worker/engine/artifacts.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include "config/digest.h"
#include "config/limits.h"

namespace rushes::worker {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPieceBytes = 1u << 20;  // read at a time for a digest

std::string_view view(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

tl::unexpected<Error> io_error(const char* what, const fs::path& path) {
  const int code = errno;
  return fail(code == ENOENT ? ErrorKind::kNotFound : ErrorKind::kExhausted,
              std::string("cannot ") + what + " " + path.string() + ": " + std::strerror(code));
}

Status write_all(int file, std::span<const std::byte> bytes, const fs::path& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return io_error("write", path);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

Status sync_folder(const fs::path& folder) {
  const int file = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return io_error("open", folder);
  const int failed = ::fsync(file);
  const auto error = io_error("sync", folder);
  ::close(file);
  if (failed != 0) return error;
  return {};
}

// Unique among the processes and threads that share the folder.
fs::path temporary_name(const fs::path& folder, const std::string& stem) {
  static std::atomic<unsigned> counter{0};
  return folder / "incoming" / (stem + "." + std::to_string(::getpid()) + "." + std::to_string(counter++));
}

fs::path path_in(const fs::path& folder, const Digest& digest) {
  const std::string hex = to_hex(digest);
  return folder / hex.substr(0, 2) / hex;
}

// Where the artifact is to lie; its parent folder exists afterwards.
Result<fs::path> shelf_of(const fs::path& folder, const Digest& digest) {
  fs::path target = path_in(folder, digest);
  if (::mkdir(target.parent_path().c_str(), 0777) == 0) {
    if (auto synced = sync_folder(folder); !synced) return tl::unexpected(synced.error());
  } else if (errno != EEXIST) {
    return io_error("create", target.parent_path());
  }
  return target;
}

// Starts writing to the disk what was just written to a file, each time another kSyncEvery is full, so that the
// sync at the end finds little left.
constexpr std::uint64_t kSyncEvery = 8u << 20;
void write_behind(int file, std::uint64_t begin, std::uint64_t end) {
  const std::uint64_t first = begin / kSyncEvery * kSyncEvery, last = end / kSyncEvery * kSyncEvery;
  if (last > first)
    ::sync_file_range(file, static_cast<off_t>(first), static_cast<off_t>(last - first),
                      SYNC_FILE_RANGE_WRITE);
}

void touch(const fs::path& path) { ::utimensat(AT_FDCWD, path.c_str(), nullptr, 0); }

// 0: there is no such file.
std::int64_t written_ns(const fs::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return 0;
  return info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec;
}

struct Held {
  fs::path path;
  Digest digest{};
  std::uint64_t bytes = 0;
  std::int64_t used_ns = 0;  // wall clock, as file times are
};

std::vector<Held> list(const fs::path& folder) {
  std::vector<Held> held;
  std::error_code ignored;
  for (const auto& shelf : fs::directory_iterator(folder, ignored)) {
    if (shelf.path().filename().string().size() != 2) continue;
    for (const auto& entry : fs::directory_iterator(shelf.path(), ignored)) {
      const auto digest = digest_from_hex(entry.path().filename().string());
      struct stat info {};
      if (!digest || ::stat(entry.path().c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
      held.push_back({entry.path(), *digest, static_cast<std::uint64_t>(info.st_size),
                      info.st_mtim.tv_sec * 1'000'000'000ll + info.st_mtim.tv_nsec});
    }
  }
  return held;
}

}  // namespace

Mapped::Mapped(Mapped&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

Mapped& Mapped::operator=(Mapped&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

Mapped::~Mapped() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

void Mapped::drop_pages() const {
  if (data_ != nullptr) ::madvise(const_cast<std::byte*>(data_), size_, MADV_DONTNEED);
}

Incoming::Incoming(fs::path temporary, fs::path target, int file, Digest digest, std::uint64_t size)
    : temporary_(std::move(temporary)),
      target_(std::move(target)),
      file_(file),
      digest_(digest),
      size_(size),
      stream_(std::make_unique<DigestStream>()) {}

Incoming::Incoming(Incoming&& other) noexcept
    : temporary_(std::move(other.temporary_)),
      target_(std::move(other.target_)),
      file_(std::exchange(other.file_, -1)),
      digest_(other.digest_),
      size_(other.size_),
      received_(other.received_),
      stream_(std::move(other.stream_)) {}

Incoming::~Incoming() {
  if (file_ < 0) return;
  ::close(file_);
  ::unlink(temporary_.c_str());
}

Status Incoming::append(std::span<const std::byte> bytes) {
  if (received_ + bytes.size() > size_)
    return fail(ErrorKind::kExhausted, "artifact " + to_hex(digest_) + ": more than the announced " +
                                           std::to_string(size_) + " bytes arrived");
  if (auto written = write_all(file_, bytes, temporary_); !written) return written;
  write_behind(file_, received_, received_ + bytes.size());
  stream_->update(view(bytes));
  received_ += bytes.size();
  return {};
}

Status Incoming::finish() {
  if (received_ != size_)
    return fail(ErrorKind::kCorrupt, "artifact " + to_hex(digest_) + ": expected " + std::to_string(size_) +
                                         " bytes, found " + std::to_string(received_));
  if (const Digest found = stream_->finish(); found != digest_)
    return fail(ErrorKind::kCorrupt,
                "artifact " + to_hex(digest_) + ": the bytes that arrived have digest " + to_hex(found));
  if (::fsync(file_) != 0) return io_error("sync", temporary_);
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) return io_error("rename", temporary_);
  ::close(std::exchange(file_, -1));
  return sync_folder(target_.parent_path());
}

Outgoing::Outgoing(Role role, fs::path folder, fs::path temporary, int file)
    : role_(role),
      folder_(std::move(folder)),
      temporary_(std::move(temporary)),
      file_(file),
      stream_(std::make_unique<DigestStream>()) {}

Outgoing::Outgoing(Outgoing&& other) noexcept
    : role_(other.role_),
      folder_(std::move(other.folder_)),
      temporary_(std::move(other.temporary_)),
      file_(std::exchange(other.file_, -1)),
      size_(other.size_),
      in_order_(other.in_order_),
      stream_(std::move(other.stream_)) {}

Outgoing::~Outgoing() {
  if (file_ < 0) return;
  ::close(file_);
  ::unlink(temporary_.c_str());
}

Status Outgoing::append(std::span<const std::byte> bytes) { return write_at(size_, bytes); }

Status Outgoing::write_at(std::uint64_t offset, std::span<const std::byte> bytes) {
  if (offset > kMaxArtifactBytes || bytes.size() > kMaxArtifactBytes - offset)
    return fail(ErrorKind::kExhausted, std::string("artifact \"") + to_string(role_) +
                                           "\": expected at most 4 GiB, found " + std::to_string(offset) +
                                           " bytes and " + std::to_string(bytes.size()) +
                                           " more; cut the shot or its tiles");
  in_order_ = in_order_ && offset == size_;
  if (in_order_) stream_->update(view(bytes));
  size_ = std::max(size_, offset + bytes.size());
  const std::uint64_t begin = offset;
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(file_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return io_error("write", temporary_);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
    offset += static_cast<std::uint64_t>(written);
  }
  write_behind(file_, begin, offset);
  return {};
}

Result<Digest> Outgoing::digest() {
  if (in_order_) return stream_->finish();
  DigestStream stream;
  std::vector<char> piece(kPieceBytes);
  for (std::uint64_t at = 0; at < size_;) {
    const ssize_t got = ::pread(file_, piece.data(), piece.size(), static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return io_error("read", temporary_);
    stream.update({piece.data(), static_cast<std::size_t>(got)});
    at += static_cast<std::uint64_t>(got);
  }
  return stream.finish();
}

Result<Output> Outgoing::finish() {
  const auto found = digest();
  if (!found) return tl::unexpected(found.error());
  if (::fsync(file_) != 0) return io_error("sync", temporary_);
  const auto target = shelf_of(folder_, *found);
  if (!target) return tl::unexpected(target.error());
  if (::rename(temporary_.c_str(), target->c_str()) != 0) return io_error("rename", temporary_);
  ::close(std::exchange(file_, -1));
  if (auto synced = sync_folder(target->parent_path()); !synced) return tl::unexpected(synced.error());
  return Output{role_, *found, size_};
}

LocalArtifacts::LocalArtifacts(fs::path folder, std::uint64_t max_bytes)
    : folder_(std::move(folder)),
      max_bytes_(max_bytes),
      pins_(std::make_unique<Pins>()),
      sound_(std::make_unique<Sound>()) {}

Result<LocalArtifacts> LocalArtifacts::open_folder(const fs::path& folder, std::uint64_t max_bytes,
                                                   Owner owner) {
  std::error_code error;
  fs::create_directories(folder / "incoming", error);
  if (error)
    return fail(ErrorKind::kExhausted,
                "cannot create artifact folder " + folder.string() + ": " + error.message());
  if (::access((folder / "incoming").c_str(), W_OK | X_OK) != 0) return io_error("write in", folder);
  if (owner == Owner::kAgent)
    for (const auto& entry : fs::directory_iterator(folder / "incoming", error))
      fs::remove(entry.path(), error);
  return LocalArtifacts(fs::absolute(folder), max_bytes);
}

fs::path LocalArtifacts::path_of(const Digest& digest) const { return path_in(folder_, digest); }

bool LocalArtifacts::have(const Digest& digest) const { return size(digest).has_value(); }

Result<std::uint64_t> LocalArtifacts::size(const Digest& digest) const {
  struct stat info {};
  if (::stat(path_of(digest).c_str(), &info) != 0)
    return fail(ErrorKind::kNotFound, "artifact " + to_hex(digest) + " is not held here");
  return static_cast<std::uint64_t>(info.st_size);
}

Result<Mapped> LocalArtifacts::open(const Digest& digest) const {
  const fs::path path = path_of(digest);
  const std::lock_guard lock(sound_->mutex);
  const auto known = sound_->written_ns.find(digest);
  if (known == sound_->written_ns.end() || known->second != written_ns(path))
    if (auto sound = verify(digest); !sound) return tl::unexpected(sound.error());
  auto mapped = open_unverified(digest);
  if (mapped) sound_->written_ns[digest] = written_ns(path);
  return mapped;
}

// Read, not mapped: what is read here does not count as the task's memory.
Status LocalArtifacts::verify(const Digest& digest) const {
  const fs::path path = path_of(digest);
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail(ErrorKind::kNotFound, "artifact " + to_hex(digest) + " is not held here");
  DigestStream stream;
  std::vector<char> piece(kPieceBytes);
  do {
    in.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    stream.update({piece.data(), static_cast<std::size_t>(in.gcount())});
  } while (in);
  if (stream.finish() == digest) return {};
  std::error_code ignored;
  fs::remove(path, ignored);
  return fail(ErrorKind::kNotFound, "artifact " + to_hex(digest) + ": its file " + path.string() +
                                        " was changed or is damaged; it is removed, and fetched again");
}

Result<Mapped> LocalArtifacts::open_unverified(const Digest& digest) const {
  const fs::path path = path_of(digest);
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0 && errno == ENOENT)
    return fail(ErrorKind::kNotFound, "artifact " + to_hex(digest) + " is not held here");
  if (file < 0) return io_error("open", path);
  struct stat info {};
  const bool known = ::fstat(file, &info) == 0;
  const auto size = static_cast<std::size_t>(info.st_size);
  void* data = known && size > 0 ? ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0) : nullptr;
  const auto error = io_error("map", path);
  ::close(file);
  if (!known || data == MAP_FAILED) return error;
  touch(path);
  return Mapped(static_cast<const std::byte*>(data), size);
}

Result<Output> LocalArtifacts::put(Role role, std::span<const std::byte> bytes) {
  auto outgoing = create(role);
  if (!outgoing) return tl::unexpected(outgoing.error());
  if (auto done = outgoing->append(bytes); !done) return tl::unexpected(done.error());
  return outgoing->finish();
}

Result<Output> LocalArtifacts::put_file(Role role, const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  auto out = create(role);
  if (!out) return tl::unexpected(out.error());
  std::vector<char> piece(kPieceBytes);
  do {
    in.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    const auto got = std::span(piece).first(static_cast<std::size_t>(in.gcount()));
    if (Status status = out->append(std::as_bytes(got)); !status) return tl::unexpected(status.error());
  } while (in);
  if (!in.eof()) return fail(ErrorKind::kNotFound, file.string() + ": cannot be read");
  return out->finish();
}

Result<Outgoing> LocalArtifacts::create(Role role) {
  fs::path temporary = temporary_name(folder_, "made");
  const int file = ::open(temporary.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (file < 0) return io_error("create", temporary);
  return Outgoing(role, folder_, std::move(temporary), file);
}

Result<Incoming> LocalArtifacts::receive(const Digest& digest, std::uint64_t bytes) {
  if (bytes > kMaxArtifactBytes)
    return fail(ErrorKind::kExhausted, "artifact " + to_hex(digest) + ": expected at most 4 GiB, found " +
                                           std::to_string(bytes) + " bytes");
  const auto target = shelf_of(folder_, digest);
  if (!target) return tl::unexpected(target.error());
  fs::path temporary = temporary_name(folder_, to_hex(digest));
  const int file = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (file < 0) return io_error("create", temporary);
  return Incoming(std::move(temporary), *target, file, digest, bytes);
}

void LocalArtifacts::pin(const Digest& digest) {
  const std::lock_guard lock(pins_->mutex);
  ++pins_->counts[digest];
}

void LocalArtifacts::unpin(const Digest& digest) {
  const std::lock_guard lock(pins_->mutex);
  const auto found = pins_->counts.find(digest);
  if (found != pins_->counts.end() && --found->second == 0) pins_->counts.erase(found);
}

std::uint64_t LocalArtifacts::evict(std::chrono::seconds keep) {
  std::vector<Held> held = list(folder_);
  std::uint64_t total = 0;
  for (const Held& item : held) total += item.bytes;
  if (total <= max_bytes_) return total;
  std::sort(held.begin(), held.end(), [](const Held& a, const Held& b) { return a.used_ns < b.used_ns; });
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const std::int64_t spared = now.tv_sec * 1'000'000'000ll + now.tv_nsec -
                              std::chrono::duration_cast<std::chrono::nanoseconds>(keep).count();
  const std::lock_guard lock(pins_->mutex);
  for (const Held& item : held) {
    if (total <= max_bytes_ || (keep.count() > 0 && item.used_ns >= spared)) break;
    if (pins_->counts.contains(item.digest)) continue;
    if (::unlink(item.path.c_str()) == 0) total -= item.bytes;
  }
  return total;
}

std::vector<Digest> LocalArtifacts::recent(std::size_t at_most) const {
  std::vector<Held> held = list(folder_);
  std::sort(held.begin(), held.end(), [](const Held& a, const Held& b) { return a.used_ns > b.used_ns; });
  std::vector<Digest> digests;
  for (std::size_t i = 0; i < std::min(at_most, held.size()); ++i) digests.push_back(held[i].digest);
  return digests;
}

}  // namespace rushes::worker
