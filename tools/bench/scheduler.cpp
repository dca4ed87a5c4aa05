// rushes-bench scheduler: a whole farm with no-op tasks.
//
// The scheduler (farm.h) runs in this process with everything synced before it is told to anybody; workers
// are simulated in other processes (agents.h) and speak to it over CURVE sockets; batches come over HTTP.
// All processes share the machine's cores. A figure is durable: tasks are counted by queries that the loop
// answers after the sync of all they saw.
#include <sys/resource.h>

#include <functional>
#include <iostream>
#include <numeric>
#include <thread>

#include "config/command_line.h"
#include "config/log.h"
#include "scheduler/open_files.h"
#include "tools/bench/agents.h"
#include "tools/bench/bench.h"
#include "tools/bench/dispatch.h"
#include "tools/bench/farm.h"
#include "tools/bench/figures.h"

namespace rushes::bench {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

struct Options {
  FarmOptions farm;
  int tasks = 100'000;  // of the lifecycles and recovery
  int processes = 2;    // of simulated workers
  int workers = 8;      // in each
  unsigned slots = 32, prefetch = 8;
  int latencies = 300;  // submits to an idle worker
  int connections = 10'000;
  int planned = 1'000'000;  // tasks of the full farm
  int ready = 1'000'000;    // longest queue
  int decisions = 2'000;    // timed at every queue length
  bool json = false;
  std::vector<std::string> phases{"lifecycles", "recovery", "latency", "connections", "full", "dispatch"};
  bool has(const char* phase) const { return std::find(phases.begin(), phases.end(), phase) != phases.end(); }
};

double ms_since(std::int64_t begin) { return static_cast<double>(monotonic_ns() - begin) * 1e-6; }

double cpu_seconds(int who) {
  rusage usage{};
  getrusage(who, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

AgentOptions agents_of(const Farm& farm, const Options& options) {
  AgentOptions agents;
  agents.endpoint = farm.control_endpoint();
  agents.keys = farm.keys();
  agents.models = farm.models();
  agents.workers = options.workers;
  agents.slots = options.slots;
  agents.prefetch = options.prefetch;
  return agents;
}

// Asks until `done` is content with the farm's work.
Status wait_until(Farm& farm, milliseconds patience, const std::function<bool(const Farm::Work&)>& done) {
  const auto end = std::chrono::steady_clock::now() + patience;
  for (;;) {
    const auto work = farm.work();
    if (!work) return tl::unexpected(work.error());
    if (done(*work)) return {};
    if (std::chrono::steady_clock::now() > end)
      return fail(ErrorKind::kUnreachable, "the farm stands still: " + std::to_string(work->succeeded) +
                                               " of " + std::to_string(work->planned) + " tasks are done");
    std::this_thread::sleep_for(milliseconds(2));
  }
}

constexpr int kBatchShots = 400, kBatchTakes = 6;  // 10,000 tasks
constexpr int kBatchTasks = kBatchShots * (1 + kBatchTakes * kTasksPerTake);

// Batches of 10,000 tasks, before any worker is there.
Status submit_batches(Farm& farm, const std::string& prefix, int tasks, std::vector<double>& times) {
  for (int n = 0; n * kBatchTasks < tasks; ++n) {
    const std::string text = batch_text(prefix + std::to_string(n) + "-", kBatchShots, kBatchTakes);
    const std::int64_t begin = monotonic_ns();
    const auto planned = farm.submit(text);
    if (!planned) return tl::unexpected(planned.error());
    times.push_back(ms_since(begin));
    if (*planned != kBatchTasks)
      return fail(ErrorKind::kInternal, "a batch was planned as " + std::to_string(*planned) +
                                            " tasks, expected " + std::to_string(kBatchTasks));
  }
  return {};
}

// All workers start at a full queue; the clock runs from the first process to the last accepted result.
Result<json> measure_lifecycles(Farm& farm, const Options& options) {
  std::vector<double> submits;
  if (const auto done = submit_batches(farm, "a", options.tasks, submits); !done)
    return tl::unexpected(done.error());
  const auto written = farm.ledger().written();
  const double own_cpu = cpu_seconds(RUSAGE_SELF), agent_cpu = cpu_seconds(RUSAGE_CHILDREN);
  const std::int64_t begin = monotonic_ns();
  std::vector<AgentProcess> processes;
  for (int i = 0; i < options.processes; ++i) {
    AgentOptions agents = agents_of(farm, options);
    agents.first = i * options.workers;
    auto process = AgentProcess::start(agents);
    if (!process) return tl::unexpected(process.error());
    processes.push_back(std::move(*process));
  }
  std::uint64_t planned = 0;
  const auto done = wait_until(farm, std::chrono::minutes(10), [&](const Farm::Work& work) {
    planned = work.planned;
    return work.open == 0;
  });
  if (!done) return tl::unexpected(done.error());
  const double seconds = ms_since(begin) * 1e-3;
  const auto now = farm.ledger().written();
  const double scheduler_cpu = cpu_seconds(RUSAGE_SELF) - own_cpu;
  json agents = json::array();
  for (auto& process : processes) {
    auto report = process.finish();
    if (!report) return tl::unexpected(report.error());
    agents.push_back(std::move(*report));
  }
  const auto tasks = static_cast<double>(planned);
  const double submit_seconds = std::accumulate(submits.begin(), submits.end(), 0.0) * 1e-3;
  return json{{"tasks", planned},
              {"seconds", seconds},
              {"submit_seconds", submit_seconds},
              {"lifecycles_per_s", tasks / seconds},
              {"syncs_per_s", static_cast<double>(now.syncs - written.syncs) / seconds},
              {"bytes_per_task", static_cast<double>(now.bytes - written.bytes) / tasks},
              {"scheduler_cpu_us_per_task", 1e6 * scheduler_cpu / tasks},
              {"agents_cpu_us_per_task", 1e6 * (cpu_seconds(RUSAGE_CHILDREN) - agent_cpu) / tasks},
              {"submit_10k_ms", quantiles(submits)},
              {"agents", std::move(agents)}};
}

// A store full of done (where the lifecycles ran before) and of waiting work; from opening it to the first
// assignment at a worker.
Result<json> measure_recovery(Farm& farm, const Options& options) {
  std::vector<double> submits;
  const auto before = farm.work();
  if (!before) return tl::unexpected(before.error());
  const int missing = options.tasks - static_cast<int>(before->planned);
  if (const auto done = submit_batches(farm, "r", std::max(missing, kBatchTasks), submits); !done)
    return tl::unexpected(done.error());
  const auto work = farm.work();
  if (!work) return tl::unexpected(work.error());
  farm.stop();
  const std::int64_t begin = monotonic_ns();
  const double cpu = cpu_seconds(RUSAGE_SELF);
  if (const auto started = farm.start(); !started) return tl::unexpected(started.error());
  const double listening = ms_since(begin);
  AgentOptions agents = agents_of(farm, options);
  agents.workers = 1;
  agents.stamps = true;
  auto process = AgentProcess::start(agents);
  if (!process) return tl::unexpected(process.error());
  const auto stamp = process->next_stamp(std::chrono::seconds(60));
  if (!stamp) return tl::unexpected(stamp.error());
  return json{{"recovery_ms", static_cast<double>(*stamp - begin) * 1e-6},
              {"recovery_cpu_ms", 1e3 * (cpu_seconds(RUSAGE_SELF) - cpu)},
              {"recovery_to_listening_ms", listening},
              {"recovery_tasks", work->planned}};
}

// One idle worker; a batch of one small shot; from the POST to its first task at the worker.
Result<json> measure_latency(Farm& farm, const Options& options) {
  AgentOptions agents = agents_of(farm, options);
  agents.workers = 1;
  agents.stamps = true;
  auto process = AgentProcess::start(agents);
  if (!process) return tl::unexpected(process.error());
  if (const auto there = wait_until(farm, std::chrono::seconds(10), [](auto& w) { return w.connected == 1; });
      !there)
    return tl::unexpected(there.error());
  constexpr milliseconds kPace{25};  // under the gateway's rate limit
  std::vector<double> acknowledged, assigned;
  for (int i = 0; i < options.latencies; ++i) {
    const std::string text = batch_text("l" + std::to_string(i) + "-", 1, 1);
    const std::int64_t begin = monotonic_ns();
    const auto planned = farm.submit(text);
    if (!planned) return tl::unexpected(planned.error());
    acknowledged.push_back(ms_since(begin));
    for (std::uint64_t task = 0; task < *planned; ++task) {
      const auto stamp = process->next_stamp(std::chrono::seconds(10));
      if (!stamp) return tl::unexpected(stamp.error());
      if (task == 0) assigned.push_back(static_cast<double>(*stamp - begin) * 1e-6);
    }
    if (const auto idle = wait_until(farm, std::chrono::seconds(10), [](auto& w) { return w.open == 0; });
        !idle)
      return tl::unexpected(idle.error());
    const double rest = static_cast<double>(kPace.count()) - ms_since(begin);
    if (rest > 0) std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(rest));
  }
  return json{{"submit_to_worker_p99_ms", quantile(assigned, 0.99)},
              {"submit_to_worker_ms", quantiles(assigned)},
              {"submit_ms", quantiles(acknowledged)}};
}

constexpr int kWorkersOfWave = 250;

// Host after host, as a farm starts: handshakes that all begin at once would time out together.
Result<std::vector<AgentProcess>> connect_all(Farm& farm, const Options& options, bool hold) {
  std::vector<AgentProcess> processes;
  for (int first = 0; first < options.connections; first += kWorkersOfWave) {
    AgentOptions agents = agents_of(farm, options);
    agents.workers = std::min(kWorkersOfWave, options.connections - first);
    agents.first = first;
    agents.slots = 1;
    agents.prefetch = 1;
    agents.hold = hold;
    auto process = AgentProcess::start(agents);
    if (!process) return tl::unexpected(process.error());
    processes.push_back(std::move(*process));
    const auto there = wait_until(farm, std::chrono::minutes(1), [&](auto& work) {
      return work.connected == static_cast<std::size_t>(first + agents.workers);
    });
    if (!there) return with_context(there.error(), "worker " + std::to_string(first));
  }
  return processes;
}

Result<json> measure_connections(Farm& farm, const Options& options) {
  const auto heap = heap_bytes();
  const std::int64_t begin = monotonic_ns();
  const auto processes = connect_all(farm, options, false);
  if (!processes) return tl::unexpected(processes.error());
  const int all = options.connections;
  const double connected = ms_since(begin);
  const double bytes = static_cast<double>(heap_bytes() - heap) / static_cast<double>(all);
  // They are all idle: the whole batch goes out at once, and every result comes back.
  std::vector<double> submits;
  const std::int64_t work_begin = monotonic_ns();
  if (const auto done = submit_batches(farm, "c", kBatchTasks, submits); !done)
    return tl::unexpected(done.error());
  const auto done = wait_until(farm, std::chrono::minutes(5), [](auto& work) { return work.open == 0; });
  if (!done) return tl::unexpected(done.error());
  return json{{"workers_connected", all},
              {"connect_ms", connected},
              {"bytes_per_worker", bytes},
              {"lifecycles_per_s_at_all_workers", kBatchTasks / (ms_since(work_begin) * 1e-3)}};
}

// Many planned tasks; then every worker connects and takes what it can hold; then all of them work for a
// while.
Result<json> measure_full(Farm& farm, const Options& options) {
  const auto heap = heap_bytes();
  std::vector<double> submits;
  if (const auto done = submit_batches(farm, "f", options.planned, submits); !done)
    return tl::unexpected(done.error());
  const auto planned = farm.work();
  if (!planned) return tl::unexpected(planned.error());
  const double bytes = static_cast<double>(heap_bytes() - heap) / static_cast<double>(planned->planned);
  auto processes = connect_all(farm, options, true);
  if (!processes) return tl::unexpected(processes.error());
  const std::int64_t begin = monotonic_ns();
  for (AgentProcess& process : *processes) process.go();
  std::optional<Farm::Work> after;
  const auto done = wait_until(farm, std::chrono::minutes(1), [&](const Farm::Work& work) {
    after = work;
    return work.open == 0 || ms_since(begin) > 10'000;
  });
  if (!done) return tl::unexpected(done.error());
  return json{{"full_farm",
               {{"workers", after->connected},
                {"planned_tasks", planned->planned},
                {"bytes_per_planned_task", bytes},
                {"submit_10k_ms", quantiles(submits)},
                {"lifecycles_per_s", static_cast<double>(after->succeeded) / (ms_since(begin) * 1e-3)}}}};
}

// The median cost at every length of the queue, and the longest over the shortest.
Result<json> measure_queue(Farm& farm, const Options& options, Queue queue, json& report) {
  json ns = json::object();
  double least = 0, most = 0;
  for (std::uint64_t queued = 1'000; queued <= static_cast<std::uint64_t>(options.ready); queued *= 10) {
    const auto cost = measure_dispatch(farm.models(), queue, queued, options.decisions);
    if (!cost) return tl::unexpected(cost.error());
    ns[std::to_string(queued)] = cost->ns;
    least = least == 0 ? cost->ns : std::min(least, cost->ns);
    most = std::max(most, cost->ns);
    report["bytes_per_planned_task"] = cost->bytes_per_planned_task;
  }
  const std::string name = queue == Queue::kReady ? "dispatch_ready" : "dispatch";
  report[name + "_ns"] = std::move(ns);
  report[name + "_spread"] = least > 0 ? most / least : 0;
  return report;
}

Result<json> measure_dispatches(Farm& farm, const Options& options) {
  json report = json::object();
  for (const Queue queue : {Queue::kShots, Queue::kReady})
    if (const auto done = measure_queue(farm, options, queue, report); !done) return done;
  return report;
}

struct Phase {
  const char* name;
  bool fresh;  // needs a store of its own
  Result<json> (*run)(Farm& farm, const Options& options);
};
constexpr Phase kPhases[] = {
    {"lifecycles", true, measure_lifecycles},
    {"recovery", false, measure_recovery},
    {"latency", true, measure_latency},
    {"connections", true, measure_connections},
    {"full", true, measure_full},
    {"dispatch", true, measure_dispatches},
};

Result<json> measure(const Options& options) {
  json report{{"bench", "scheduler"}, {"cpus", std::thread::hardware_concurrency()}};
  std::unique_ptr<Farm> farm;
  for (const Phase& phase : kPhases) {
    if (!options.has(phase.name)) continue;
    if (phase.fresh || !farm) {
      farm.reset();
      auto made = Farm::make(options.farm);
      if (!made) return tl::unexpected(made.error());
      farm = std::move(*made);
      if (const auto started = farm->start(); !started) return tl::unexpected(started.error());
    }
    if (!options.json) std::cerr << phase.name << " ...\n";
    auto figures = phase.run(*farm, options);
    if (!figures) return with_context(figures.error(), phase.name);
    report.update(*figures);
  }
  return report;
}

}  // namespace

int bench_scheduler(int argc, char** argv) {
  Options options;
  config::CommandLine app{"Measures a whole farm with no-op tasks, everything synced, over real sockets.",
                          "rushes-bench scheduler"};
  app.option("--tasks", options.tasks, "tasks of the lifecycles").between(1, 10'000'000);
  app.option("--processes", options.processes, "processes of simulated workers").between(1, 64);
  app.option("--workers", options.workers, "workers in each process").between(1, 5000);
  app.option("--slots", options.slots, "slots of each worker").between(1, 64);
  app.option("--prefetch", options.prefetch, "assignments ahead of each worker").between(0, 16);
  app.option("--latencies", options.latencies, "submits to an idle worker").between(1, 100'000);
  app.option("--connections", options.connections, "workers connected at once").between(1, 20'000);
  app.option("--planned", options.planned, "tasks that wait while all workers connect and work")
      .between(1, 100'000'000);
  app.option("--ready", options.ready, "longest queue of the dispatch phase").between(1'000, 10'000'000);
  app.option("--decisions", options.decisions, "timed at every length").between(1, 1'000'000);
  app.option("--data", options.farm.data, "folder on the disk to measure");
  app.option("--gather-ms", options.farm.gather_ms, "times.group_commit (default: the farm's)")
      .between(0, 1000);
  app.option("--phases", options.phases, "which to run").comma_separated();
  app.flag("--json", options.json, "machine-readable result");
  if (const auto code = app.parse(argc, argv)) return *code;
  log::set_level(log::Level::kWarning);
  const std::uint64_t rest = scheduler::open_files_for(0),
                      files = std::max(scheduler::raise_open_files(), rest + 1);
  options.connections = static_cast<int>(  // what this host allows; simulated workers need one each
      std::min<std::uint64_t>(static_cast<std::uint64_t>(options.connections), files - rest));
  return report_figures("scheduler", measure(options), options.json);
}

}  // namespace rushes::bench
