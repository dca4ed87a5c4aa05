// How the farm's answers read in a terminal.
//
// Thread contract: pure functions.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace rushes::tools {

using Json = nlohmann::json;

// Colours of states (reference: OpenCue and Flamenco users know these). Plain when `on` is false.
struct Style {
  bool on = false;
  std::string state(const std::string& state) const;  // the word in its state's colour
  std::string dim(const std::string& text) const;
  std::string bold(const std::string& text) const;
};

std::string duration(double seconds);  // "3:05", "1:02:03"
// "████▌     " of `width` cells.
std::string bar(double fraction, int width);
std::string padded(const std::string& text, std::size_t width);  // by characters, not bytes; cut with "…"
// The same for a name, which is never cut: people copy it. One that is too long has two spaces behind it.
std::string column(const std::string& name, std::size_t width);
std::size_t text_width(const std::string& text);  // characters without escape sequences

// Lines that are longer than `width` go on in the next one, further in; 0: they stay as they are.
std::string wrapped(const std::string& text, std::size_t width);

// Missing, null or of another type: the fallback. Answers come over a socket.
double number(const Json& object, const char* key, double fallback = 0.0);
std::string word(const Json& object, const char* key, const std::string& fallback = "");
const Json& list(const Json& object, const char* key);
const Json& member(const Json& object, const char* key);

std::string task_number(const Json& task);  // of a row that has "task"
std::string counted(double count, const std::string& one,
                    const std::string& many = "");  // "1 shot", "2 shots"

std::string finding_line(const Json& finding);    // "flicker: flickers in frames 1012-1014: ..."
std::string critique_line(const Json& critique);  // "pass 0.93 (flicker 0.97, freeze 1.00, ...)"
std::string revision_line(
    const Json& revision);  // "revision 1 rendered window 1 again: ...; score 0.61 -> 0.88, current"

// "now window 1 is of revision 2: seed 7, prompt "a blue ball""
std::string renewed_line(const Json& renewed);

// Several lines each, for `show`, `critiques`, `workers`, `list`.
std::string shot_text(const Json& shot, const Style& style);
// How to look at a take of a shot that has pictures; empty when none has.
std::string look_text(const Json& shot);
// A table of the terminal's width (characters; 0: there is no terminal). One that has no room for it is a list.
std::string shot_list(const Json& shots, const Style& style, std::size_t width);
std::string event_line(const Json& event);  // EVENT of the API
std::string critiques_text(const Json& answer, const Style& style);
// "12.5 device s, 2.3 of it in vain": of a COST.
std::string cost_text(const Json& cost);
std::string bytes_text(double bytes);            // "12 KiB", "340 MiB", "1.5 GiB"
std::string collected_text(const Json& answer);  // of POST /v1/gc
// LOGs of the API: every attempt with a heading and its lines.
std::string logs_text(const Json& answer, const Style& style);
std::string workers_text(const Json& workers, const Style& style);
// What came of a batch: verdicts, scores and findings per take, what was rendered again and why, seconds per
// stage, where the results lie.
std::string closing_report(const Json& shots, const Style& style);

// Of a shot's `deliveries`, at least one: that of the highest version, and of the two of one version, which may be
// written in either order, the master.
const Json& newest_delivery(const Json& deliveries);

}  // namespace rushes::tools
