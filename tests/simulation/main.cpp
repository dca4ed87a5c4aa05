// rushes-simulate: the core and the agent under faults, one run per seed; or, with --farm, the core's
// schedule of a described studio (farm/report.h).
//
// Thread contract: worker threads take seeds from a counter and write each report to its own place; the main
// thread shows the progress and prints in the order of the seeds.
#include <unistd.h>

#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <thread>

#include "config/command_line.h"
#include "tests/simulation/farm/report.h"
#include "tests/simulation/shrink.h"

namespace rushes::simulation {
namespace {

constexpr std::size_t kShown = 5;        // failing seeds that are shrunk and printed
constexpr std::size_t kTraceLines = 60;  // of each

struct Options {
  std::uint64_t first = 1, last = 1;
  std::uint32_t tasks = 1000;
  unsigned jobs = 1;
  FaultChoice faults = every_fault();
  std::string fault_list;
  bool json = false;
};

bool parse_seeds(std::string_view text, Options& options) {
  const auto read = [&text](std::uint64_t& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return error == std::errc{};
  };
  if (!read(options.first)) return false;
  options.last = options.first;
  if (text.starts_with("..")) {
    text.remove_prefix(2);
    if (!read(options.last)) return false;
  }
  return text.empty() && options.first <= options.last && options.last - options.first < 10'000'000;
}

void show_progress(std::size_t done, std::size_t all, std::size_t failed) {
  constexpr std::size_t kWidth = 40;
  std::string bar(kWidth * done / all, '#');
  bar.resize(kWidth, ' ');
  std::fprintf(stderr, "\r[%s] %zu of %zu seeds, %zu with violations ", bar.c_str(), done, all, failed);
  std::fflush(stderr);
}

std::vector<Report> run_all(const Options& options) {
  const std::size_t count = options.last - options.first + 1;
  std::vector<Report> reports(count);
  std::atomic<std::size_t> next{0}, done{0}, failed{0};
  const auto work = [&] {
    for (std::size_t i = next++; i < count; i = next++) {
      reports[i] = simulate(plan_of(options.first + i, options.tasks, options.faults));
      if (!reports[i].violations.empty()) ++failed;
      ++done;
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < options.jobs; ++i) threads.emplace_back(work);
  if (::isatty(STDERR_FILENO)) {
    for (; done < count; std::this_thread::sleep_for(std::chrono::milliseconds(200)))
      show_progress(done, count, failed);
    show_progress(count, count, failed);
    std::fprintf(stderr, "\n");
  }
  for (std::thread& thread : threads) thread.join();
  return reports;
}

struct Failure {
  Report report;  // of the shrunk plan, with the tail of its trace
  std::size_t planned = 0;
  std::vector<Fault> faults;
};

Failure explain(const Options& options, const Report& report) {
  const Plan plan = plan_of(report.seed, options.tasks, options.faults);
  Plan shrunk = shrink(plan, report);
  shrunk.trace_lines = kTraceLines;
  return {simulate(shrunk), plan.faults.size(), shrunk.faults};
}

void print(const Options& options, const Failure& failure) {
  const Report& report = failure.report;
  for (const Violation& violation : report.violations)
    std::printf("seed %llu: invariant %d at %lld ms: %s\n", static_cast<unsigned long long>(report.seed),
                violation.invariant, static_cast<long long>(violation.at_ms), violation.what.c_str());
  std::printf("  shortest fault list, %zu of %zu; again with\n", failure.faults.size(), failure.planned);
  std::printf("    rushes-simulate --seeds %llu --tasks %u --faults %s\n",
              static_cast<unsigned long long>(report.seed), options.tasks, to_string(failure.faults).c_str());
  std::printf("  the last events:\n");
  for (const std::string& line : report.tail) std::printf("    %s\n", line.c_str());
}

nlohmann::json json_of(const Failure& failure) {
  nlohmann::json json;
  json["seed"] = failure.report.seed;
  json["faults"] = to_string(failure.faults);
  json["trace"] = failure.report.tail;
  for (const Violation& violation : failure.report.violations)
    json["violations"].push_back(
        {{"invariant", violation.invariant}, {"at_ms", violation.at_ms}, {"what", violation.what}});
  return json;
}

struct Totals {
  std::uint64_t events = 0, tasks = 0, accepted = 0, expired = 0, stale = 0, kills = 0, crashes = 0, lost = 0,
                trace = 0, failed = 0;
  double simulated_hours = 0;
};

Totals totals_of(const std::vector<Report>& reports) {
  Totals totals;
  for (const Report& report : reports) {
    totals.events += report.events;
    totals.tasks += report.tasks;
    totals.accepted += report.accepted;
    totals.expired += report.expired;
    totals.stale += report.stale_results;
    totals.kills += report.kills;
    totals.crashes += report.crashes;
    totals.lost += report.lost_messages;
    totals.trace = mix(totals.trace ^ report.trace);
    totals.failed += report.violations.empty() ? 0 : 1;
    totals.simulated_hours += static_cast<double>(report.simulated_ms) / 3'600'000;
  }
  return totals;
}

void print_json(const Options& options, const Totals& totals, const std::vector<Failure>& failures,
                double seconds) {
  nlohmann::json json;
  json["seeds"] = std::to_string(options.first) + ".." + std::to_string(options.last);
  json["tasks"] = totals.tasks;
  json["violations"] = totals.failed;
  json["failures"] = nlohmann::json::array();
  for (const Failure& failure : failures) json["failures"].push_back(json_of(failure));
  json["events"] = totals.events;
  json["results_accepted"] = totals.accepted;
  json["results_stale"] = totals.stale;
  json["leases_expired"] = totals.expired;
  json["scheduler_kills"] = totals.kills;
  json["worker_crashes"] = totals.crashes;
  json["messages_lost"] = totals.lost;
  json["simulated_hours"] = totals.simulated_hours;
  json["trace"] = totals.trace;
  json["seconds"] = seconds;
  std::printf("%s\n", json.dump(2).c_str());
}

int run(const Options& options) {
  const auto began = std::chrono::steady_clock::now();
  const std::vector<Report> reports = run_all(options);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  const Totals totals = totals_of(reports);
  std::vector<Failure> failures;
  for (const Report& report : reports)
    if (!report.violations.empty() && failures.size() < kShown) failures.push_back(explain(options, report));
  if (options.json) {
    print_json(options, totals, failures, seconds);
  } else {
    for (const Failure& failure : failures) print(options, failure);
    std::printf(
        "%zu seeds, %llu tasks, %.0f h simulated in %.1f s: %llu scheduler kills, %llu worker crashes, %llu "
        "lost "
        "messages, %llu expired leases, %llu stale results; %llu seeds with violations; trace %016llx\n",
        reports.size(), static_cast<unsigned long long>(totals.tasks), totals.simulated_hours, seconds,
        static_cast<unsigned long long>(totals.kills), static_cast<unsigned long long>(totals.crashes),
        static_cast<unsigned long long>(totals.lost), static_cast<unsigned long long>(totals.expired),
        static_cast<unsigned long long>(totals.stale), static_cast<unsigned long long>(totals.failed),
        static_cast<unsigned long long>(totals.trace));
  }
  return static_cast<int>(totals.failed == 0 ? ExitCode::kOk : ExitCode::kWorkFailed);
}

int usage(const std::string& message) {
  std::fprintf(stderr, "rushes-simulate: %s\n", message.c_str());
  return static_cast<int>(ExitCode::kUsage);
}

}  // namespace
}  // namespace rushes::simulation

int main(int argc, char** argv) {
  using namespace rushes::simulation;
  rushes::config::CommandLine app(
      "rushes-simulate: the farm's core and agents under faults, or its schedule of a described studio; exit "
      "1 when "
      "an invariant is violated or a goal missed");
  Options options;
  std::string seeds;
  options.jobs = std::max(1u, std::thread::hardware_concurrency());
  const auto runs = app.option("--seeds", seeds, "A..B, one run each");
  app.option("--tasks", options.tasks, "planned tasks of each run").between(1, 1'000'000);
  app.option("--faults", options.fault_list, "kinds (loss,kill), exact faults (kill@1200+500*3), or none");
  app.option("--jobs", options.jobs, "runs at the same time").between(1, 256);
  app.flag("--json", options.json, "figures and failures as JSON");
  farm::Report studio;
  const auto farm = app.option("--farm", studio.files, "studios, config/farms/*.yaml, instead of faults");
  app.option("--plot", studio.plot,
             "with --farm: its busy slots by hour and show, as PNG (several farms: a folder)")
      .needs(farm);
  farm.excludes(runs);
  if (const auto code = app.parse(argc, argv)) return *code;
  if (!studio.files.empty()) {
    studio.json = options.json;
    return static_cast<int>(farm::report(studio));
  }
  if (seeds.empty()) return usage("expected --seeds A..B or --farm FILE; see --help");
  if (!parse_seeds(seeds, options)) return usage("--seeds: expected A..B, found \"" + seeds + "\"");
  if (!options.fault_list.empty()) {
    auto choice = parse_faults(options.fault_list);
    if (!choice) return usage(choice.error().message);
    options.faults = std::move(*choice);
  }
  return run(options);
}
