// What a worker with a foreign, withdrawn or exchanged key, a flood and a tampered wire do: nothing, counted.
#include <gtest/gtest.h>

#include <fstream>
#include <zmq.hpp>

#include "tests/scheduler/protocol/control_fixture.h"
#include "tests/scheduler/protocol/memory_store.h"
#include "tests/scheduler/protocol/tap.h"

namespace rushes::protocol::test {
namespace {

using std::chrono::milliseconds;

TEST(Security, AKeyThatIsAddedIsLetInAtOnce) {
  FarmKeys keys;
  Server server(keys);
  const KeyPair late = *make_keys();
  {
    Client unknown(keys.client(server.control->endpoint(), late));
    ASSERT_EQ(unknown.links.next()->first, Link::kDenied);
  }
  keys.add("late", late);
  Client welcome(keys.client(server.control->endpoint(), late));
  ASSERT_TRUE(welcome.connected());
  ASSERT_TRUE(welcome.client->send(hello("late-7")));
  EXPECT_EQ(server.heard.next().value().first, "late-7");
}

TEST(Security, AKeyThatIsRemovedIsNotServedAnyMore) {
  FarmKeys keys;
  const KeyPair other = *make_keys();
  keys.add("other", other);
  Server server(keys);
  Client client(keys.client(server.control->endpoint(), keys.worker));
  Client stays(keys.client(server.control->endpoint(), other));
  ASSERT_TRUE(client.connected() && stays.connected());
  ASSERT_TRUE(client.client->send(hello("worker")));
  ASSERT_TRUE(server.heard.next());
  ASSERT_TRUE(stays.client->send(hello("other")));
  ASSERT_TRUE(server.heard.next());

  std::filesystem::remove(keys.folder / "workers" / "worker.pub");
  EXPECT_EQ(server.withdrawn.next().value(), "worker");
  EXPECT_TRUE(std::holds_alternative<Refused>(client.heard.next().value()));
  EXPECT_EQ(server.authenticator->counters().withdrawn, 1u);
  // The connection is open, but its messages are dropped, and none is sent to it.
  ASSERT_TRUE(client.client->send(Heartbeat{2, {}, {}, false, {}}));
  ASSERT_TRUE(client.client->send(hello("worker", 3)));
  EXPECT_TRUE(reaches(server.authenticator->counters().after_withdrawal, 2));
  ASSERT_TRUE(server.control->send({"worker", ""}, FailedAck{}));
  EXPECT_TRUE(reaches(server.authenticator->counters().undelivered, 1));
  EXPECT_FALSE(client.heard.next(milliseconds(100)));
  EXPECT_FALSE(server.heard.next(milliseconds(10)));
  // Nor is a new one.
  Client again(keys.client(server.control->endpoint(), keys.worker));
  EXPECT_EQ(again.links.next()->first, Link::kDenied);
  // Other workers are served as before.
  ASSERT_TRUE(stays.client->send(Heartbeat{2, {}, {}, false, {}}));
  EXPECT_EQ(server.heard.next().value().first, "other");
}

TEST(Security, AWithdrawnKeyMovesNoArtifacts) {
  const FarmKeys keys;
  const auto authenticator = *ZapAuthenticator::open(keys.scheduler.secret_key, keys.folder / "workers");
  MemoryStore store;
  const auto server = *ArtifactServer::start(*authenticator, kAnyPort, store);
  const auto client = *ArtifactClient::open(keys.client(server->endpoint(), keys.worker), milliseconds(3000));
  const std::string bytes(100'000, 'x');
  ASSERT_TRUE(client->put(digest_of(bytes), std::as_bytes(std::span(bytes))));
  std::filesystem::remove(keys.folder / "workers" / "worker.pub");
  for (int i = 0; i < 50 && client->have({digest_of(bytes)}); ++i)
    std::this_thread::sleep_for(milliseconds(100));
  EXPECT_EQ(client->have({digest_of(bytes)}).error().kind, ErrorKind::kUnreachable);
  EXPECT_GE(authenticator->counters().after_withdrawal + authenticator->counters().refused_keys, 1u);
}

TEST(Security, AWorkersKeyIsExchangedWithoutAGap) {
  FarmKeys keys;
  Server server(keys);
  const KeyPair fresh = *make_keys();
  Client before(keys.client(server.control->endpoint(), keys.worker));
  ASSERT_TRUE(before.connected());
  ASSERT_TRUE(before.client->send(hello("worker")));
  ASSERT_TRUE(server.heard.next());

  std::ofstream(keys.folder / "workers" / "worker.pub", std::ios::app) << fresh.public_key << "\n";
  Client after(keys.client(server.control->endpoint(), fresh));
  ASSERT_TRUE(after.connected());
  ASSERT_TRUE(before.client->send(Heartbeat{2, {}, {}, false, {}}));  // the old one goes on
  ASSERT_TRUE(server.heard.next());
  ASSERT_TRUE(after.client->send(hello("worker", 5)));
  EXPECT_EQ(server.heard.next().value().first, "worker");
  EXPECT_TRUE(reaches(server.authenticator->counters().replaced, 1));

  std::ofstream(keys.folder / "workers" / "worker.pub") << fresh.public_key << "\n";
  std::this_thread::sleep_for(milliseconds(1500));  // the authenticator looks once a second
  ASSERT_TRUE(before.client->send(Heartbeat{3, {}, {}, false, {}}));
  EXPECT_TRUE(reaches(server.authenticator->counters().after_withdrawal, 1));
  EXPECT_EQ(server.authenticator->counters().withdrawn, 0u) << "the worker's own connection has the new key";
  ASSERT_TRUE(after.client->send(Heartbeat{6, {}, {}, false, {}}));
  EXPECT_EQ(std::get<Heartbeat>(server.heard.next().value().second).sequence, 6u);
}

TEST(Security, TheSchedulersKeyIsExchangedUnderItsWorkers) {
  FarmKeys keys;
  auto server = std::make_unique<Server>(keys);
  const std::string endpoint = server->control->endpoint();
  const KeyPair fresh = *make_keys();
  ClientOptions options = keys.client(endpoint, keys.worker);
  options.server_public_keys.push_back(fresh.public_key);
  Client client(options);
  ASSERT_TRUE(client.connected());
  server.reset();
  keys.scheduler = fresh;
  server = std::make_unique<Server>(keys, endpoint);
  ASSERT_TRUE(client.connected());
  ASSERT_TRUE(client.client->send(hello("worker")));
  EXPECT_EQ(server->heard.next().value().first, "worker");

  MemoryStore store;
  const auto artifacts = *ArtifactServer::start(*server->authenticator, kAnyPort, store);
  options.endpoint = artifacts->endpoint();
  const auto transfer = *ArtifactClient::open(options);
  EXPECT_TRUE(transfer->have({digest_of("x")})) << "the second key is tried after the first";
}

TEST(Security, AFloodIsCutAndStarvesNobody) {
  FarmKeys keys;
  const KeyPair other = *make_keys();
  keys.add("other", other);
  Server server(keys, kAnyPort, {50, 100});
  Client flooding(keys.client(server.control->endpoint(), keys.worker));
  Client quiet(keys.client(server.control->endpoint(), other));
  ASSERT_TRUE(flooding.connected() && quiet.connected());
  ASSERT_TRUE(flooding.client->send(hello("worker")));
  ASSERT_TRUE(quiet.client->send(hello("other")));
  for (std::uint64_t i = 0; i < 5'000; ++i)
    ASSERT_TRUE(flooding.client->send(Heartbeat{i, {}, {}, false, {}}));
  ASSERT_TRUE(quiet.client->send(Heartbeat{77, {}, {}, false, {}}));
  int flooded = 0;
  bool served = false;
  while (const auto message = server.heard.next(milliseconds(500))) {
    if (message->first == "worker") ++flooded;
    const auto* beat = std::get_if<Heartbeat>(&message->second);
    served = served || (message->first == "other" && beat != nullptr && beat->sequence == 77);
  }
  EXPECT_TRUE(served);
  EXPECT_LT(flooded, 1'000);
  EXPECT_GE(server.authenticator->counters().rate_limited, 500u);
}

// ---- the wire itself: CURVE (RFC 26) numbers and authenticates every message

TEST(Security, AReplayedMessageIsNotHeardAgain) {
  const FarmKeys keys;
  Server server(keys);
  Tap tap(server.control->endpoint());
  Client client(keys.client(tap.endpoint(), keys.worker));
  ASSERT_TRUE(client.connected());
  ASSERT_TRUE(client.client->send(hello("worker")));
  ASSERT_TRUE(server.heard.next());
  ASSERT_TRUE(client.client->send(Stopped{{TaskId(7), 1, 9}}));
  ASSERT_TRUE(server.heard.next());
  tap.replay();
  EXPECT_TRUE(reaches(server.authenticator->counters().replayed, 1));
  EXPECT_FALSE(server.heard.next(milliseconds(200)));
}

TEST(Security, AMutatedMessageIsNotHeard) {
  const FarmKeys keys;
  Server server(keys);
  Tap tap(server.control->endpoint());
  Client client(keys.client(tap.endpoint(), keys.worker));
  ASSERT_TRUE(client.connected());
  ASSERT_TRUE(client.client->send(hello("worker")));
  ASSERT_TRUE(server.heard.next());
  tap.mutate();
  ASSERT_TRUE(client.client->send(Stopped{{TaskId(7), 1, 9}}));
  EXPECT_TRUE(reaches(server.authenticator->counters().refused_peers, 1));
  EXPECT_FALSE(server.heard.next(milliseconds(200)));
}

TEST(Security, EveryCounterHasItsName) {
  const FarmKeys keys;
  Server server(keys);
  Client unknown(keys.client(server.control->endpoint(), *make_keys()));
  ASSERT_EQ(unknown.links.next()->first, Link::kDenied);
  const ZapAuthenticator& authenticator = *server.authenticator;
  std::uint64_t refused = 0;
  for (const auto& [name, value] : authenticator.counts())
    if (name == std::string("refused_keys")) refused = value;
  EXPECT_GE(refused, 1u);
}

}  // namespace
}  // namespace rushes::protocol::test
