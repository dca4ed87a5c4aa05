// BLAKE2b-256, the address of everything stored (RFC 7693, through libsodium's crypto_generichash).
//
// Thread contract: plain values and pure functions; a DigestStream belongs to one thread at a time.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "config/result.h"
#include "storage/limits.h"

namespace rushes::storage {

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

std::string to_hex(const Digest& digest);                  // 64 lower-case hex digits
std::string_view bytes_of(const Digest& digest);           // its 32 bytes; valid as long as the digest
Result<Digest> digest_from_hex(std::string_view hex);      // kInvalid unless 64 hex digits
Result<Digest> digest_from_bytes(std::string_view bytes);  // kInvalid unless 32 bytes

}  // namespace rushes::storage
