// Which lines of trouble are said: one that repeats comes less and less often.
//
// Lines that differ in digits only repeat each other: "task 12: the disk is full", "task 13: the disk is full".
//
// Thread contract: a plain value; its owner guards it.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace rushes::log {

class Repeats {
 public:
  using Time = std::chrono::milliseconds;
  static constexpr Time kFirst{1'000},
      kLongest{60'000};                        // silence after a line: doubled with every repetition
  static constexpr std::size_t kLines = 1024;  // remembered

  // Lines like it that were left out since it was said last. Nothing: leave this one out too.
  std::optional<std::uint64_t> admit(std::string_view line, Time now) {
    if (lines_.size() >= kLines) forget(now);
    std::string text(line);
    std::erase_if(text, [](char c) { return c >= '0' && c <= '9'; });
    const auto [found, fresh] = lines_.try_emplace(std::move(text), Line{now + kFirst, kFirst, 0});
    Line& known = found->second;
    if (fresh) return 0;
    if (now < known.next) {
      ++known.left_out;
      return std::nullopt;
    }
    known.silence = now - known.next > kLongest ? kFirst : std::min(2 * known.silence, kLongest);
    known.next = now + known.silence;
    return std::exchange(known.left_out, 0);
  }

 private:
  struct Line {
    Time next, silence;
    std::uint64_t left_out;
  };
  void forget(Time now) {
    std::erase_if(lines_, [now](const auto& entry) { return now > entry.second.next + kLongest; });
    if (lines_.size() >= kLines) lines_.clear();
  }

  std::unordered_map<std::string, Line> lines_;
};

}  // namespace rushes::log
