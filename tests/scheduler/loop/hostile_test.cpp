// A farm behind a real control socket: what unknown keys and other workers send, and what is sent twice or
// changed on the way, leaves the farm as it is and is counted.
#include <gtest/gtest.h>

#include <random>
#include <zmq.hpp>

#include "tests/scheduler/loop/fake_farm.h"
#include "tests/scheduler/protocol/control_fixture.h"
#include "tests/scheduler/protocol/records.h"

namespace rushes::scheduler {
namespace {

using namespace std::chrono_literals;
using protocol::test::Client;
using protocol::test::reaches;

class Hostile : public testing::Test {
 protected:
  // Worker "worker" holds the first task; "other" is a worker with a key of its own that can run nothing.
  void SetUp() override {
    keys_.add("other", other_);
    farm_.start();
    worker_ = &farm_.add_worker("worker");
    worker_->hold = true;
    ASSERT_TRUE(farm_.submit(batch_text({"sh010"})));
    for (int i = 0; i < 500 && held_.lease == 0; ++i) {
      std::this_thread::sleep_for(10ms);
      held_ = farm_.loop()
                  .query([](const State& state, Now) {
                    const Task& task = state.task(TaskId(1));
                    return AttemptId{TaskId(1), task.attempt, is_held(task.state) ? task.lease().id : 0};
                  })
                  .value();
    }
    ASSERT_NE(held_.lease, 0u);
    authenticator_ = *protocol::ZapAuthenticator::open(keys_.scheduler.secret_key, keys_.folder / "workers");
    control_ =
        *protocol::ControlServer::start(*authenticator_, "tcp://127.0.0.1:*",
                                        [this](const protocol::Peer& from, protocol::WorkerMessage message) {
                                          farm_.loop().post(from.worker, std::move(message), from.process);
                                          ++heard_;
                                        });
  }
  void keep_lease() {
    farm_.loop().post("worker",
                      protocol::WorkerMessage(protocol::Heartbeat{1, {{held_, 0, "", 0}}, {}, false, {}}));
  }
  Digest hash() {
    keep_lease();
    return farm_.state_hash_now();
  }
  Counters core() {
    return farm_.loop().query([](const State& state, Now) { return state.counters; }).value();
  }
  protocol::WorkerMessage completed() const {
    return protocol::Completed{held_, protocol::test::test_result({{digest_of("forged"), 6}}), ""};
  }
  void greet(Client& client) {
    ASSERT_TRUE(client.connected());
    protocol::Hello hello = protocol::test::hello("other");
    hello.offer.numeric_classes = {"runs-nothing"};
    ASSERT_TRUE(client.client->send(hello));
    ASSERT_TRUE(reaches(heard_, 1));
  }

  protocol::test::FarmKeys keys_;
  const protocol::KeyPair other_ = *protocol::make_keys();
  FakeFarm farm_;
  FakeWorker* worker_ = nullptr;
  AttemptId held_;
  std::atomic<std::uint64_t> heard_{0};
  std::unique_ptr<protocol::ZapAuthenticator> authenticator_;
  std::unique_ptr<protocol::ControlServer> control_;
};

TEST_F(Hostile, AStrangerChangesNothing) {
  const Digest before = hash();
  Client unknown(keys_.client(control_->endpoint(), *protocol::make_keys()));
  ASSERT_EQ(unknown.links.next()->first, protocol::ControlClient::Link::kDenied);
  ASSERT_TRUE(unknown.client->send(completed()));
  std::this_thread::sleep_for(200ms);
  EXPECT_EQ(heard_, 0u);
  EXPECT_GE(authenticator_->counters().refused_keys, 1u);
  EXPECT_EQ(hash(), before);
}

TEST_F(Hostile, AWorkerCannotSpeakOfAnothersAttempt) {
  Client client(keys_.client(control_->endpoint(), other_));
  greet(client);
  const Digest before = hash();
  ASSERT_TRUE(client.client->send(completed()));
  ASSERT_TRUE(client.client->send(protocol::Failed{held_, FailKind::kCrash, "forged", "", ""}));
  ASSERT_TRUE(client.client->send(protocol::Stopped{held_}));
  ASSERT_TRUE(client.client->send(protocol::Started{held_}));
  ASSERT_TRUE(client.client->send(protocol::Heartbeat{2, {{held_, 1, "forged", 0}}, {}, false, {}}));
  ASSERT_TRUE(reaches(heard_, 6));
  EXPECT_EQ(hash(), before);
  // The forged result names an artifact that the vault does not hold: it comes to the core as a failure.
  EXPECT_EQ(core().stale_failures, 2u);
  EXPECT_EQ(core().stale_beats, 2u);
}

TEST_F(Hostile, AResultThatComesAgainIsTheSameResult) {
  worker_->hold = false;
  ASSERT_TRUE(farm_.wait_done());
  Client client(keys_.client(control_->endpoint(), keys_.worker));
  ASSERT_TRUE(client.connected());
  protocol::Hello hello = protocol::test::hello("worker");
  hello.offer.numeric_classes = {"runs-nothing"};
  ASSERT_TRUE(client.client->send(hello));
  ASSERT_TRUE(reaches(heard_, 1));
  const TaskResult result = farm_.loop()
                                .query([](const State& state, Now) {
                                  std::vector<protocol::ArtifactRef> made;
                                  for (const auto& output : state.task(TaskId(1)).result.outputs)
                                    made.push_back({output.digest, output.bytes});
                                  return protocol::test::test_result(made);
                                })
                                .value();
  const Digest before = farm_.state_hash_now();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(client.client->send(protocol::Completed{held_, result, ""}));
  ASSERT_TRUE(reaches(heard_, 4));
  EXPECT_EQ(farm_.state_hash_now(), before);
  EXPECT_EQ(core().repeated_results, 3u);
}

TEST_F(Hostile, MutatedMessagesChangeNothing) {
  {
    Client client(keys_.client(control_->endpoint(), other_));
    greet(client);
  }
  const Digest before = hash();
  zmq::context_t context;
  zmq::socket_t socket(context, ZMQ_DEALER);
  socket.set(zmq::sockopt::linger, 2000);
  socket.set(zmq::sockopt::curve_serverkey, keys_.scheduler.public_key);
  socket.set(zmq::sockopt::curve_publickey, other_.public_key);
  socket.set(zmq::sockopt::curve_secretkey, other_.secret_key);
  socket.connect(control_->endpoint());
  protocol::Hello hello = protocol::test::hello("other");
  hello.offer.numeric_classes = {"runs-nothing"};
  const std::string greeting = *protocol::encode(protocol::WorkerMessage(hello));
  const std::string message = *protocol::encode(completed());
  std::mt19937 random(7);
  constexpr std::uint64_t kMutations = 500;
  for (std::uint64_t i = 0; i < kMutations; ++i) {
    if (i % 50 == 0) socket.send(zmq::buffer(greeting), zmq::send_flags::none);  // a mutation may be a Bye
    std::string bytes = message;
    for (int n = 0; n < 2; ++n) bytes[random() % bytes.size()] ^= static_cast<char>(1 << random() % 8);
    socket.send(zmq::buffer(bytes), zmq::send_flags::none);
  }
  const auto& counters = authenticator_->counters();
  const auto seen = [&] {
    return heard_ + counters.malformed + counters.oversized + counters.misnamed + counters.ungreeted;
  };
  for (int i = 0; i < 1000 && seen() < kMutations + 11; ++i) std::this_thread::sleep_for(10ms);
  EXPECT_GE(seen(), kMutations + 11);  // the greetings too, this one's and the first
  EXPECT_GE(counters.malformed, 10u);
  EXPECT_EQ(hash(), before);
}

}  // namespace
}  // namespace rushes::scheduler
