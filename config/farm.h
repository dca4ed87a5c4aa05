// farm.yaml: everything the scheduler is told (see the commented config/farm.yaml).
//
// A worker never reads this file: it names the scheduler's secrets. Paths are resolved against the file's
// folder.
//
// Thread contract: pure functions of their arguments and the file named; call from any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/critics.h"
#include "config/digest.h"
#include "config/path_map.h"
#include "config/result.h"
#include "config/stage.h"

namespace rushes::config {

using Milliseconds = std::chrono::milliseconds;

struct Listen {
  std::string control = "tcp://127.0.0.1:7401";    // ZeroMQ ROUTER: leases, heartbeats, results
  std::string artifacts = "tcp://127.0.0.1:7402";  // ZeroMQ ROUTER: chunks of frames and latents
  std::string http_host = "127.0.0.1";             // loopback unless the file says otherwise
  int http_port = 7400;                            // 1..65535
};

struct FarmKeys {
  std::filesystem::path secret;   // the scheduler's CURVE secret key (readable by its user only)
  std::filesystem::path workers;  // folder of *.pub: only workers whose public key lies here may connect
  std::filesystem::path tokens;   // tokens.yaml, see read_tokens()
};

// For how many days the artifacts of takes stay that nobody chose; absent: as the farm says, else for ever. What is
// approved or delivered never leaves (scheduler/core/policy/retention.h).
struct Retention {
  static constexpr double kForever = std::numeric_limits<double>::infinity();
  std::optional<double> dropped_days;  // of dropped takes, and of shots that are cancelled or removed
  std::optional<double> draft_days;    // of takes that were never approved, since they changed last
  bool operator==(const Retention&) const = default;
};

// A show's share of the farm.
struct Show {
  std::string name;
  double weight = 1.0;  // > 0; shares are proportional
  double floor = 0.0;   // 0..1 of all slots, kept while the show has runnable work; all floors sum to <= 1
  Retention retention = {};
  std::string numeric_class = {};  // in which its shots are rendered (kernels/backend.h); empty: any
  bool operator==(const Show&) const = default;
};

// Durations are of CLOCK_BOOTTIME. What each prevents is written in config/farm.yaml.
struct Times {
  Milliseconds heartbeat{2'000};
  Milliseconds lease{15'000};             // >= 3 heartbeats
  Milliseconds no_progress_min{120'000};  // an attempt without progress is stopped after
  double no_progress_factor = 4.0;        //   max(no_progress_min, factor * estimate)
  Milliseconds upload_sweep{86'400'000};  // uploads that no accepted result names
  Milliseconds group_commit{2};           // how long the journal gathers records before one sync
};

// A counted resource that all workers share: a licence, the storage's bandwidth.
struct SharedLimit {
  std::string name;
  int count = 1;              // tasks that may hold it at once
  std::vector<Stage> stages;  // whose tasks claim it; empty: the tasks of shots that name it
  bool operator==(const SharedLimit&) const = default;
};

struct Limits {
  std::uint64_t artifact = 4ull << 30;       // bytes of one artifact
  std::uint64_t request_body = 1024 * 1024;  // bytes of one HTTP request
  std::uint64_t disk_reserve = 1ull << 30;   // bytes left free on the data folder's disk
  int workers = 1000;
  int open_shots = 10'000;
  std::vector<SharedLimit> shared;
};

// How the farm chooses; what each prevents is written in config/farm.yaml.
struct Scheduling {
  Milliseconds straggler_min{60'000};  // an attempt straggles when it runs longer than this and than
  double straggler_spread = 4;         //   its estimate + straggler_spread * deviation
  bool run_ahead = true;               // idle workers go on behind a gate before its verdict
};

struct Retries {
  int attempts = 4;         // of one task, over all workers, then the shot needs `attention`
  int worker_failures = 3;  // in a row, of shots that fail or of tasks that others finish: it is quarantined
  Milliseconds quarantine{600'000};
  Milliseconds backoff{1'000};  // before the second attempt, doubled each time, at most 60 s
};

struct Farm {
  std::string name = "farm";
  Listen listen;
  FarmKeys keys;
  std::filesystem::path data;                      // ledger and vault
  std::filesystem::path deliveries;                // finished shots: DELIVERIES/SHOW/SHOT/
  PathMap path_map;                                // how people see what lies on this host
  std::filesystem::path backups;                   // of data, a folder each; empty: none are made
  std::vector<std::filesystem::path> model_roots;  // manifests the planner reads
  std::vector<std::filesystem::path>
      picture_roots;        // the only folders of this host from which pictures are read
  std::vector<Show> shows;  // a show that is not listed has weight 1 and no floor
  Retention retention;      // of shows that do not say
  Times times;
  Limits limits;
  Retries retries;
  Scheduling scheduling;
  CriticRules critics = default_rules();
  // The share of a show, listed or not.
  Show show(std::string_view show_name) const;
};

// What holds for a show: its own words, else the farm's, else kForever. Both are set.
Retention retention_of(const std::vector<Show>& shows, const Retention& farm_wide,
                       std::string_view show_name);

// Error: kInvalid with one line per problem, kNotFound.
Result<Farm> read_farm(const std::filesystem::path& file);
Result<Farm> parse_farm(std::string_view text, const std::filesystem::path& file);

}  // namespace rushes::config
