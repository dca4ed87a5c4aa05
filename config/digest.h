// BLAKE2b-256 (RFC 7693, 32-byte output, no key; libsodium's generic hash): the address of everything stored, and the
// name of a file's content.
//
// Thread contract: plain values and pure functions; a DigestStream belongs to one thread at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "config/result.h"

namespace rushes {

inline constexpr std::size_t kDigestBytes = 32;
using Digest = std::array<std::uint8_t, kDigestBytes>;

// Digest of bytes that arrive piece by piece.
class DigestStream {
 public:
  DigestStream();
  void update(std::string_view bytes);
  Digest finish();  // once; the stream is used up

 private:
  alignas(64) std::array<unsigned char, 384> state_;  // crypto_generichash_state, kept opaque
};

Digest digest_of(std::string_view bytes);

// BLAKE2b-128 of the parts, one behind the other: shows damage, names nothing.
inline constexpr std::size_t kChecksumBytes = 16;
std::string checksum_of(std::initializer_list<std::string_view> parts);

std::string to_hex(const Digest& digest);                  // 64 lower-case hex digits
std::string_view bytes_of(const Digest& digest);           // its 32 bytes; valid as long as the digest
Result<Digest> digest_from_hex(std::string_view hex);      // kInvalid unless 64 hex digits
Result<Digest> digest_from_bytes(std::string_view bytes);  // kInvalid unless 32 bytes

}  // namespace rushes

namespace rushes::config {

// ---- as files and people write it: "blake2b-256:<64 hex>"

inline constexpr std::string_view kDigestPrefix = "blake2b-256:";

std::string text_digest(std::string_view bytes);

// Streams the file in 1 MiB reads. Error: kNotFound, kCorrupt when reading stops before the end.
Result<std::string> file_digest(const std::string& file);

// Whether the text is the prefix and 64 lower-case hex digits.
bool is_digest(std::string_view text);

// Compares in constant time, for secrets.
bool same_digest(std::string_view a, std::string_view b);

}  // namespace rushes::config
