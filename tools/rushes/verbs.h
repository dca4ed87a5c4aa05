// The verbs of `rushes` that talk to a farm. Each prints for people, or the farm's JSON with --json, and
// returns the process' exit code: 0 done, 1 the work failed, 2 usage, 3 cannot reach the farm
// (config/result.h).
//
// Thread contract: one thread.
#pragma once

#include <string>
#include <vector>

#include "config/result.h"
#include "tools/rushes/client.h"

namespace rushes::tools {

struct Printer {
  bool json = false;
  bool colour = false;
  std::size_t width = 0;  // of the terminal; 0: there is none, lines are as long as they are
};

struct SubmitOptions {
  std::string file;
  std::string idempotency_key;
  bool dry_run = false;
  bool wait = false;
  bool replace = false;
};

Result<int> submit(Client& farm, const SubmitOptions& options, const Printer& print);
// archived: those that were replaced or removed too.
Result<int> list_shots(Client& farm, bool archived, const Printer& print);
Result<int> show_shot(Client& farm, const std::string& shot, const Printer& print);
// Redraws until every shot named (or every shot of the farm) has come to rest.
Result<int> watch(Client& farm, const std::vector<std::string>& shots, const Printer& print);
// Silent; 0 when the shot is delivered or waits for the review that it asked for (approve: person), 1 when it was
// cancelled, needs attention, or no take passed its critics.
Result<int> wait_shot(Client& farm, const std::string& shot, const Printer& print);
Result<int> critiques(Client& farm, const std::string& shot, const Printer& print);
Result<int> explain(Client& farm, const std::string& what, const Printer& print);
// What the attempts of a task printed, or those of every task of a shot.
Result<int> logs(Client& farm, const std::string& what, const Printer& print);
struct CostsOptions {
  std::vector<std::string> shots;  // none: all
  std::string show;                // empty: all
};
Result<int> costs(Client& farm, const CostsOptions& options, const Printer& print);
Result<int> workers(Client& farm, const Printer& print);
Result<int> events(Client& farm, long since, bool follow, const Printer& print);
// POST /v1/shots/SHOT/VERB: cancel, pause, resume, approve, upgrade, retry.
Result<int> change_shot(Client& farm, const std::string& shot, const std::string& verb, const Json& body,
                        const Printer& print);
Result<int> skip_task(Client& farm, const std::string& task, const Printer& print);
// Returns when the backup is complete.
Result<int> backup(Client& farm, const std::string& name, const Printer& print);
// What the retention of its shows lets go; dry_run: what it would.
Result<int> collect(Client& farm, bool dry_run, const Printer& print);
// POST /v1/workers/WORKER/VERB: drain, undrain, forget.
Result<int> change_worker(Client& farm, const std::string& worker, const std::string& verb,
                          const Printer& print);

// "SHOW/SHOT" from what a person typed: the full name, or a shot name that only one show has.
Result<std::string> full_name(Client& farm, const std::string& shot);

}  // namespace rushes::tools
