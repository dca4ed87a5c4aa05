// rushes-bench wire: the control endpoints of both sides in one process, over CURVE on loopback.
//
// A worker sends Completed, the scheduler's side answers Accepted, as for every real task: one at a time for
// the latency, many at once for the rate; then what the codec alone costs.
#include <condition_variable>
#include <iostream>
#include <mutex>

#include "config/command_line.h"
#include "scheduler/protocol/keys.h"
#include "tools/bench/agents.h"
#include "tools/bench/bench.h"
#include "tools/bench/farm.h"
#include "tools/bench/figures.h"

namespace rushes::bench {
namespace {

using nlohmann::json;

struct Options {
  int exchanges = 100'000;
  bool json = false;
};

// Both ends; the server answers by itself.
class Pair {
 public:
  static Result<std::unique_ptr<Pair>> make(const std::filesystem::path& folder);
  // Sends `count` messages, at most `window` unanswered; returns the time of each until its answer, in µs.
  Result<std::vector<double>> exchange(int count, std::size_t window);

 private:
  Status greet();
  void on_worker(const protocol::Peer& from, const protocol::WorkerMessage& message);
  void on_scheduler(const protocol::SchedulerMessage& message);

  std::mutex mutex_;
  std::condition_variable happened_;
  const TaskResult result_ = no_op_result(Stage::kDenoise);
  bool welcome_ = false;  // guarded by mutex_, as all below
  std::vector<std::int64_t> sent_;
  std::vector<double> times_;
  std::unique_ptr<protocol::ZapAuthenticator> authenticator_;
  std::unique_ptr<protocol::ControlServer> server_;
  std::unique_ptr<protocol::ControlClient> client_;
};

Result<std::unique_ptr<Pair>> Pair::make(const std::filesystem::path& folder) {
  auto pair = std::make_unique<Pair>();
  const auto secret = protocol::read_secret_key(folder / "scheduler.key");
  const auto server_key = protocol::read_public_key(folder / "scheduler.pub");
  const auto public_key = protocol::read_public_key(folder / "worker.pub");
  const auto worker_key = protocol::read_secret_key(folder / "worker.key");
  for (const auto* key : {&secret, &server_key, &public_key, &worker_key})
    if (!*key) return tl::unexpected(key->error());
  auto authenticator = protocol::ZapAuthenticator::open(*secret, folder / "workers");
  if (!authenticator) return tl::unexpected(authenticator.error());
  pair->authenticator_ = std::move(*authenticator);
  Pair* raw = pair.get();
  auto server = protocol::ControlServer::start(
      *pair->authenticator_, "tcp://127.0.0.1:*",
      [raw](const protocol::Peer& from, const protocol::WorkerMessage& message) {
        raw->on_worker(from, message);
      },
      {}, {1e9, 1e9});  // the rate is what is measured
  if (!server) return tl::unexpected(server.error());
  pair->server_ = std::move(*server);
  auto client = protocol::ControlClient::start(
      {pair->server_->endpoint(), {*server_key}, {*public_key, *worker_key}},
      [raw](const protocol::SchedulerMessage& message) { raw->on_scheduler(message); },
      [](protocol::ControlClient::Link, const std::string&) {});
  if (!client) return tl::unexpected(client.error());
  pair->client_ = std::move(*client);
  if (const auto greeted = pair->greet(); !greeted) return tl::unexpected(greeted.error());
  return pair;
}

// As an agent does: Hello again and again until the scheduler answers.
Status Pair::greet() {
  protocol::Hello hello;
  hello.name = "worker";
  hello.offer.build = "bench";
  hello.offer.numeric_classes = {kNumericClass};
  std::unique_lock lock(mutex_);
  for (int i = 0; i < 500; ++i) {
    if (const auto sent = client_->send(hello); !sent) return sent;
    if (happened_.wait_for(lock, std::chrono::milliseconds(20), [this] { return welcome_; })) return {};
  }
  return fail(ErrorKind::kUnreachable, "no welcome within 10 s");
}

void Pair::on_worker(const protocol::Peer& from, const protocol::WorkerMessage& message) {
  if (std::holds_alternative<protocol::Hello>(message)) (void)server_->send(from, protocol::Welcome{});
  if (const auto* completed = std::get_if<protocol::Completed>(&message))
    (void)server_->send(from, protocol::Accepted{completed->id});
}

void Pair::on_scheduler(const protocol::SchedulerMessage& message) {
  const std::int64_t now = monotonic_ns();
  const std::lock_guard lock(mutex_);
  if (std::holds_alternative<protocol::Welcome>(message)) welcome_ = true;
  if (const auto* accepted = std::get_if<protocol::Accepted>(&message))
    times_.push_back(static_cast<double>(now - sent_[accepted->id.task.number() - 1]) * 1e-3);
  happened_.notify_all();
}

Result<std::vector<double>> Pair::exchange(int count, std::size_t window) {
  std::unique_lock lock(mutex_);
  sent_.clear();
  times_.clear();
  while (times_.size() < static_cast<std::size_t>(count)) {
    while (sent_.size() < static_cast<std::size_t>(count) && sent_.size() - times_.size() < window) {
      sent_.push_back(monotonic_ns());
      const protocol::Completed completed{{TaskId(sent_.size()), 1, 1}, result_, ""};
      if (const auto sent = client_->send(completed); !sent) return tl::unexpected(sent.error());
    }
    const std::size_t before = times_.size();
    if (!happened_.wait_for(lock, std::chrono::seconds(10), [&] { return times_.size() > before; }))
      return fail(ErrorKind::kUnreachable, "an answer is missing");
  }
  return times_;
}

// Nanoseconds of one encoding and one decoding.
Result<json> measure_codec(int rounds) {
  const protocol::WorkerMessage message =
      protocol::Completed{{TaskId(1), 1, 1}, no_op_result(Stage::kDenoise), ""};
  auto bytes = protocol::encode(message);
  const std::int64_t begin = monotonic_ns();
  for (int i = 0; i < rounds && bytes; ++i) bytes = protocol::encode(message);
  if (!bytes) return tl::unexpected(bytes.error());
  const std::int64_t encoded = monotonic_ns();
  for (int i = 0; i < rounds; ++i)
    if (const auto read = protocol::decode_from_worker(*bytes); !read) return tl::unexpected(read.error());
  const std::int64_t decoded = monotonic_ns();
  return json{{"completed_bytes", bytes->size()},
              {"encode_ns", static_cast<double>(encoded - begin) / rounds},
              {"decode_ns", static_cast<double>(decoded - encoded) / rounds}};
}

Result<json> measure(const Options& options) {
  const auto farm = Farm::make({});
  if (!farm) return tl::unexpected(farm.error());
  const auto pair = Pair::make((*farm)->keys());
  if (!pair) return tl::unexpected(pair.error());
  constexpr std::size_t kWindow = 256;
  const auto one = (*pair)->exchange(options.exchanges / 20 + 1, 1);
  if (!one) return tl::unexpected(one.error());
  const std::int64_t begin = monotonic_ns();
  const auto many = (*pair)->exchange(options.exchanges, kWindow);
  if (!many) return tl::unexpected(many.error());
  const double seconds = static_cast<double>(monotonic_ns() - begin) * 1e-9;
  json report{{"bench", "wire"},
              {"round_trip_us", quantiles(*one)},
              {"exchanges_per_s", options.exchanges / seconds},
              {"messages_per_s", 2 * options.exchanges / seconds},
              {"loaded_round_trip_us", quantiles(*many)}};
  const auto codec = measure_codec(options.exchanges);
  if (!codec) return codec;
  report.update(*codec);
  return report;
}

}  // namespace

int bench_wire(int argc, char** argv) {
  Options options;
  config::CommandLine app{"Measures control messages between both endpoints, over CURVE on loopback.",
                          "rushes-bench wire"};
  app.option("--exchanges", options.exchanges, "messages with an answer").between(1, 100'000'000);
  app.flag("--json", options.json, "machine-readable result");
  if (const auto code = app.parse(argc, argv)) return *code;
  return report_figures("wire", measure(options), options.json);
}

}  // namespace rushes::bench
