#include "worker/agent/runner.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "config/digest.h"
#include "config/log.h"
#include "storage/records/text.h"

namespace rushes::worker {
namespace {

namespace fs = std::filesystem;
constexpr Time kTidyEvery{5'000};
constexpr Time kAlone{5'000}, kAloneAgain{60'000};       // without a scheduler, until a line says so
constexpr Time kFirstDelay{500}, kLongestDelay{30'000};  // of starting an engine that dies before it is ready

Time boot_time() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return std::chrono::duration_cast<Time>(std::chrono::seconds(now.tv_sec) +
                                          std::chrono::nanoseconds(now.tv_nsec));
}

sigset_t our_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) sigaddset(&set, signal);
  return set;
}

std::string hex(std::string_view bytes) { return to_hex(digest_of(bytes)).substr(0, 32); }

// Two processes that hold this lock file open on this running kernel exclude each other; after a restart of the machine, or
// on another one, the same file gives another name.
std::string name_of_lock(int file) {
  struct stat info {};
  ::fstat(file, &info);
  std::ifstream boot("/proc/sys/kernel/random/boot_id");
  std::string text;
  std::getline(boot, text);
  return hex(text + " " + std::to_string(info.st_dev) + " " + std::to_string(info.st_ino));
}

WorkerProcess this_process(int lock) {
  std::array<char, 32> random{};
  if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size()))
    log::error("getrandom: {}",
               std::strerror(errno));  // the process id and the time are left to tell it from others
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  const std::string seed = std::string(random.data(), random.size()) + std::to_string(::getpid()) + " " +
                           std::to_string(boot_time().count());
  return {
      hex(seed), name_of_lock(lock), clean_text(host.data(), 255), static_cast<std::uint32_t>(::getpid()), "",
      {}};
}

}  // namespace

void block_signals() {
  const sigset_t set = our_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);  // an engine that died is found by its exit, not by our end
}

Result<std::unique_ptr<Runner>> Runner::open(RunnerOptions options) {
  std::unique_ptr<Runner> runner(new Runner(std::move(options)));
  if (auto prepared = runner->prepare(); !prepared) return tl::unexpected(prepared.error());
  return runner;
}

Status Runner::prepare() {
  std::error_code error;
  fs::create_directories(options_.folder, error);
  lock_ = ::open((options_.folder / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (error || lock_ < 0)
    return fail(ErrorKind::kExhausted, options_.folder.string() + ": cannot write in this worker's folder: " +
                                           (error ? error.message() : std::strerror(errno)));
  if (::flock(lock_, LOCK_EX | LOCK_NB) != 0)
    return fail(ErrorKind::kExhausted,
                options_.folder.string() + ": another worker runs in this folder; give each worker its own");
  auto artifacts = LocalArtifacts::open_folder(options_.folder / "cache", options_.cache_bytes,
                                               LocalArtifacts::Owner::kAgent);
  if (!artifacts) return tl::unexpected(artifacts.error());
  artifacts_ = std::move(*artifacts);
  auto outbox = Outbox::open(options_.folder / "outbox");
  if (!outbox) return tl::unexpected(outbox.error());
  outbox_ = std::move(*outbox);
  auto left = outbox_->load();
  for (const auto& result : left) pin(result.id, protocol::refs_of(result.result.outputs));
  if (!left.empty()) log::info("{} finished results wait in the outbox", left.size());
  options_.agent.process = this_process(lock_);
  options_.agent.process.remarks = options_.remarks;
  agent_.emplace(options_.agent, std::move(left), boot_time());

  const sigset_t set = our_signals();
  signals_ = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  for (const SlotKind kind : slot_kinds(options_.agent.offer.resources.slots)) {
    EngineCommand command = options_.engine(kind, engine_slots_.size());
    command.logs = options_.folder / "logs";
    command.grace = options_.grace;
    engine_slots_.push_back({std::make_unique<Engine>(std::move(command)), Time(0), Time(0)});
  }

  auto transfer = Transfer::start(
      options_.artifacts, *artifacts_,
      [this](Transfer::Kind kind, const AttemptId& id, const Status& status, const std::string& bytes) {
        mail_.put(Transferred{kind, id, status, bytes});
      });
  if (!transfer) return tl::unexpected(transfer.error());
  transfer_ = std::move(*transfer);
  auto control = protocol::ControlClient::start(
      options_.control, [this](protocol::SchedulerMessage message) { mail_.put(std::move(message)); },
      [this](protocol::ControlClient::Link link, const std::string& text) {
        mail_.put(Connection{link, text});
      });
  if (!control) return tl::unexpected(control.error());
  control_ = std::move(*control);
  return {};
}

Runner::~Runner() {
  control_.reset();
  transfer_.reset();
  if (signals_ >= 0) ::close(signals_);
  if (lock_ >= 0) ::close(lock_);
}

ExitCode Runner::run() {
  log::info("worker {}: looking for the scheduler at {}", options_.agent.name, options_.control.endpoint);
  alone_since_ = boot_time();
  while (!exit_) {
    start_engines();
    wait();
    read_mail();
    read_signals();
    for (std::uint32_t slot = 0; slot < engine_slots_.size(); ++slot) tend(slot);
    if (options_.devices) agent_->on_devices(options_.devices());
    agent_->on_tick(boot_time());
    tidy_cache();
    complain_when_alone();
    act();
  }
  control_.reset();  // sends what is left
  transfer_.reset();
  stop_engines();
  return *exit_;
}

void Runner::wait() {
  std::vector<pollfd> files{{mail_.descriptor(), POLLIN, 0}, {signals_, POLLIN, 0}};
  for (const EngineSlot& engine_slot : engine_slots_)
    for (const int file : {engine_slot.engine->messages(), engine_slot.engine->output()})
      if (file >= 0) files.push_back({file, POLLIN, 0});
  ::poll(files.data(), files.size(), static_cast<int>(agent_->next_tick().count()));
}

void Runner::read_mail() {
  using Link = protocol::ControlClient::Link;
  for (Mail& mail : mail_.take()) {
    const Time now = boot_time();
    if (auto* message = std::get_if<protocol::SchedulerMessage>(&mail)) {
      agent_->on_message(*message, now);
    } else if (auto* connection = std::get_if<Connection>(&mail)) {
      receive(*connection, now);
      if (connection->link == Link::kConnected) agent_->on_connected(now);
      if (connection->link == Link::kLost) agent_->on_lost(now);
      if (connection->link == Link::kDenied) agent_->on_denied(connection->text, now);
    } else if (auto* done = std::get_if<Transferred>(&mail)) {
      if (done->kind == Transfer::Kind::kFetch) agent_->on_fetched(done->id, done->status, now, done->bytes);
      if (done->kind == Transfer::Kind::kUpload) agent_->on_uploaded(done->id, done->status, now);
    }
    act();
  }
}

void Runner::receive(const Connection& connection, Time now) {
  using Link = protocol::ControlClient::Link;
  alone_since_ =
      connection.link == Link::kConnected ? std::nullopt : std::optional(alone_since_.value_or(now));
  // ZeroMQ tries again several times a second; one line says it.
  if (connection.link == Link::kLost && connection.text != last_trouble_) log::warn("{}", connection.text);
  last_trouble_ = connection.link == Link::kLost ? connection.text : std::string();
}

void Runner::complain_when_alone() {
  const Time now = boot_time();
  if (!alone_since_ || now - *alone_since_ < kAlone) return;
  log::warn("{}: the scheduler cannot be reached; this worker goes on trying", options_.control.endpoint);
  alone_since_ = now + kAloneAgain - kAlone;
}

void Runner::read_signals() {
  signalfd_siginfo info{};
  while (::read(signals_, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    if (info.ssi_signo == SIGCHLD) continue;  // tend() looks at every engine
    const char* signal = ::strsignal(static_cast<int>(info.ssi_signo));
    if (++signals_seen_ == 1) {
      log::info("leaving ({}); a second signal stops at once", signal);
      agent_->on_leave(boot_time());
    } else {
      log::info("stopping ({})", signal);
      agent_->on_shutdown(boot_time());
      for (EngineSlot& engine_slot : engine_slots_) engine_slot.engine->kill();
    }
    act();
  }
}

void Runner::tend(std::uint32_t slot) {
  EngineSlot& engine_slot = engine_slots_[slot];
  if (!engine_slot.engine->running()) return;
  const auto ended = engine_slot.engine->reap();  // before reading: its last messages are still in the pipes
  engine_slot.engine->read_output();
  auto messages = engine_slot.engine->read_messages();
  if (!messages) {
    log::error("engine {}: {}; stopping it", slot, messages.error().message);
    engine_slot.engine->kill();
  } else {
    for (const auto& message : *messages) tell(slot, message);
  }
  if (ended) {
    const Time now = boot_time();
    log::warn("engine {} ended: {}", slot, *ended);
    agent_->on_exit(slot, *ended, engine_slot.engine->log_tail(), now);
    engine_slot.engine->end_attempt();
    engine_slot.start_at = now + engine_slot.delay;
    engine_slot.delay = std::clamp(2 * engine_slot.delay, kFirstDelay, kLongestDelay);
  }
  engine_slot.engine->tick(boot_time());
  act();
}

void Runner::tell(std::uint32_t slot, const protocol::FromEngine& message) {
  const Time now = boot_time();
  Engine& engine = *engine_slots_[slot].engine;
  if (const auto* ready = std::get_if<protocol::EngineReady>(&message)) {
    engine_slots_[slot].delay = Time(0);
    agent_->on_ready(slot, ready->numeric_class, now, ready->notes);
  } else if (const auto* progress = std::get_if<protocol::Progress>(&message)) {
    agent_->on_progress(slot, *progress, now);
  } else {
    // Cancelled in time or not: this attempt is over.
    engine.cancel_done();
    if (const auto* done = std::get_if<protocol::EngineDone>(&message))
      agent_->on_done(slot, *done, engine.log_tail(), now);
    else if (const auto* failed = std::get_if<protocol::EngineFailed>(&message))
      agent_->on_failed(slot, *failed, engine.log_tail(), now);
    engine.end_attempt();
  }
  act();
}

void Runner::start_engines() {
  if (signals_seen_ > 0) return;
  for (std::uint32_t slot = 0; slot < engine_slots_.size(); ++slot) {
    EngineSlot& engine_slot = engine_slots_[slot];
    if (engine_slot.engine->running() || boot_time() < engine_slot.start_at) continue;
    if (auto started = engine_slot.engine->start(); !started) {
      log::error("{}", started.error().message);
      engine_slot.start_at = boot_time() + kLongestDelay;
    }
  }
}

void Runner::act() {
  for (auto actions = agent_->take_actions(); !actions.empty(); actions = agent_->take_actions())
    for (Action& action : actions) std::visit([this](auto& body) { carry_out(body); }, action);
}

void Runner::carry_out(action::Send& action) {
  auto sent = control_->send(action.message);
  if (sent) return;
  log::error("{}", sent.error().message);
  // A result that no message can hold would be offered without end.
  if (const auto* completed = std::get_if<protocol::Completed>(&action.message))
    agent_->on_uploaded(completed->id, fail(ErrorKind::kInvalid, sent.error().message), boot_time());
}

void Runner::carry_out(action::Fetch& action) {
  pin(action.id, action.inputs);
  transfer_->fetch(action.id, std::move(action.inputs), action.read);
}

void Runner::carry_out(action::Run& action) {
  if (auto begun = engine_slots_[action.slot].engine->run(action.id, action.spec); !begun) {
    log::error("{}/{}: {}", action.spec.show, action.spec.name, begun.error().message);
    engine_slots_[action.slot].engine->kill();
  }
}

void Runner::carry_out(action::Stop& action) {
  engine_slots_[action.slot].engine->cancel(action.id, boot_time());
}

void Runner::carry_out(action::Keep& action) {
  pin(action.result.id, protocol::refs_of(action.result.result.outputs));
  // The result goes out all the same; only a crash before its acknowledgement would cost it.
  if (auto kept = outbox_->keep(action.result); !kept) log::error("outbox: {}", kept.error().message);
}

void Runner::carry_out(action::Upload& action) { transfer_->upload(action.id, std::move(action.outputs)); }
void Runner::carry_out(action::Forget& action) { outbox_->forget(action.id); }
void Runner::carry_out(action::Log& action) {
  log::write(action.trouble ? log::Level::kWarning : log::Level::kInfo, action.line);
}

void Runner::carry_out(action::Release& action) {
  const auto found = pinned_.find(action.id);
  if (found == pinned_.end()) return;
  for (const Digest& digest : found->second) artifacts_->unpin(digest);
  pinned_.erase(found);
}

void Runner::carry_out(action::Exit& action) {
  if (action.code == ExitCode::kOk)
    log::info("worker {}: {}", options_.agent.name, action.message);
  else
    log::error("{}", action.message);
  exit_ = action.code;
}

void Runner::pin(const AttemptId& id, const std::vector<protocol::ArtifactRef>& artifacts) {
  std::vector<Digest>& held = pinned_[id];
  for (const protocol::ArtifactRef& artifact : artifacts) {
    artifacts_->pin(artifact.digest);
    held.push_back(artifact.digest);
  }
}

void Runner::tidy_cache() {
  const Time now = boot_time();
  if (now - tidied_ < kTidyEvery) return;
  tidied_ = now;
  // What a running attempt has put is not pinned before it is done, so nothing younger than the attempt
  // leaves.
  const auto oldest = agent_->oldest_start();
  artifacts_->evict(oldest ? std::chrono::duration_cast<std::chrono::seconds>(now - *oldest) +
                                 std::chrono::seconds(1)
                           : std::chrono::seconds(0));
  agent_->on_cached(artifacts_->recent(protocol::kMaxCachedDigests));
}

void Runner::stop_engines() {
  for (EngineSlot& engine_slot : engine_slots_) engine_slot.engine->kill();
  const auto running = [](const EngineSlot& engine_slot) { return engine_slot.engine->running(); };
  while (std::any_of(engine_slots_.begin(), engine_slots_.end(), running)) {
    for (EngineSlot& engine_slot : engine_slots_) {
      engine_slot.engine->tick(boot_time());
      engine_slot.engine->read_output();  // a full pipe would keep it from ending
      engine_slot.engine->reap();
    }
    pollfd child{signals_, POLLIN, 0};
    ::poll(&child, 1, 100);
    signalfd_siginfo info{};
    while (::read(signals_, &info, sizeof info) > 0) continue;
  }
}

}  // namespace rushes::worker
