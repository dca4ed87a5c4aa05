#include <gtest/gtest.h>

#include <thread>
#include <zmq.hpp>

#include "tests/scheduler/protocol/control_fixture.h"

namespace rushes::protocol::test {
namespace {

TEST(Control, AKnownKeyIsHeardAndAnswered) {
  const FarmKeys keys;
  Server server(keys);
  Client client(keys.client(server.control->endpoint(), keys.worker));
  ASSERT_TRUE(client.connected());
  ASSERT_TRUE(client.client->send(hello("worker", 41)));
  const auto first = server.heard.next();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->first, "worker");
  EXPECT_EQ(first->second, WorkerMessage(hello("worker", 41)));

  Welcome welcome;
  welcome.sequence = 41;
  ASSERT_TRUE(server.control->send({"worker", ""}, welcome));
  EXPECT_EQ(std::get<Welcome>(client.heard.next().value()).sequence, 41u);
  ASSERT_TRUE(client.client->send(Heartbeat{42, {}, {}, false, {}}));
  ASSERT_TRUE(server.heard.next());
  ASSERT_TRUE(server.control->send({"worker", ""}, HeartbeatAck{42}));
  EXPECT_EQ(std::get<HeartbeatAck>(client.heard.next().value()).sequence, 42u);
  EXPECT_EQ(server.authenticator->counters().refused_keys, 0u);
}

TEST(Control, AnUnknownKeyGetsNothingAndIsCounted) {
  const FarmKeys keys;
  Server server(keys);
  Client unknown(keys.client(server.control->endpoint(), *make_keys()));
  const auto link = unknown.links.next();
  ASSERT_TRUE(link);
  EXPECT_EQ(link->first, Link::kDenied) << link->second;
  ASSERT_TRUE(unknown.client->send(hello("worker")));
  EXPECT_FALSE(server.heard.next(std::chrono::milliseconds(300)));
  EXPECT_FALSE(unknown.heard.next(std::chrono::milliseconds(100)));
  EXPECT_GE(server.authenticator->counters().refused_keys, 1u);
}

TEST(Control, AWorkerDoesNotTalkToAnImpostor) {
  const FarmKeys keys, impostor;
  Server server(impostor);
  ClientOptions options = keys.client(server.control->endpoint(), impostor.worker);  // expects keys.scheduler
  Client client(options);
  ASSERT_TRUE(client.client->send(hello("worker")));
  EXPECT_FALSE(server.heard.next(std::chrono::milliseconds(500)));
  EXPECT_GE(server.authenticator->counters().refused_peers, 1u);
}

TEST(Control, APlainConnectionGetsNothingAndIsCounted) {
  const FarmKeys keys;
  Server server(keys);
  zmq::context_t context;
  zmq::socket_t plain(context, ZMQ_DEALER);
  plain.set(zmq::sockopt::linger, 0);
  plain.connect(server.control->endpoint());
  plain.send(zmq::str_buffer("hello"), zmq::send_flags::dontwait);
  EXPECT_FALSE(server.heard.next(std::chrono::milliseconds(500)));
  EXPECT_GE(server.authenticator->counters().refused_peers, 1u);
}

TEST(Control, AKeyCannotSpeakForAnotherWorker) {
  FarmKeys keys;
  const KeyPair other = *make_keys();
  keys.add("other", other);
  Server server(keys);
  Client client(keys.client(server.control->endpoint(), keys.worker));
  ASSERT_TRUE(client.connected());
  ASSERT_TRUE(client.client->send(hello("other")));
  const auto answer = client.heard.next();
  ASSERT_TRUE(answer);
  EXPECT_TRUE(std::holds_alternative<Refused>(*answer));
  EXPECT_FALSE(server.heard.next(std::chrono::milliseconds(100)));
  EXPECT_EQ(server.authenticator->counters().misnamed, 1u);
}

TEST(Control, OversizedAndMalformedMessagesAreCounted) {
  const FarmKeys keys;
  Server server(keys);
  zmq::context_t context;
  zmq::socket_t socket(context, ZMQ_DEALER);
  socket.set(zmq::sockopt::linger, 0);
  socket.set(zmq::sockopt::curve_serverkey, keys.scheduler.public_key);
  socket.set(zmq::sockopt::curve_publickey, keys.worker.public_key);
  socket.set(zmq::sockopt::curve_secretkey, keys.worker.secret_key);
  socket.connect(server.control->endpoint());
  socket.set(zmq::sockopt::rcvtimeo, 5000);
  zmq::message_t answer;
  for (const std::string& bad : {std::string(kMaxControlBytes + 8, '\0'), std::string("garbage!")}) {
    socket.send(zmq::buffer(bad), zmq::send_flags::none);
    ASSERT_TRUE(socket.recv(answer));
    const auto read = decode_to_worker(answer.to_string_view());
    ASSERT_TRUE(read);
    EXPECT_TRUE(std::holds_alternative<Refused>(*read));
  }
  EXPECT_EQ(server.authenticator->counters().oversized, 1u);
  EXPECT_EQ(server.authenticator->counters().malformed, 1u);
  EXPECT_FALSE(server.heard.next(std::chrono::milliseconds(50)));
}

TEST(Control, AfterARestartOfTheSchedulerTheWorkerIsAskedToGreet) {
  const FarmKeys keys;
  auto server = std::make_unique<Server>(keys);
  const std::string endpoint = server->control->endpoint();
  Client client(keys.client(endpoint, keys.worker));
  ASSERT_TRUE(client.connected());
  ASSERT_TRUE(client.client->send(hello("worker")));
  ASSERT_TRUE(server->heard.next());
  server.reset();
  ASSERT_EQ(client.links.next()->first, Link::kLost);
  server = std::make_unique<Server>(keys, endpoint);
  ASSERT_TRUE(client.connected());
  ASSERT_TRUE(client.client->send(Heartbeat{2, {}, {}, false, {}}));
  EXPECT_TRUE(std::holds_alternative<Greet>(client.heard.next().value()));
  EXPECT_EQ(server->authenticator->counters().ungreeted, 1u);
  ASSERT_TRUE(server->control->send({"worker", ""}, FailedAck{}));  // not known yet: dropped and counted
  EXPECT_TRUE(reaches(server->authenticator->counters().undelivered, 1));
  ASSERT_TRUE(client.client->send(hello("worker", 3)));
  EXPECT_EQ(server->heard.next().value().first, "worker");
}

TEST(Control, APortInUseIsOneClearLine) {
  const FarmKeys keys;
  Server server(keys);
  const auto authenticator = ZapAuthenticator::open(keys.scheduler.secret_key, keys.folder / "workers");
  ASSERT_TRUE(authenticator);
  const auto second =
      ControlServer::start(**authenticator, server.control->endpoint(), [](const Peer&, WorkerMessage) {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, ErrorKind::kExhausted);
  EXPECT_NE(second.error().message.find("port is in use"), std::string::npos) << second.error().message;
  EXPECT_EQ(
      ControlServer::start(**authenticator, "tcp://nonsense", [](const Peer&, WorkerMessage) {}).error().kind,
      ErrorKind::kInvalid);
}

}  // namespace
}  // namespace rushes::protocol::test
