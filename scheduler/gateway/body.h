// What people send over HTTP, checked and turned into plain values: bodies, headers, numbers in paths.
//
// Everything here is hostile until read: size is bounded by the server, depth and types here. Errors are
// kInvalid, one short line.
//
// Thread contract: pure functions.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "config/digest.h"
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
Result<bool> read_dry_run(std::string_view body);  // {"dry_run"?}, false without it
struct VersionChoice {
  std::uint32_t take = 0;
  std::optional<std::uint32_t> version;
};
Result<VersionChoice> read_choice(std::string_view body);  // {"take": N, "version"?}

// A batch as it was sent: YAML, or JSON that holds it: {"yaml", "file"?, "pictures"?: {"path in it": "DIGEST"}}.
struct Submission {
  std::string text;                        // YAML
  std::string file;                        // its name, for messages: shown_name()
  std::map<std::string, Digest> pictures;  // sent before; by their lexically normal path
};
Result<Submission> read_submission(std::string_view body, bool json);

// A file's name as messages show it: printable UTF-8 on one line, the end of a long one. Never refused.
std::string shown_name(std::string_view name);
std::string percent_decoded(std::string_view text);

// kind=draft|master|proxy, take=N and version=N of a query, all optional; a value that is empty is absent.
Result<TakeChoice> read_take_choice(const std::string& kind, const std::string& take,
                                    const std::string& version);

std::optional<std::uint64_t> number_of(std::string_view text);  // digits only
// Printable ASCII of at most `most` bytes; nothing when it is longer or holds anything else.
std::optional<std::string> plain_text(std::string value, std::size_t most);

}  // namespace rushes::scheduler
