// How many files and connections the process may have open.
//
// Thread contract: call at the start, before there are other threads.
#pragma once

#include <cstdint>

namespace rushes::scheduler {

// A worker is connected twice, for control and for artifacts; the databases and the gateway need the rest.
constexpr std::uint64_t open_files_for(std::uint64_t workers) { return 2 * workers + 768; }

// Raises the soft limit (1,024 on most hosts, enough for 256 workers) to the hard one; returns what holds
// now.
std::uint64_t raise_open_files();

}  // namespace rushes::scheduler
