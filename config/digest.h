// BLAKE2b-256 (RFC 7693, 32-byte output, no key; libsodium's generic hash), written "blake2b-256:<64 hex>".
//
// Thread contract: pure functions; call from any thread.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "config/result.h"

namespace rushes::config {

inline constexpr std::string_view kDigestPrefix = "blake2b-256:";

std::string text_digest(std::string_view bytes);

// Streams the file in 1 MiB reads. Error: kNotFound, kCorrupt when reading stops before the end.
Result<std::string> file_digest(const std::filesystem::path& file);

// Whether the text is the prefix and 64 lower-case hex digits.
bool is_digest(std::string_view text);

// Compares in constant time, for secrets.
bool same_digest(std::string_view a, std::string_view b);

}  // namespace rushes::config
