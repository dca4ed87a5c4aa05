#include "config/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <optional>

#include "config/repeats.h"

namespace rushes::log {
namespace {

spdlog::level::level_enum severity_of(Level level) {
  switch (level) {
    case Level::kDebug:
      return spdlog::level::debug;
    case Level::kInfo:
      return spdlog::level::info;
    case Level::kWarning:
      return spdlog::level::warn;
    case Level::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

std::optional<std::uint64_t> admit(const std::string& line) {
  static std::mutex mutex;
  static Repeats repeats;
  const std::lock_guard lock(mutex);
  return repeats.admit(
      line, std::chrono::duration_cast<Repeats::Time>(std::chrono::steady_clock::now().time_since_epoch()));
}

}  // namespace

bool says(Level level) { return spdlog::should_log(severity_of(level)); }

void write(Level level, const std::string& line) {
  if (!says(level)) return;
  std::string more;
  if (level >= Level::kWarning) {
    const auto left_out = admit(line);
    if (!left_out) return;
    if (*left_out > 0) more = " (" + std::to_string(*left_out) + " like it were left out)";
  }
  spdlog::log(severity_of(level), spdlog::string_view_t(line + more));
}

void name_process(const std::string& name) { spdlog::set_default_logger(spdlog::stderr_color_mt(name)); }

void set_level(Level least) { spdlog::set_level(severity_of(least)); }

void set_level(const std::string& word) {
  const auto found = std::find(kLevels.begin(), kLevels.end(), word);
  if (found != kLevels.end()) set_level(static_cast<Level>(found - kLevels.begin()));
}

}  // namespace rushes::log
