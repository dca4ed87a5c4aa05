// The agent with real sockets, processes, files and the real clock.
//
// One loop on one thread waits for the control thread's and the transfer thread's mail, engine pipes and
// signals, tells the agent what happened and carries out its actions.
//
// Thread contract: open() and run() on the main thread. SIGTERM, SIGINT and SIGCHLD must be blocked before
// any thread is started (block_signals()).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "scheduler/protocol/endpoint.h"
#include "scheduler/protocol/mailbox.h"
#include "worker/agent/agent.h"
#include "worker/agent/engine.h"
#include "worker/agent/outbox.h"
#include "worker/agent/transfer.h"

namespace rushes::worker {

struct RunnerOptions {
  AgentOptions agent;
  protocol::ClientOptions control, artifacts;
  std::filesystem::path folder;  // lock, outbox/, cache/, logs/
  std::uint64_t cache_bytes = 2ull << 30;
  // Program, arguments and environment of the engine child in a slot; GPU slots come first.
  std::function<EngineCommand(SlotKind kind, std::size_t slot)> engine;
  std::function<std::vector<DeviceState>()> devices;  // how the GPUs are now; may be empty
  std::vector<std::string> remarks;  // what this start cannot offer, and why; at most kMaxProcessRemarks
  Time grace{10'000};                // from the request to stop an attempt until SIGKILL of its engine
};

void block_signals();

class Runner {
 public:
  // Takes the folder's lock, loads the outbox, connects. Error: kExhausted (folder not writable, or another
  // worker runs in it), kInvalid.
  static Result<std::unique_ptr<Runner>> open(RunnerOptions options);
  ~Runner();
  // Until a signal or a refusal. The first SIGTERM or SIGINT lets running attempts finish, a second one stops them. Every
  // engine is reaped when it returns.
  ExitCode run();

 private:
  struct Connection {
    protocol::ControlClient::Link link;
    std::string text;
  };
  struct Transferred {
    Transfer::Kind kind;
    AttemptId id;
    Status status;
    std::string bytes;
  };
  using Mail = std::variant<Connection, protocol::SchedulerMessage, Transferred>;
  struct EngineSlot {  // a slot and its engine process
    std::unique_ptr<Engine> engine;
    Time start_at{0}, delay{0};  // when to start it (again); grows while it dies before it is ready
  };

  explicit Runner(RunnerOptions options) : options_(std::move(options)) {}
  Status prepare();
  void wait();
  void read_mail();
  void receive(const Connection& connection, Time now);
  void complain_when_alone();
  void read_signals();
  void tend(std::uint32_t slot);  // its messages, its output, its end
  void tell(std::uint32_t slot, const protocol::FromEngine& message);
  void start_engines();
  void act();
  void carry_out(action::Send& action);
  void carry_out(action::Fetch& action);
  void carry_out(action::Run& action);
  void carry_out(action::Stop& action);
  void carry_out(action::Keep& action);
  void carry_out(action::Upload& action);
  void carry_out(action::Forget& action);
  void carry_out(action::Release& action);
  void carry_out(action::Log& action);
  void carry_out(action::Exit& action);
  void pin(const AttemptId& id, const std::vector<protocol::ArtifactRef>& artifacts);
  void tidy_cache();
  void stop_engines();

  RunnerOptions options_;
  int lock_ = -1, signals_ = -1;
  protocol::Mailbox<Mail> mail_;
  std::optional<LocalArtifacts> artifacts_;
  std::optional<Outbox> outbox_;
  std::optional<Agent> agent_;
  std::vector<EngineSlot> engine_slots_;
  std::map<AttemptId, std::vector<Digest>> pinned_;
  std::optional<ExitCode> exit_;
  int signals_seen_ = 0;  // that end the worker
  Time tidied_{0};
  std::optional<Time> alone_since_;  // nothing while connected
  std::string last_trouble_;
  std::unique_ptr<Transfer> transfer_;  // last: their threads use what is above
  std::unique_ptr<protocol::ControlClient> control_;
};

}  // namespace rushes::worker
