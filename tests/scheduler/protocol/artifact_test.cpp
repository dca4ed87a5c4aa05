#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <thread>
#include <zmq.hpp>

#include "tests/scheduler/protocol/farm_keys.h"
#include "tests/scheduler/protocol/memory_store.h"

namespace rushes::protocol::test {
namespace {

std::string random_bytes(std::size_t size) {
  std::mt19937 random(7);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

std::span<const std::byte> as_span(const std::string& text) { return std::as_bytes(std::span(text)); }

struct Transfer : ::testing::Test {
  Transfer() {
    authenticator = *ZapAuthenticator::open(keys.scheduler.secret_key, keys.folder / "workers");
    server = *ArtifactServer::start(*authenticator, "tcp://127.0.0.1:*", store);
    client = *ArtifactClient::open(keys.client(server->endpoint(), keys.worker));
  }
  Result<std::string> fetch(const Digest& digest) {
    std::string bytes;
    std::uint64_t announced = 0;
    const auto got =
        client->get(digest, [&](std::uint64_t total, std::span<const std::byte> piece) -> Status {
          announced = total;
          bytes.append(reinterpret_cast<const char*>(piece.data()), piece.size());
          return {};
        });
    if (!got) return tl::unexpected(got.error());
    EXPECT_EQ(announced, bytes.size());
    return bytes;
  }
  FarmKeys keys;
  MemoryStore store;
  std::unique_ptr<ZapAuthenticator> authenticator;
  std::unique_ptr<ArtifactServer> server;
  std::unique_ptr<ArtifactClient> client;
};

TEST_F(Transfer, BytesArriveAsTheyWereSent) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, kMaxChunkBytes - 1, kMaxChunkBytes,
                                 kMaxChunkBytes + 1, 9 * kMaxChunkBytes + 17}) {
    const std::string bytes = random_bytes(size);
    const Digest digest = digest_of(bytes);
    const auto put = client->put(digest, as_span(bytes));
    ASSERT_TRUE(put) << size << ": " << put.error().message;
    EXPECT_EQ(store.find(digest), bytes);
    const auto back = fetch(digest);
    ASSERT_TRUE(back) << size << ": " << back.error().message;
    EXPECT_EQ(*back, bytes);
  }
}

TEST_F(Transfer, WhatIsHeldIsNotSentAgain) {
  const std::string bytes = random_bytes(3000);
  const Digest digest = digest_of(bytes), other = digest_of("other");
  ASSERT_TRUE(client->put(digest, as_span(bytes)));
  ASSERT_TRUE(client->put(digest, as_span(bytes)));
  EXPECT_EQ(store.begun(), 1);
  EXPECT_EQ(client->have({digest, other}).value(), (std::vector<bool>{true, false}));
}

TEST_F(Transfer, ACorruptedChunkIsRefusedAndNothingIsKept) {
  std::string bytes = random_bytes(2 * kMaxChunkBytes);
  const Digest digest = digest_of(bytes);
  bytes[kMaxChunkBytes + 5] ^= 1;
  const auto put = client->put(digest, as_span(bytes));
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().kind, ErrorKind::kCorrupt);
  EXPECT_TRUE(store.empty());
  bytes[kMaxChunkBytes + 5] ^= 1;
  EXPECT_TRUE(client->put(digest, as_span(bytes)));  // the client is usable after a refusal
}

TEST_F(Transfer, MissingArtifactsAreNotFound) {
  const auto missing = fetch(digest_of("nowhere"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, ErrorKind::kNotFound);
}

TEST_F(Transfer, ASinkThatFailsEndsTheTransfer) {
  const std::string bytes = random_bytes(6 * kMaxChunkBytes);
  const Digest digest = digest_of(bytes);
  ASSERT_TRUE(client->put(digest, as_span(bytes)));
  const auto got = client->get(
      digest, [](std::uint64_t, auto) -> Status { return fail(ErrorKind::kExhausted, "disk full"); });
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().kind, ErrorKind::kExhausted);
  EXPECT_EQ(fetch(digest).value(), bytes);
}

TEST_F(Transfer, ASilentSchedulerIsUnreachable) {
  const std::string endpoint = server->endpoint();
  server.reset();
  auto patient = ArtifactClient::open(keys.client(endpoint, keys.worker), std::chrono::milliseconds(300));
  ASSERT_TRUE(patient);
  const auto held = (*patient)->have({digest_of("a")});
  ASSERT_FALSE(held);
  EXPECT_EQ(held.error().kind, ErrorKind::kUnreachable);
  server = *ArtifactServer::start(*authenticator, endpoint, store);
  auto again = (*patient)->have({digest_of("a")});
  for (int i = 0; i < 10 && !again; ++i) again = (*patient)->have({digest_of("a")});
  EXPECT_TRUE(again);  // the same client reaches it again
}

// A worker that is told to end does not wait for a scheduler that is away.
TEST_F(Transfer, EveryWaitEndsWhenItIsToldTo) {
  const std::string endpoint = server->endpoint(), bytes = "bytes";
  server.reset();
  const auto nothing = [](std::uint64_t, auto) { return Status(); };
  const std::vector<std::function<Status(ArtifactClient&, std::stop_token)>> questions = {
      [](ArtifactClient& c, std::stop_token stop) -> Status {
        auto held = c.have({digest_of("a")}, std::move(stop));
        return held ? Status() : tl::unexpected(held.error());
      },
      [&](ArtifactClient& c, std::stop_token stop) {
        return c.put(digest_of(bytes), as_span(bytes), std::move(stop));
      },
      [&](ArtifactClient& c, std::stop_token stop) {
        return c.get(digest_of("a"), nothing, std::move(stop));
      }};
  for (const auto& ask : questions) {
    auto patient = *ArtifactClient::open(keys.client(endpoint, keys.worker), std::chrono::minutes(1));
    Status answer;
    std::jthread asks([&](std::stop_token stop) { answer = ask(*patient, std::move(stop)); });
    asks.request_stop();
    asks.join();
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().kind, ErrorKind::kUnreachable);
    EXPECT_THAT(answer.error().message, testing::HasSubstr("stopped"));
  }
}

// A scheduler that is killed and started again knows nothing of what it was asked before.
TEST_F(Transfer, AQuestionDiesWithItsConnection) {
  zmq::context_t context;
  std::optional<zmq::socket_t> killed(std::in_place, context, ZMQ_ROUTER);
  killed->set(zmq::sockopt::linger, 0);
  killed->set(zmq::sockopt::curve_server, true);
  killed->set(zmq::sockopt::curve_secretkey, keys.scheduler.secret_key);
  killed->bind("tcp://127.0.0.1:*");
  client = *ArtifactClient::open(keys.client(killed->get(zmq::sockopt::last_endpoint), keys.worker),
                                 std::chrono::minutes(1));
  std::thread kill([&] {
    zmq::message_t question;
    [[maybe_unused]] const auto asked = killed->recv(question);
    killed.reset();
  });
  const auto held = client->have({digest_of("a")});
  kill.join();
  ASSERT_FALSE(held);
  EXPECT_EQ(held.error().kind, ErrorKind::kUnreachable);
  EXPECT_NE(held.error().message.find("the connection is lost"), std::string::npos) << held.error().message;
}

// Speaks the protocol by hand, to do what our client never does.
struct RawClient {
  RawClient(const FarmKeys& keys, const std::string& endpoint) : socket(context, ZMQ_DEALER) {
    socket.set(zmq::sockopt::linger, 0);
    socket.set(zmq::sockopt::rcvtimeo, 5000);
    socket.set(zmq::sockopt::curve_serverkey, keys.scheduler.public_key);
    socket.set(zmq::sockopt::curve_publickey, keys.worker.public_key);
    socket.set(zmq::sockopt::curve_secretkey, keys.worker.secret_key);
    socket.connect(endpoint);
  }
  ArtifactReply ask(decltype(ArtifactRequest::body) body, const std::string* payload = nullptr) {
    const auto header = encode(ArtifactRequest{++number, std::move(body)});
    socket.send(zmq::buffer(*header), payload ? zmq::send_flags::sndmore : zmq::send_flags::none);
    if (payload) socket.send(zmq::buffer(*payload), zmq::send_flags::none);
    zmq::message_t reply;
    if (!socket.recv(reply)) return {};
    return *decode_artifact_reply(reply.to_string_view());
  }
  zmq::context_t context;
  zmq::socket_t socket;
  std::uint64_t number = 0;
};

ErrorKind refusal(const ArtifactReply& reply) {
  const auto* refused = std::get_if<RefusedReply>(&reply.body);
  EXPECT_NE(refused, nullptr);
  return refused ? refused->kind : ErrorKind::kInternal;
}

TEST_F(Transfer, OffsetsLengthsAndNumbersAreChecked) {
  RawClient raw(keys, server->endpoint());
  const std::string bytes = "0123456789";
  const Digest digest = digest_of(bytes);
  EXPECT_EQ(refusal(raw.ask(ChunkRequest{1, 0}, &bytes)), ErrorKind::kInvalid);  // no such upload
  EXPECT_TRUE(std::holds_alternative<ReadyReply>(raw.ask(PutRequest{1, digest, 10}).body));
  EXPECT_EQ(refusal(raw.ask(PutRequest{1, digest, 10})), ErrorKind::kInvalid);  // the number is in use
  EXPECT_EQ(refusal(raw.ask(ChunkRequest{1, 4}, &bytes)),
            ErrorKind::kInvalid);  // not the next offset: ends it
  EXPECT_EQ(refusal(raw.ask(CommitRequest{1})), ErrorKind::kInvalid);
  EXPECT_TRUE(std::holds_alternative<ReadyReply>(raw.ask(PutRequest{2, digest, 5}).body));
  EXPECT_EQ(refusal(raw.ask(ChunkRequest{2, 0}, &bytes)), ErrorKind::kInvalid);  // more than announced
  EXPECT_TRUE(std::holds_alternative<ReadyReply>(raw.ask(PutRequest{3, digest, 10}).body));
  EXPECT_EQ(refusal(raw.ask(CommitRequest{3})), ErrorKind::kCorrupt);  // less than announced
  EXPECT_TRUE(store.empty());
  for (std::uint64_t i = 10; i < 18; ++i)
    EXPECT_TRUE(std::holds_alternative<ReadyReply>(raw.ask(PutRequest{i, digest, 10}).body));
  EXPECT_EQ(refusal(raw.ask(PutRequest{18, digest, 10})), ErrorKind::kExhausted);  // too many at once
}

}  // namespace
}  // namespace rushes::protocol::test
