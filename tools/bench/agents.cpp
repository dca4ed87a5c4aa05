// rushes-bench agents: the process behind AgentProcess.
//
// One ROUTER socket holds one connection per worker; the scheduler sees as many workers, each with a CURVE
// connection of its own. Messages go through the production codec.
//
// Thread contract: one thread; ends when its standard input ends.
#include <capnp/message.h>
#include <capnp/serialize.h>

#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <unordered_map>
#include <utility>

#include "config/command_line.h"
#include "scheduler/protocol/sockets.h"
#include "storage/records/words_codec.h"
#include "tools/bench/agents.h"
#include "tools/bench/bench.h"
#include "tools/bench/farm.h"
#include "tools/bench/figures.h"

namespace rushes::bench {
namespace {

class Agents {
 public:
  explicit Agents(const AgentOptions& options) : options_(options), socket_(context_, ZMQ_ROUTER) {
    for (int stage = 0; stage < kStages; ++stage) results_.push_back(no_op_result(static_cast<Stage>(stage)));
  }
  Status connect();
  void run();  // until standard input ends
  nlohmann::json report() const;

 private:
  struct Worker {
    std::unordered_map<TaskId, std::pair<AttemptId, std::int64_t>> waiting;
  };
  void greet(const std::string& name);
  void beat();
  bool read_go();
  void receive();
  void on_message(const std::string& name, const protocol::SchedulerMessage& message);
  void complete(const std::string& name, const protocol::Assign& assign);
  void send(const std::string& name, const protocol::WorkerMessage& message);

  AgentOptions options_;
  zmq::context_t context_{1};
  zmq::socket_t socket_;
  std::vector<std::pair<std::string, protocol::Assign>> held_;  // until the word is given
  std::unordered_map<std::string, Worker> workers_;             // by name, which is also the connection's
  std::vector<TaskResult> results_;                             // by stage
  Digest model_{};
  std::uint64_t sequence_ = 0, assigned_ = 0, accepted_ = 0, refused_ = 0;
  std::vector<double> accept_ms_;
};

Status Agents::connect() {
  const auto model = model_digest(options_.models);
  const auto public_key = protocol::read_public_key(options_.keys / "worker.pub");
  const auto secret_key = protocol::read_secret_key(options_.keys / "worker.key");
  const auto server = protocol::read_public_key(options_.keys / "scheduler.pub");
  if (!model) return tl::unexpected(model.error());
  for (const auto* key : {&public_key, &secret_key, &server})
    if (!*key) return tl::unexpected(key->error());
  model_ = *model;
  try {
    socket_.set(zmq::sockopt::linger, 0);
    socket_.set(zmq::sockopt::sndhwm, 100'000);
    socket_.set(zmq::sockopt::rcvhwm, 100'000);
    socket_.set(zmq::sockopt::curve_serverkey, *server);
    socket_.set(zmq::sockopt::curve_publickey, *public_key);
    socket_.set(zmq::sockopt::curve_secretkey, *secret_key);
    for (int i = 0; i < options_.workers; ++i) {
      const std::string name = "worker-" + std::to_string(options_.first + i);
      socket_.set(zmq::sockopt::connect_routing_id, name);
      socket_.connect(options_.endpoint);
      workers_.try_emplace(name);
      greet(name);
    }
  } catch (const zmq::error_t& error) {
    return fail(ErrorKind::kInvalid, options_.endpoint + ": " + error.what());
  }
  return {};
}

void Agents::greet(const std::string& name) {
  protocol::Hello hello;
  hello.name = name;
  hello.offer.build = "bench";
  hello.offer.prefetch = options_.prefetch;
  hello.offer.protocol_version = kTellsSlotsByKind;
  hello.offer.resources = {{{options_.slots, 0}}, 1ull << 44, 0};
  hello.offer.numeric_classes = {kNumericClass};
  hello.offer.models = {{kModel, model_}};
  hello.sequence = ++sequence_;
  send(name, hello);
}

void Agents::beat() {
  for (const auto& [name, worker] : workers_) {
    protocol::Heartbeat heartbeat;
    heartbeat.sequence = ++sequence_;
    for (const auto& [task, sent] : worker.waiting) heartbeat.attempts.push_back({sent.first, 1, "done", 0});
    send(name, heartbeat);
  }
}

void Agents::run() {
  constexpr std::chrono::milliseconds kHeartbeat{2000};
  auto next_beat = std::chrono::steady_clock::now() + kHeartbeat;
  std::vector<zmq::pollitem_t> items{{socket_.handle(), 0, ZMQ_POLLIN, 0},
                                     {nullptr, STDIN_FILENO, ZMQ_POLLIN, 0}};
  for (;;) {
    const auto now = std::chrono::steady_clock::now();
    if (now >= next_beat) {
      beat();
      next_beat = now + kHeartbeat;
    }
    protocol::wait(items, std::chrono::ceil<std::chrono::milliseconds>(next_beat - now));
    if (items[1].revents != 0 && !read_go()) return;
    if (items[0].revents != 0) receive();
  }
}

// A line of standard input: go. False: it has ended.
bool Agents::read_go() {
  char byte = 0;
  if (::read(STDIN_FILENO, &byte, 1) != 1) return false;
  options_.hold = false;
  for (const auto& [name, assign] : std::exchange(held_, {})) complete(name, assign);
  return true;
}

void Agents::receive() {
  zmq::message_t routing, payload;
  for (int i = 0; i < 1000 && socket_.recv(routing, zmq::recv_flags::dontwait); ++i) {
    if (!routing.more() || !socket_.recv(payload)) continue;
    const auto message = protocol::decode_to_worker(protocol::view(payload));
    if (message)
      on_message(routing.to_string(), *message);
    else
      std::cerr << "agents: message refused: " << message.error().message << "\n";
  }
}

void Agents::on_message(const std::string& name, const protocol::SchedulerMessage& message) {
  if (const auto* assign = std::get_if<protocol::Assign>(&message)) {
    if (options_.hold)
      held_.emplace_back(name, *assign);
    else
      complete(name, *assign);
  } else if (const auto* accepted = std::get_if<protocol::Accepted>(&message)) {
    auto& waiting = workers_[name].waiting;
    const auto found = waiting.find(accepted->id.task);
    if (found == waiting.end()) return;
    accept_ms_.push_back(static_cast<double>(monotonic_ns() - found->second.second) * 1e-6);
    waiting.erase(found);
    ++accepted_;
  } else if (const auto* refused = std::get_if<protocol::RefusedResult>(&message)) {
    workers_[name].waiting.erase(refused->id.task);
    ++refused_;
  } else if (const auto* revoked = std::get_if<protocol::Revoke>(&message)) {
    workers_[name].waiting.erase(revoked->id.task);
    send(name, protocol::Stopped{revoked->id});
  } else if (std::holds_alternative<protocol::Greet>(message)) {
    greet(name);
  } else if (const auto* no = std::get_if<protocol::Refused>(&message)) {
    std::cerr << "agents: " << name << " is refused: " << no->reason << "\n";
  }
}

void Agents::complete(const std::string& name, const protocol::Assign& assign) {
  const std::int64_t now = monotonic_ns();
  if (options_.stamps) {
    std::printf("%lld\n", static_cast<long long>(now));
    std::fflush(stdout);
  }
  ++assigned_;
  workers_[name].waiting[assign.id.task] = {assign.id, now};
  send(name, protocol::Started{assign.id});
  const Stage stage =
      std::get<TaskSpec>(assign.task).stage;  // a task of the bench is never so large that it is stored
  send(name, protocol::Completed{assign.id, results_[static_cast<std::size_t>(stage)], ""});
}

void Agents::send(const std::string& name, const protocol::WorkerMessage& message) {
  const auto bytes = protocol::encode(message);
  if (!bytes) {
    std::cerr << "agents: " << bytes.error().message << "\n";
    return;
  }
  socket_.send(zmq::buffer(name), zmq::send_flags::sndmore);
  socket_.send(zmq::buffer(*bytes));
}

nlohmann::json Agents::report() const {
  return {{"assigned", assigned_},
          {"accepted", accepted_},
          {"refused", refused_},
          {"accept_ms", quantiles(accept_ms_)}};
}

}  // namespace

int bench_agents(int argc, char** argv) {
  AgentOptions options;
  config::CommandLine app{"Simulated workers of the scheduler bench; ends with its standard input.",
                          "rushes-bench agents"};
  app.option("--farm", options.endpoint, "the scheduler's control socket").required();
  app.option("--keys", options.keys, "folder of worker.key, worker.pub, scheduler.pub").required();
  app.option("--models", options.models, "folder of the manifests").required();
  app.option("--first", options.first, "number of the first worker");
  app.option("--workers", options.workers, "how many").between(1, 20'000);
  app.option("--slots", options.slots, "of each worker").between(1, 64);
  app.option("--prefetch", options.prefetch, "of each worker").between(0, 16);
  app.flag("--hold", options.hold, "begin at the first line of standard input");
  app.flag("--stamps", options.stamps, "print the time of every assignment");
  if (const auto code = app.parse(argc, argv)) return *code;
  Agents agents(options);
  if (const auto connected = agents.connect(); !connected) {
    std::cerr << "rushes-bench agents: " << connected.error().message << "\n";
    return static_cast<int>(exit_code(connected.error().kind));
  }
  agents.run();
  std::cout << agents.report().dump() << std::endl;
  return 0;
}

}  // namespace rushes::bench
