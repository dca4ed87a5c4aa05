// What was spent and what shots will take, in device seconds, as tables of 80 columns.
//
// Thread contract: pure functions.
#pragma once

#include <string>

#include "tools/rushes/text.h"

namespace rushes::tools {

// COSTS of the API: shows, batches and shots, the most expensive first. Of many batches and shots only the first are
// listed, and the others are counted.
// `width` of the terminal; 0: there is none. One that has no room for the table gets a list.
std::string costs_text(const Json& costs, const Style& style, std::size_t width);

// RANGE of the API in a line: "about 14.0 device s (12.0 to 16.0)", and where it is no more than a guess.
std::string price_line(const Json& range);
// PRICE of the API as a table, further in than the line of its shot.
std::string price_table(const Json& price);

}  // namespace rushes::tools
