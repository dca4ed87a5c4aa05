#include "storage/log_check.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <fstream>
#include <string>
#include <system_error>
#include <vector>

namespace rushes::storage {
namespace {

constexpr std::size_t kBlock = 32'768, kHeader = 7;
constexpr int kFirstRecycled = 5, kLastRecycled = 8;
constexpr std::uint32_t kMaskDelta = 0xa282ead8;  // rocksdb/util/crc32c.h

// Castagnoli's polynomial, reflected.
constexpr std::array<std::uint32_t, 256> kTable = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    table[byte] = crc;
  }
  return table;
}();

std::uint32_t masked(std::uint32_t state) {
  const std::uint32_t crc = ~state;
  return (crc >> 15 | crc << 17) + kMaskDelta;
}

// Whether the checksum of the record at `at` fits any length of what follows it: then its own length is
// wrong.
bool is_whole(const std::vector<unsigned char>& block, std::size_t at) {
  std::uint32_t sum = 0, state = ~0u;
  for (int i = 3; i >= 0; --i) sum = sum << 8 | block[at + static_cast<std::size_t>(i)];
  for (std::size_t i = at + kHeader - 1; i < block.size(); ++i) {
    state = kTable[(state ^ block[i]) & 0xff] ^ state >> 8;
    if (masked(state) == sum) return true;
  }
  return false;
}

// The place of a record in the block that would end the log in silence; the block's size: there is none.
std::size_t find_damage(const std::vector<unsigned char>& block) {
  std::size_t at = 0;
  while (at + kHeader <= block.size()) {
    const unsigned char* header = block.data() + at;
    if (std::all_of(header, header + kHeader, [](unsigned char byte) { return byte == 0; })) break;
    const int kind = header[6];
    if (kind >= kFirstRecycled && kind <= kLastRecycled) return at;
    const std::size_t end = at + kHeader + (header[4] | std::size_t{header[5]} << 8);
    // In a full block RocksDB says itself that a length is too long.
    if (end > block.size()) return block.size() < kBlock && is_whole(block, at) ? at : block.size();
    at = end;
  }
  return block.size();
}

Status check_log(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<unsigned char> block(kBlock);
  for (std::size_t offset = 0; file; offset += kBlock) {
    file.read(reinterpret_cast<char*>(block.data()), kBlock);
    block.resize(static_cast<std::size_t>(file.gcount()));
    if (const std::size_t at = find_damage(block); at < block.size())
      return fail(ErrorKind::kCorrupt, path.filename().string() + ", the record at byte " +
                                           std::to_string(offset + at) + " has a damaged header");
  }
  return {};
}

}  // namespace

Status check_logs(const std::filesystem::path& folder) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error))
    if (entry.path().extension() == ".log")
      if (auto checked = check_log(entry.path()); !checked) return checked;
  return {};
}

}  // namespace rushes::storage
