// SIGINT and SIGTERM are noted, so that a program puts its files in order before it ends.
//
// Thread contract: watch_interrupts() once, from main(); interrupted() anywhere.
#pragma once

namespace rushes::config {

// The first signal is noted, the second ends the process as if nothing watched.
void watch_interrupts();
// Number of the signal that came; 0: none. Programs end with 128 + it.
int interrupted();

}  // namespace rushes::config
