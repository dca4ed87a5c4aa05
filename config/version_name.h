// "v001": how versions of a delivery are named.
//
// Thread contract: pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace rushes::config {

std::string version_name(unsigned number);                      // 1 -> "v001"
std::optional<unsigned> version_number(std::string_view name);  // "v001" -> 1; nothing for other names

}  // namespace rushes::config
