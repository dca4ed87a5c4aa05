// `rushes token`: who may use the farm. It changes tokens.yaml beside the scheduler's keys; a running scheduler sees that
// within a second.
//
// Thread contract: one thread; several processes wait for each other.
#pragma once

#include <filesystem>
#include <string>

#include "config/write_tokens.h"
#include "tools/rushes/verbs.h"

namespace rushes::tools {

struct TokenOptions {
  std::filesystem::path keys = "keys";  // the folder of `rushes keygen`
  std::string name, role, show, shot, until;
};

// Prints the secret, once: the file holds its digest.
Result<int> add_token(const TokenOptions& options, const Printer& print);
Result<int> list_tokens(const TokenOptions& options, const Printer& print);
Result<int> remove_token(const TokenOptions& options, const Printer& print);

// The admin token of a fresh farm: tokens.yaml and admin.token in `folder`; returns the files. Error: kConflict.
Result<std::vector<std::filesystem::path>> write_first_token(const std::filesystem::path& folder);

}  // namespace rushes::tools
