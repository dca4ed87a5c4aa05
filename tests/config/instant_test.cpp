#include "config/instant.h"

#include <gtest/gtest.h>

namespace rushes::config {
namespace {

TEST(Instant, ReadsIso8601WithItsOffset) {
  EXPECT_EQ(parse_instant("1970-01-01T00:00:00Z").value(), 0);
  EXPECT_EQ(parse_instant("1970-01-01T01:00+01:00").value(), 0);
  EXPECT_EQ(parse_instant("2026-12-01T18:00:00+01:00").value(),
            parse_instant("2026-12-01T17:00:00Z").value());
  EXPECT_EQ(parse_instant("2026-12-01T12:30:00-05:30").value(),
            parse_instant("2026-12-01T18:00:00Z").value());
  EXPECT_EQ(parse_instant("2024-02-29T00:00:00Z").value() + 86'400'000,
            parse_instant("2024-03-01T00:00:00Z").value());
}

TEST(Instant, IsWrittenInUtc) {
  for (const char* text : {"1970-01-01T00:00:00Z", "2026-12-01T17:00:59Z", "2024-02-29T23:59:00Z"})
    EXPECT_EQ(instant_text(parse_instant(text).value()), text);
}

TEST(Instant, IsWrittenWithMillisecondsWhereTheyAreAskedFor) {
  const std::int64_t ms = parse_instant("2026-12-01T17:00:59Z").value() + 7;
  EXPECT_EQ(instant_text(ms), "2026-12-01T17:00:59Z");
  EXPECT_EQ(instant_text(ms, Fraction::kMilliseconds), "2026-12-01T17:00:59.007Z");
  EXPECT_EQ(parse_instant("2026-12-01T17:00:59.007Z").value(), ms);
  EXPECT_EQ(parse_instant("2026-12-01T18:00:59.007+01:00").value(), ms);
  EXPECT_EQ(instant_text(0, Fraction::kMilliseconds), "1970-01-01T00:00:00.000Z");
}

TEST(Instant, RefusesWhatMeansAnotherTimeElsewhere) {
  for (const char* text :
       {"", "2026-12-01", "2026-12-01T18:00:00", "2026-12-01 18:00:00Z", "2026-13-01T00:00:00Z",
        "2026-02-30T00:00:00Z", "2026-12-01T24:00:00Z", "2026-12-01T18:60:00Z", "2026-12-01T18:00:00+1:00",
        "2026-12-01T18:00:00+15:00", "2026-12-01T18:00:00Zx", "1969-12-31T23:59:59Z",
        "2026-12-01T18:00:00.7Z", "2026-12-01T18:00:00.Z", "2026-12-01T18:00:00.0071Z",
        "2026-12-01T18:00.007Z", "tomorrow"})
    EXPECT_FALSE(parse_instant(text)) << text;
}

}  // namespace
}  // namespace rushes::config
