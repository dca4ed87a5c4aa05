// What a worker does next: leases, heartbeats, results, which attempt runs where and which has to stop.
//
// The agent decides and touches nothing: it is told what happened and when, and its actions are carried out
// by its driver (runner.h with real sockets and processes, the simulator with none).
//
// Leases. The worker counts a lease from the moment the heartbeat that renewed it was *sent*, the scheduler
// from its receipt, so here it always ends first: a worker that is cut off stops on its own before the task
// is given away. A finished result is not bound by the lease: it is offered until the scheduler accepts or
// refuses it, which alone knows whether it still wants it. A lost message is repeated; nothing waits for one
// message to arrive.
//
// Thread contract: one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "config/result.h"
#include "scheduler/protocol/codec.h"

namespace rushes::worker {

using Time = std::chrono::milliseconds;  // of CLOCK_BOOTTIME

struct AgentOptions {
  std::string name;
  WorkerOffer offer;          // without numeric classes: the engines name them
  Time no_progress{120'000};  // where the assignment names no limit
  Time repeat{3'000};         // Hello, Completed and Failed are resent after this long without an answer
  Time retry{1'000};          // a transfer that failed for lack of a connection is tried again after
  WorkerProcess process;      // no id: it does not say who it is
  Time stop_grace{60'000};    // what running attempts have to finish in once the worker leaves
};

namespace action {
struct Send {
  protocol::WorkerMessage message;
};
// Bring the inputs here and keep them; answered by on_fetched(). `read`: there is one, a stored task description,
// and the answer carries its bytes.
struct Fetch {
  AttemptId id;
  std::vector<protocol::ArtifactRef> inputs;
  bool read = false;
};
struct Run {
  std::uint32_t slot;
  AttemptId id;
  TaskSpec spec;
};
// Cancel, then SIGTERM, then SIGKILL; ends with on_done(), on_failed() or on_exit().
struct Stop {
  std::uint32_t slot;
  AttemptId id;
};
struct Keep {
  protocol::Completed result;
};  // into the outbox, synced, before anything that follows
struct Upload {
  AttemptId id;
  std::vector<protocol::ArtifactRef> outputs;
};  // answered by on_uploaded()
struct Forget {
  AttemptId id;
};  // its outbox entry
struct Release {
  AttemptId id;
};  // its artifacts may be evicted
struct Log {
  std::string line;
  bool trouble = false;  // it comes less often when it repeats
};
struct Exit {
  ExitCode code;
  std::string message;
};  // engines are stopped, the last words are sent
}  // namespace action

using Action = std::variant<action::Send, action::Fetch, action::Run, action::Stop, action::Keep,
                            action::Upload, action::Forget, action::Release, action::Log, action::Exit>;

// The kind of each slot. GPU slots come first: their numbers are those of the devices.
std::vector<SlotKind> slot_kinds(const SlotCounts& slots);

class Agent {
 public:
  // `outbox`: results that an earlier run of this worker kept and that were never acknowledged.
  Agent(AgentOptions options, std::vector<protocol::Completed> outbox, Time now);

  // ---- what happened ----
  void on_connected(Time now);
  void on_lost(Time now);
  void on_denied(const std::string& why, Time now);
  void on_message(const protocol::SchedulerMessage& message, Time now);
  void on_fetched(const AttemptId& id, const Status& status, Time now, const std::string& bytes = {});
  void on_uploaded(const AttemptId& id, const Status& status, Time now);
  // `notes`: what the engine found at its start; new ones are logged and told to the scheduler.
  void on_ready(std::uint32_t slot, const std::string& numeric_class, Time now,
                const std::vector<std::string>& notes = {});
  void on_progress(std::uint32_t slot, const protocol::Progress& progress, Time now);
  void on_done(std::uint32_t slot, const protocol::EngineDone& done, const std::string& log_tail, Time now);
  void on_failed(std::uint32_t slot, const protocol::EngineFailed& failed, const std::string& log_tail,
                 Time now);
  void on_exit(std::uint32_t slot, const std::string& cause, const std::string& log_tail, Time now);
  void on_cached(std::vector<Digest> recent) { cached_ = std::move(recent); }
  void on_devices(std::vector<DeviceState> devices) { devices_ = std::move(devices); }
  void on_tick(Time now);  // at least every next_tick()
  // The first signal: takes nothing new, gives back what has not begun, finishes what runs within the grace, says Bye,
  // exits.
  void on_leave(Time now);
  void on_shutdown(Time now);  // the second: stops everything, says Bye, exits

  // ---- what to do about it, in this order ----
  std::vector<Action> take_actions();
  Time next_tick() const { return std::min(heartbeat_, Time(1000)) / 2; }

  // ---- for tests and the status line ----
  bool welcomed() const { return welcomed_; }
  std::size_t attempts() const { return attempts_.size(); }
  std::size_t results() const { return results_.size(); }
  // Start of the oldest attempt that an engine works on: what was used since must not be evicted.
  std::optional<Time> oldest_start() const;

 private:
  enum class State { kFetching, kWaiting, kRunning, kStopping };
  struct Attempt {
    AttemptId id;
    std::optional<TaskSpec> spec;               // none until a stored one was fetched
    std::vector<protocol::ArtifactRef> inputs;  // or the stored spec, until then
    State state = State::kFetching;
    Time lease{0}, lease_end{0};       // its length; by this worker's clock
    std::uint64_t first_sequence = 0;  // of the first Hello or Heartbeat that named it; 0: none yet
    Time no_progress{0}, progressed{0}, started{0};
    Time fetch_again{0};             // 0: the transfer is under way
    SlotKind kind = SlotKind::kCpu;  // of the slot that it takes, once its spec is here
    std::uint32_t slot = 0;
    protocol::Progress progress;
    bool revoked = false;                     // the scheduler does not want its result
    std::optional<protocol::Failed> failure;  // what to report once the engine has stopped; else Stopped
  };
  struct Finished {
    protocol::Completed result;
    bool uploaded = false;
    Time upload_again{0};  // 0: under way or done
    Time sent{0};          // when Completed was last sent; 0: never
  };
  struct Failure {
    protocol::Failed message;
    Time sent{0};
  };
  struct Slot {
    SlotKind kind = SlotKind::kCpu;
    bool ready = false;
    bool ending = false;  // its engine said that it ends: a GPU failed under it
    bool withdrawn =
        false;              // not offered: its engine does not become ready, or its GPU fails again and again
    int false_starts = 0;   // ends of its engine since it was last ready
    int device_faults = 0;  // since its last result
    std::string last_fault;
    std::optional<Time> rests_until;        // the engine that is ready meanwhile waits
    std::optional<std::string> rests_with;  // the numeric class of that engine
    std::optional<AttemptId> running;
  };

  void handle(const protocol::Welcome& welcome, Time now);
  void handle(const protocol::Refused& refused, Time now);
  void handle(const protocol::HeartbeatAck& ack, Time now);
  void handle(const protocol::Assign& assign, Time now);
  void handle(const protocol::Accepted& accepted, Time now);
  void handle(const protocol::RefusedResult& refused, Time now);
  void handle(const protocol::FailedAck& ack, Time now);
  void handle(const protocol::Revoke& revoke, Time now);
  void handle(const protocol::Greet& greet, Time now);
  void handle(const protocol::NameTaken& taken, Time now);

  void send_hello(Time now);
  void send_heartbeat(Time now);
  Resources offered() const;  // without withdrawn slots
  void withdraw(std::uint32_t slot, const std::string& why, Time now);
  void end_rests(Time now);
  void take_notes(const std::vector<std::string>& notes);
  void give_back(std::optional<SlotKind> kind,
                 Time now);  // what has not begun, of one kind of slot or of all
  void renew(std::uint64_t sequence);
  void take_spec(Attempt& attempt, TaskSpec spec);
  // Of the slots that compute tensors: on a host with GPUs its CPU slots are for all that computes none.
  SlotKind tensor_kind() const {
    return options_.offer.resources.slots[SlotKind::kGpu] > 0 ? SlotKind::kGpu : SlotKind::kCpu;
  }
  void fetch(const Attempt& attempt);
  void fill_slots(Time now);
  void upload(Finished& finished);
  void complete(std::size_t index, const TaskResult& result, const std::string& log_tail);
  void report(protocol::Failed failure, Time now);
  // Ends an attempt wherever it is; `failure` empty: Stopped.
  void stop(Attempt& attempt, std::optional<protocol::Failed> failure, Time now);
  void ended(std::size_t index, Time now);  // its engine is done with it, nothing to deliver
  void repeat(Time now);
  void leave_if_empty();
  bool leaves() const { return stopping_ || leave_by_.has_value(); }
  void log(std::string line) { actions_.emplace_back(action::Log{std::move(line)}); }
  void warn(std::string line) { actions_.emplace_back(action::Log{std::move(line), true}); }
  // "show/sh010 take 1 denoise window 2 (task 12 attempt 1)", as far as it is known.
  std::string name_of(const AttemptId& id) const;
  void send(protocol::WorkerMessage message) { actions_.emplace_back(action::Send{std::move(message)}); }
  std::optional<std::size_t> find(const AttemptId& id) const;
  std::optional<std::size_t> find_result(const AttemptId& id) const;
  std::optional<std::size_t> in_slot(std::uint32_t slot, const AttemptId& id) const;
  void drop_result(std::size_t index);
  // This attempt never runs here again: an Assign that was sent twice, or that its Revoke overtook, is void.
  void mark_over(const AttemptId& id);

  AgentOptions options_;
  std::vector<Attempt> attempts_;           // in order of assignment
  std::map<AttemptId, std::string> names_;  // of their tasks, in words
  std::vector<Finished> results_;
  std::vector<Failure> failures_;
  std::deque<AttemptId> over_;  // the last ones that are over, oldest first
  std::vector<Slot> slots_;
  std::vector<Digest> cached_;
  std::vector<DeviceState> devices_;
  std::vector<Action> actions_;

  std::uint64_t first_lease_ = 0;  // see protocol::Welcome
  bool connected_ = false, welcomed_ = false, stopping_ = false, exited_ = false;
  std::optional<Time> leave_by_;     // it leaves, and stops what runs then
  std::optional<Time> taken_since_;  // another process has the name
  Time ask_again_{0}, taken_logged_{0};
  std::optional<std::pair<ExitCode, std::string>> exit_;  // with what, once everything has stopped
  Time heartbeat_{2'000};
  Time hello_sent_{0}, heartbeat_sent_{0};
  // Of the newest Hello or Heartbeat. It begins at the clock's milliseconds: no answer to an earlier process
  // of this name has a number of ours.
  std::uint64_t sequence_;
  const std::uint64_t before_us_ = sequence_;
  std::deque<std::pair<std::uint64_t, Time>>
      sent_;                          // sequence and moment of unanswered Hellos and Heartbeats
  std::optional<Time> acknowledged_;  // when the last answered one was sent
};

}  // namespace rushes::worker
