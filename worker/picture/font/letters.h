// The bytes of letters.png, compiled in; canvas.cpp draws with them.
//
// Thread contract: a constant.
#pragma once

#include <span>

namespace rushes::worker {

std::span<const unsigned char> letters_png();

}  // namespace rushes::worker
