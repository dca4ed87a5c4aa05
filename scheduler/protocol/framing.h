// Messages on a pipe: four bytes of length, little endian, then the message.
//
// Thread contract: a FrameReader belongs to one thread; frame() is pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/result.h"
#include "scheduler/protocol/codec.h"

namespace rushes::protocol {

inline std::string frame(std::string_view message) {
  std::string framed;
  for (int shift = 0; shift < 32; shift += 8) framed += static_cast<char>(message.size() >> shift & 0xFF);
  return framed.append(message);
}

// Takes bytes as they come and hands out whole messages.
class FrameReader {
 public:
  void append(std::string_view bytes) { buffer_.append(bytes); }
  // The next whole message, if it is there. Error: kExhausted for a length over kMaxPipeBytes.
  Result<std::optional<std::string>> next() {
    if (buffer_.size() < 4) return std::nullopt;
    std::uint32_t length = 0;
    for (int i = 0; i < 4; ++i)
      length |= static_cast<std::uint32_t>(static_cast<unsigned char>(buffer_[static_cast<std::size_t>(i)]))
                << 8 * i;
    if (length > kMaxPipeBytes)
      return fail(ErrorKind::kExhausted, "pipe: expected a message of at most " +
                                             std::to_string(kMaxPipeBytes) + " bytes, found " +
                                             std::to_string(length));
    if (buffer_.size() < 4u + length) return std::nullopt;
    std::string message = buffer_.substr(4, length);
    buffer_.erase(0, 4u + length);
    return message;
  }

 private:
  std::string buffer_;
};

}  // namespace rushes::protocol
