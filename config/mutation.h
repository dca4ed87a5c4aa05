// Deliberate bugs, one at a time, to prove that the simulator finds them
// (tests/simulation/mutation_test.cpp).
//
// Only the libraries that are compiled a second time for that test define RUSHES_MUTATIONS; everywhere else
// mutated() is a constant false and the compiler removes what it guards.
//
// Thread contract: the planted bug belongs to the thread that set it.
#pragma once

namespace rushes {

enum class Mutation {
  kNone,
  kAcceptStaleAttempt,      // a result of an attempt that is over is taken
  kReleaseBeforeStop,       // a revoked attempt counts as stopped at once
  kAckBeforeSync,           // what a decision owes leaves before its records are on disk
  kForgetDependency,        // a task does not wait for its last input
  kCountSlotTwice,          // a worker's slots are offered twice
  kDropOutboxEntry,         // a restarted agent forgets a finished result
  kResurrectCancelled,      // a cancelled task comes back when its attempt has stopped
  kSkipCheckpointVerdict,   // a rejected checkpoint lets the take go on
  kStarveShow,              // floors are ignored and one show goes last
  kLoseLeaseOnRestart,      // a snapshot brings tasks back without their leases
  kResultOfAnotherAttempt,  // the agent names the next attempt when it delivers a result
  kLeaseNeverExpires,       // silence of a worker has no consequence
  kBackOffForever,          // a failed task is held back and never let go
  kForgetRenewal,           // recovery does not renew the leases
  kCountPauses,             // leases run out while the scheduler does not run
  kWelcomeTwins,            // a second process of a worker's name is welcomed while the first one lives
  kForgetOpenTasks,         // a take leaves while tasks of it, or of others, need what it made
  kStaleRow,                // a snapshot leaves out that a task has succeeded
};

#ifdef RUSHES_MUTATIONS
inline thread_local Mutation planted_mutation = Mutation::kNone;
inline bool mutated(Mutation mutation) { return planted_mutation == mutation; }
#else
constexpr bool mutated(Mutation) { return false; }
#endif

}  // namespace rushes
