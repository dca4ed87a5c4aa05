// Instants as people write them: ISO 8601 with an offset, "2026-12-01T18:00:00+01:00".
//
// Thread contract: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "config/result.h"

namespace rushes::config {

// Milliseconds since 1970, UTC. Seconds may be left out, and may have three digits behind a point; the offset may not be
// left out ("Z" or +HH:MM): a time without one means another instant on every host. Years 1970 to 9999. Error: kInvalid
// with what was expected.
Result<std::int64_t> parse_instant(std::string_view text);

enum class Fraction { kNone, kMilliseconds };
// "2026-12-01T17:00:00Z", or "2026-12-01T17:00:00.250Z"
std::string instant_text(std::int64_t ms, Fraction fraction = Fraction::kNone);

}  // namespace rushes::config
