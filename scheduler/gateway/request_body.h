// The body of a request, read when somebody whose token is known asks for it; and the refusal of those that are not read.
//
// A body is plain: what is compressed is refused by name, because its size is known only when it is inflated. A request
// that says no length has no body (RFC 9112, 6.3).
//
// Thread contract: HTTP threads; pure functions of a request and its connection.
#pragma once

#include <httplib.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "config/result.h"

namespace rushes::scheduler {

// What the server knows of a body beside its bytes, as headers that no client can send.
inline constexpr char kChunkedBody[] = ":chunked";   // it comes in chunks, and the reader gives their content
inline constexpr char kBodyFault[] = ":body-fault";  // "STATUS WORDS": why it could not be read to its end

struct BodyRefusal {
  int status = 400;
  std::string message;
};
using BodyStatus = tl::expected<void, BodyRefusal>;

// Calls `take` with the body piece by piece; it says whether it goes on. At most `most` bytes.
BodyStatus stream_body(const httplib::Request& request, const httplib::ContentReader& reader,
                       std::uint64_t most, const std::function<bool(std::string_view)>& take);
tl::expected<std::string, BodyRefusal> whole_body(const httplib::Request& request,
                                                  const httplib::ContentReader& reader, std::uint64_t most);

}  // namespace rushes::scheduler
