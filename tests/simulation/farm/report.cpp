#include "tests/simulation/farm/report.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

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

struct Measured {
  Description farm;
  std::vector<Figure> figures;
  std::vector<Outcome> outcomes;
  Cost cost;
  std::string unfinished;  // why the first shot that is not over waits
};

void print_text(const Measured& measured) {
  const auto& [farm, figures, outcomes, cost, unfinished] = measured;
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

nlohmann::ordered_json json_of(const Measured& measured) {
  const auto& [farm, figures, outcomes, cost, unfinished] = measured;
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
  return json;
}

bool met(const Measured& measured) {
  return std::all_of(measured.outcomes.begin(), measured.outcomes.end(),
                     [](const Outcome& outcome) { return outcome.met; });
}

void print_summary(const std::vector<Measured>& all) {
  constexpr std::array kColumns{std::pair{"over bound", "makespan.over_bound"},
                                std::pair{"over offline", "makespan.over_offline"},
                                std::pair{"reloads", "reload.over_offline"},
                                std::pair{"Jain", "fair.jain_mean"},
                                std::pair{"under floor", "floor.longest_below_tasks"},
                                std::pair{"late", "deadline.missed"}};
  std::printf("\n%-16s", "farm");
  for (const auto& [title, name] : kColumns) std::printf(" %12s", title);
  std::printf("  goals\n");
  for (const Measured& measured : all) {
    std::printf("%-16s", measured.farm.name.c_str());
    for (const auto& [title, name] : kColumns) {
      const auto found =
          std::find_if(measured.figures.begin(), measured.figures.end(),
                       [&, wanted = name](const Figure& figure) { return figure.name == wanted; });
      std::printf(" %12.3f", found != measured.figures.end() ? found->value : 0);
    }
    std::printf("  %s\n", met(measured) ? "met" : "MISSED");
  }
}

ExitCode failed(const Error& error) {
  std::fprintf(stderr, "rushes-simulate: %s\n", error.message.c_str());
  return exit_code(error.kind);
}

Result<Measured> measure(const std::filesystem::path& file, const Report& wanted) {
  const auto began = std::chrono::steady_clock::now();
  auto farm = read_description(file);
  if (!farm) return tl::unexpected(farm.error());
  FarmRun run(*farm);
  if (const Status done = run.run(); !done) return tl::unexpected(done.error());
  Measured measured;
  measured.figures = figures_of(run);
  measured.outcomes = judge(farm->goals, measured.figures);
  measured.unfinished = run.unfinished();
  measured.cost = {std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count(),
                   run.core_seconds(), run.events(), run.assigned()};
  if (!wanted.plot.empty()) {
    const bool several = wanted.files.size() > 1;
    std::error_code error;
    if (several) std::filesystem::create_directories(wanted.plot, error);  // draw_plot() says what is wrong
    const Status drawn = draw_plot(run, several ? wanted.plot / (farm->name + ".png") : wanted.plot);
    if (!drawn) return tl::unexpected(drawn.error());
  }
  for (const Outcome& outcome : measured.outcomes) {
    if (outcome.known) continue;
    return fail(ErrorKind::kInvalid, farm->file + ":" + std::to_string(outcome.goal.line) +
                                         ": goals: " + outcome.goal.figure + ": the run has no such figure");
  }
  measured.farm = std::move(*farm);
  return measured;
}

}  // namespace

ExitCode report(const Report& wanted) {
  ExitCode code = ExitCode::kOk;
  std::vector<Measured> all;
  auto json = nlohmann::ordered_json::array();
  for (const std::filesystem::path& file : wanted.files) {
    auto measured = measure(file, wanted);
    const ExitCode its = !measured        ? failed(measured.error())
                         : met(*measured) ? ExitCode::kOk
                                          : ExitCode::kWorkFailed;
    if (code == ExitCode::kOk) code = its;
    if (!measured) continue;
    if (wanted.json) json.push_back(json_of(*measured));
    if (!wanted.json) print_text(*measured);
    std::fflush(stdout);
    all.push_back(std::move(*measured));
  }
  if (wanted.json && !json.empty())
    std::printf("%s\n", (wanted.files.size() > 1 ? json : json.front()).dump(2).c_str());
  if (!wanted.json && all.size() > 1) print_summary(all);
  return code;
}

}  // namespace rushes::simulation::farm
