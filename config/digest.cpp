#include "config/digest.h"

#include <sodium.h>

#include <array>
#include <fstream>
#include <vector>

namespace rushes::config {
namespace {

using Digest = std::array<unsigned char, 32>;

std::string hex(const Digest& digest) {
  std::array<char, 65> text{};
  sodium_bin2hex(text.data(), text.size(), digest.data(), digest.size());
  return std::string(kDigestPrefix) + text.data();
}

}  // namespace

std::string text_digest(std::string_view bytes) {
  Digest digest;
  crypto_generichash(digest.data(), digest.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                     bytes.size(), nullptr, 0);
  return hex(digest);
}

Result<std::string> file_digest(const std::filesystem::path& file) {
  std::error_code code;
  if (!std::filesystem::is_regular_file(file, code))
    return fail(ErrorKind::kNotFound, file.string() + ": no such file");
  std::ifstream in(file, std::ios::binary);
  if (!in) return fail(ErrorKind::kNotFound, file.string() + ": cannot be opened for reading");
  crypto_generichash_state state;
  crypto_generichash_init(&state, nullptr, 0, 32);
  std::vector<char> block(1024 * 1024);
  while (in) {
    in.read(block.data(), static_cast<std::streamsize>(block.size()));
    crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(block.data()),
                              static_cast<unsigned long long>(in.gcount()));
  }
  if (!in.eof())
    return fail(ErrorKind::kCorrupt, file.string() + ": reading stopped before the end of the file");
  Digest digest;
  crypto_generichash_final(&state, digest.data(), digest.size());
  return hex(digest);
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
