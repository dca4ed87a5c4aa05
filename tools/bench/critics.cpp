// rushes-bench critics: what the critics find of faults that were planted, and what they say of clips without any.
//
// A planted fault counts as found where a finding shares its frames (two more to either side) and lies there by half at
// least; as named where such a finding is of a critic that the fault's kind names. AUC: how often the worst severity of a
// clip with the fault, at any strength, is above that of a clip without one, ties by half.
#include <atomic>
#include <chrono>
#include <iostream>
#include <mutex>
#include <thread>

#include "config/command_line.h"
#include "tools/bench/bench.h"
#include "tools/bench/planted.h"
#include "tools/bench/tabletop_score.h"
#include "worker/critic/critique.h"

namespace rushes::bench {
namespace {

struct Options {
  int clips = 8, clean = 300, threads = 2;
  std::string only;
  bool json = false, verbose = false;
};

worker::ClipCritique judge(const worker::Clip& clip) {
  worker::CriticContext context;
  context.windows.assign(std::begin(kWindows), std::end(kWindows));
  context.windows.back().end = clip.frames;
  context.space = worker::WorkingSpace::kAcescct;
  return worker::critique(clip, context);
}

double worst_of(const worker::ClipCritique& critique) {
  double worst = 0;
  for (const rushes::Score& score : critique.dimensions) worst = std::max(worst, 1 - score.score);
  return worst;
}

bool touches(const Finding& finding, Range planted) {
  const int begin = std::max(finding.frames.begin, planted.begin - 2),
            end = std::min(finding.frames.end, planted.end + 2);
  return 2 * (end - begin) >= finding.frames.size() && end > begin;
}

struct Outcome {
  bool found = false, named = false;
  double worst = 0;
};
struct Tally {
  int clips[kStrengths] = {}, found[kStrengths] = {}, named[kStrengths] = {};
  std::vector<double> worst;
};

// Runs jobs 0...count-1 on some threads.
void in_parallel(int threads, int count, const std::function<void(int)>& job) {
  std::atomic<int> next{0};
  std::vector<std::thread> pool;
  for (int i = 0; i < threads; ++i)
    pool.emplace_back([&] {
      for (int n = next++; n < count; n = next++) job(n);
    });
  for (std::thread& thread : pool) thread.join();
}

bool suits(const Footage& footage, Wants wants) {
  return wants == Wants::kAny || (wants == Wants::kMotion ? footage.moves : footage.travels);
}

// The n-th clip that a kind wants. Clips of planted faults are not those that count as clean.
Footage footage_for(const Kind& kind, int n) {
  for (int number = 10'000 + 37 * n;; ++number) {
    Footage footage = clean_footage(number);
    if (suits(footage, kind.wants)) return footage;
  }
}

Outcome try_kind(const Kind& kind, std::size_t index, int strength, int n, std::string& line) {
  Footage footage = footage_for(kind, n);
  scene::Random random(index * 1000 + static_cast<std::size_t>(strength) * 100 + static_cast<std::size_t>(n));
  const Range planted = kind.plant(footage.clip, strength, random);
  const worker::ClipCritique critique = judge(footage.clip);
  Outcome outcome;
  outcome.worst = worst_of(critique);
  std::string said;
  for (const Finding& finding : critique.findings) {
    said += " [" + finding.dimension + " " + std::to_string(finding.frames.begin) + "-" +
            std::to_string(finding.frames.end - 1) + "]";
    if (!touches(finding, planted)) continue;
    outcome.found = true;
    outcome.named = outcome.named || std::find(kind.dimensions.begin(), kind.dimensions.end(),
                                               finding.dimension) != kind.dimensions.end();
  }
  line = std::string(kind.name) + ", " + kStrengthNames[strength] + ", frames " +
         std::to_string(planted.begin) + "-" + std::to_string(planted.end - 1) + " of " +
         footage.name.substr(0, 60) + ":" + (said.empty() ? " nothing" : said);
  return outcome;
}

double area_under(const std::vector<double>& planted, const std::vector<double>& clean) {
  double above = 0;
  for (const double p : planted)
    for (const double c : clean) above += p > c ? 1 : p == c ? 0.5 : 0;
  return above / (static_cast<double>(planted.size()) * static_cast<double>(clean.size()));
}

struct Alarms {
  int clips = 0;
  std::map<std::string, int> by_critic;
  std::vector<double> worst;
};

Alarms look_at_clean(const Options& options) {
  Alarms alarms;
  std::mutex mutex;
  in_parallel(options.threads, options.clean, [&](int n) {
    const Footage footage = clean_footage(n);
    const worker::ClipCritique critique = judge(footage.clip);
    const std::lock_guard lock(mutex);
    alarms.worst.push_back(worst_of(critique));
    if (critique.findings.empty()) return;
    ++alarms.clips;
    std::map<std::string, int> said;
    for (const Finding& finding : critique.findings) {
      ++said[finding.dimension];
      if (options.verbose)
        std::cerr << "alarm: " << footage.name.substr(0, 90) << ": " << finding.message << "\n";
    }
    for (const auto& [name, count] : said) ++alarms.by_critic[name];
  });
  return alarms;
}

void print(const std::vector<Tally>& tallies, const Alarms& alarms, const Options& options, double seconds) {
  const auto kinds = planted_kinds();
  nlohmann::json rows = nlohmann::json::array();
  int clips[kStrengths] = {}, found[kStrengths] = {}, named[kStrengths] = {};
  double area = 0, least = 1;
  int counted = 0;
  if (!options.json) std::printf("%-34s %-18s %-18s %s\n", "fault", "found f/p/s", "named f/p/s", "AUC");
  for (std::size_t k = 0; k < kinds.size(); ++k) {
    const Tally& tally = tallies[k];
    if (tally.worst.empty()) continue;
    const double auc = alarms.worst.empty() ? 0 : area_under(tally.worst, alarms.worst);
    area += auc, least = std::min(least, auc), ++counted;
    for (int s = 0; s < kStrengths; ++s)
      clips[s] += tally.clips[s], found[s] += tally.found[s], named[s] += tally.named[s];
    if (options.json) {
      rows.push_back({{"fault", kinds[k].name},
                      {"clips", tally.clips},
                      {"found", tally.found},
                      {"named", tally.named},
                      {"auc", auc}});
    } else {
      char text[200];
      std::snprintf(text, sizeof text, "%d %d %d of %-8d %d %d %d", tally.found[0], tally.found[1],
                    tally.found[2], tally.clips[1], tally.named[0], tally.named[1], tally.named[2]);
      std::printf("%-34s %-37s %.3f\n", kinds[k].name, text, auc);
    }
  }
  const auto rate = [](int hits, int of) { return of ? static_cast<double>(hits) / of : 0.0; };
  if (options.json) {
    nlohmann::json out{{"bench", "critics"}, {"seconds", seconds}, {"kinds", rows}};
    for (int s = 0; s < kStrengths; ++s)
      out[kStrengthNames[s]] = {
          {"found", rate(found[s], clips[s])}, {"named", rate(named[s], clips[s])}, {"clips", clips[s]}};
    out["auc"] = {{"mean", area / std::max(counted, 1)}, {"least", least}};
    out["clean"] = {{"clips", options.clean}, {"alarms", alarms.clips}, {"by_critic", alarms.by_critic}};
    std::cout << out.dump(2) << "\n";
    return;
  }
  for (int s = 0; s < kStrengths; ++s)
    std::printf("%-7s found %.1f %%, named %.1f %% of %d\n", kStrengthNames[s],
                100 * rate(found[s], clips[s]), 100 * rate(named[s], clips[s]), clips[s]);
  const Interval interval = wilson(alarms.clips, std::max(options.clean, 1));
  std::printf("clean   %d of %d clips with a finding (95 %%: %.1f to %.1f %%)", alarms.clips, options.clean,
              100 * interval.low, 100 * interval.high);
  for (const auto& [name, count] : alarms.by_critic) std::printf(", %s %d", name.c_str(), count);
  std::printf("\nAUC     mean %.3f, least %.3f; %.0f s\n", area / std::max(counted, 1), least, seconds);
}

void measure(const Options& options) {
  const auto begin = std::chrono::steady_clock::now();
  const auto kinds = planted_kinds();
  std::vector<Tally> tallies(kinds.size());
  std::mutex mutex;
  const int per_kind = kStrengths * options.clips;
  in_parallel(options.threads, static_cast<int>(kinds.size()) * per_kind, [&](int job) {
    const auto k = static_cast<std::size_t>(job / per_kind);
    const int strength = job % per_kind / options.clips, n = job % options.clips;
    if (!options.only.empty() && std::string(kinds[k].name).find(options.only) == std::string::npos) return;
    std::string line;
    const Outcome outcome = try_kind(kinds[k], k, strength, n, line);
    const std::lock_guard lock(mutex);
    ++tallies[k].clips[strength];
    tallies[k].found[strength] += outcome.found ? 1 : 0;
    tallies[k].named[strength] += outcome.named ? 1 : 0;
    tallies[k].worst.push_back(outcome.worst);
    if (options.verbose && !outcome.named)
      std::cerr << (outcome.found ? "other:  " : "missed: ") << line << "\n";
  });
  const Alarms alarms = look_at_clean(options);
  print(tallies, alarms, options,
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
}

}  // namespace

int bench_critics(int argc, char** argv) {
  Options options;
  config::CommandLine app{"Plants faults into clips without any, and counts what the critics find.",
                          "rushes-bench critics"};
  app.option("--clips", options.clips, "clips of each kind and strength").between(1, 1000);
  app.option("--clean", options.clean, "clips without a fault").between(0, 9999);
  app.option("--only", options.only, "kinds whose name holds this text");
  app.option("--threads", options.threads, "threads").between(1, 256);
  app.flag("--json", options.json, "machine-readable result");
  app.flag("--verbose", options.verbose, "a line on stderr for each fault that is not named and each alarm");
  if (const auto code = app.parse(argc, argv)) return *code;
  measure(options);
  return 0;
}

}  // namespace rushes::bench
