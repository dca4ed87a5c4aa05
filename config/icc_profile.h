// ICC profiles of pictures (ICC.1:2022), as far as Rushes reads them: whether one is that of sRGB or of Display P3.
//
// Thread contract: pure functions. A profile is hostile: every offset is checked before it is followed.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "config/primaries.h"

namespace rushes::config {

// The primaries of a profile whose curves are sRGB's and whose colorants are those of BT.709 or P3-D65. A grey profile
// with that curve has those of BT.709. `name`: what the file that holds the profile calls it; one that has tables
// instead of colorants is sRGB where a name says so. Nothing: another profile.
std::optional<Primaries> known_profile(std::string_view profile, std::string_view name);

// How the profile calls itself, in printable ASCII, for messages; else `name`, else "a profile without a name".
std::string profile_name(std::string_view profile, std::string_view name);

}  // namespace rushes::config
