#include "scheduler/gateway/access.h"
#include "scheduler/gateway/body.h"
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

}  // namespace rushes::fuzz
