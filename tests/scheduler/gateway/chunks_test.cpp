// Chunked bodies: whole ones however they arrive, and broken ones.
#include "scheduler/gateway/chunks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>

namespace rushes::scheduler {
namespace {

struct Read {
  std::string content, fault;
  ssize_t end = 0;  // of the last read
};

// The coded bytes arrive in pieces of this size.
Read read_all(const std::string& coded, std::size_t piece) {
  std::size_t at = 0;
  const ChunkReader::Source source = [&](char* out, std::size_t size) {
    const std::size_t count = std::min({size, piece, coded.size() - at});
    std::memcpy(out, coded.data() + at, count);
    at += count;
    return static_cast<ssize_t>(count);
  };
  ChunkReader reader;
  Read read;
  char out[7];
  while ((read.end = reader.read(source, out, sizeof out)) > 0)
    read.content.append(out, static_cast<std::size_t>(read.end));
  EXPECT_EQ(reader.read(source, out, sizeof out), read.end) << "and so it stays";
  read.fault = reader.fault();
  return read;
}

TEST(Chunks, AreReadHoweverTheyArrive) {
  const std::string coded =
      "4\r\nWiki\r\nA;name=\"value\" \r\npedia in c\r\n6 \r\nhunks.\r\n000\r\nX: 1\r\nY: 2\r\n\r\n";
  for (const std::size_t piece : {1, 2, 3, 5, 1000}) {
    const Read read = read_all(coded, piece);
    EXPECT_EQ(read.content, "Wikipedia in chunks.") << piece;
    EXPECT_EQ(read.end, 0);
    EXPECT_EQ(read.fault, "");
  }
  EXPECT_EQ(read_all("0\r\n\r\n", 1).end, 0);
}

TEST(Chunks, ThatBreakOffHaveNoFaultOfTheirOwn) {
  const std::string coded = "4\r\nWiki\r\n0\r\nX: 1\r\n\r\n";
  for (std::size_t length = 0; length < coded.size(); ++length) {
    const Read read = read_all(coded.substr(0, length), 1000);
    EXPECT_EQ(read.end, -1) << length;
    EXPECT_EQ(read.fault, "") << length;
  }
}

TEST(Chunks, ThatAreBrokenSayWhy) {
  const std::string endless(100'000, 'x');
  for (const std::string& coded :
       {std::string("\r\n"), std::string("x\r\n"), std::string("-1\r\na"), std::string("+1\r\na\r\n"),
        std::string(" 1\r\na\r\n"), std::string("0x1\r\na\r\n"), std::string("1 2\r\na\r\n"),
        std::string("1\na\r\n"), std::string("10000000000000000\r\na"), std::string("1\r\nab\r\n0\r\n\r\n"),
        std::string("2\r\nab0\r\n\r\n"), "1;" + endless, endless, "0\r\n" + endless,
        "0\r\n" + endless + "\r\n\r\n"}) {
    const Read read = read_all(coded, 1000);
    EXPECT_EQ(read.end, -1) << coded.substr(0, 40);
    EXPECT_TRUE(read.fault.starts_with("the chunked body: ")) << coded.substr(0, 40);
  }
}

}  // namespace
}  // namespace rushes::scheduler
