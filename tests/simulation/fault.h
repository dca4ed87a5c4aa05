// What goes wrong in a run: a list of faults, each with its moment, duration, victim and strength.
//
// The list is planned from the seed before the run, so that a failing run can be repeated with parts of it
// (shrink.h) and printed as text: KIND@MS[+MS][:wN][*AMOUNT], for example loss@1200+5000:w2*30.
//
// Thread contract: plain values.
#pragma once

#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "config/result.h"

namespace rushes::simulation {

enum class FaultKind : std::uint8_t {
  kLoss,         // network: AMOUNT percent of a worker's messages are lost, both ways
  kDuplicate,    //   AMOUNT percent arrive twice
  kReorder,      //   messages arrive up to AMOUNT ms late, in any order
  kDelay,        //   all arrive AMOUNT ms later
  kCut,          //   nothing arrives
  kCutUp,        //   nothing arrives at the scheduler
  kCutDown,      //   nothing arrives at the worker
  kSlowDisk,     // journal: a sync takes AMOUNT ms
  kFullDisk,     //   nothing can be written
  kKill,         // scheduler: SIGKILL after AMOUNT more events, started again after the duration
  kStall,        //   it does not run (SIGSTOP, a machine that swaps)
  kDrift,        // clocks: a worker's runs AMOUNT per mille fast
  kJump,         //   the scheduler's wall clock jumps by AMOUNT seconds
  kCrash,        // worker: SIGKILL of agent and engines, started again after the duration
  kFreeze,       //   the agent does not run, its engines do
  kEngineDeath,  //   an engine process dies
  kEngineHang,   //   an engine stands still until it is killed
  kFailSome,     //   AMOUNT percent of its attempts fail
  kFailAll,      //   all of them fail
  kLie,          //   it reports progress that has nothing to do with its work
  kLeave,        //   SIGTERM, twice where AMOUNT is 1, started again after the duration
  kTwin,         //   a second process of its name runs on another host
  kWish,         // people: pause, resume, cancel, approve, retry, skip, drain ...; AMOUNT chooses
};
inline constexpr int kFaultKinds = 23;
const char* to_string(FaultKind kind);

inline constexpr int kEverybody = -1;
// The twin of worker N, a process of its name on another host, has the number kTwin + N.
inline constexpr int kTwin = 100;
inline std::string worker_name(int number) { return "w" + std::to_string(number % kTwin); }

struct Fault {
  FaultKind kind = FaultKind::kLoss;
  std::int64_t at_ms = 0, for_ms = 0;
  int worker = kEverybody;
  std::int64_t amount = 0;
  bool operator==(const Fault&) const = default;
};
std::string to_string(const Fault& fault);
std::string to_string(const std::vector<Fault>& faults);  // comma separated

// --faults: kinds ("loss,kill") that may be planned, or exact faults ("kill@1200+500*3"), or "none".
struct FaultChoice {
  std::set<FaultKind> kinds;
  std::vector<Fault> exact;
  bool planned = true;  // false: exactly `exact`
};
FaultChoice every_fault();
Result<FaultChoice> parse_faults(std::string_view list);

// Faults of a run whose last one is over before `span_ms`.
std::vector<Fault> plan_faults(std::uint64_t seed, int workers, std::int64_t span_ms,
                               const std::set<FaultKind>& kinds);

}  // namespace rushes::simulation
