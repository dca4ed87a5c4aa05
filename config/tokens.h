// tokens.yaml: who may use the HTTP API, as what, and for how long. `rushes token` writes it, the scheduler reads it.
//
// Thread contract: pure functions of their arguments and the file named; one process writes a file at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/digest.h"
#include "config/result.h"

namespace rushes::config {

// Roles of the HTTP API, each may do what the ones before it may.
enum class Role { kViewer, kGuest, kArtist, kSupervisor, kAdmin };
std::string_view to_string(Role role);  // "viewer", "guest", "artist", "supervisor", "admin"

// One entry of tokens.yaml. The file holds digests, so that reading it gives no access.
struct Token {
  std::string name;  // who, for the journal: is_worker_name(), so that a host may be one
  Role role = Role::kViewer;
  std::string digest;     // text_digest() of the secret text; compare with same_digest()
  std::string shot = {};  // "show/shot": it sees and touches nothing else; every guest has one
  std::string show = {};  // the same of a show
  std::optional<std::int64_t> until = {};  // milliseconds since 1970: it opens nothing from then on
};

// tokens.yaml: {version: 1, tokens: [{name: ann, role: artist, digest: "blake2b-256:<64 hex>"}]}; show, shot and until
// are optional.
Result<std::vector<Token>> read_tokens(const std::filesystem::path& file);
Result<std::vector<Token>> parse_tokens(std::string_view text, const std::filesystem::path& file);

}  // namespace rushes::config
