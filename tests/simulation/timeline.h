// What happens when: the queue of events of one simulated farm, and the trace of what happened.
//
// Events of one moment run in the order in which they were planned; nothing else decides, so a run repeats
// itself. The trace is a hash of everything noted; its last lines are kept as text only when asked for.
//
// Thread contract: one thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "tests/simulation/dice.h"

namespace rushes::simulation {

class Trace {
 public:
  explicit Trace(std::size_t kept_lines) : kept_(kept_lines) {}
  // `what` is a word, `who` and `number` name its subject.
  void note(std::int64_t now_ms, const char* what, std::int64_t who, std::uint64_t number = 0) {
    std::uint64_t word = 0;
    for (const char* c = what; *c != 0; ++c) word = word * 31 + static_cast<unsigned char>(*c);
    hash_ = mix(hash_ ^ static_cast<std::uint64_t>(now_ms));
    hash_ = mix(hash_ ^ word ^ static_cast<std::uint64_t>(who) << 48 ^ number << 8);
    if (kept_ == 0) return;
    lines_.push_back(std::to_string(now_ms) + " ms  " + what + (who >= 0 ? " w" + std::to_string(who) : "") +
                     (number != 0 ? " " + std::to_string(number) : ""));
    if (lines_.size() > kept_) lines_.pop_front();
  }
  std::uint64_t hash() const { return hash_; }
  const std::deque<std::string>& lines() const { return lines_; }

 private:
  std::size_t kept_;
  std::uint64_t hash_ = 0;
  std::deque<std::string> lines_;
};

class Timeline {
 public:
  using Action = std::function<void()>;
  std::int64_t now() const { return now_; }
  void at(std::int64_t when, Action action) {
    queue_.push_back({std::max(when, now_), next_++, std::move(action)});
    std::push_heap(queue_.begin(), queue_.end(), later);
  }
  void in(std::int64_t ms, Action action) { at(now_ + ms, std::move(action)); }
  // Runs the next event; false when none is left.
  bool step() {
    if (queue_.empty()) return false;
    std::pop_heap(queue_.begin(), queue_.end(), later);
    Entry entry = std::move(queue_.back());
    queue_.pop_back();
    now_ = entry.when;
    ++steps_;
    entry.action();
    return true;
  }
  std::uint64_t steps() const { return steps_; }

 private:
  struct Entry {
    std::int64_t when;
    std::uint64_t number;
    Action action;
  };
  static bool later(const Entry& a, const Entry& b) {
    return a.when != b.when ? a.when > b.when : a.number > b.number;
  }
  std::int64_t now_ = 0;
  std::uint64_t next_ = 0, steps_ = 0;
  std::vector<Entry> queue_;
};

}  // namespace rushes::simulation
