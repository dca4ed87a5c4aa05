// What lies at a path, in words for people who expected a file there.
//
// Thread contract: looks at the disk and opens nothing: a pipe would wait for its writer.
#pragma once

#include <filesystem>
#include <string>

namespace rushes::config {

// "a folder", "a pipe", "a socket", "a device", "a link to nothing", "no file", or why it cannot be looked at; of a plain
// file "a file".
std::string kind_of_file(const std::filesystem::path& path);

}  // namespace rushes::config
