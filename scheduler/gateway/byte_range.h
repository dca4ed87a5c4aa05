// Which part of its bytes a request asks for: the header Range (RFC 9110, 14.1).
//
// The HTTP library would ask for any range, also one beyond the end; it never sees the header (server.cpp).
//
// Thread contract: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace rushes::scheduler {

struct BytePart {
  int status = 200;  // 206: a part, 416: none of it
  std::uint64_t offset = 0, length = 0;
  std::string content_range;  // header of 206 and 416
};

// `header` may be anything: what is not one range of bytes asks for all of `size`.
BytePart part_of(std::string_view header, std::uint64_t size);

}  // namespace rushes::scheduler
