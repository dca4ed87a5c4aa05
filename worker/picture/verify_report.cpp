// How the audit of verify.h is told: to people and to programs.
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "worker/picture/verify.h"

namespace rushes::worker {
namespace {

const char* name_of(Severity severity) { return severity == Severity::kError ? "error" : "warning"; }

std::string number(float value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.4g", static_cast<double>(value));
  return text.data();
}

std::string plural(std::size_t count, const std::string& word) {
  return std::to_string(count) + " " + word + (count == 1 ? "" : "s");
}

}  // namespace

std::string report_text(const DeliveryReport& report) {
  std::string out;
  for (const DeliverySequence& s : report.sequences) {
    out += s.name + ": frames " + std::to_string(s.first) + "-" + std::to_string(s.last) + " (" +
           std::to_string(s.frames) + "), " + std::to_string(s.width) + "x" + std::to_string(s.height) +
           " at " + config::to_string(s.fps) + ", light " + number(s.range.min) + " to " +
           number(s.range.max) + ", " +
           (s.first_timecode ? "timecode " + config::to_string(*s.first_timecode) : "no timecode") + ", " +
           plural(s.movies.size(), "movie") + ", " + plural(s.sheets.size(), "contact sheet") +
           (s.manifest.empty() ? ", no manifest\n" : ", manifest\n");
  }
  std::size_t errors = 0;
  for (const DeliveryFinding& f : report.findings) {
    errors += f.severity == Severity::kError ? 1U : 0U;
    out += std::string(name_of(f.severity)) + " [" + f.check + "] " + f.file + ": " + f.message + "\n";
  }
  return out + report.folder + ": " + (report.passed() ? "conforms" : "does not conform") + " (" +
         plural(errors, "error") + ", " + plural(report.findings.size() - errors, "warning") + ")\n";
}

std::string report_json(const DeliveryReport& report) {
  nlohmann::ordered_json out;
  out["folder"] = report.folder;
  out["passed"] = report.passed();
  out["sequences"] = nlohmann::ordered_json::array();
  for (const DeliverySequence& s : report.sequences) {
    out["sequences"].push_back(
        {{"name", s.name},
         {"folder", s.folder},
         {"first", s.first},
         {"last", s.last},
         {"frames", s.frames},
         {"width", s.width},
         {"height", s.height},
         {"fps", config::to_string(s.fps)},
         {"timecode", s.first_timecode ? nlohmann::ordered_json(config::to_string(*s.first_timecode))
                                       : nlohmann::ordered_json(nullptr)},
         {"min", s.range.min},
         {"max", s.range.max},
         {"nan", s.range.nan},
         {"infinite", s.range.overflow},
         {"negative", s.range.negative},
         {"movies", s.movies},
         {"sheets", s.sheets},
         {"manifest",
          s.manifest.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(s.manifest)}});
  }
  out["findings"] = nlohmann::ordered_json::array();
  for (const DeliveryFinding& f : report.findings) {
    out["findings"].push_back(
        {{"severity", name_of(f.severity)}, {"check", f.check}, {"file", f.file}, {"message", f.message}});
  }
  return out.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace rushes::worker
