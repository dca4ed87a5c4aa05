#include "storage/digest.h"

#include <sodium.h>

#include <cstring>
#include <new>

namespace rushes::storage {
namespace {

static_assert(sizeof(crypto_generichash_state) <= 384, "DigestStream must hold libsodium's state");
static_assert(crypto_generichash_BYTES == kDigestBytes);

const unsigned char* raw(std::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

crypto_generichash_state* state_in(std::array<unsigned char, 384>& place) {
  return std::launder(reinterpret_cast<crypto_generichash_state*>(place.data()));
}

int nibble(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

DigestStream::DigestStream() {
  new (state_.data()) crypto_generichash_state;
  crypto_generichash_init(state_in(state_), nullptr, 0, kDigestBytes);
}

void DigestStream::update(std::string_view bytes) {
  crypto_generichash_update(state_in(state_), raw(bytes), bytes.size());
}

Digest DigestStream::finish() {
  Digest digest;
  crypto_generichash_final(state_in(state_), digest.data(), digest.size());
  return digest;
}

Digest digest_of(std::string_view bytes) {
  Digest digest;
  crypto_generichash(digest.data(), digest.size(), raw(bytes), bytes.size(), nullptr, 0);
  return digest;
}

std::string to_hex(const Digest& digest) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string hex;
  hex.reserve(2 * digest.size());
  for (std::uint8_t byte : digest) {
    hex += kHex[byte >> 4];
    hex += kHex[byte & 15];
  }
  return hex;
}

std::string_view bytes_of(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

Result<Digest> digest_from_hex(std::string_view hex) {
  const auto refused = [&] {
    return fail(ErrorKind::kInvalid,
                "a digest has 64 hex digits, found " + std::to_string(hex.size()) + " characters");
  };
  if (hex.size() != 2 * kDigestBytes) return refused();
  Digest digest;
  for (std::size_t i = 0; i < digest.size(); ++i) {
    const int high = nibble(hex[2 * i]), low = nibble(hex[2 * i + 1]);
    if (high < 0 || low < 0)
      return fail(ErrorKind::kInvalid, "a digest has 64 hex digits, found another character");
    digest[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return digest;
}

Result<Digest> digest_from_bytes(std::string_view bytes) {
  if (bytes.size() != kDigestBytes)
    return fail(ErrorKind::kInvalid, "a digest has 32 bytes, found " + std::to_string(bytes.size()));
  Digest digest;
  std::memcpy(digest.data(), bytes.data(), digest.size());
  return digest;
}

}  // namespace rushes::storage
