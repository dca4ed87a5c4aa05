// A shot in one of the states that people meet.
#pragma once

#include <string>
#include <vector>

#include "tests/scheduler/core/sim_farm.h"

namespace rushes::scheduler {

inline constexpr const char* kShot = "demo/sh010";

inline Critique says(Verdict verdict, float score, std::vector<Finding> findings = {}) {
  Critique critique;
  critique.verdict = verdict;
  critique.score = score;
  critique.findings = std::move(findings);
  return critique;
}

// A shot of two windows, two takes and approval by a person, in one of the states that people meet.
struct Story {
  static constexpr std::int64_t kDay = 24 * 3600 * 1000;
  static Settings settings() {
    Settings settings = test_settings();
    settings.retention = {7, 30};  // days
    return settings;
  }
  TestFarm farm{settings()};
  SimWorker worker{farm, "a"};

  explicit Story(const std::string& state) {
    config::Shot shot = test_shot("sh010", 53, 2);
    shot.approve = config::Approve::kPerson;
    shot.upgrade.enabled = state == "upgrading";
    if (state == "attention, task failed") farm_fails = true;
    if (state == "attention, all dropped" || state.starts_with("one take dropped"))
      worker.critic = [state](const Task& task) {
        const bool bad = task.plan.take == 1 || state == "attention, all dropped";
        return bad && task.plan.revision == 0 ? says(Verdict::kReject, 0) : says(Verdict::kPass, 0.8f);
      };
    farm.submit({shot});
    if (state == "queued") return;
    worker.hello();
    if (state == "drafting") {
      worker.receive();
      worker.complete(worker.held.front());
      worker.receive();
      return;
    }
    if (farm_fails) {
      for (int i = 0; i < 100 && farm.shot(kShot).state != ShotState::kAttention; ++i) {
        worker.receive();
        if (!worker.held.empty()) worker.fail(worker.held.front(), FailKind::kEngine);
        farm.pass_ms(60'000);
        worker.beat();
      }
      return;
    }
    run_to_end(farm, {&worker});
    if (state.ends_with("pictures left")) {
      farm.now.wall_ms += (state.starts_with("review") ? 31 : 8) * kDay;
      farm.step(event::CollectGarbage{1});
      return;
    }
    if (state == "review" || state == "attention, all dropped" || state == "one take dropped") return;
    if (state == "revised") {
      farm.step(event::Retry{1, kShot, 1, {1}, "", "ann"});
      run_to_end(farm, {&worker});
      return;
    }
    if (state == "cancelled") {
      farm.step(event::Cancel{1, kShot, "ann"});
      return;
    }
    farm.step(event::Approve{1, kShot, 1, "ann"});
    if (state == "upgrading") return;
    run_to_end(farm, {&worker});
  }

  bool farm_fails = false;
};

}  // namespace rushes::scheduler
