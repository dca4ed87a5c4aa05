#include "config/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace rushes::log {

void write(Level level, const std::string& line) {
  const auto severity = level == Level::kInfo      ? spdlog::level::info
                        : level == Level::kWarning ? spdlog::level::warn
                                                   : spdlog::level::err;
  spdlog::log(severity, spdlog::string_view_t(line));
}

void name_process(const std::string& name) { spdlog::set_default_logger(spdlog::stderr_color_mt(name)); }

void only_warnings() { spdlog::set_level(spdlog::level::warn); }

}  // namespace rushes::log
