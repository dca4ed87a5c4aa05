// What people send over HTTP, checked and turned into plain values: bodies, headers, numbers in paths.
//
// Everything here is hostile until read: size is bounded by the server, depth and types here. Errors are
// kInvalid, one short line.
//
// Thread contract: pure functions.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "config/result.h"
#include "scheduler/core/event.h"
#include "scheduler/core/report/take_delivery.h"

namespace rushes::scheduler {

constexpr int kMaxBodyDepth =
    8;  // of nested lists and objects: what prints a value calls itself once a level
constexpr std::size_t kMaxHeader = 128;
constexpr std::size_t kMaxNote = 1000;

// A body that is a JSON object; an empty body is an empty object. Its keys are sorted: a list of keys in
// their own order takes a time that grows with the square of their number.
Result<nlohmann::json> read_body(std::string_view body);
Result<std::uint32_t> read_approve(std::string_view body);  // {"take": N}
// {"windows": [..]?, "take"?, "seed"?, "prompt"?, "note"?, "dry_run"?}
Result<event::Retry> read_retry(std::string_view body);
struct VersionChoice {
  std::uint32_t take = 0;
  std::optional<std::uint32_t> version;
};
Result<VersionChoice> read_choice(std::string_view body);  // {"take": N, "version"?}

// kind=draft|master|proxy, take=N and version=N of a query, all optional; a value that is empty is absent.
Result<TakeChoice> read_take_choice(const std::string& kind, const std::string& take,
                                    const std::string& version);

std::optional<std::uint64_t> number_of(std::string_view text);  // digits only
// Printable ASCII of at most `most` bytes; nothing when it is longer or holds anything else.
std::optional<std::string> plain_text(std::string value, std::size_t most);

}  // namespace rushes::scheduler
