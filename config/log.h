// The log of a process: lines on its standard output (scheduler) or standard error (worker, engine), over spdlog.
//
// Only log.cpp includes spdlog and compiles its formatting: in every file that logs they cost three seconds.
//
// A warning or an error that repeats comes less and less often (config/repeats.h).
//
// Thread contract: any thread; name_process() and set_level() in main(), before there are others.
#pragma once

#include <fmt/core.h>

#include <string>
#include <vector>

namespace rushes::log {

enum class Level { kDebug, kInfo, kWarning, kError };
inline const std::vector<std::string> kLevels{"debug", "info", "warning", "error"};  // --log-level
void write(Level level, const std::string& line);
bool says(Level level);  // whether such lines are written at all

template <typename... Values>
void info(fmt::format_string<Values...> text, Values&&... values) {
  write(Level::kInfo, fmt::vformat(text, fmt::make_format_args(values...)));
}

template <typename... Values>
void warn(fmt::format_string<Values...> text, Values&&... values) {
  write(Level::kWarning, fmt::vformat(text, fmt::make_format_args(values...)));
}

template <typename... Values>
void error(fmt::format_string<Values...> text, Values&&... values) {
  write(Level::kError, fmt::vformat(text, fmt::make_format_args(values...)));
}

void name_process(const std::string& name);  // lines carry the name and go to standard error
void set_level(Level least);                 // what weighs less is not written; default: kInfo
void set_level(const std::string& word);     // one of kLevels; another word changes nothing

}  // namespace rushes::log
