// Artifact transfer beside the agent's loop: a thread with its own socket, so that frames never delay
// heartbeats.
//
// Thread contract: fetch() and upload() from any thread; `report` is called on the transfer thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "scheduler/protocol/endpoint.h"
#include "worker/engine/artifacts.h"

namespace rushes::worker {

class Transfer {
 public:
  enum class Kind { kFetch, kUpload };
  // `bytes`: of the artifact that was to be read, see fetch().
  using Report =
      std::function<void(Kind kind, const AttemptId& id, const Status& status, const std::string& bytes)>;

  // `artifacts` outlives this object. Error: kInvalid (endpoint, keys).
  static Result<std::unique_ptr<Transfer>> start(protocol::ClientOptions options, LocalArtifacts& artifacts,
                                                 Report report);
  ~Transfer();  // gives up what is under way

  // Brings every input that is not here; its digest is checked on arrival. kNotFound: the farm has no such
  // artifact. `read`: there is one input, a task description, and the report carries its bytes; kInvalid when
  // they are more than protocol::kMaxStoredSpec.
  void fetch(const AttemptId& id, std::vector<protocol::ArtifactRef> inputs, bool read = false);
  // Sends every output that the farm does not hold; done when all have receipts.
  void upload(const AttemptId& id, std::vector<protocol::ArtifactRef> outputs);

 private:
  struct Job {
    Kind kind;
    AttemptId id;
    std::vector<protocol::ArtifactRef> artifacts;
    bool read = false;
  };
  Transfer(LocalArtifacts& artifacts, Report report) : artifacts_(artifacts), report_(std::move(report)) {}
  void put(Job job);
  void run(std::stop_token stop);
  Status do_fetch(const Job& job, std::stop_token stop);
  Status fetch_one(const protocol::ArtifactRef& input, std::stop_token stop);
  Result<std::string> read_spec(const protocol::ArtifactRef& spec) const;
  Status do_upload(const Job& job, std::stop_token stop);

  LocalArtifacts& artifacts_;
  Report report_;
  std::unique_ptr<protocol::ArtifactClient> client_;  // transfer thread
  std::mutex mutex_;
  std::condition_variable_any arrived_;
  std::deque<Job> jobs_;
  std::jthread thread_;
};

}  // namespace rushes::worker
