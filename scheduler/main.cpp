// rushes-scheduler --config farm.yaml [--restore DIR]
//
// Opens the ledger and the vault, recovers the farm, and puts sockets, HTTP and clocks around the core.
// Everything is wired here, in the order in which it may fail; everything ends in the reverse order. SIGTERM
// and SIGINT end it cleanly; SIGKILL loses nothing that was acknowledged. With --restore it fills the data folder from
// a backup and ends.
//
// Exit codes: config/result.h. A wrong file is 2, a host that cannot run it (port, folder, disk, lock) is 4.
#include <signal.h>

#include <cstdio>
#include <mutex>
#include <optional>

#include "config/command_line.h"
#include "config/farm.h"
#include "config/log.h"
#include "config/tokens.h"
#include "scheduler/backup.h"
#include "scheduler/clock.h"
#include "scheduler/disk_watch.h"
#include "scheduler/gateway/gateway.h"
#include "scheduler/gateway/metrics.h"
#include "scheduler/loop.h"
#include "scheduler/open_files.h"
#include "scheduler/protocol/endpoint.h"
#include "scheduler/protocol/keys.h"
#include "scheduler/protocol/vault_store.h"
#include "scheduler/stored_spec.h"
#include "scheduler/vault_janitor.h"
#include "storage/disk.h"
#include "storage/ledger.h"
#include "storage/vault.h"

namespace rushes::scheduler {
namespace {

int stop_with(const Error& error, ExitCode code) {
  std::fprintf(stderr, "rushes-scheduler: %s\n", error.message.c_str());
  return static_cast<int>(code);
}

// The signals that end the scheduler, taken by one thread: main.
class Signals {
 public:
  Signals() {
    sigemptyset(&set_);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set_, signal);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
  }
  // What ends the process: a signal, or an error reported by fail().
  std::optional<Error> wait() {
    int signal = 0;
    sigwait(&set_, &signal);
    std::lock_guard lock(mutex_);
    return error_;
  }
  void fail(const Error& error) {
    {
      std::lock_guard lock(mutex_);
      if (!error_) error_ = error;
    }
    kill(getpid(), SIGTERM);
  }

 private:
  sigset_t set_;
  std::mutex mutex_;
  std::optional<Error> error_;
};

LoopOptions loop_options(const config::Farm& farm, Metrics& metrics) {
  LoopOptions options;
  options.settings = settings_of(farm);
  options.clock = real_now;
  options.random = real_random;
  options.on_sync = [&metrics](auto duration) { metrics.observe_sync(duration); };
  options.on_dispatch = [&metrics](auto duration) { metrics.observe_dispatch(duration); };
  return options;
}

DiskFigures disk_figures(const DiskWatch& disks, const Backups& backups) {
  DiskFigures figures = disks.figures();
  figures.last_backup = backups.newest();
  return figures;
}

GatewayParts gateway_parts(const config::Farm& farm, std::vector<config::Token> tokens, Loop& loop,
                           storage::Ledger& ledger, storage::Vault& vault, VaultJanitor& janitor,
                           Backups& backups, const DiskWatch& disks, const Metrics& metrics,
                           const protocol::ZapAuthenticator& authenticator) {
  GatewayParts parts;
  parts.loop = &loop;
  parts.ledger = &ledger;
  parts.vault = &vault;
  parts.janitor = &janitor;
  parts.backups = &backups;
  parts.metrics = &metrics;
  parts.authenticator = &authenticator;
  parts.tokens = std::move(tokens);
  parts.token_file = farm.keys.tokens;
  parts.model_roots = farm.model_roots;
  parts.shared_limits = farm.limits.shared;
  parts.picture_roots = farm.picture_roots;
  parts.deliveries = farm.deliveries;
  parts.path_map = farm.path_map;
  parts.request_body = farm.limits.request_body;
  parts.may_submit = [data = farm.data, reserve = farm.limits.disk_reserve] {
    return storage::check_reserve(data, reserve);
  };
  parts.disks = [&backups, &disks] { return disk_figures(disks, backups); };
  parts.build = RUSHES_VERSION;
  return parts;
}

void make_room_for(const config::Farm& farm) {
  const auto files = raise_open_files(),
             needed = open_files_for(static_cast<std::uint64_t>(farm.limits.workers));
  if (files < needed)
    log::warn(
        "this process may open {} files, and limits.workers: {} needs {}: connections beyond will be "
        "refused; raise LimitNOFILE or ulimit -n",
        files, farm.limits.workers, needed);
}

bool is_loopback(const std::string& host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

int run(const std::string& config_file) {
  Signals signals;
  const auto farm = config::read_farm(config_file);
  if (!farm) return stop_with(farm.error(), ExitCode::kUsage);
  make_room_for(*farm);
  auto tokens = config::read_tokens(farm->keys.tokens);
  if (!tokens) return stop_with(tokens.error(), ExitCode::kUsage);
  const auto secret = protocol::read_secret_key(farm->keys.secret);
  if (!secret) return stop_with(secret.error(), ExitCode::kUsage);
  auto authenticator = protocol::ZapAuthenticator::open(*secret, farm->keys.workers);
  if (!authenticator) return stop_with(authenticator.error(), ExitCode::kUsage);

  if (auto whole = check_restored(farm->data); !whole)
    return stop_with(whole.error(), ExitCode::kEnvironment);
  storage::LedgerOptions ledger_options;
  ledger_options.gather_microseconds = static_cast<std::uint32_t>(farm->times.group_commit.count() * 1000);
  const auto ledger = storage::Ledger::open(farm->data / "ledger", ledger_options);
  if (!ledger) return stop_with(ledger.error(), ExitCode::kEnvironment);
  const auto vault =
      storage::Vault::open(farm->data / "vault", {.max_artifact_bytes = farm->limits.artifact});
  if (!vault) return stop_with(vault.error(), ExitCode::kEnvironment);

  VaultJanitor janitor(**vault, farm->times.upload_sweep);
  Backups backups(**ledger, **vault, janitor,
                  {farm->data, farm->backups, farm->limits.disk_reserve, farm->name, RUSHES_VERSION});
  const DiskWatch disks({farm->data, farm->deliveries, farm->backups, farm->limits.disk_reserve});
  Metrics metrics;
  Loop loop(**ledger, **vault, janitor, loop_options(*farm, metrics));
  if (auto recovered = loop.recover(); !recovered) return stop_with(recovered.error(), ExitCode::kWorkFailed);

  // Half of the reserve is for results of running work; the other half keeps the ledger writing.
  protocol::VaultStore store(**vault, farm->data, farm->limits.disk_reserve / 2);
  const auto artifacts = protocol::ArtifactServer::start(**authenticator, farm->listen.artifacts, store);
  if (!artifacts) return stop_with(artifacts.error(), ExitCode::kEnvironment);
  const auto control = protocol::ControlServer::start(
      **authenticator, farm->listen.control,
      [&loop](const protocol::Peer& from, protocol::WorkerMessage message) {
        loop.post(from.worker, std::move(message), from.process);
      },
      [&loop](const std::string& worker) {
        loop.post(event::Disconnected{worker, "its key was taken out of the allow-list"});
      });
  if (!control) return stop_with(control.error(), ExitCode::kEnvironment);
  const auto gateway = Gateway::start(gateway_parts(*farm, std::move(*tokens), loop, **ledger, **vault,
                                                    janitor, backups, disks, metrics, **authenticator),
                                      farm->listen.http_host, farm->listen.http_port);
  if (!gateway) return stop_with(gateway.error(), ExitCode::kEnvironment);
  if (!is_loopback(farm->listen.http_host))
    log::warn("HTTP listens on {} without TLS: tokens can be read on the way", farm->listen.http_host);

  const auto send = [&](const command::ToWorker& command) {
    // What is not sent runs out of its lease and is tried again.
    const auto message = with_stored_spec(**vault, command.message);
    const auto sent = message ? (*control)->send({command.worker, command.process}, *message)
                              : tl::unexpected(message.error());
    if (!sent) log::error("to worker {}: {}", command.worker, sent.error().message);
  };
  loop.start(send, [&signals](const Error& error) { signals.fail(error); });
  log::info("farm {} listens: control {}, artifacts {}, http {}:{}", farm->name, (*control)->endpoint(),
            (*artifacts)->endpoint(), farm->listen.http_host, (*gateway)->port());

  const auto failure = signals.wait();
  log::info("stopping");
  (*gateway)->stop();
  loop.stop();
  if (failure) return stop_with(*failure, exit_code(failure->kind));
  return static_cast<int>(ExitCode::kOk);
}

int run_restore(const std::string& config_file, const std::string& backup) {
  const auto farm = config::read_farm(config_file);
  if (!farm) return stop_with(farm.error(), ExitCode::kUsage);
  const auto restored = restore(backup, farm->data);
  if (!restored) return stop_with(restored.error(), exit_code(restored.error().kind));
  std::printf(
      "restored %s of %s: %llu shots, %llu tasks, %llu artifacts, %llu MiB in %s\n"
      "start the scheduler now; workers come back by themselves\n",
      restored->farm.c_str(), restored->made_at.c_str(), static_cast<unsigned long long>(restored->shots),
      static_cast<unsigned long long>(restored->tasks), static_cast<unsigned long long>(restored->artifacts),
      static_cast<unsigned long long>(restored->bytes >> 20), farm->data.c_str());
  return static_cast<int>(ExitCode::kOk);
}

}  // namespace
}  // namespace rushes::scheduler

int main(int argc, char** argv) {
  rushes::config::CommandLine app("rushes-scheduler: the farm's state, its workers and its HTTP API");
  std::string config_file, backup, log_level;
  app.option("--config", config_file, "farm.yaml").required();
  app.option("--restore", backup,
             "fill the empty data folder from this backup, a folder of `rushes backup`, and end");
  app.option("--log-level", log_level, "debug: also every task; info, warning or error")
      .one_of(rushes::log::kLevels);
  if (const auto code = app.parse(argc, argv)) return *code;
  rushes::log::set_level(log_level);
  try {
    return backup.empty() ? rushes::scheduler::run(config_file)
                          : rushes::scheduler::run_restore(config_file, backup);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "rushes-scheduler: %s\n", e.what());
    return static_cast<int>(rushes::ExitCode::kWorkFailed);
  }
}
