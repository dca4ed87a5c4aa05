#include "tests/simulation/farm/report.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "tests/simulation/farm/figures.h"
#include "tests/simulation/farm/plot.h"

namespace rushes::simulation::farm {
namespace {

std::string number(double value) {
  char text[32];
  const double size = value < 0 ? -value : value;
  const bool whole = value == static_cast<double>(static_cast<std::int64_t>(value)) && size < 1e15;
  std::snprintf(text, sizeof text,
                whole         ? "%.0f"
                : size >= 100 ? "%.1f"
                : size >= 1   ? "%.3f"
                              : "%.4f",
                value);
  return text;
}

struct Cost {
  double seconds = 0;  // of the whole run
  double core_seconds = 0;
  std::uint64_t events = 0, assigned = 0;
};

const char* word(const Outcome& outcome) { return !outcome.known ? "UNKNOWN" : outcome.met ? "ok" : "MISS"; }

void print_text(const Description& farm, const std::vector<Figure>& figures,
                const std::vector<Outcome>& outcomes, const Cost& cost, const std::string& unfinished) {
  std::printf("%s\n", farm.name.c_str());
  std::string group;
  for (const Figure& figure : figures) {
    const std::string its = figure.name.substr(0, figure.name.find('.'));
    if (its != group) std::printf("\n");
    group = its;
    std::printf("  %-44s %12s  %s\n", figure.name.c_str(), number(figure.value).c_str(),
                figure.meaning.c_str());
  }
  if (!unfinished.empty()) std::printf("\n  not finished, among others: %s\n", unfinished.c_str());
  if (!outcomes.empty()) std::printf("\n");
  for (const Outcome& outcome : outcomes)
    std::printf("  %-7s %-36s %12s  %s %s\n", word(outcome), outcome.goal.figure.c_str(),
                number(outcome.value).c_str(), outcome.goal.at_most ? "at most" : "at least",
                number(outcome.goal.limit).c_str());
  std::printf(
      "\n  %llu events, %llu assignments in %.1f s; %.1f s CPU in the core, %.0f assignments/s of it\n",
      static_cast<unsigned long long>(cost.events), static_cast<unsigned long long>(cost.assigned),
      cost.seconds, cost.core_seconds,
      static_cast<double>(cost.assigned) / std::max(cost.core_seconds, 1e-9));
}

void print_json(const Description& farm, const std::vector<Figure>& figures,
                const std::vector<Outcome>& outcomes, const Cost& cost) {
  nlohmann::ordered_json json;
  json["farm"] = farm.name;
  for (const Figure& figure : figures) json["figures"][figure.name] = figure.value;
  json["goals"] = nlohmann::ordered_json::array();
  for (const Outcome& outcome : outcomes)
    json["goals"].push_back({{"figure", outcome.goal.figure},
                             {outcome.goal.at_most ? "at_most" : "at_least", outcome.goal.limit},
                             {"value", outcome.value},
                             {"outcome", word(outcome)}});
  json["events"] = cost.events;
  json["assignments"] = cost.assigned;
  json["seconds"] = cost.seconds;
  json["core_seconds"] = cost.core_seconds;
  std::printf("%s\n", json.dump(2).c_str());
}

ExitCode failed(const Error& error) {
  std::fprintf(stderr, "rushes-simulate: %s\n", error.message.c_str());
  return exit_code(error.kind);
}

}  // namespace

ExitCode report(const Report& wanted) {
  const auto began = std::chrono::steady_clock::now();
  const auto farm = read_description(wanted.file);
  if (!farm) return failed(farm.error());
  FarmRun run(*farm);
  if (const Status done = run.run(); !done) return failed(done.error());
  const std::vector<Figure> figures = figures_of(run);
  const std::vector<Outcome> outcomes = judge(farm->goals, figures);
  Cost cost;
  cost.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  cost.core_seconds = run.core_seconds();
  cost.events = run.events();
  cost.assigned = run.assigned();
  if (wanted.json)
    print_json(*farm, figures, outcomes, cost);
  else
    print_text(*farm, figures, outcomes, cost, run.unfinished());
  if (!wanted.plot.empty()) {
    if (const Status drawn = draw_plot(run, wanted.plot); !drawn) return failed(drawn.error());
  }
  for (const Outcome& outcome : outcomes) {
    if (outcome.known) continue;
    return failed({ErrorKind::kInvalid, farm->file + ":" + std::to_string(outcome.goal.line) + ": goals: " +
                                            outcome.goal.figure + ": the run has no such figure"});
  }
  const bool met = std::all_of(outcomes.begin(), outcomes.end(), [](const Outcome& o) { return o.met; });
  return met ? ExitCode::kOk : ExitCode::kWorkFailed;
}

}  // namespace rushes::simulation::farm
