// What reaches a thread: the token before the body, bodies of a known size, and nobody who only waits.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <array>

#include "scheduler/gateway/access.h"
#include "scheduler/gateway/connections.h"
#include "tests/scheduler/gateway/gateway_fixture.h"

namespace rushes::scheduler {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string bearer(const std::string& secret) { return "Authorization: Bearer " + secret + "\r\n"; }

TEST_F(GatewayTest, TheTokenIsAskedForBeforeTheBody) {
  // Nothing of these bodies is ever sent: an answer that waited for them would not come.
  for (const char* path : {"/v1/batches", "/v1/shots/demo/sh010/pause", "/v1/nothing"}) {
    const std::string head =
        std::string("POST ") + path + " HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n";
    EXPECT_THAT(raw(head + "\r\n"), HasSubstr("401 ")) << path;
    EXPECT_THAT(raw(head + bearer("guess") + "\r\n"), HasSubstr("401 ")) << path;
  }
  EXPECT_THAT(raw("POST /v1/batches HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n" + bearer("v") + "\r\n"),
              HasSubstr("403 "));
  EXPECT_THAT(
      raw("POST /v1/batches HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n"),
      HasSubstr("401 "));
  for (const char* method : {"PUT", "PATCH", "DELETE", "PRI", "OPTIONS"})
    EXPECT_THAT(
        raw(std::string(method) + " /v1/batches HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n"),
        HasSubstr("405 "))
        << method;
}

TEST_F(GatewayTest, ABodyThatIsWantedIsInvited) {
  ASSERT_EQ(post("/v1/batches", batch_text({"sh010"}), "a").status, 201);
  const std::string head = "POST /v1/shots/demo/sh010/retry HTTP/1.1\r\nHost: x\r\n" + bearer("a");
  EXPECT_THAT(raw(head + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n"), HasSubstr("100 Continue"));
}

TEST_F(GatewayTest, ARequestWithoutALengthHasNoBody) {
  ASSERT_EQ(post("/v1/batches", batch_text({"sh010"}), "a").status, 201);
  const std::string answer =
      raw("POST /v1/shots/demo/sh010/pause HTTP/1.1\r\nHost: x\r\n" + bearer("a") + "\r\n");
  EXPECT_THAT(answer, HasSubstr("200 OK"));
  EXPECT_NE(get("/v1/shots/demo/sh010").json["paused"], "no");
}

TEST_F(GatewayTest, BodiesOfAnUnknownSizeAreRefused) {
  const auto with = [&](const std::string& header, const std::string& body) {
    return raw("POST /v1/batches HTTP/1.1\r\nHost: x\r\n" + bearer("a") + header + "\r\n\r\n" + body);
  };
  EXPECT_THAT(with("Content-Encoding: gzip\r\nContent-Length: 3", "abc"), HasSubstr("415 "));
  EXPECT_THAT(with("Content-Encoding: br\r\nContent-Length: 3", "abc"), HasSubstr("Content-Encoding"));
  EXPECT_THAT(with("Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 3", "abc"),
              HasSubstr("415 "));
  EXPECT_THAT(with("Transfer-Encoding: gzip", ""), HasSubstr("411 "));
  EXPECT_THAT(with("Transfer-Encoding: chunked\r\nContent-Length: 3", "abc"), HasSubstr("411 "));
  EXPECT_THAT(with("Content-Length: -1", ""), HasSubstr("400 "));
  EXPECT_THAT(with("Content-Length: 3\r\nContent-Length: 4", "abc"), HasSubstr("400 "));
  EXPECT_THAT(with("Content-Length: 99999999999", ""), HasSubstr("413 "));
  std::string chunks;
  for (int i = 0; i < 8; ++i) chunks += "4000\r\n" + std::string(0x4000, 'x') + "\r\n";
  EXPECT_THAT(with("Transfer-Encoding: chunked", chunks + "0\r\n\r\n"), HasSubstr("413 ")) << "128 KiB of 64";
  EXPECT_THAT(with("Transfer-Encoding: chunked", "3\r\nabc\r\n0\r\n\r\n"), HasSubstr("400 ")) << "no batch";
}

TEST_F(GatewayTest, SlowClientsHoldNobodyUp) {
  std::vector<int> slow;
  const auto open = [&](const std::string& bytes) {
    slow.push_back(open_socket());
    ASSERT_EQ(::send(slow.back(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  };
  for (int i = 0; i < 20; ++i) open("");
  for (int i = 0; i < 20; ++i) open("POST /v1/batches HTTP/1.1\r\nHost: x\r\nContent-Le");
  for (int i = 0; i < Access::kMaxAtOnce; ++i)
    open("POST /v1/batches HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n" + bearer("a") + "\r\nver");
  while (post("/v1/batches", "", "a").status != 429) std::this_thread::yield();
  EXPECT_EQ(reply_of(client().Get("/v1/health")).status, 200);
  EXPECT_EQ(get("/v1/workers", "root").status, 200);
  // They have not been given up meanwhile; one may have found its place taken by the question above.
  int answered = 0;
  for (const int file : slow) {
    pollfd one{file, POLLIN, 0};
    answered += ::poll(&one, 1, 0);
    ::close(file);
  }
  EXPECT_LE(answered, 1);
}

TEST_F(GatewayTest, ACrowdOfStrangersIsCutFromItsOldEnd) {
  std::vector<int> crowd;
  for (std::size_t i = 0; i < Connections::kMaxOfAddress + 10; ++i) crowd.push_back(open_socket());
  while (count("crowded_out") < 10) std::this_thread::yield();
  char byte = 0;
  EXPECT_EQ(::recv(crowd.front(), &byte, 1, 0), 0) << "the first one is closed";
  EXPECT_EQ(reply_of(client().Get("/v1/health")).status, 200);
  for (const int file : crowd) ::close(file);
}

TEST_F(GatewayTest, OneConnectionServesManyRequests) {
  auto kept = client();
  kept.set_keep_alive(true);
  for (int i = 0; i < 150; ++i) ASSERT_EQ(reply_of(kept.Get("/v1/health")).status, 200) << i;
  // Two requests at once are answered in their order.
  const int file = open_socket();
  const std::string both =
      "GET /v1/health HTTP/1.1\r\nHost: x\r\n\r\nGET /v1/shots HTTP/1.1\r\nHost: x\r\nConnection: "
      "close\r\n\r\n";
  ASSERT_GT(::send(file, both.data(), both.size(), MSG_NOSIGNAL), 0);
  std::string answers;
  std::array<char, 4096> piece;
  for (ssize_t got; (got = ::recv(file, piece.data(), piece.size(), 0)) > 0;)
    answers.append(piece.data(), static_cast<std::size_t>(got));
  ::close(file);
  EXPECT_LT(answers.find("200 OK"), answers.find("401 "));
  EXPECT_NE(answers.find("401 "), answers.npos);
}

TEST_F(GatewayTest, ABodyThatIsNotReadIsNoRequest) {
  const std::string inner = "GET /v1/health HTTP/1.1\r\nHost: x\r\n\r\n";
  const int file = open_socket();
  const std::string bytes =
      "GET /v1/shots HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(inner.size()) + "\r\n\r\n" +
      inner;
  ASSERT_GT(::send(file, bytes.data(), bytes.size(), MSG_NOSIGNAL), 0);
  std::string answers;
  std::array<char, 4096> piece;
  for (ssize_t got; (got = ::recv(file, piece.data(), piece.size(), 0)) > 0;)
    answers.append(piece.data(), static_cast<std::size_t>(got));
  ::close(file);
  EXPECT_THAT(answers, HasSubstr("401 "));
  EXPECT_THAT(answers, Not(HasSubstr("200 OK")));
}

}  // namespace
}  // namespace rushes::scheduler
