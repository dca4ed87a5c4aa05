// ZeroMQ endpoints of both sides: control and artifact transfer, CURVE-encrypted and authenticated both ways.
//
// A server side (scheduler) shares one ZapAuthenticator: the ZAP handler (ZeroMQ RFC 27) that admits only keys of
// the allow-list and names each connection after its key. A connection with another key gets nothing: its handshake
// fails, counted and logged. A worker is known to the rest of the program only by a name its key may
// use. A key that leaves the allow-list ends the service of its open connections too.
//
// Thread contract: every endpoint owns one thread and one socket; only that thread touches the socket. Public
// functions may be called from any thread unless stated otherwise; handlers are called on the endpoint's thread
// and must not block. Destructors stop and join the thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "config/result.h"
#include "scheduler/protocol/codec.h"
#include "scheduler/protocol/keys.h"
#include "scheduler/rate_limit.h"

namespace rushes::protocol {

// What was refused, since the start: plain numbers that metrics and /v1/health read.
struct Counters {
  std::atomic<std::uint64_t> refused_keys{0};      // handshakes with a key that is not in the allow-list
  std::atomic<std::uint64_t> refused_peers{0};     // no CURVE, another scheduler's key, or forged bytes
  std::atomic<std::uint64_t> replayed{0};          // encrypted messages that came a second time
  std::atomic<std::uint64_t> withdrawn{0};         // workers whose key left the allow-list while connected
  std::atomic<std::uint64_t> after_withdrawal{0};  // messages of such connections afterwards
  std::atomic<std::uint64_t> oversized{0};         // messages over a bound
  std::atomic<std::uint64_t> malformed{0};         // not readable, of an unknown kind or version
  std::atomic<std::uint64_t> misnamed{0};          // a Hello under a name that its key may not use
  std::atomic<std::uint64_t> rate_limited{0};      // messages of a connection that floods
  std::atomic<std::uint64_t> replaced{0};          // connections whose name another one took over
  std::atomic<std::uint64_t> ungreeted{0};         // messages before Hello (after a restart of the scheduler)
  std::atomic<std::uint64_t> undelivered{0};  // to a worker that is not connected, or whose queue is full
};
struct Count {
  const char* name;  // as above
  std::uint64_t value;
};

// The server's ZeroMQ context, keys and ZAP handler. Outlives its endpoints. Its thread looks at the
// allow-list once a second, and before it refuses a key that it does not know.
class ZapAuthenticator {
 public:
  // Error: kNotFound (allow-list), kInvalid (key).
  static Result<std::unique_ptr<ZapAuthenticator>> open(std::string secret_key,
                                                        std::filesystem::path allow_list);
  ~ZapAuthenticator();
  const Counters& counters() const;
  std::vector<Count> counts() const;  // all of them, by name
  struct Impl;
  Impl& impl() { return *impl_; }

 private:
  explicit ZapAuthenticator(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// What a connection said in its Hello. Several processes may say the same name; the core decides who has it.
struct Peer {
  std::string worker;
  std::string process;  // WorkerProcess::id
  auto operator<=>(const Peer&) const = default;
};

// Scheduler side of the control socket.
class ControlServer {
 public:
  // Messages of one connection: a worker with 64 slots of one-second tasks sends less than 300 a second. What
  // is beyond is dropped unread and counted; workers resend.
  static constexpr scheduler::RateLimit kRate{5'000, 20'000};

  // Called on the endpoint's thread.
  using Handler = std::function<void(const Peer& from, WorkerMessage message)>;
  // The key of this connected worker left the allow-list: it got Refused, and its messages are dropped.
  using OnWithdrawn = std::function<void(const std::string& worker)>;

  // Binds `endpoint` ("tcp://127.0.0.1:7401"; port 0 takes a free one). Error: kExhausted (port in use),
  // kInvalid.
  static Result<std::unique_ptr<ControlServer>> start(ZapAuthenticator& authenticator,
                                                      const std::string& endpoint, Handler handler,
                                                      OnWithdrawn on_withdrawn = {},
                                                      scheduler::RateLimit rate = kRate);
  ~ControlServer();
  // Queues a message. A message to a worker that is not connected is dropped and counted (the worker asks
  // again with its next Hello or heartbeat). Error: kExhausted when the message is over the bound.
  Status send(const Peer& to, const SchedulerMessage& message);
  const std::string& endpoint() const;  // with the real port

 private:
  struct Impl;
  explicit ControlServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

struct ClientOptions {
  std::string endpoint;
  // The scheduler's public key; several while it is exchanged for another (keys.h). When a handshake fails,
  // the next one is tried.
  std::vector<std::string> server_public_keys;
  KeyPair keys;
};

// Worker side of the control socket: reconnects by itself without end. Messages for a connection that is away
// are dropped, because everything that matters is resent: the agent repeats Hello, heartbeats and
// results.
class ControlClient {
 public:
  enum class Link {
    kConnected,
    kLost,
    kDenied
  };  // kDenied: the scheduler does not know our key, or is not who
      // we think; the text says which
  using Handler = std::function<void(SchedulerMessage message)>;
  using LinkHandler = std::function<void(Link link, const std::string& text)>;

  // Error: kInvalid (endpoint, keys).
  static Result<std::unique_ptr<ControlClient>> start(ClientOptions options, Handler handler,
                                                      LinkHandler on_link);
  ~ControlClient();
  Status send(const WorkerMessage& message);

 private:
  struct Impl;
  explicit ControlClient(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Where the artifact server keeps what it receives; the scheduler's vault behind an adapter. Called on the
// artifact thread only.
class ArtifactStore {
 public:
  // One artifact on its way in. Dropped without commit(): nothing is kept.
  class Upload {
   public:
    virtual ~Upload() = default;
    virtual Status append(std::string_view bytes) = 0;
    virtual Status commit() = 0;  // verifies length and digest, syncs. Error: kCorrupt.
  };
  virtual ~ArtifactStore() = default;
  // Size of an artifact that is held complete. Error: kNotFound.
  virtual Result<std::uint64_t> size(const Digest& digest) = 0;
  // The same, of one that somebody made again: from now on it is as new as if it was uploaded.
  virtual Result<std::uint64_t> renew(const Digest& digest) { return size(digest); }
  // At most `length` bytes from `offset`; shorter only at the end.
  virtual Result<std::string> read(const Digest& digest, std::uint64_t offset, std::size_t length) = 0;
  virtual Result<std::unique_ptr<Upload>> begin(const Digest& digest, std::uint64_t bytes) = 0;
};

// Scheduler side of artifact transfer.
class ArtifactServer {
 public:
  // Requests of one connection, at most a chunk each. What is beyond is refused and counted.
  static constexpr scheduler::RateLimit kRate{2'000, 4'000};

  static Result<std::unique_ptr<ArtifactServer>> start(ZapAuthenticator& authenticator,
                                                       const std::string& endpoint, ArtifactStore& store,
                                                       scheduler::RateLimit rate = kRate);
  ~ArtifactServer();
  const std::string& endpoint() const;

 private:
  struct Impl;
  explicit ArtifactServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Worker side of artifact transfer. Blocking; the object belongs to one thread.
class ArtifactClient {
 public:
  static constexpr std::chrono::milliseconds kPatience{
      20'000};  // silence after which the farm is unreachable

  static Result<std::unique_ptr<ArtifactClient>> open(ClientOptions options,
                                                      std::chrono::milliseconds patience = kPatience);
  ~ArtifactClient();

  // All three give up with kUnreachable when they are told to stop.
  Result<std::vector<bool>> have(const std::vector<Digest>& digests, std::stop_token stop = {});
  // Returns when the scheduler has verified and synced the bytes (its receipt). Error: kUnreachable,
  // kCorrupt, kExhausted (the farm's disk is full).
  Status put(const Digest& digest, std::span<const std::byte> bytes, std::stop_token stop = {});
  // Hands the artifact over piece by piece, in order; the first call gives the total. The digest is for the
  // receiver to check. Error: kNotFound, kUnreachable, or what `sink` returned.
  using Sink = std::function<Status(std::uint64_t total, std::span<const std::byte> piece)>;
  Status get(const Digest& digest, const Sink& sink, std::stop_token stop = {});

 private:
  struct Impl;
  explicit ArtifactClient(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace rushes::protocol
