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
  EXPECT_THAT(with("Transfer-Encoding: gzip", ""), HasSubstr("501 "));
  EXPECT_THAT(with("Transfer-Encoding: chunked\r\nContent-Length: 3", "abc"), HasSubstr("400 "));
  EXPECT_THAT(with("Content-Length: -1", ""), HasSubstr("400 "));
  EXPECT_THAT(with("Content-Length: 3\r\nContent-Length: 4", "abc"), HasSubstr("400 "));
  EXPECT_THAT(with("Content-Length: 99999999999", ""), HasSubstr("413 "));
  std::string chunks;
  for (int i = 0; i < 8; ++i) chunks += "4000\r\n" + std::string(0x4000, 'x') + "\r\n";
  EXPECT_THAT(with("Transfer-Encoding: chunked", chunks + "0\r\n\r\n"), HasSubstr("413 ")) << "128 KiB of 64";
  EXPECT_THAT(with("Transfer-Encoding: chunked", "3\r\nabc\r\n0\r\n\r\n"), HasSubstr("400 ")) << "no batch";
}

TEST_F(GatewayTest, AHeadThatIsTooLargeIsAnswered) {
  const std::string host = "Host: x\r\n", long_word(9000, 'x'), huge(40'000, 'x');
  std::string many;
  for (int i = 0; i < 100; ++i) many += "X-" + std::to_string(i) + ": 1\r\n";
  const auto is = [](const std::string& status) {
    return AllOf(HasSubstr("HTTP/1.1 " + status + " "), HasSubstr("Connection: close"),
                 HasSubstr(R"({"error")"));
  };
  EXPECT_THAT(raw("GET /v1/" + long_word + " HTTP/1.1\r\n" + host + "\r\n"), is("414"));
  EXPECT_THAT(raw("GET /v1/" + huge + " HTTP/1.1\r\n" + host + "\r\n"), is("414"));
  EXPECT_THAT(raw("GET /v1/" + huge), is("414")) << "without an end";
  EXPECT_THAT(raw("GET /v1/health HTTP/1.1\r\n" + host + "X: " + long_word + "\r\n\r\n"), is("431"));
  EXPECT_THAT(raw("GET /v1/health HTTP/1.1\r\n" + host + "X: " + huge), is("431")) << "without an end";
  EXPECT_THAT(raw("GET /v1/health HTTP/1.1\r\n" + host + many + "\r\n"), is("431"));
  EXPECT_GE(count("oversized_headers"), 3u);
  EXPECT_EQ(reply_of(client().Get("/v1/health")).status, 200);
}

TEST_F(GatewayTest, ABrokenHeadIsAnswered) {
  for (const auto& [head, status] : std::vector<std::pair<std::string, std::string>>{
           {"GET /v1/health HTTP/1.1\r\n", "400"},  // no Host
           {"GET /v1/health HTTP/1.0\r\n", "200"},
           {"GET http://farm:7400/v1/health HTTP/1.1\r\nHost: x\r\n", "200"},
           {"HEAD /v1/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n", "200"},
           {"OPTIONS * HTTP/1.1\r\nHost: x\r\n", "405"},
           {"GET /v1/health HTTP/1.1\r\nHost: x\r\nno colon\r\n", "400"},
           {std::string("GET /v1/\0health HTTP/1.1\r\nHost: x\r\n", 35), "400"},
           {"GET /v1/files/%00 HTTP/1.1\r\nHost: x\r\n", "400"},
           {"GET /v1/health HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 9\r\n", "400"},
           {"GET /v1/health HTTP/1.1\r\nHost: x\r\nExpect: magic\r\n", "417"},
           {"FROB /v1/health HTTP/1.1\r\nHost: x\r\n", "501"},
           {"GET /v1/health HTTP/2.0\r\nHost: x\r\n", "505"}}) {
    const std::string answer = raw(head + "\r\n");
    EXPECT_THAT(answer, HasSubstr("HTTP/1.1 " + status + " ")) << head;
    EXPECT_TRUE(!head.starts_with("HEAD") || answer.ends_with("\r\n\r\n")) << answer;
  }
}

TEST_F(GatewayTest, ABrokenChunkedBodyIsABadRequest) {
  ASSERT_EQ(post("/v1/batches", batch_text({"sh010"}), "a").status, 201);
  const auto with = [&](const std::string& body, const std::string& coding = "chunked") {
    return raw("POST /v1/shots/demo/sh010/retry HTTP/1.1\r\nHost: x\r\n" + bearer("a") +
               "Transfer-Encoding: " + coding + "\r\n\r\n" + body);
  };
  for (const char* body : {"zz\r\nabc\r\n", "-3\r\nabc\r\n", "3\r\nabcdef\r\n0\r\n\r\n", "\r\n",
                           "3 4\r\nabc\r\n", "fffffffffffffffff\r\nabc\r\n"})
    EXPECT_THAT(with(body), AllOf(HasSubstr("400 Bad Request"), HasSubstr("the chunked body"))) << body;
  EXPECT_THAT(with("2;" + std::string(9000, 'x')), HasSubstr("400 Bad Request")) << "no end of an extension";
  const std::string good = "5;a=b\r\n{\"tak\r\n5\r\ne\": 7\r\n1\r\n}\r\n0\r\nTrailer: x\r\n\r\n";
  EXPECT_THAT(with(good), HasSubstr("404 Not Found")) << "no take 7: it was read";
  EXPECT_THAT(with(good, "Chunked"), HasSubstr("404 Not Found"));
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
