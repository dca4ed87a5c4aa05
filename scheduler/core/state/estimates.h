// What tasks are expected to take, by what the State has learned (policy/estimate.h).
//
// Thread contract: pure functions of the State; learn() is used by apply() only.
#pragma once

#include "scheduler/core/state/state.h"

namespace rushes::scheduler {

// By results of the same stage, level, model and class; else of another class; else a guess from the plan.
policy::Expected expected(const State& state, const Task& task);

// How fast tasks are, the same way.
struct Pace {
  double unit = 0;   // seconds of one unit of work
  double fixed = 0;  // seconds of every task besides
  bool measured = false;
  double of(double work) const { return unit * work + fixed; }
  double of(const policy::WorkSum& sum) const { return unit * sum.work + fixed * sum.tasks; }
};
Pace pace(const State& state, const Shot& shot, Stage stage, std::uint32_t level);
// As measured of denoising in a class; unit 0: not measured.
Pace denoise_pace(const State& state, const Shot& shot, const std::string& numeric_class);

// Seconds of so much work of each stage of the shot; level 0: of its draft, 1: of its upgrade.
double expected(const State& state, const Shot& shot, const StageWork& work, std::uint32_t level);

// Seconds since the task began to run; 0: it does not run, or it began before a restart.
double elapsed_seconds(const Task& task, std::int64_t now_ms);

// When an attempt that is held now ends at the latest, by its estimate, as a time of CLOCK_BOOTTIME.
std::int64_t expected_end_ms(const State& state, const Task& task, std::int64_t now_ms);

// Seconds that loading the model into a slot takes.
double load_seconds(const State& state, const Digest& model);

// From its accepted result. loaded: the attempt began with loading the model.
void learn(State& state, const Task& task, bool loaded);

}  // namespace rushes::scheduler
