#include "storage/disk.h"

#include <fcntl.h>
#include <unistd.h>

#include <string>
#include <system_error>

namespace rushes::storage {

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

bool takes_direct_io(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "direct-io-probe";
  const int file = ::open(path.c_str(), O_CREAT | O_WRONLY | O_DIRECT | O_CLOEXEC, 0600);
  if (file >= 0) ::close(file);
  ::unlink(path.c_str());  // some file systems make it and then refuse to open it
  return file >= 0;
}

}  // namespace rushes::storage
