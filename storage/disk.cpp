#include "storage/disk.h"

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

}  // namespace rushes::storage
