// A whole scheduler for measuring: what scheduler/main.cpp wires, in a folder of its own, on free loopback
// ports.
//
// Nothing is left out or faked: RocksDB with sync, the vault, CURVE keys, ZeroMQ and HTTP. Only the model is
// made up (a manifest without weights), because no task is ever computed.
//
// Touches: a new folder under FarmOptions::data, removed by the destructor.
// Thread contract: one thread calls; the parts have their own threads.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "scheduler/gateway/gateway.h"
#include "scheduler/loop.h"
#include "scheduler/protocol/endpoint.h"
#include "scheduler/vault_janitor.h"
#include "storage/ledger.h"
#include "storage/vault.h"

namespace httplib {
class Client;
}

namespace rushes::bench {

struct FarmOptions {
  std::filesystem::path data = "/var/tmp";  // on a disk: in memory a sync costs nothing
  int gather_ms = -1;                       // times.group_commit; < 0: the farm's default
};

// The one artifact that every no-op task claims to have made.
inline constexpr std::string_view kArtifact = "no-op";
inline constexpr const char* kModel = "no-op";
inline constexpr const char* kNumericClass = "cpu-none-fp32";

// A batch of `shots` shots named PREFIX0, PREFIX1, ...; each is one encode and four tasks per take.
std::string batch_text(const std::string& prefix, int shots, int takes);
inline constexpr int kTasksPerTake = 4;

// The result of a no-op task: the one artifact under the role that the stage asks for.
TaskResult no_op_result(Stage stage);

// The manifest of kModel in FOLDER/no-op/model.yaml.
Status write_model(const std::filesystem::path& folder);
Result<Digest> model_digest(const std::filesystem::path& folder);

class Farm {
 public:
  static Result<std::unique_ptr<Farm>> make(const FarmOptions& options);
  ~Farm();
  Farm(const Farm&) = delete;
  Farm& operator=(const Farm&) = delete;

  // Opens, recovers, listens. stop() leaves the store as a kill would: nothing is written at the end.
  Status start();
  void stop();

  // Posts the batch over HTTP; returns when it is acknowledged, with the number of tasks planned.
  Result<std::uint64_t> submit(const std::string& text);

  struct Work {
    std::uint64_t planned = 0, succeeded = 0, open = 0;  // tasks; open: neither final nor failed
    std::size_t connected = 0;                           // workers
  };
  Result<Work> work();  // everything counted is synced

  std::filesystem::path keys() const { return folder_ / "keys"; }
  std::filesystem::path models() const { return folder_ / "models"; }
  std::filesystem::path store() const { return folder_ / "data"; }
  std::string control_endpoint() const { return control_->endpoint(); }
  storage::Ledger& ledger() { return *ledger_; }

 private:
  explicit Farm(std::filesystem::path folder, const FarmOptions& options);
  Status open_store();
  Status listen();

  const std::filesystem::path folder_;
  const FarmOptions options_;
  std::unique_ptr<storage::Ledger> ledger_;
  std::unique_ptr<storage::Vault> vault_;
  std::unique_ptr<scheduler::VaultJanitor> janitor_;
  scheduler::Metrics metrics_;
  std::unique_ptr<scheduler::Loop> loop_;
  std::unique_ptr<protocol::ZapAuthenticator> authenticator_;
  std::unique_ptr<protocol::ControlServer> control_;
  std::unique_ptr<scheduler::Gateway> gateway_;
  std::unique_ptr<httplib::Client> http_;
};

}  // namespace rushes::bench
