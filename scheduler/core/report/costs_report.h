// What the farm has spent, in device seconds, by show, batch and shot: for GET /v1/costs.
//
// Every attempt that held a slot counts. Used: attempts whose result was accepted, also where its take was dropped
// later, and those that run, until now. Wasted: attempts that failed, were lost or called off. What was spent stays
// spent: a shot that was cancelled, replaced or removed counts on in its show and its batch. A replaced or removed
// shot is a row of its own, SHOW/SHOT@N, beside the shot that has its name now.
//
// Thread contract: a pure function of the State, for the core thread; what it returns are values.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "scheduler/core/state/state.h"

namespace rushes::scheduler::view {

struct ShotCost {
  std::string shot, show;  // shot: "show/shot"
  std::uint64_t batch = 0;
  ShotState state = ShotState::kQueued;
  DeviceSeconds cost;
};

// Sums over the shots that were asked for.
struct ShowCost {
  std::string show;
  std::uint32_t shots = 0;
  DeviceSeconds cost;
};
struct BatchCost {
  std::uint64_t batch = 0;
  std::string name, show;  // name: of the file
  std::uint32_t shots = 0;
  DeviceSeconds cost;
};

// Each list has the most expensive first; equal ones in the order in which they came to the farm.
struct CostsReport {
  DeviceSeconds total;
  std::vector<ShowCost> shows;
  std::vector<BatchCost> batches;
  std::vector<ShotCost> shots;
};

CostsReport costs(const State& state, Now now, const std::function<bool(const Shot&)>& counts);

}  // namespace rushes::scheduler::view
