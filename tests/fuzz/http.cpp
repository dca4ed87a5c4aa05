#include <algorithm>
#include <cstring>
#include <string>

#include "scheduler/gateway/access.h"
#include "scheduler/gateway/body.h"
#include "scheduler/gateway/chunks.h"
#include "scheduler/gateway/request_head.h"
#include "tests/fuzz/targets.h"

namespace rushes::fuzz {

using namespace rushes::scheduler;

// A body, and the same bytes as a header and as a number of a path.
void http_body(std::string_view bytes) {
  const auto body = read_body(bytes);
  if (const auto take = read_approve(bytes)) require(body.has_value(), "an approval is an object");
  if (const auto retry = read_retry(bytes))
    require(body.has_value() && retry->windows.size() <= 10'000 && retry->note.size() <= kMaxNote,
            "a retry is within its bounds");
  else
    require(retry.error().message.size() < 512, "a refusal is short, whatever was sent");
  if (const auto header = plain_text(std::string(bytes), kMaxHeader))
    require(header->size() <= kMaxHeader, "a header is within its bounds");
  if (const auto number = number_of(bytes)) require(!bytes.empty(), "a number has digits");
  static Access access({}, {1e9, 1e9}, {1e9, 1e9});
  require(access.check(bytes, "127.0.0.1", config::Role::kViewer).refusal == Access::Refusal::kUnknown,
          "nobody is known to a farm without tokens");
}

void http_head(std::string_view bytes) {
  std::string head(bytes);
  std::size_t length = head.size();
  if (const auto refusal = check_head(head, length)) {
    require(refusal->message.size() < 1024, "a refusal is short, whatever was sent");
    require(refusal->message.find_first_of("\r\n") == refusal->message.npos, "a refusal is one line");
    require(answer_of(*refusal).size() < 8192, "an answer is short");
    return;
  }
  require(length == head.size() && length <= bytes.size(), "a head becomes no longer");
  const std::string served = head;
  require(!check_head(head, length) && head == served, "what is served is served again as it is");
}

// The same content in however many pieces it arrives.
void http_chunks(std::string_view bytes) {
  std::string whole;
  for (const std::size_t piece : {bytes.size() + 1, std::size_t{1}}) {
    std::size_t at = 0;
    const ChunkReader::Source source = [&](char* out, std::size_t size) {
      const std::size_t count = std::min({size, piece, bytes.size() - at});
      std::memcpy(out, bytes.data() + at, count);
      at += count;
      return static_cast<ssize_t>(count);
    };
    ChunkReader reader;
    std::string content;
    char out[64];
    for (ssize_t got; (got = reader.read(source, out, sizeof out)) > 0;)
      content.append(out, static_cast<std::size_t>(got));
    require(content.size() <= bytes.size(), "a body has no more bytes than came");
    if (piece == 1) require(content == whole, "a body does not depend on its pieces");
    whole = content;
  }
}

}  // namespace rushes::fuzz
