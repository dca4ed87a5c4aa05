#include "scheduler/gateway/byte_range.h"

#include <gtest/gtest.h>

namespace rushes::scheduler {
namespace {

TEST(ByteRange, IsTheOneThatTheStandardMeans) {
  struct Case {
    const char* header;
    std::uint64_t size;
    int status;
    std::uint64_t offset, length;
    const char* content_range;
  };
  for (const Case& c : {Case{"bytes=0-99", 1000, 206, 0, 100, "bytes 0-99/1000"},
                        {"bytes=900-", 1000, 206, 900, 100, "bytes 900-999/1000"},
                        {"bytes=-5", 1000, 206, 995, 5, "bytes 995-999/1000"},
                        {"bytes=-5000", 1000, 206, 0, 1000, "bytes 0-999/1000"},
                        {"bytes=990-99999999999", 1000, 206, 990, 10, "bytes 990-999/1000"},
                        {"bytes=999-999", 1000, 206, 999, 1, "bytes 999-999/1000"},
                        {"bytes=1000-", 1000, 416, 0, 0, "bytes */1000"},
                        {"bytes=999999999999-", 1000, 416, 0, 0, "bytes */1000"},
                        {"bytes=-0", 1000, 416, 0, 0, "bytes */1000"},
                        {"bytes=0-", 0, 416, 0, 0, "bytes */0"}}) {
    const BytePart part = part_of(c.header, c.size);
    EXPECT_EQ(part.status, c.status) << c.header;
    EXPECT_EQ(part.offset, c.offset) << c.header;
    EXPECT_EQ(part.length, c.length) << c.header;
    EXPECT_EQ(part.content_range, c.content_range) << c.header;
  }
}

TEST(ByteRange, WhatIsNoRangeAsksForAll) {
  for (const char* header :
       {"", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-1", "bytes=0-1,5-9", "bytes=--5", "lines=1-2",
        "bytes=99999999999999999999999-", "bytes=-99999999999999999999999", "bytes= 1-2", "bytes=1-2-3"}) {
    const BytePart part = part_of(header, 1000);
    EXPECT_EQ(part.status, 200) << header;
    EXPECT_EQ(part.length, 1000U) << header;
  }
}

}  // namespace
}  // namespace rushes::scheduler
