// What happens to the farm: the inputs of decide().
//
// Messages of workers as they are on the wire, requests of people, and clock ticks. Everything in them was
// length-checked where it was received; decide() checks what they mean. A worker is named by the name that
// its CURVE key is bound to.
//
// Thread contract: plain values, moved from the thread that made them to the core thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "config/model.h"
#include "config/shot.h"
#include "scheduler/plan/vocabulary.h"
#include "scheduler/protocol/messages.h"

namespace rushes::scheduler {

using RequestId =
    std::uint64_t;  // chosen by the loop; the Reply command carries it back. 0: no answer is wanted

namespace event {

// ---- from people, through the gateway. `overrules`: who asks may take a person's approval away; without it what would
// do so is refused (kDenied).
struct ShotRequest {
  config::Shot shot;  // already validated against the model (config::validate_shot)
  std::shared_ptr<const config::ModelManifest> model;
  std::vector<StoredPicture> images;      // one per shot.key_frames, their bytes already in the vault
  std::vector<std::string> remarks = {};  // on its prompts (config/prompt.h)
};
// With an idempotency key that was used before: the first answer again if the text is the same, else a
// conflict.
struct SubmitBatch {
  RequestId request = 0;
  std::string name;             // the file's name
  std::string idempotency_key;  // empty: none
  Digest text{};                // BLAKE2b-256 of the YAML text
  std::string by;               // token name
  bool dry_run = false;
  std::vector<ShotRequest> shots;
  bool replace = false;  // a shot of the same name is cancelled where it is not over, and archived
  bool overrules = true;
};
// A shot that is over is archived: its history stays, its name is free.
struct RemoveShot {
  RequestId request = 0;
  std::string shot, by = {};
};
// `shot` is "show/shot" in all of these.
struct Cancel {
  RequestId request = 0;
  std::string shot, by;
  bool overrules = true;
};
struct Pause {
  RequestId request = 0;
  std::string shot, by;
};
struct Resume {
  RequestId request = 0;
  std::string shot, by;
};
struct Approve {
  RequestId request = 0;
  std::string shot;
  std::uint32_t take = 0;
  std::string by;
};
struct Upgrade {
  RequestId request = 0;
  std::string shot, by;
};
// Without take, windows, seed and prompt: every failed task of the shot is tried again. Else a take (0: the approved,
// the best, or the only one) is rendered again, whatever its budget says: the windows, or all of them. The new version
// is the current one once it is judged, whatever the critics say of it.
struct Retry {
  RequestId request = 0;
  std::string shot;
  std::uint32_t take = 0;
  std::vector<std::uint32_t> windows = {};
  std::string note = {}, by = {};
  std::optional<std::uint64_t> seed = {};  // of the new noise; else one that follows from the take's
  std::string prompt = {};                 // empty: that of before
  bool dry_run = false;                    // say what would change and cost
  bool overrules = true;
};
// The current version of a take stays, a revision under way is stopped, and no critic changes it.
struct Keep {
  RequestId request = 0;
  std::string shot;
  std::uint32_t take = 0;
  std::string by = {};
};
// Another version of a take becomes the current one.
struct Revert {
  RequestId request = 0;
  std::string shot;
  std::uint32_t take = 0;
  std::optional<std::uint32_t> version = {};  // none: that from which the current one was made
  std::string by = {};
};
// A dropped take goes on where it was stopped, and no critic drops it again.
struct RestoreTake {
  RequestId request = 0;
  std::string shot;
  std::uint32_t take = 0;
  std::string by = {};
};
struct Skip {
  RequestId request = 0;
  TaskId task;
  std::string by;
};
// It finishes what it holds and gets nothing new, until it is undrained.
struct DrainWorker {
  RequestId request = 0;
  std::string worker, by;
};
struct UndrainWorker {
  RequestId request = 0;
  std::string worker, by;
};
// A worker that is lost or stopped leaves the list.
struct ForgetWorker {
  RequestId request = 0;
  std::string worker, by;
};
// What takes made whose days are over leaves; the answer is command::Collected. No decision is long: of a farm with many
// such takes some leave, and the answer says behind which take the next request looks.
struct CollectGarbage {
  struct Place {
    std::uint32_t shot = 0, take = 0;  // the shot by its number (core/state/facts.h, ShotId)
  };
  RequestId request = 0;
  bool dry_run = false;  // say what would leave
  std::string by = {};
  std::optional<Place> after = {};   // none: from the first take on
  std::int64_t upload_sweep_ms = 0;  // what was made within it leaves, and is swept later
};

// ---- from workers
// Hello.running are all attempts that the worker still answers for: assigned, running, or finished and not yet
// acknowledged. An attempt that it does not name is dead: an agent's engines never outlive it. The loop passes
// a Completed on only when the vault holds every output (else it makes a Failed of kind kArtifact of it).
struct FromWorker {
  std::string worker;
  protocol::WorkerMessage message;
  std::string process = {};  // WorkerProcess::id of the connection's Hello
};
struct Disconnected {
  std::string worker;
  std::string why = {};  // for people, as an event; empty: nothing that they need to know
};                       // leases go on until they run out

// ---- from the clock
struct Recover {};  // the first event after a restart: new epoch, every lease renewed once
struct Tick {};     // at least once a second: leases that ran out, retries that are due

}  // namespace event

using Event = std::variant<event::SubmitBatch, event::Cancel, event::Pause, event::Resume, event::Approve,
                           event::Upgrade, event::Retry, event::Keep, event::Revert, event::RestoreTake,
                           event::RemoveShot, event::Skip, event::DrainWorker, event::UndrainWorker,
                           event::ForgetWorker, event::CollectGarbage, event::FromWorker, event::Disconnected,
                           event::Recover, event::Tick>;

// The message of a worker that the event is, if it is one of that kind.
template <class Message>
const Message* message_in(const Event& event) {
  const auto* from = std::get_if<event::FromWorker>(&event);
  return from != nullptr ? std::get_if<Message>(&from->message) : nullptr;
}

}  // namespace rushes::scheduler
