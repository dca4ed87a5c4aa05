// Instants as people write them: ISO 8601 with an offset, "2026-12-01T18:00:00+01:00".
//
// Thread contract: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "config/result.h"

namespace rushes::config {

// Milliseconds since 1970, UTC. Seconds may be left out; the offset may not ("Z" or +HH:MM): a time without
// one means another instant on every host. Years 1970 to 9999. Error: kInvalid with what was expected.
Result<std::int64_t> parse_instant(std::string_view text);

// "2026-12-01T17:00:00Z"
std::string instant_text(std::int64_t ms);

}  // namespace rushes::config
