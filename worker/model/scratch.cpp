#include "worker/model/scratch.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

namespace rushes::worker {
namespace {

tl::unexpected<Error> io_error(const std::string& doing, const std::filesystem::path& folder) {
  return fail(ErrorKind::kExhausted,
              "cannot " + doing + " a scratch file in " + folder.string() + ": " + std::strerror(errno));
}

}  // namespace

Result<Scratch> Scratch::open(const std::filesystem::path& folder) {
  std::string name = (folder / "scratch.XXXXXX").string();
  const int file = ::mkostemp(name.data(), O_CLOEXEC);
  if (file < 0) return io_error("create", folder);
  ::unlink(name.c_str());
  return Scratch(file, folder);
}

Scratch::Scratch(Scratch&& other) noexcept
    : file_(std::exchange(other.file_, -1)), folder_(std::move(other.folder_)) {}

Scratch::~Scratch() {
  if (file_ >= 0) ::close(file_);
}

Status Scratch::write(std::uint64_t first, std::span<const float> values) {
  auto bytes = std::as_bytes(values);
  for (auto at = static_cast<off_t>(first * sizeof(float)); !bytes.empty();) {
    const ssize_t written = ::pwrite(file_, bytes.data(), bytes.size(), at);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return io_error("write", folder_);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
    at += written;
  }
  return {};
}

Status Scratch::read(std::uint64_t first, std::span<float> values) const {
  auto bytes = std::as_writable_bytes(values);
  for (auto at = static_cast<off_t>(first * sizeof(float)); !bytes.empty();) {
    const ssize_t got = ::pread(file_, bytes.data(), bytes.size(), at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return io_error("read", folder_);
    if (got == 0) return fail(ErrorKind::kInternal, "a scratch file ends before what is read from it");
    bytes = bytes.subspan(static_cast<std::size_t>(got));
    at += got;
  }
  return {};
}

}  // namespace rushes::worker
