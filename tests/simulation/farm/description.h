// config/farms/NAME.yaml: a studio for the scheduling simulator. Hosts, shows, what people submit and when,
// how long tasks take, and the goals that the run must meet (see the commented
// config/farms/studio-week.yaml).
//
// Thread contract: pure functions of their arguments and the file named.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "config/farm.h"
#include "config/result.h"
#include "storage/records/words.h"

namespace rushes::simulation::farm {

using std::chrono::milliseconds;

// What people render with. Work is counted as the planner counts it; `step` and Pace turn it into seconds.
struct ModelDescription {
  std::string name;
  int width = 0, height = 0;  // multiples of 32
  int frames = 81;            // native window
  int steps = 30, master_steps = 8;
  double guidance = 5, master_start = 0.4;
  milliseconds step{0};  // one denoise step of one native window on a host of speed 1
  milliseconds load{0};  // reading the weights; paid whenever a slot changes to this model
};

// Seconds of the stages without a transformer, on a host of speed 1.
struct Pace {
  milliseconds encode{5'000};                                                  // of a shot
  double decode = 60, critique = 20, enlarge = 20, finish = 30, deliver = 30;  // seconds per 10^9 pixels
};

// Run times: the work's seconds times exp(spread * normal - spread^2 / 2), which has mean 1; some take longer
// still.
struct RunTimes {
  double spread = 0.2;
  double stragglers = 0, straggler_factor = 4;  // share of attempts, how many times longer
};

struct HostGroup {
  std::string name;
  int count = 1, slots = 1, prefetch = 1;
  int cpu_slots = 0;  // of a GPU host, beside its GPU slots
  // Beside the weights: of all slots together, on a GPU host of its devices; and of its host.
  std::uint64_t memory = 0, host_memory = 0;
  std::string numeric_class;
  double speed = 1;
  std::vector<int> models;             // indexes of Description::models; at least one
  double failures = 0;                 // share of attempts that the engine fails
  milliseconds lost_every{0};          // mean time between losses of one host; 0: never
  milliseconds away{600'000};          // how long a lost host stays away
  int from_hour = 0, until_hour = 24;  // of the day; from > until: over night
  bool always() const { return from_hour == 0 && until_hour == 24; }
  WorkerOffer offer() const;  // without models
  int all_slots() const { return slots + cpu_slots; }
};

struct Span {
  int least = 1, most = 1;
};

struct BatchDescription {
  std::string name;
  int show = 0, model = 0;  // indexes
  milliseconds first{0};    // after the start
  milliseconds every{0};    // 0: once
  int times = 1;
  Span shots, frames, takes;
  int priority = 50;
  int gate = 0, upgrade = 0;  // percent of the shots
  int scale = 2;
  milliseconds deadline{0};  // after it is submitted; 0: none
};

struct Goal {
  std::string figure;  // a name that figures.h gives
  bool at_most = true;
  double limit = 0;
  int line = 0;
};

struct Description {
  std::string file, name;
  std::uint64_t seed = 1;
  std::vector<ModelDescription> models;
  Pace pace;
  RunTimes run_times;
  milliseconds window{3'600'000};      // shares are judged and drawn over windows of this length
  std::uint64_t network = 1ull << 30;  // bytes a second of one host
  std::uint64_t cache = 64ull << 30;   // bytes of inputs and results that one host keeps
  double revise = 0.2, reject = 0.05;  // shares of critiques
  std::vector<HostGroup> hosts;
  std::vector<config::Show> shows;
  std::vector<BatchDescription> batches;
  std::vector<Goal> goals;
};

// Error: kInvalid with one line per problem, kNotFound.
Result<Description> read_description(const std::filesystem::path& file);
Result<Description> parse_description(std::string_view text, const std::filesystem::path& file);

}  // namespace rushes::simulation::farm
