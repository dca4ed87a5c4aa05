// GET /v1/costs: what was spent, of what the caller may see.
#include <algorithm>
#include <set>

#include "scheduler/core/report/costs_report.h"
#include "scheduler/gateway/body.h"
#include "scheduler/gateway/handlers.h"

namespace rushes::scheduler {
namespace {

// COST with what was wasted by kind: SPENT of api.h.
Json spent_json(const DeviceSeconds& cost) {
  Json json = cost_json(cost);
  json["wasted_cpu"] = cost.wasted[SlotKind::kCpu];
  json["wasted_gpu"] = cost.wasted[SlotKind::kGpu];
  return json;
}

Json costs_json(const view::CostsReport& report) {
  Json shows = Json::array(), batches = Json::array(), shots = Json::array();
  for (const auto& show : report.shows)
    shows.push_back({{"show", show.show}, {"shots", show.shots}, {"device_seconds", spent_json(show.cost)}});
  for (const auto& batch : report.batches)
    batches.push_back({{"batch", batch.batch},
                       {"name", batch.name},
                       {"show", batch.show},
                       {"shots", batch.shots},
                       {"device_seconds", spent_json(batch.cost)}});
  for (const auto& shot : report.shots)
    shots.push_back({{"shot", shot.shot},
                     {"show", shot.show},
                     {"batch", shot.batch},
                     {"state", to_string(shot.state)},
                     {"device_seconds", spent_json(shot.cost)}});
  return {{"device_seconds", spent_json(report.total)},
          {"shows", std::move(shows)},
          {"batches", std::move(batches)},
          {"shots", std::move(shots)}};
}

std::set<std::string> values_of(const httplib::Request& request, const std::string& name) {
  std::set<std::string> values;
  const auto [begin, end] = request.params.equal_range(name);
  for (auto value = begin; value != end; ++value) values.insert(value->second);
  return values;
}

}  // namespace

void Handlers::costs(Call& call) {
  const auto shows = values_of(call.request, "show"), shots = values_of(call.request, "shot");
  if (!shows.empty())
    for (const std::string& shot : shots)
      if (!shows.contains(shot.substr(0, shot.find('/'))))
        return refuse(call.response,
                      {ErrorKind::kInvalid, "shot " + shown_name(shot) +
                                                " belongs to none of the shows that were asked for; leave "
                                                "the show or the shot out"});
  const auto counts = [shows, shots, caller = call.caller](const Shot& shot) {
    return caller.sees(shot.key) && (shows.empty() || shows.contains(shot.spec.show)) &&
           (shots.empty() || shots.contains(shot.key));
  };
  // The query may outlive the call: it holds copies.
  auto report =
      parts_.loop->query([counts](const State& state, Now now) { return view::costs(state, now, counts); });
  if (!report) return refuse(call.response, report.error());
  // What is not there, and what the caller may not see, are the same to it.
  const auto missing = [&](const char* what, std::set<std::string> asked, const auto& rows, auto name) {
    for (const auto& row : rows) asked.erase(row.*name);
    if (!asked.empty())
      refuse(call.response, {ErrorKind::kNotFound, what + shown_name(*asked.begin()) + ": there is none"});
    return !asked.empty();
  };
  if (missing("show ", shows, report->shows, &view::ShowCost::show)) return;
  if (missing("shot ", shots, report->shots, &view::ShotCost::shot)) return;
  // A batch has other shots too, and the name of a file.
  if (!call.caller.shot.empty()) report->batches.clear();
  send(call.response, costs_json(*report));
}

}  // namespace rushes::scheduler
