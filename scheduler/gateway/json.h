// The farm's views as the JSON of gateway/api.h.
//
// Thread contract: the functions that take a State run on the core thread; the others anywhere.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "config/result.h"
#include "scheduler/core/report/attempts.h"
#include "scheduler/core/report/view.h"
#include "scheduler/core/state/state.h"

namespace rushes::scheduler {

using Json = nlohmann::ordered_json;

Json shots_json(const State& state, Now now);  // {"shots": [...]}, takes without windows
std::optional<Json> shot_json(const State& state, std::string_view shot, Now now);
std::optional<Json> critiques_json(const State& state, std::string_view shot);
std::optional<Json> explain_json(const State& state, std::string_view shot, Now now);
std::optional<Json> explain_json(const State& state, TaskId task, Now now);
std::optional<Json> task_json(const State& state, TaskId task, Now now);
Json workers_json(const State& state, Now now);
std::optional<Json> worker_json(const State& state, std::string_view worker, Now now);
Json events_json(const State& state, std::uint64_t since);  // at most 1000 of them

Json cost_json(const DeviceSeconds& cost);            // COST of api.h
Json attempt_json(const view::AttemptInfo& attempt);  // ATTEMPT of api.h

std::string_view kind_word(ErrorKind kind);  // "invalid", "not_found", ...
int http_status(ErrorKind kind);
Json error_json(const Error& error);  // {"error": {"kind", "message"}}
Json problems_json(
    const std::string& lines);  // {"errors": [...]} from "file:line:column: key: message" lines

// UTF-8 text of a body; bytes that are no UTF-8 become U+FFFD rather than an exception.
std::string text_of(const Json& json);

}  // namespace rushes::scheduler
