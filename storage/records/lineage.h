// How each window of a take was made: from which seed and prompt, and for which revision.
//
// A recipe has the take's own seed and prompt and its revisions, oldest first. A revision renders its windows with a
// seed of its own, and with its prompt; without one, with the prompt of before it.
//
// Thread contract: pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "storage/records/words.h"

namespace rushes {

// The prompt of what is rendered now: that of the newest revision that has one, else the take's.
const std::string& current_prompt(const Recipe& recipe);

struct WindowMade {
  std::uint32_t window = 0, revision = 0;  // revision 0: the first rendering
  std::uint64_t seed = 0;                  // of its own frames; noise.h says which one shared frames have
  std::string prompt = {};                 // empty: an older recipe does not say
  bool operator==(const WindowMade&) const = default;
};
// Of every window, in their order.
std::vector<WindowMade> windows_made(std::size_t windows, std::uint64_t seed, const std::string& prompt,
                                     std::span<const Revision> revisions);
std::vector<WindowMade> windows_made(const Recipe& recipe);

// Windows that one revision made, with the same seed and prompt.
struct WindowsMade {
  std::vector<std::uint32_t> windows;  // ascending
  std::uint32_t revision = 0;
  std::uint64_t seed = 0;
  std::string prompt = {};
};
// Of the windows that are not as the take was rendered first, by revision.
std::vector<WindowsMade> renewed_windows(std::span<const WindowMade> made);

}  // namespace rushes
