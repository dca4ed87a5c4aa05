// A body that comes in chunks (RFC 9112, 7.1), read strictly and with bounds: an unreadable size, a chunk that is longer
// than it says, endless extensions or trailers end it. Extensions and trailers are passed over.
//
// Thread contract: one thread at a time.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace rushes::scheduler {

class ChunkReader {
 public:
  static constexpr std::size_t kMaxLine = 256;           // bytes: a size and its extension
  static constexpr std::size_t kMaxTrailers = 8u << 10;  // bytes

  // Up to so many bytes of the coded body; none: nothing more comes.
  using Source = std::function<ssize_t(char*, std::size_t)>;
  // Bytes of the body; 0: it has ended; -1: the source ended before it, or fault() says what is wrong with it.
  ssize_t read(const Source& source, char* out, std::size_t size);
  const std::string& fault() const { return fault_; }

 private:
  bool broken(const char* why);
  bool refill(const Source& source);
  // Without its end; nothing: the source ended, or it has no end within `most` bytes (which is a fault).
  std::optional<std::string> read_line(const Source& source, std::size_t most);
  bool begin_chunk(const Source& source);
  bool skip_trailers(const Source& source);

  std::string buffer_, fault_;
  std::size_t at_ = 0;      // of the next byte in buffer_
  std::uint64_t left_ = 0;  // bytes of the chunk
  bool ended_ = false, failed_ = false;
};

}  // namespace rushes::scheduler
