#include "scheduler/gateway/chunks.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace rushes::scheduler {

bool ChunkReader::broken(const char* why) {
  fault_ = why;
  failed_ = true;
  return false;
}

bool ChunkReader::refill(const Source& source) {
  constexpr std::size_t kPiece = 16u << 10;
  if (at_ < buffer_.size()) return true;
  buffer_.resize(kPiece);
  at_ = 0;
  const ssize_t got = source(buffer_.data(), buffer_.size());
  buffer_.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  failed_ = failed_ || got <= 0;
  return got > 0;
}

std::optional<std::string> ChunkReader::read_line(const Source& source, std::size_t most) {
  std::string line;
  while (refill(source)) {
    const char c = buffer_[at_++];
    if (c == '\n') {
      if (!line.ends_with('\r')) break;
      line.pop_back();
      return line;
    }
    line += c;
    if (line.size() > most) break;
  }
  if (!failed_) broken("the chunked body: expected short lines that end with CR LF");
  return std::nullopt;
}

bool ChunkReader::begin_chunk(const Source& source) {
  const auto line = read_line(source, kMaxLine);
  if (!line) return false;
  const char* const end = line->data() + line->size();
  const auto [after, error] = std::from_chars(line->data(), end, left_, 16);
  const std::size_t rest = line->find_first_not_of(" \t", static_cast<std::size_t>(after - line->data()));
  // The number may not have a sign, and only an extension may follow it.
  if (error != std::errc() || (rest != line->npos && (*line)[rest] != ';'))
    return broken("the chunked body: expected a chunk's size in hexadecimal digits");
  if (left_ > 0) return true;
  ended_ = skip_trailers(source);
  return false;
}

bool ChunkReader::skip_trailers(const Source& source) {
  std::size_t taken = 0;
  while (true) {
    const auto line = read_line(source, kMaxTrailers - taken);
    if (!line) return false;
    if (line->empty()) return true;
    taken += std::min(line->size(), kMaxTrailers - taken);
  }
}

ssize_t ChunkReader::read(const Source& source, char* out, std::size_t size) {
  if (failed_) return -1;
  if (ended_ || (left_ == 0 && !begin_chunk(source))) return ended_ ? 0 : -1;
  if (!refill(source)) return -1;
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>({size, left_, buffer_.size() - at_}));
  std::memcpy(out, buffer_.data() + at_, count);
  at_ += count;
  left_ -= count;
  if (left_ > 0 || count == 0) return static_cast<ssize_t>(count);
  const auto end = read_line(source, 1);
  if (end && end->empty()) return static_cast<ssize_t>(count);
  if (end || !fault_.empty()) broken("the chunked body: a chunk is longer than its size");
  return -1;
}

}  // namespace rushes::scheduler
