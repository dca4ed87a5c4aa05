// Which faults are in force now, and what the network makes of them.
//
// Thread contract: one thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "tests/simulation/dice.h"
#include "tests/simulation/fault.h"
#include "tests/simulation/timeline.h"

namespace rushes::simulation {

class Weather {
 public:
  void begin(const Fault& fault) { active_.push_back(fault); }
  void end(const Fault& fault) {
    const auto found = std::find(active_.begin(), active_.end(), fault);
    if (found != active_.end()) active_.erase(found);
  }
  // The strongest fault of this kind that concerns the worker (kEverybody: the farm).
  std::optional<std::int64_t> amount(FaultKind kind, int worker = kEverybody) const {
    std::optional<std::int64_t> strongest;
    for (const Fault& fault : active_)
      if (fault.kind == kind && (fault.worker == kEverybody || fault.worker == worker))
        strongest = std::max(strongest.value_or(fault.amount), fault.amount);
    return strongest;
  }
  bool rages(FaultKind kind, int worker = kEverybody) const { return amount(kind, worker).has_value(); }
  bool calm() const { return active_.empty(); }

 private:
  std::vector<Fault> active_;
};

enum class Way { kUp, kDown };  // to the scheduler, to the worker

// One line between the scheduler and each worker. Without faults messages arrive once and in order.
class Network {
 public:
  Network(Timeline& timeline, const Weather& weather, std::uint64_t seed)
      : timeline_(timeline), weather_(weather), dice_(seed, 3) {}

  bool is_cut(Way way, int worker) const {
    return weather_.rages(FaultKind::kCut, worker) ||
           weather_.rages(way == Way::kUp ? FaultKind::kCutUp : FaultKind::kCutDown, worker);
  }
  void send(Way way, int worker, const std::function<void()>& deliver) {
    if (is_cut(way, worker) || dice_.chance(weather_.amount(FaultKind::kLoss, worker).value_or(0))) {
      ++lost_;
      return;
    }
    const bool twice = dice_.chance(weather_.amount(FaultKind::kDuplicate, worker).value_or(0));
    for (int copy = 0; copy < (twice ? 2 : 1); ++copy) timeline_.at(arrival(way, worker), deliver);
  }
  std::uint64_t lost() const { return lost_; }

 private:
  std::int64_t arrival(Way way, int worker) {
    const std::int64_t when =
        timeline_.now() + dice_.between(1, 3) + weather_.amount(FaultKind::kDelay, worker).value_or(0);
    if (const auto mess = weather_.amount(FaultKind::kReorder, worker)) return when + dice_.between(0, *mess);
    std::int64_t& last = last_[{way, worker}];
    return last = std::max(last, when);
  }
  Timeline& timeline_;
  const Weather& weather_;
  Dice dice_;
  std::map<std::pair<Way, int>, std::int64_t> last_;
  std::uint64_t lost_ = 0;
};

// A machine's clocks. Boot time runs at its own rate and starts anew with the machine; wall time jumps.
class Clock {
 public:
  explicit Clock(std::int64_t boot_ms) : boot_ms_(boot_ms) {}
  std::int64_t boot_ms(std::int64_t now) const {
    return boot_ms_ + (now - since_) * (1000 + per_mille_) / 1000;
  }
  std::int64_t wall_ms(std::int64_t now) const { return 1'700'000'000'000 + now + wall_offset_ms_; }
  void drift(std::int64_t now, std::int64_t per_mille) {
    boot_ms_ = boot_ms(now);
    since_ = now;
    per_mille_ = per_mille;
  }
  void jump(std::int64_t ms) { wall_offset_ms_ += ms; }
  void restart(std::int64_t now) {
    boot_ms_ = 5'000;
    since_ = now;
  }

 private:
  std::int64_t boot_ms_, since_ = 0, per_mille_ = 0, wall_offset_ms_ = 0;
};

}  // namespace rushes::simulation
