#include "scheduler/protocol/codec.h"
#include "scheduler/protocol/framing.h"
#include "tests/fuzz/targets.h"

namespace rushes::fuzz {

// The same bytes in one piece and in two give the same frames.
void pipe(std::string_view bytes) {
  protocol::FrameReader whole, parts;
  whole.append(bytes);
  parts.append(bytes.substr(0, bytes.size() / 2));
  std::size_t early = 0;
  std::vector<std::string> frames;
  for (;;) {
    auto frame = parts.next();
    if (!frame || !*frame) break;
    frames.push_back(std::move(**frame));
    ++early;
  }
  parts.append(bytes.substr(bytes.size() / 2));
  for (std::size_t i = 0;; ++i) {
    const auto frame = whole.next();
    if (i >= early) {
      const auto other = parts.next();
      require(other.has_value() == frame.has_value(), "a length is refused however it comes");
      if (other) require(*other == *frame, "frames do not depend on how they come");
    } else {
      require(frame && *frame && **frame == frames[i], "frames do not depend on how they come");
    }
    if (!frame || !*frame) return;
    if (const auto run = protocol::decode_to_engine(**frame))
      require(protocol::encode(*run).has_value(), "what was read can be written");
    if (const auto said = protocol::decode_from_engine(**frame))
      require(protocol::encode(*said).has_value(), "what was read can be written");
  }
}

}  // namespace rushes::fuzz
