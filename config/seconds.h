// How a number of device seconds reads, in answers of the farm and on terminals.
//
// Thread contract: pure functions.
#pragma once

#include <string>

namespace rushes::config {

// "12.3"; "<0.1" of what is more than nothing; "1.2e+07" of ten millions and more; "-" of what is no amount.
std::string seconds_text(double seconds);

}  // namespace rushes::config
