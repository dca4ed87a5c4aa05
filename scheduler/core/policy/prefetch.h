// Whether a busy worker may be given a task ahead, so that it can fetch the inputs meanwhile.
//
// Thread contract: pure function.
#pragma once

#include <cstdint>

namespace rushes::scheduler::policy {

// Only while more tasks are ready than the farm has slots: at the end of a batch a task that waits behind a
// running one would keep another worker idle.
inline bool may_prefetch(std::uint64_t ready, std::uint32_t slots) { return ready > slots; }

}  // namespace rushes::scheduler::policy
