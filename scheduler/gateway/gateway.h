// The HTTP API: cpp-httplib in front of the loop. gateway/api.h says what it answers.
//
// Every request is checked for token, role, rate and size before its body is read; every answer is JSON unless
// api.h says otherwise; nothing that a request contains can end the process.
//
// Thread contract: start() makes the polling thread and the pools of HTTP threads (server.h); handlers run there and
// speak to the core through the Loop only. stop() (or the destructor) ends them; the parts outlive the
// gateway.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "config/farm.h"
#include "config/result.h"
#include "config/tokens.h"
#include "scheduler/backup.h"
#include "scheduler/gateway/metrics.h"
#include "scheduler/loop.h"
#include "scheduler/protocol/endpoint.h"
#include "storage/ledger.h"
#include "storage/vault.h"

namespace rushes::scheduler {

struct GatewayParts {
  Loop* loop = nullptr;
  storage::Ledger* ledger = nullptr;
  storage::Vault* vault = nullptr;
  VaultJanitor* janitor = nullptr;
  Backups* backups = nullptr;  // null: this farm makes none
  const Metrics* metrics = nullptr;
  const protocol::ZapAuthenticator* authenticator = nullptr;  // for the metrics; may be null
  std::vector<config::Token> tokens;
  std::filesystem::path token_file;  // that they came from, and that is watched; empty: not watched
  std::vector<std::filesystem::path> model_roots;
  std::vector<std::filesystem::path> picture_roots;
  std::vector<config::SharedLimit> shared_limits;
  std::filesystem::path deliveries;
  config::PathMap path_map;               // from here to where people have it
  std::uint64_t request_body = 1u << 20;  // bytes
  std::function<DiskFigures()> disks;     // for the metrics; may be empty
  std::function<Status()> may_submit;     // the disk reserve; an error refuses new work
  std::string build;
};

class Gateway {
 public:
  static constexpr int kMaxWaiting = 12;   // long polls at once; further ones are answered at once
  static constexpr int kMaxPictures = 16;  // received at once: workers need most of the vault's uploads
  static constexpr int kMaxWaitSeconds = 30;

  // Binds HOST:PORT (0: a free one). Error: kExhausted, the port is in use or the address is not of this
  // host.
  static Result<std::unique_ptr<Gateway>> start(GatewayParts parts, const std::string& host, int port);
  ~Gateway();
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  // What was refused, since the start.
  std::vector<protocol::Count> counts() const;
  int port() const;
  void stop();

 private:
  struct Impl;
  explicit Gateway(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace rushes::scheduler
