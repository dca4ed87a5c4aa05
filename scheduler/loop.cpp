#include "scheduler/loop.h"

#include <pthread.h>

#include <algorithm>
#include <array>

#include "config/log.h"
#include "scheduler/core/journal/record_codec.h"
#include "scheduler/core/journal/replay.h"
#include "scheduler/core/journal/snapshot.h"
#include "scheduler/core/report/event_line.h"
#include "scheduler/core/state/apply.h"
#include "scheduler/recovery.h"

namespace rushes::scheduler {
namespace {

constexpr std::chrono::seconds kWarnEvery{1};
constexpr std::size_t kMaxLines = 4096;  // of the log, of one turn
constexpr std::size_t kMaxTurn = 256;    // events of one turn: bounds how long a reply waits for its sync

std::string owner_of(const State& state, const Task& task) {
  return state.shots[task.shot].key + "/" + std::to_string(task.plan.take);
}

std::vector<Digest> digests_of(const TaskResult& result) {
  std::vector<Digest> digests;
  for (const auto& output : result.outputs) digests.push_back(output.digest);
  return digests;
}

std::vector<Digest> images_of(const ShotSpec& spec) {
  std::vector<Digest> digests;
  for (const auto& key_frame : spec.recipe.key_frames) digests.push_back(key_frame.image);
  return digests;
}

// The end of an attempt's log that a worker sent with its event.
std::string_view log_of(const Event& event) {
  if (const auto* completed = message_in<protocol::Completed>(event)) return completed->log_tail;
  if (const auto* failed = message_in<protocol::Failed>(event)) return failed->log_tail;
  return {};
}

// The person's request inside an event; null for events of workers and the clock.
RequestId* request_of(Event& event) {
  return std::visit(
      [](auto& e) -> RequestId* {
        if constexpr (requires { e.request; }) return &e.request;
        return nullptr;
      },
      event);
}

}  // namespace

Loop::Loop(storage::Ledger& ledger, storage::Vault& vault, VaultJanitor& janitor, LoopOptions options)
    : ledger_(ledger), vault_(vault), janitor_(janitor), options_(std::move(options)) {}

Loop::~Loop() { stop(); }

Error Loop::stopping() {
  return {ErrorKind::kUnreachable, "the farm did not answer in time or is stopping; ask again"};
}

Status Loop::recover() {
  auto recovered = recover_state(ledger_, state_);
  if (!recovered) return tl::unexpected<Error>(recovered.error());
  last_sequence_ = recovered->last_sequence;
  records_since_snapshot_ = recovered->records_since_snapshot;
  described_event_ = state_.events.last();  // they were said when they happened
  retain_everything();
  janitor_.release(unneeded_artifacts(state_, takes_that_left(state_)));  // a crash may have come before
  Turn turn;
  decide_one(event::Recover{}, turn);
  finish(std::move(turn));
  if (auto flushed = ledger_.flush(); !flushed) return flushed;
  log::info("recovered {} shots, {} tasks, {} workers from {} records; epoch {}", state_.shots.size(),
            state_.tasks.size(), state_.workers.size(), last_sequence_, state_.epoch);
  return {};
}

void Loop::start(Send send, OnFailure on_failure) {
  send_ = std::move(send);
  on_failure_ = std::move(on_failure);
  {
    std::lock_guard lock(mutex_);
    running_ = true;
  }
  thread_ = std::thread([this] { run(); });
}

void Loop::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    running_ = false;
  }
  wake_.notify_all();
  happened_.notify_all();
  if (thread_.joinable()) thread_.join();
  (void)ledger_.flush();
  // The last completion may still be on the writer thread between the sync and its end.
  while (in_flight_ > 0) std::this_thread::yield();
  fail_all(stopping());
}

bool Loop::enqueue(Item item) {
  bool first = false;
  {
    std::lock_guard lock(mutex_);
    if (stopping_ || failure_) return false;
    if (queue_.size() >= kMaxQueued) {
      ++dropped_;
      const auto now = std::chrono::steady_clock::now();
      if (now - warned_ < kWarnEvery) return false;
      warned_ = now;
      log::warn("the loop is full: {} messages were dropped; who sent them says them again",
                std::exchange(dropped_, 0));
      return false;
    }
    first = queue_.empty();
    queue_.push_back(std::move(item));
  }
  if (first) wake_.notify_one();  // the core thread sleeps only while the queue is empty
  return true;
}

void Loop::post(Event event) {
  enqueue({std::move(event)});  // what is dropped is sent again by the worker; request() tells people
}

void Loop::post(const std::string& worker, protocol::WorkerMessage message, const std::string& process) {
  if (auto* completed = std::get_if<protocol::Completed>(&message))
    if (const std::string problem = missing_output(completed->result); !problem.empty())
      message =
          protocol::Failed{completed->id, FailKind::kArtifact, problem, "", std::move(completed->log_tail)};
  post(event::FromWorker{worker, std::move(message), process});
}

// A result is worth what the vault holds of it: a worker whose upload got lost has to make it again.
std::string Loop::missing_output(const TaskResult& result) const {
  for (const auto& output : result.outputs) {
    const auto held = vault_.find(output.digest);
    std::string missing;
    if (!held)
      missing = held.error().message;
    else if (!*held)
      missing = "is not in the vault";
    else if ((*held)->bytes != output.bytes)
      missing = "has " + std::to_string((*held)->bytes) + " bytes in the vault, the result says " +
                std::to_string(output.bytes);
    if (!missing.empty())
      return std::string("output ") + to_string(output.role) + " " + to_hex(output.digest) + " " + missing;
  }
  return {};
}

Result<Answer> Loop::request(Event event, std::chrono::milliseconds patience) {
  auto promise = std::make_shared<std::promise<Result<Answer>>>();
  auto reply = promise->get_future();
  RequestId* request = request_of(event);
  if (request == nullptr) return fail(ErrorKind::kInternal, "this event has no reply");
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return tl::unexpected<Error>(stopping());
    if (failure_) return tl::unexpected<Error>(*failure_);
    *request = next_request_++;
    waiting_[*request] = promise;
  }
  const RequestId number = *request;
  const bool queued = enqueue({std::move(event)});
  if (queued && reply.wait_for(patience) == std::future_status::ready) return reply.get();
  std::lock_guard lock(mutex_);
  waiting_.erase(number);
  return tl::unexpected<Error>(stopping());
}

bool Loop::wait_events(std::uint64_t since, std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  happened_.wait_for(lock, patience, [&] { return published_event_ > since || stopping_; });
  return published_event_ > since;
}

// The core thread.
void Loop::run() {
  pthread_setname_np(pthread_self(), "core");
  auto next_tick = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait_until(lock, next_tick, [&] { return stopping_ || !queue_.empty(); });
    if (failure_ || (stopping_ && queue_.empty())) return;
    std::deque<Item> items;
    while (!queue_.empty() && items.size() < kMaxTurn) {
      items.push_back(std::move(queue_.front()));
      queue_.pop_front();
    }
    lock.unlock();
    if (std::chrono::steady_clock::now() >= next_tick) {
      items.push_back({event::Tick{}});
      next_tick = std::chrono::steady_clock::now() + options_.tick;
    }
    take_turn(items);
    lock.lock();
  }
}

void Loop::take_turn(std::deque<Item>& items) {
  Turn turn;
  turn.arrived = items.empty() ? std::chrono::steady_clock::now() : items.front().arrived;
  for (auto& item : items) {
    if (const auto* event = std::get_if<Event>(&item.what))
      decide_one(*event, turn);
    else
      turn.deliveries.push_back(std::get<Query>(item.what)(state_, options_.clock()));
  }
  finish(std::move(turn));
  snapshot_if_due();
}

void Loop::decide_one(const Event& event, Turn& turn) {
  auto decision = decide(state_, options_.settings, event, options_.clock(), options_.random());
  const std::string_view log = log_of(event);
  for (const auto& record : decision.records) {
    if (!is_durable(record)) continue;
    turn.append.records.emplace_back(chars_of(encode_record(record)));
    retain(record);
    if (const auto* left = std::get_if<record::TakeLeft>(&record))
      turn.left.push_back({left->shot, left->take});
    AttemptId ref;
    if (const auto* accepted = std::get_if<record::ResultAccepted>(&record)) ref = accepted->ref;
    if (const auto* ended = std::get_if<record::AttemptEnded>(&record)) ref = ended->ref;
    if (ref.task != kNoId && !log.empty())
      turn.append.logs.push_back({ref.task.number(), ref.attempt, std::string(log)});
  }
  if (!decision.commands.empty()) turn.commands.push_back(std::move(decision.commands));
}

// Sends what a turn owes after its sync; at once when nothing that it could depend on is still unsynced.
void Loop::finish(Turn turn) {
  turn.last_event = state_.events.last();
  describe(turn);
  if (turn.append.records.empty() && turn.append.logs.empty() && in_flight_ == 0) {
    leave(turn, {});
    return;
  }
  records_since_snapshot_ += turn.append.records.size();
  turn.appended = std::chrono::steady_clock::now();
  auto owed = std::make_shared<Turn>(std::move(turn));
  storage::Append append = std::move(owed->append);
  append.done = [this, owed](const Status& status) {
    leave(*owed, status);
    --in_flight_;
  };
  ++in_flight_;
  const auto appended = ledger_.append(std::move(append));
  if (appended) {
    last_sequence_ = *appended;
    return;
  }
  --in_flight_;
  leave(*owed, tl::unexpected<Error>(appended.error()));
}

void Loop::leave(const Turn& turn, const Status& status) {
  if (!status) {
    fail_all(status.error());
    return;
  }
  if (!turn.left.empty()) release_later(turn.left);  // first: who asked for it waits for what follows it
  for (const auto& of_decision : turn.commands) {
    for (const Command& command : of_decision) {
      if (const auto* reply = std::get_if<command::Reply>(&command))
        answer(*reply);
      else if (send_)
        send_(std::get<command::ToWorker>(command));
    }
  }
  for (const auto& deliver : turn.deliveries) deliver();
  for (const auto& [level, line] : turn.lines) log::write(level, line);
  observe(turn);
  {
    std::lock_guard lock(mutex_);
    published_event_ = std::max(published_event_, turn.last_event);
  }
  happened_.notify_all();
}

// The events of the turn as lines of the log: they are written after its sync.
void Loop::describe(Turn& turn) {
  static constexpr std::array kLevel{log::Level::kDebug, log::Level::kInfo, log::Level::kWarning};
  if (described_event_ == turn.last_event) return;
  state_.events.each_since(described_event_, kMaxLines, [&](const FarmEvent& event) {
    const log::Level level = kLevel[static_cast<std::size_t>(weight_of(event))];
    if (log::says(level)) turn.lines.emplace_back(level, line_of(state_, event));
  });
  described_event_ = turn.last_event;
}

void Loop::observe(const Turn& turn) const {
  const auto now = std::chrono::steady_clock::now();
  if (options_.on_sync && turn.appended.time_since_epoch().count() != 0)
    options_.on_sync(now - turn.appended);
  const auto assigns = [](const Command& command) {
    return message_in<protocol::Assign>(command) != nullptr;
  };
  const bool any_assigns =
      std::any_of(turn.commands.begin(), turn.commands.end(), [&](const std::vector<Command>& of_decision) {
        return std::any_of(of_decision.begin(), of_decision.end(), assigns);
      });
  if (options_.on_dispatch && any_assigns) options_.on_dispatch(now - turn.arrived);
}

void Loop::answer(const command::Reply& reply) {
  std::shared_ptr<std::promise<Result<Answer>>> promise;
  {
    std::lock_guard lock(mutex_);
    const auto found = waiting_.find(reply.request);
    if (found == waiting_.end()) return;  // the request has timed out
    promise = found->second;
    waiting_.erase(found);
  }
  promise->set_value(reply.result);
}

// No request is answered any more: the ledger failed, or the farm stops.
void Loop::fail_all(const Error& error) {
  std::map<RequestId, std::shared_ptr<std::promise<Result<Answer>>>> waiting;
  std::deque<Item> dropped;
  bool first = false;
  {
    std::lock_guard lock(mutex_);
    waiting.swap(waiting_);
    dropped.swap(queue_);
    if (!stopping_ && !failure_) {
      failure_ = error;
      first = true;
    }
  }
  wake_.notify_all();
  happened_.notify_all();
  for (auto& [request, promise] : waiting) promise->set_value(tl::unexpected<Error>(error));
  if (first && on_failure_) on_failure_(error);
}

// A snapshot costs as much as changed since the one before, however large the state is. A shot's row is as
// long as those of some tasks together.
void Loop::snapshot_if_due() {
  constexpr std::uint64_t kShotsRow = 8;
  if (std::max(records_since_snapshot_, kShotsRow * state_.changed.shots.size()) < options_.snapshot_every)
    return;
  records_since_snapshot_ = 0;
  std::vector<storage::SnapshotRow> rows;
  for (SnapshotRow& row : changed_rows(state_)) rows.push_back({std::move(row.key), std::move(row.record)});
  if (auto queued = ledger_.append_snapshot(last_sequence_, std::move(rows)); !queued) {
    log::error("snapshot: {}", queued.error().message);
    return;
  }
  apply(state_, record::Snapshotted{});
}

void Loop::retain(const Record& record) {
  if (const auto* accepted = std::get_if<record::ResultAccepted>(&record))
    janitor_.retain(owner_of(state_, state_.task(accepted->ref.task)), digests_of(accepted->result));
  if (const auto* planned = std::get_if<record::ShotPlanned>(&record))
    janitor_.retain(planned->spec.show + "/" + planned->spec.name + "/0", images_of(planned->spec));
}

// On the core thread, between decisions: what was retained before is not needed by anything accepted since.
void Loop::release_later(std::vector<TakeId> takes) {
  Query release = [this, takes = std::move(takes)](const State& state, Now) -> Deliver {
    janitor_.release(unneeded_artifacts(state, takes));
    return [] {};
  };
  if (!enqueue({std::move(release)})) log::warn("retention: artifacts are released at the next start");
}

void Loop::retain_everything() {
  for (const auto& task : state_.tasks)
    if (task.state == TaskState::kSucceeded && !has_left(state_, task))
      janitor_.retain(owner_of(state_, task), digests_of(task.result));
  for (const auto& shot : state_.shots) janitor_.retain(shot.key + "/0", images_of(shot.spec));
}

}  // namespace rushes::scheduler
