// The log of a process: lines on its standard output (scheduler) or standard error (worker, engine), over spdlog.
//
// Only log.cpp includes spdlog and compiles its formatting: in every file that logs they cost three seconds.
//
// Thread contract: any thread; name_process() and only_warnings() in main(), before there are others.
#pragma once

#include <fmt/core.h>

#include <string>

namespace rushes::log {

enum class Level { kInfo, kWarning, kError };
void write(Level level, const std::string& line);

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
void only_warnings();                        // and errors

}  // namespace rushes::log
