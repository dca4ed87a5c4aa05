#include "config/file_kind.h"

namespace rushes::config {

std::string kind_of_file(const std::filesystem::path& path) {
  namespace fs = std::filesystem;
  std::error_code code;
  const fs::file_status status = fs::status(path, code);
  switch (status.type()) {
    case fs::file_type::regular:
      return "a file";
    case fs::file_type::directory:
      return "a folder";
    case fs::file_type::fifo:
      return "a pipe";
    case fs::file_type::socket:
      return "a socket";
    case fs::file_type::block:
    case fs::file_type::character:
      return "a device";
    case fs::file_type::not_found:
      return fs::is_symlink(fs::symlink_status(path, code)) ? "a link to nothing" : "no file";
    default:
      return "a path that cannot be looked at: " + code.message();
  }
}

}  // namespace rushes::config
