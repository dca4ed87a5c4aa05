// What a simulated farm did with its time: slots, shows, waits, waste. It watches from outside: nothing of it
// comes from the scheduler's own counters.
//
// Thread contract: one thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "config/farm.h"

namespace rushes::simulation::farm {

struct Window {          // slot milliseconds, unless it says otherwise
  double passed_ms = 0;  // the last window may be shorter
  double offered = 0, busy = 0;
  std::vector<double> used;          // by show
  std::vector<double> waiting_ms;    // by show: how long it had ready tasks without a lease
  std::vector<double> contested_ms;  // by show: how long such a task fitted what others had
};

// One wait: of a task, from when it could run until it ran.
struct Wait {
  int priority;
  float seconds;
};

class Meter {
 public:
  Meter(std::vector<config::Show> shows, std::size_t groups, std::int64_t window_ms);

  // Everything below happened at the moment that the last advance() named.
  void advance(std::int64_t now_ms);
  void slots_changed(std::size_t group, int by);
  void run_began(std::size_t show, std::size_t group);
  void run_over(std::size_t show, std::size_t group);
  // Where the show's ready tasks without a lease fitted when the decision was made: by host group. Empty:
  // it had none.
  void backlog(std::size_t show, std::vector<bool> fits);
  void check_floors();
  void waited(int priority, std::int64_t ms) {
    waits_.push_back({priority, static_cast<float>(ms) / 1000.0f});
  }
  void useful(double seconds) {
    useful_ += seconds;
    runs_.push_back(static_cast<float>(seconds));
  }
  void wasted(const std::string& cause, double seconds) { wasted_[cause] += seconds; }
  void loaded(double seconds, bool forced) {
    ++loads_;
    if (forced) ++forced_loads_;
    load_seconds_ += seconds;
  }

  const std::vector<config::Show>& shows() const { return shows_; }
  const std::vector<Window>& windows() const { return windows_; }
  std::int64_t window_ms() const { return window_ms_; }
  const std::vector<Wait>& waits() const { return waits_; }
  const std::map<std::string, double>& wasted() const { return wasted_; }
  double useful_seconds() const { return useful_; }         // of accepted attempts, model loads included
  const std::vector<float>& runs() const { return runs_; }  // their seconds
  std::uint64_t loads() const { return loads_; }
  std::uint64_t forced_loads() const { return forced_loads_; }  // the engine that had it was gone
  double load_seconds() const { return load_seconds_; }
  std::int64_t longest_below_floor_ms(std::size_t show) const { return longest_below_[show]; }
  int slots() const { return slots_; }

 private:
  int floor_of(std::size_t show) const;
  bool could_use(std::size_t show, bool only_above_floor) const;

  std::vector<config::Show> shows_;
  std::int64_t window_ms_;
  std::int64_t now_ = 0;
  int slots_ = 0;
  std::vector<int> running_;                     // by show
  std::vector<int> group_slots_, group_busy_;    // by host group
  std::vector<std::vector<int>> group_running_;  // by show and host group
  std::vector<std::vector<bool>> fits_;          // by show, of what waits; empty: nothing does
  std::vector<bool> contested_;
  std::vector<std::int64_t> below_since_;  // -1: not below its floor
  std::vector<std::int64_t> longest_below_;
  std::vector<Window> windows_;
  std::vector<Wait> waits_;
  std::map<std::string, double> wasted_;
  double useful_ = 0, load_seconds_ = 0;
  std::vector<float> runs_;
  std::uint64_t loads_ = 0, forced_loads_ = 0;
};

}  // namespace rushes::simulation::farm
