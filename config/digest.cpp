#include "config/digest.h"

#include <sodium.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <new>
#include <vector>

#include "config/file_kind.h"

namespace rushes {
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

std::string checksum_of(std::initializer_list<std::string_view> parts) {
  crypto_generichash_state state;
  crypto_generichash_init(&state, nullptr, 0, kChecksumBytes);
  for (const std::string_view part : parts) crypto_generichash_update(&state, raw(part), part.size());
  std::string sum(kChecksumBytes, '\0');
  crypto_generichash_final(&state, reinterpret_cast<unsigned char*>(sum.data()), sum.size());
  return sum;
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

}  // namespace rushes

namespace rushes::config {
namespace {

std::string prefixed(const Digest& digest) { return std::string(kDigestPrefix) + to_hex(digest); }

}  // namespace

std::string text_digest(std::string_view bytes) { return prefixed(digest_of(bytes)); }

Result<std::string> file_digest(const std::string& file) {
  std::error_code code;
  if (!std::filesystem::is_regular_file(file, code)) {
    const std::string found = kind_of_file(file);
    return fail(ErrorKind::kNotFound,
                file + (found == "no file" ? ": no such file" : ": expected a file, found " + found));
  }
  std::ifstream in(file, std::ios::binary);
  if (!in) return fail(ErrorKind::kNotFound, file + ": cannot be opened for reading");
  DigestStream digest;
  std::vector<char> block(1024 * 1024);
  while (in) {
    in.read(block.data(), static_cast<std::streamsize>(block.size()));
    digest.update({block.data(), static_cast<std::size_t>(in.gcount())});
  }
  if (!in.eof()) return fail(ErrorKind::kCorrupt, file + ": reading stopped before the end of the file");
  return prefixed(digest.finish());
}

bool is_digest(std::string_view text) {
  if (!text.starts_with(kDigestPrefix)) return false;
  text.remove_prefix(kDigestPrefix.size());
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool same_digest(std::string_view a, std::string_view b) {
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace rushes::config
