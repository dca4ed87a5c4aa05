#include "worker/agent/agent.h"

#include <algorithm>
#include <utility>

#include "config/mutation.h"
#include "storage/records/words_codec.h"

namespace rushes::worker {
namespace {

constexpr std::size_t kMaxUnanswered = 64;  // heartbeats remembered while the scheduler is silent
constexpr std::size_t kMaxFailures = 256;
// While another process has the name: how often it is asked for, how often a line says so, and after how many times the
// silence that makes a worker lost this one gives up.
constexpr Time kAskAgain{2'000}, kSayAgain{10'000};
constexpr int kTakenLimits = 2;
constexpr std::size_t kMaxBuried = 1024;

// A farm that was restored from a backup gives an attempt's number again, under another lease. Acknowledgements may leave
// the lease 0.
bool same(const AttemptId& a, const AttemptId& b) {
  return a.task == b.task && a.attempt == b.attempt && (a.lease == b.lease || a.lease == 0 || b.lease == 0);
}

// A transfer that may work later; anything else will fail again in the same way.
bool passing(ErrorKind kind) { return kind == ErrorKind::kUnreachable || kind == ErrorKind::kExhausted; }

}  // namespace

Agent::Agent(AgentOptions options, std::vector<protocol::Completed> outbox, Time now)
    : options_(std::move(options)), sequence_(static_cast<std::uint64_t>(now.count())) {
  options_.offer.protocol_version = options_.process.id.empty() ? kTellsSlotsByKind : kNamesItsProcess;
  for (const SlotKind kind : slot_kinds(options_.offer.resources.slots)) slots_.emplace_back().kind = kind;
  for (protocol::Completed& result : outbox) {
    if (mutated(Mutation::kDropOutboxEntry) && &result == &outbox.front()) continue;
    results_.push_back({std::move(result), false, now, Time(0)});
  }
}

std::vector<Action> Agent::take_actions() { return std::exchange(actions_, {}); }

std::optional<std::size_t> Agent::find(const AttemptId& id) const {
  const auto found =
      std::find_if(attempts_.begin(), attempts_.end(), [&](const Attempt& a) { return same(a.id, id); });
  if (found == attempts_.end()) return std::nullopt;
  return found - attempts_.begin();
}

std::optional<std::size_t> Agent::find_result(const AttemptId& id) const {
  const auto found = std::find_if(results_.begin(), results_.end(),
                                  [&](const Finished& f) { return same(f.result.id, id); });
  if (found == results_.end()) return std::nullopt;
  return found - results_.begin();
}

std::optional<std::size_t> Agent::in_slot(std::uint32_t slot, const AttemptId& id) const {
  if (slot >= slots_.size() || !slots_[slot].running || !same(*slots_[slot].running, id)) return std::nullopt;
  return find(id);
}

std::string Agent::name_of(const AttemptId& id) const {
  const auto found = names_.find(id);
  return found == names_.end() ? to_string(id) : found->second + " (" + to_string(id) + ")";
}

std::optional<Time> Agent::oldest_start() const {
  std::optional<Time> oldest;
  for (const Attempt& attempt : attempts_)
    if (attempt.state == State::kRunning || attempt.state == State::kStopping)
      oldest = oldest ? std::min(*oldest, attempt.started) : attempt.started;
  return oldest;
}

// ---- connection

void Agent::on_connected(Time now) {
  connected_ = true;
  send_hello(now);
}

void Agent::on_lost(Time) {
  if (connected_) warn("the scheduler is away; running attempts go on until their leases end");
  connected_ = welcomed_ = false;
}

void Agent::on_denied(const std::string& why, Time now) {
  exit_ = {exit_code(ErrorKind::kDenied), why};
  on_shutdown(now);
}

void Agent::send_hello(Time now) {
  // Without an engine the numeric class is not known, and without it there is nothing to offer.
  if (!connected_ || options_.offer.numeric_classes.empty() || stopping_ || now < ask_again_) return;
  protocol::Hello hello;
  hello.name = options_.name;
  hello.offer = options_.offer;
  hello.offer.resources = offered();
  hello.outbox = static_cast<std::uint32_t>(results_.size());
  hello.sequence = ++sequence_;
  hello.process = options_.process;
  hello.leaving = leaves();
  for (Attempt& attempt : attempts_) {
    hello.running.push_back(attempt.id);
    if (attempt.first_sequence == 0) attempt.first_sequence = sequence_;
  }
  for (Finished& finished : results_)
    if (hello.running.size() < protocol::kMaxAttempts) hello.running.push_back(finished.result.id);
  sent_.emplace_back(sequence_, now);
  hello_sent_ = heartbeat_sent_ = now;
  welcomed_ = false;
  send(std::move(hello));
}

void Agent::send_heartbeat(Time now) {
  protocol::Heartbeat beat;
  beat.sequence = ++sequence_;
  beat.leaving = leaves();
  beat.devices = devices_;
  for (Attempt& attempt : attempts_) {
    beat.attempts.push_back(attempt.progress);
    if (attempt.first_sequence == 0) attempt.first_sequence = sequence_;
  }
  for (const Finished& finished : results_)
    if (beat.attempts.size() < protocol::kMaxAttempts)
      beat.attempts.push_back({finished.result.id, 1, finished.uploaded ? "sent" : "sending results", 0});
  beat.cached.assign(
      cached_.begin(),
      cached_.begin() + std::min<std::ptrdiff_t>(std::ssize(cached_), protocol::kMaxCachedDigests));
  sent_.emplace_back(sequence_, now);
  if (sent_.size() > kMaxUnanswered) sent_.pop_front();
  heartbeat_sent_ = now;
  send(std::move(beat));
}

void Agent::renew(std::uint64_t sequence) {
  std::optional<Time> when;
  while (!sent_.empty() && sent_.front().first <= sequence) {
    if (sent_.front().first == sequence) when = sent_.front().second;
    sent_.pop_front();
  }
  if (!when) return;  // of a sequence that was never ours, or answered before
  acknowledged_ = std::max(acknowledged_.value_or(*when), *when);
  for (Attempt& attempt : attempts_)
    if (attempt.first_sequence != 0 && attempt.first_sequence <= sequence)
      attempt.lease_end = std::max(attempt.lease_end, *when + attempt.lease);
}

// ---- the scheduler's messages

void Agent::on_message(const protocol::SchedulerMessage& message, Time now) {
  std::visit([&](const auto& body) { handle(body, now); }, message);
}

void Agent::handle(const protocol::Welcome& welcome, Time now) {
  // It answers an earlier process of this name, as do the assignments behind it.
  if (welcome.sequence <= before_us_ || welcome.sequence > sequence_) return;
  welcomed_ = true;
  taken_since_.reset();
  first_lease_ = std::max(first_lease_, welcome.first_lease);
  heartbeat_ = Time(welcome.heartbeat_ms);
  log("joined the farm as worker " + std::to_string(welcome.worker_id));
  for (Attempt& attempt : attempts_) attempt.lease = Time(welcome.lease_ms);
  renew(welcome.sequence);
  for (const AttemptId& id : welcome.stop) handle(protocol::Revoke{id, "no longer wanted"}, now);
  for (Finished& finished : results_) finished.sent = Time(0);
  for (Failure& failure : failures_) failure.sent = Time(0);
  repeat(now);
}

void Agent::handle(const protocol::Refused& refused, Time now) {
  exit_ = {ExitCode::kWorkFailed, "the scheduler refused this worker: " + refused.reason};
  on_shutdown(now);
}

void Agent::handle(const protocol::HeartbeatAck& ack, Time) { renew(ack.sequence); }

void Agent::handle(const protocol::NameTaken& taken, Time now) {
  welcomed_ = false;
  if (!taken_since_) taken_since_ = now, taken_logged_ = Time(0);
  // What it had begun before it was lost is no longer its own.
  std::vector<AttemptId> all;
  for (const Attempt& attempt : attempts_) all.push_back(attempt.id);
  for (const AttemptId& id : all) stop(attempts_[*find(id)], std::nullopt, now);
  if (now - *taken_since_ >= kTakenLimits * Time(taken.limit_ms)) {
    exit_ = {ExitCode::kWorkFailed, taken.reason};
    return on_shutdown(now);
  }
  ask_again_ = now + kAskAgain;
  if (taken_logged_ == Time(0) || now - taken_logged_ >= kSayAgain) {
    const Time left = *taken_since_ + kTakenLimits * Time(taken.limit_ms) - now;
    warn(taken.reason + "; this one asks again for " + std::to_string(left.count() / 1000 + 1) + " s");
    taken_logged_ = now;
  }
  leave_if_empty();
}

void Agent::handle(const protocol::Greet&, Time now) {
  connected_ = true;
  send_hello(now);
}

void Agent::handle(const protocol::Assign& assign, Time now) {
  // What comes before the answer to our Hello was decided before that Hello, perhaps for an earlier process
  // of this name; the Hello did not name it, so it is called off already. The same when the network brought
  // the two in another order.
  if (!welcomed_ || assign.id.lease < first_lease_) return;
  if (find(assign.id) || find_result(assign.id)) return;  // a repeated Assign
  if (std::any_of(over_.begin(), over_.end(), [&](const AttemptId& id) { return same(id, assign.id); }))
    return;
  const auto refuse = [&](FailKind kind, const std::string& why) {
    report({assign.id, kind, why, "", ""}, now);
  };
  if (leaves()) {  // given back: nobody's fault
    mark_over(assign.id);
    return send(protocol::Stopped{assign.id});
  }
  // Room for a second assignment where one is still being stopped.
  if (attempts_.size() >= 2u * (slots_.size() + options_.offer.prefetch))
    return refuse(FailKind::kEngine,
                  "this worker holds " + std::to_string(attempts_.size()) + " attempts already");
  Attempt attempt;
  attempt.id = assign.id;
  if (const auto* unreadable = std::get_if<protocol::Unreadable>(&assign.task))
    return refuse(FailKind::kRefused, unreadable->why);
  if (const auto* stored = std::get_if<protocol::ArtifactRef>(&assign.task))
    attempt.inputs = {*stored};
  else
    take_spec(attempt, std::get<TaskSpec>(assign.task));
  attempt.lease = Time(assign.lease_ms);
  // The scheduler decided this after it had received the last acknowledged message, so counting from that
  // message's departure is safe.
  attempt.lease_end = acknowledged_.value_or(now) + attempt.lease;
  attempt.no_progress = assign.no_progress_ms > 0 ? Time(assign.no_progress_ms) : options_.no_progress;
  attempt.progress = {assign.id, 0, "fetching inputs", 0};
  fetch(attempt);
  attempts_.push_back(std::move(attempt));
}

void Agent::take_spec(Attempt& attempt, TaskSpec spec) {
  const bool tensors = computes_tensors(spec.stage, spec.whole_take);
  const bool has_cpu = options_.offer.resources.slots[SlotKind::kCpu] > 0;
  attempt.kind = tensors || !has_cpu ? tensor_kind() : SlotKind::kCpu;
  attempt.inputs = protocol::refs_of(spec.inputs);
  if (!spec.name.empty()) names_[attempt.id] = spec.show + "/" + spec.name;
  attempt.spec = std::move(spec);
}

void Agent::fetch(const Attempt& attempt) {
  actions_.emplace_back(action::Fetch{attempt.id, attempt.inputs, !attempt.spec});
}

void Agent::handle(const protocol::Accepted& accepted, Time) {
  if (const auto index = find_result(accepted.id)) drop_result(*index);
  leave_if_empty();
}

void Agent::handle(const protocol::RefusedResult& refused, Time) {
  if (const auto index = find_result(refused.id)) {
    warn(name_of(refused.id) + ": the result was refused: " + refused.reason);
    drop_result(*index);
  }
  leave_if_empty();
}

void Agent::handle(const protocol::FailedAck& ack, Time) {
  std::erase_if(failures_, [&](const Failure& failure) { return same(failure.message.id, ack.id); });
  leave_if_empty();
}

void Agent::handle(const protocol::Revoke& revoke, Time now) {
  if (const auto index = find(revoke.id)) {
    log(name_of(attempts_[*index].id) + " is revoked: " + revoke.reason);
    attempts_[*index].revoked = true;
    attempts_[*index].failure.reset();
    return stop(attempts_[*index], std::nullopt, now);
  }
  if (const auto index = find_result(revoke.id)) drop_result(*index);
  mark_over(revoke.id);
  send(protocol::Stopped{revoke.id});
}

void Agent::drop_result(std::size_t index) {
  const AttemptId id = results_[index].result.id;
  actions_.emplace_back(action::Forget{id});
  actions_.emplace_back(action::Release{id});
  results_.erase(results_.begin() + static_cast<std::ptrdiff_t>(index));
  names_.erase(id);
  mark_over(id);
}

void Agent::mark_over(const AttemptId& id) {
  over_.push_back(id);
  if (over_.size() > kMaxBuried) over_.pop_front();
}

// ---- transfers

void Agent::on_fetched(const AttemptId& id, const Status& status, Time now, const std::string& bytes) {
  const auto index = find(id);
  if (!index || attempts_[*index].state != State::kFetching) return;
  Attempt& attempt = attempts_[*index];
  if (status && !attempt.spec) {
    auto spec = decode_task(bytes);
    if (!spec)
      return stop(attempt, protocol::Failed{id, FailKind::kRefused, spec.error().message, "", ""}, now);
    take_spec(attempt, std::move(*spec));
    return fetch(attempt);
  }
  if (status) {
    attempt.state = State::kWaiting;
    attempt.progress.text = "waiting for a slot";
    return fill_slots(now);
  }
  if (passing(status.error().kind)) {
    attempt.fetch_again = now + options_.retry;
    attempt.progress.text = one_line("cannot fetch inputs yet: " + status.error().message, 200);
    return;
  }
  stop(attempt, protocol::Failed{id, FailKind::kInput, status.error().message, "", ""}, now);
}

void Agent::on_uploaded(const AttemptId& id, const Status& status, Time now) {
  const auto index = find_result(id);
  if (!index) return;
  Finished& finished = results_[*index];
  if (status) {
    finished.uploaded = true;
    return repeat(now);
  }
  if (passing(status.error().kind)) {
    warn(name_of(id) + ": results cannot be stored yet: " + status.error().message);
    finished.upload_again = now + options_.retry;
    return;
  }
  const protocol::Failed failure{id, FailKind::kArtifact, status.error().message, "",
                                 finished.result.log_tail};
  drop_result(*index);
  report(failure, now);
}

void Agent::upload(Finished& finished) {
  finished.upload_again = Time(0);
  actions_.emplace_back(
      action::Upload{finished.result.id, protocol::refs_of(finished.result.result.outputs)});
}

// ---- engines

void Agent::on_progress(std::uint32_t slot, const protocol::Progress& progress, Time now) {
  const auto index = in_slot(slot, progress.id);
  if (!index) return;
  Attempt& attempt = attempts_[*index];
  if (progress.fraction != attempt.progress.fraction || progress.text != attempt.progress.text)
    attempt.progressed = now;
  const AttemptId id = attempt.id;
  attempt.progress = progress;
  attempt.progress.id = id;
}

void Agent::on_done(std::uint32_t slot, const protocol::EngineDone& done, const std::string& log_tail,
                    Time now) {
  const auto index = in_slot(slot, done.id);
  if (!index) return;
  slots_[slot].running.reset();
  slots_[slot].device_faults = 0;
  if (attempts_[*index].revoked)
    ended(*index, now);
  else
    complete(*index, done.result, log_tail);
  fill_slots(now);
  leave_if_empty();
}

void Agent::complete(std::size_t index, const TaskResult& result, const std::string& log_tail) {
  const bool slip = mutated(Mutation::kResultOfAnotherAttempt) && index + 1 < attempts_.size();
  const AttemptId id = attempts_[index + (slip ? 1 : 0)].id;  // a copy: erasing moves the next one here
  attempts_.erase(attempts_.begin() + static_cast<std::ptrdiff_t>(index));
  results_.push_back({{id, result, log_tail}, false, Time(0), Time(0)});
  log(name_of(id) + " is done");
  actions_.emplace_back(action::Keep{results_.back().result});
  upload(results_.back());
}

void Agent::on_failed(std::uint32_t slot, const protocol::EngineFailed& failed, const std::string& log_tail,
                      Time now) {
  const auto index = in_slot(slot, failed.id);
  if (!index) return;
  slots_[slot].running.reset();
  if (failed.kind == FailKind::kDevice) {
    slots_[slot].ending = true, slots_[slot].ready = false;
    ++slots_[slot].device_faults;
    slots_[slot].last_fault = failed.message;
  }
  Attempt& attempt = attempts_[*index];
  if (attempt.state == State::kRunning)
    attempt.failure = protocol::Failed{attempt.id, failed.kind, failed.message, "", log_tail};
  else if (attempt.failure)
    attempt.failure->log_tail = log_tail;
  ended(*index, now);
  fill_slots(now);
  leave_if_empty();
}

void Agent::stop(Attempt& attempt, std::optional<protocol::Failed> failure, Time now) {
  if (attempt.state == State::kStopping) return;
  attempt.failure = std::move(failure);
  const bool in_engine = attempt.state == State::kRunning;
  attempt.state = State::kStopping;
  attempt.progress.text = "stopping";
  if (in_engine)
    actions_.emplace_back(action::Stop{attempt.slot, attempt.id});
  else
    ended(*find(attempt.id), now);
}

void Agent::ended(std::size_t index, Time now) {
  Attempt attempt = std::move(attempts_[index]);
  attempts_.erase(attempts_.begin() + static_cast<std::ptrdiff_t>(index));
  actions_.emplace_back(action::Release{attempt.id});
  mark_over(attempt.id);
  if (attempt.failure)
    report(std::move(*attempt.failure), now);
  else
    send(protocol::Stopped{attempt.id});
  names_.erase(attempt.id);
}

void Agent::report(protocol::Failed failure, Time now) {
  warn(name_of(failure.id) + " failed (" + to_string(failure.kind) + "): " + failure.message);
  send(failure);
  failures_.push_back({std::move(failure), now});
  if (failures_.size() > kMaxFailures) failures_.erase(failures_.begin());
}

// ---- time

void Agent::on_tick(Time now) {
  end_rests(now);
  std::vector<AttemptId> expired, stuck;
  for (Attempt& attempt : attempts_) {
    if (attempt.state == State::kStopping) continue;
    if (now >= attempt.lease_end)
      expired.push_back(attempt.id);
    else if (attempt.state == State::kRunning && now - attempt.progressed >= attempt.no_progress)
      stuck.push_back(attempt.id);
    else if (attempt.fetch_again != Time(0) && now >= attempt.fetch_again) {
      attempt.fetch_again = Time(0);
      fetch(attempt);
    }
  }
  for (const AttemptId& id : expired) {
    warn(name_of(id) + ": the lease ran out, stopping");
    stop(attempts_[*find(id)], std::nullopt, now);
  }
  for (const AttemptId& id : stuck) {
    Attempt& attempt = attempts_[*find(id)];
    const std::string limit = std::to_string(attempt.no_progress.count() / 1000);
    stop(attempt,
         protocol::Failed{id, FailKind::kTimeout,
                          "no progress for " + limit + " s at \"" + attempt.progress.text + "\"", "", ""},
         now);
  }
  for (Finished& finished : results_)
    if (finished.upload_again != Time(0) && now >= finished.upload_again) upload(finished);
  const Time asks = taken_since_ ? kAskAgain : options_.repeat;
  if (connected_ && !welcomed_ && now - hello_sent_ >= asks) send_hello(now);
  if (welcomed_ && now - heartbeat_sent_ >= heartbeat_) send_heartbeat(now);
  repeat(now);
  if (leave_by_ && !stopping_ && now >= *leave_by_) {
    if (!attempts_.empty())
      log(std::to_string(attempts_.size()) + " attempts did not finish in time; they are stopped");
    on_shutdown(now);
  }
  fill_slots(now);
  leave_if_empty();
}

void Agent::repeat(Time now) {
  if (!welcomed_) return;
  const auto due = [&](Time sent) { return sent == Time(0) || now - sent >= options_.repeat; };
  for (Finished& finished : results_) {
    if (!finished.uploaded || !due(finished.sent)) continue;
    finished.sent = now;
    send(finished.result);
  }
  for (Failure& failure : failures_) {
    if (!due(failure.sent)) continue;
    failure.sent = now;
    send(failure.message);
  }
}

// ---- leaving

void Agent::on_leave(Time now) {
  if (leaves()) return;
  leave_by_ = now + options_.stop_grace;
  give_back(std::nullopt, now);
  log("leaving: " + std::to_string(attempts_.size()) + " attempts have " +
      std::to_string(options_.stop_grace.count() / 1000) + " s to finish");
  if (welcomed_) send_heartbeat(now);
  leave_if_empty();
}

void Agent::on_shutdown(Time now) {
  if (std::exchange(stopping_, true)) return;
  std::vector<AttemptId> all;
  for (const Attempt& attempt : attempts_) all.push_back(attempt.id);
  for (const AttemptId& id : all) stop(attempts_[*find(id)], std::nullopt, now);
  leave_if_empty();
}

void Agent::leave_if_empty() {
  if (exited_ || !leaves() || !attempts_.empty()) return;
  // Results that are not acknowledged stay in the outbox for the next start; they are waited for while the
  // scheduler is there and there is time.
  const bool waits = connected_ && !taken_since_ && !(results_.empty() && failures_.empty());
  if (!stopping_ && waits) return;
  stopping_ = exited_ = true;
  send(protocol::Bye{});
  const auto [code, message] = exit_.value_or(std::pair(ExitCode::kOk, std::string("stopped in order")));
  actions_.emplace_back(action::Exit{code, message});
}

}  // namespace rushes::worker
