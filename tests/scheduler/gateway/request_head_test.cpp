// Heads of requests: which are served, which are refused and how.
#include "scheduler/gateway/request_head.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rushes::scheduler {
namespace {

// 0: it is served.
int status_of(std::string head) {
  std::size_t length = head.size();
  const auto refusal = check_head(head, length);
  const std::string words = refusal ? refusal->message : "";
  EXPECT_EQ(words.find_first_of("\r\n"), std::string::npos) << words;
  return refusal ? refusal->status : 0;
}

int with(const std::string& headers) {
  return status_of("POST /v1/batches HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n");
}
int line(const std::string& text) { return status_of(text + "\r\nHost: x\r\n\r\n"); }

TEST(RequestHead, ThatIsWellFormedIsServed) {
  EXPECT_EQ(with(""), 0);
  EXPECT_EQ(with("content-length: 12\r\nX-Empty:\r\nX-Odd: \xc3\xa9\t!\r\n"), 0);
  EXPECT_EQ(with("TRANSFER-ENCODING: Chunked\r\nExpect: 100-Continue\r\n"), 0);
  EXPECT_EQ(line("GET /v1/shots?a=b%20c HTTP/1.1"), 0);
  EXPECT_EQ(line("OPTIONS * HTTP/1.1"), 0);
  EXPECT_EQ(line("CONNECT farm:7400 HTTP/1.1"), 0);
  EXPECT_EQ(status_of("GET / HTTP/1.0\r\n\r\n"), 0) << "HTTP/1.0 has no Host";
  EXPECT_EQ(status_of("GET / HTTP/1.0\r\nExpect: x\r\n\r\n"), 0) << "HTTP/1.0 has no Expect";
}

TEST(RequestHead, OfABrokenLineIsRefused) {
  for (const char* text : {"", " ", "GET", "GET /", "GET / ", "GET  / HTTP/1.1", "GET /a b HTTP/1.1",
                           "GET / http/1.1", "GET / HTTP/11", " GET / HTTP/1.1", "G=T / HTTP/1.1",
                           "GET /\x01 HTTP/1.1", "GET /\t HTTP/1.1", "GET health HTTP/1.1", "GET * HTTP/1.1",
                           "GET ftp://x/ HTTP/1.1", "GET /%00 HTTP/1.1", "GET / HTTP/1.1\r"})
    EXPECT_EQ(line(text), 400) << text;
  EXPECT_EQ(line(std::string("GET /\0 HTTP/1.1", 15)), 400);
  EXPECT_EQ(line("FROB / HTTP/1.1"), 501);
  EXPECT_EQ(line("get / HTTP/1.1"), 501) << "methods have a case";
  EXPECT_EQ(line("GET / HTTP/2.0"), 505);
  EXPECT_EQ(line("GET /" + std::string(kMaxHeadLine, 'x') + " HTTP/1.1"), 414);
  EXPECT_EQ(status_of("GET / HTTP/1.1\nHost: x\r\n\r\n"), 400);
}

TEST(RequestHead, OfBrokenHeadersIsRefused) {
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\n\r\n"), 400) << "no Host";
  for (const char* text :
       {"Host: y\r\n", "no colon\r\n", ": x\r\n", "X : x\r\n", "X: a\r\n  b\r\n", "X: a\n", "X: a\rb\r\n",
        "X: \x01\r\n", ":chunked: \r\n", "Content-Length: 1\r\ncontent-length: 1\r\n",
        "Authorization: Bearer a\r\nauthorization: Bearer b\r\n", "Content-Length: 1, 1\r\n",
        "Content-Length:\r\n", "Content-Length: -1\r\n", "Content-Length: 1x\r\n",
        "Content-Length: 99999999999999999999999\r\n", "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"})
    EXPECT_EQ(with(text), 400) << text;
  EXPECT_EQ(with(std::string("X: \0\r\n", 6)), 400);
  EXPECT_EQ(with("X: " + std::string(kMaxHeadLine, 'x') + "\r\n"), 431);
  for (const char* text : {"gzip", "gzip, chunked", "chunked\r\nTransfer-Encoding: chunked", "identity"})
    EXPECT_EQ(with(std::string("Transfer-Encoding: ") + text + "\r\n"), 501) << text;
  EXPECT_EQ(status_of("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
  EXPECT_EQ(with("Expect: 200-ok\r\n"), 417);
}

TEST(RequestHead, OfAnAbsoluteTargetGetsItsPath) {
  for (const auto& [target, path] :
       {std::pair("http://farm:7400/v1/shots?x=1", "/v1/shots?x=1"), std::pair("HTTP://farm", "/"),
        std::pair("https://farm?x=1", "/?x=1"), std::pair("/plain", "/plain")}) {
    const std::string behind = "the next request";
    std::string bytes = std::string("GET ") + target + " HTTP/1.1\r\nHost: farm\r\n\r\n";
    std::size_t length = bytes.size();
    bytes += behind;
    ASSERT_FALSE(check_head(bytes, length)) << target;
    EXPECT_EQ(bytes, std::string("GET ") + path + " HTTP/1.1\r\nHost: farm\r\n\r\n" + behind);
    EXPECT_EQ(bytes.substr(length), behind);
  }
}

TEST(RequestHead, IsRefusedInTheFormOfTheApi) {
  EXPECT_EQ(
      answer_of({431, "too \"long\""}),
      "HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Type: application/json\r\nContent-Length: "
      "53\r\nConnection: close\r\n\r\n{\"error\":{\"kind\":\"invalid\",\"message\":\"too \\\"long\\\"\"}}");
}

}  // namespace
}  // namespace rushes::scheduler
