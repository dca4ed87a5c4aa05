// Writes tokens.yaml (config/tokens.h), for tools.
//
// Thread contract: pure functions, and one that writes a file.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "config/tokens.h"

namespace rushes::config {

Result<Role> parse_role(std::string_view word);  // Error: kInvalid, with the roles
std::string tokens_text(const std::vector<Token>& tokens);
// The new file takes the place of the old one at once; comments of people in it are lost.
Status write_tokens(const std::filesystem::path& file, const std::vector<Token>& tokens);

}  // namespace rushes::config
