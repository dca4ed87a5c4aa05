// rushes-bench artifacts: frames from a worker to the vault and back, beside what the disk and CURVE can do.
//
// Everything on the way is real: the worker's artifact folder, the artifact client, CURVE on loopback, the
// server and the vault in RocksDB, every sync. The disk alone writes and reads one file in pieces of a chunk, and keeps
// it, as the vault keeps its files; CURVE alone carries chunks from one socket to another. All of it in the same run, in
// rounds, because a shared machine changes its speed: figures are medians of the rounds. Processor time stands beside
// the rates, because both ends share this machine's cores.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <optional>
#include <thread>
#include <zmq.hpp>

#include "config/command_line.h"
#include "scheduler/protocol/vault_store.h"
#include "tools/bench/agents.h"
#include "tools/bench/bench.h"
#include "tools/bench/figures.h"
#include "tools/bench/folder.h"
#include "worker/engine/artifacts.h"

namespace rushes::bench {
namespace {

using nlohmann::json;

struct Options {
  std::filesystem::path data = "/var/tmp";
  int megabytes = 256;  // of one artifact
  int rounds = 5;
  double frame_seconds = 10;  // of a worker, for one 4K frame
  bool json = false;
};

constexpr double kFrameBytes = 3840.0 * 2160 * 3 * 2;  // half float
// A frame of a master passes three times: decoded to the vault, back to `finish`, back to `deliver`.
constexpr int kFetchesOfAFrame = 2;

// Seconds of all cores that this process has used.
double processor_seconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

struct Moment {
  std::int64_t time = monotonic_ns();
  double processor = processor_seconds();
};

struct Rates {
  std::vector<double> values;     // bytes per second
  std::vector<double> processor;  // seconds of all cores per GB
  void add(std::size_t bytes, const Moment& begin) {
    const auto size = static_cast<double>(bytes);
    values.push_back(size * 1e9 / static_cast<double>(monotonic_ns() - begin.time));
    processor.push_back((processor_seconds() - begin.processor) * 1e9 / size);
  }
  double median() const { return quantile(values, 0.5); }
  double median_processor() const { return quantile(processor, 0.5); }
};

// Half floats that do not compress, other ones in every round.
std::vector<std::byte> frames(std::size_t bytes, std::uint64_t seed) {
  std::vector<std::byte> values(bytes);
  std::uint64_t state = seed + 1;
  for (std::size_t i = 0; i + 8 <= bytes; i += 8) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    std::memcpy(values.data() + i, &state, 8);
  }
  return values;
}

struct Disk {
  Rates write, read;
  Status measure(const std::filesystem::path& folder, int round, std::span<const std::byte> bytes) {
    const auto path = folder / ("bare" + std::to_string(round));
    const int file = open(path.c_str(), O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);
    if (file < 0) return fail(ErrorKind::kDenied, folder.string() + ": no file can be made there");
    bool sound = true;
    Moment begin;
    for (std::size_t at = 0; at < bytes.size(); at += protocol::kMaxChunkBytes) {
      const auto piece = bytes.subspan(at, std::min(protocol::kMaxChunkBytes, bytes.size() - at));
      sound = ::write(file, piece.data(), piece.size()) == static_cast<ssize_t>(piece.size()) && sound;
    }
    sound = fsync(file) == 0 && sound;
    write.add(bytes.size(), begin);
    posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
    std::vector<char> piece(protocol::kMaxChunkBytes);
    begin = {};
    for (off_t at = 0; at < static_cast<off_t>(bytes.size());) {
      const ssize_t got = pread(file, piece.data(), piece.size(), at);
      if (got <= 0) break;
      at += got;
    }
    read.add(bytes.size(), begin);
    close(file);
    if (!sound) return fail(ErrorKind::kExhausted, folder.string() + ": cannot write there");
    return {};
  }
};

struct Curve {
  Rates rate;
  zmq::context_t sending{1}, receiving{1};
  std::optional<zmq::socket_t> out, in;

  Curve() {
    const auto server = protocol::make_keys(), client = protocol::make_keys();
    in.emplace(receiving, ZMQ_PULL);
    in->set(zmq::sockopt::curve_server, true);
    in->set(zmq::sockopt::curve_secretkey, server->secret_key);
    in->set(zmq::sockopt::rcvhwm, 8);
    in->bind("tcp://127.0.0.1:*");
    out.emplace(sending, ZMQ_PUSH);
    out->set(zmq::sockopt::curve_serverkey, server->public_key);
    out->set(zmq::sockopt::curve_publickey, client->public_key);
    out->set(zmq::sockopt::curve_secretkey, client->secret_key);
    out->set(zmq::sockopt::sndhwm, 8);
    out->set(zmq::sockopt::linger, 0);
    out->connect(in->get(zmq::sockopt::last_endpoint));
  }
  void measure(std::span<const std::byte> bytes) {
    const Moment begin;
    std::thread sender([&] {
      for (std::size_t at = 0; at < bytes.size(); at += protocol::kMaxChunkBytes)
        out->send(zmq::buffer(bytes.data() + at, std::min(protocol::kMaxChunkBytes, bytes.size() - at)),
                  zmq::send_flags::none);
    });
    zmq::message_t message;
    for (std::size_t got = 0; got < bytes.size(); got += message.size())
      if (!in->recv(message)) break;
    sender.join();
    rate.add(bytes.size(), begin);
  }
};

// The vault behind its server, and a worker's end of it.
struct Way {
  std::unique_ptr<storage::Vault> vault;
  std::unique_ptr<protocol::VaultStore> store;
  std::unique_ptr<protocol::ZapAuthenticator> authenticator;
  std::unique_ptr<protocol::ArtifactServer> server;
  std::unique_ptr<protocol::ArtifactClient> client;
  Rates there, back;

  static Result<Way> open(const std::filesystem::path& folder) {
    Way way;
    std::filesystem::create_directories(folder / "workers");
    auto scheduler = protocol::make_keys(), worker = protocol::make_keys();
    if (!scheduler) return tl::unexpected(scheduler.error());
    if (!worker) return tl::unexpected(worker.error());
    if (auto written = protocol::write_keys(folder / "workers", "worker", *worker); !written)
      return tl::unexpected(written.error());
    auto vault = storage::Vault::open(folder / "vault");
    if (!vault) return tl::unexpected(vault.error());
    way.vault = std::move(*vault);
    way.store = std::make_unique<protocol::VaultStore>(*way.vault, folder, 0);
    auto authenticator = protocol::ZapAuthenticator::open(scheduler->secret_key, folder / "workers");
    if (!authenticator) return tl::unexpected(authenticator.error());
    way.authenticator = std::move(*authenticator);
    auto server = protocol::ArtifactServer::start(*way.authenticator, "tcp://127.0.0.1:*", *way.store);
    if (!server) return tl::unexpected(server.error());
    way.server = std::move(*server);
    auto client = protocol::ArtifactClient::open({way.server->endpoint(), {scheduler->public_key}, *worker});
    if (!client) return tl::unexpected(client.error());
    way.client = std::move(*client);
    return way;
  }

  // From one worker's folder into the vault, and from there into another worker's.
  Status measure(worker::LocalArtifacts& from, worker::LocalArtifacts& to, std::span<const std::byte> bytes) {
    const auto stored = from.put(Role::kFrames, bytes);
    if (!stored) return tl::unexpected(stored.error());
    Moment begin;
    const auto mapped = from.open_unverified(stored->digest);
    if (!mapped) return tl::unexpected(mapped.error());
    if (auto sent = client->put(stored->digest, mapped->bytes()); !sent) return sent;
    there.add(bytes.size(), begin);

    begin = {};
    std::optional<worker::Incoming> incoming;
    const auto sink = [&](std::uint64_t total, std::span<const std::byte> piece) -> Status {
      if (!incoming) {
        auto begun = to.receive(stored->digest, total);
        if (!begun) return tl::unexpected(begun.error());
        incoming.emplace(std::move(*begun));
      }
      return incoming->append(piece);
    };
    if (auto got = client->get(stored->digest, sink); !got) return got;
    if (auto finished = incoming->finish(); !finished) return finished;
    back.add(bytes.size(), begin);
    from.evict();
    to.evict();
    return {};
  }
};

Result<json> measure(const Options& options) {
  const auto folder = Folder::make(options.data);
  if (!folder) return tl::unexpected(folder.error());
  auto way = Way::open(folder->path() / "farm");
  if (!way) return tl::unexpected(way.error());
  auto from = worker::LocalArtifacts::open_folder(folder->path() / "maker", 0),
       to = worker::LocalArtifacts::open_folder(folder->path() / "reader", 0);
  if (!from) return tl::unexpected(from.error());
  if (!to) return tl::unexpected(to.error());
  Disk disk;
  Curve curve;
  for (int round = 0; round < options.rounds; ++round) {
    const auto bytes =
        frames(static_cast<std::size_t>(options.megabytes) << 20, static_cast<std::uint64_t>(round));
    if (auto measured = disk.measure(folder->path(), round, bytes); !measured)
      return tl::unexpected(measured.error());
    curve.measure(bytes);
    if (auto measured = way->measure(*from, *to, bytes); !measured) return tl::unexpected(measured.error());
  }
  const double there = way->there.median(), back = way->back.median();
  const double bound = std::min({disk.write.median(), disk.read.median(), curve.rate.median()});
  const double frame = kFrameBytes / there + kFetchesOfAFrame * kFrameBytes / back;  // seconds of the wire
  return json{{"bench", "artifacts"},
              {"artifact_bytes", std::size_t{static_cast<std::size_t>(options.megabytes)} << 20},
              {"rounds", options.rounds},
              {"disk_write_bytes_per_s", disk.write.median()},
              {"disk_read_bytes_per_s", disk.read.median()},
              {"curve_bytes_per_s", curve.rate.median()},
              {"to_vault_bytes_per_s", there},
              {"from_vault_bytes_per_s", back},
              {"to_vault_share", there / bound},
              {"from_vault_share", back / bound},
              {"cores", std::thread::hardware_concurrency()},
              {"curve_processor_s_per_gb", curve.rate.median_processor()},
              {"to_vault_processor_s_per_gb", way->there.median_processor()},
              {"from_vault_processor_s_per_gb", way->back.median_processor()},
              {"frames_4k_per_s", 1 / frame},
              {"worker_seconds_per_4k_frame", options.frame_seconds},
              {"workers_4k_fed", options.frame_seconds / frame}};
}

}  // namespace

int bench_artifacts(int argc, char** argv) {
  Options options;
  config::CommandLine app{"Measures frames on their way from a worker to the vault and back.",
                          "rushes-bench artifacts"};
  app.option("--data", options.data, "folder on the disk that is measured");
  app.option("--megabytes", options.megabytes, "size of one artifact").between(1, 4095);
  app.option("--rounds", options.rounds, "of every measurement").between(1, 1000);
  app.option("--frame-seconds", options.frame_seconds, "of a worker for one 4K frame").between(1e-3, 1e6);
  app.flag("--json", options.json, "machine-readable result");
  if (const auto code = app.parse(argc, argv)) return *code;
  return report_figures("artifacts", measure(options), options.json);
}

}  // namespace rushes::bench
