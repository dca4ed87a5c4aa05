// Reading of network endpoints and folder lists, shared by farm.yaml and worker.yaml.
//
// Thread contract: pure functions.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "config/yaml.h"

namespace rushes::config {

// Whether the text is "tcp://HOST:PORT" with a host name, an IPv4 or a bracketed IPv6 address and a
// port 1..65535.
bool is_endpoint(std::string_view text);

// Reads KEY as an endpoint, or records a problem.
void read_endpoint(Fields& fields, std::string_view key, std::string& out);

// Reads KEY as a list of 1..64 paths, resolved against `folder`.
void read_paths(Fields& fields, std::string_view key, std::vector<std::filesystem::path>& out,
                const std::filesystem::path& folder);

}  // namespace rushes::config
