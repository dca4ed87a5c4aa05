// What all actors of one simulated farm share.
//
// Thread contract: one thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/simulation/oracle.h"
#include "tests/simulation/studio.h"
#include "tests/simulation/timeline.h"
#include "tests/simulation/weather.h"

namespace rushes::simulation {

class SchedulerNode;
class WorkerNode;

struct World {
  World(std::uint64_t seed_in, std::size_t kept_lines)
      : seed(seed_in),
        trace(kept_lines),
        settings(studio_settings()),
        network(timeline, weather, seed_in),
        oracle(timeline, settings, seed_in) {}

  std::uint64_t seed;
  Timeline timeline;
  Trace trace;
  Weather weather;
  scheduler::Settings settings;
  Network network;
  Oracle oracle;
  std::set<Digest> vault;  // artifacts that are stored and synced
  SchedulerNode* scheduler = nullptr;
  std::vector<WorkerNode*> workers, twins;
  WorkerNode& worker(int number) const {
    return *(number < kTwin ? workers : twins)[static_cast<std::size_t>(number % kTwin)];
  }

  std::int64_t now() const { return timeline.now(); }
  void note(const char* what, std::int64_t who, std::uint64_t number = 0) {
    trace.note(timeline.now(), what, who, number);
  }
};

}  // namespace rushes::simulation
