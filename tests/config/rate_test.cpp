#include "config/rate.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace rushes::config {
namespace {

TEST(Rate, ReadsWholeNtscAndFractions) {
  EXPECT_EQ(parse_rate("24"), (Rate{24, 1}));
  EXPECT_EQ(parse_rate("23.976"), (Rate{24000, 1001}));
  EXPECT_EQ(parse_rate("29.97"), (Rate{30000, 1001}));
  EXPECT_EQ(parse_rate("50/2"), (Rate{25, 1}));
  EXPECT_EQ(to_string(Rate{24000, 1001}), "24000/1001");
}

TEST(Rate, RefusesOthers) {
  for (const char* bad :
       {"", "0", "-24", "24.0", "24fps", "241", "481/2", "1/0", "24/-1", "1/2", "nan", "99999999999"})
    EXPECT_FALSE(parse_rate(bad)) << bad;
  EXPECT_EQ(parse_rate("24.5").error().message,
            "expected frames per second from 1 to 240 such as 24, 23.976 or 24000/1001, found '24.5'");
  EXPECT_EQ(parse_rate("2997003/125000").error().message,
            "expected frames per second with a denominator of at most 1001 such as 24000/1001, found "
            "'2997003/125000'");
  EXPECT_EQ(parse_rate("48000/2002"), (Rate{24000, 1001}));
}

TEST(Timecode, ReadsAndRefuses) {
  EXPECT_EQ(to_string(*parse_timecode("01:00:00:23", {24, 1})), "01:00:00:23");
  EXPECT_EQ(to_string(*parse_timecode("01:01:00;02", {30000, 1001})), "01:01:00;02");
  EXPECT_EQ(parse_timecode("01:00:00:24", {24, 1}).error().message,
            "expected frames below 24, found '01:00:00:24'");
  EXPECT_EQ(parse_timecode("01:01:00;01", {30000, 1001}).error().message,
            "expected a number that drop-frame counting does not skip, found '01:01:00;01'");
  EXPECT_FALSE(parse_timecode("01:00:00;00", {24, 1}));
  for (const char* bad :
       {"", "1:00:00:00", "24:00:00:00", "00:60:00:00", "00:00:60:00", "aa:bb:cc:dd", "00:00:00.00"})
    EXPECT_FALSE(parse_timecode(bad, {24, 1})) << bad;
}

TEST(Timecode, DropFrameFollowsTheStandard) {
  const Rate ntsc{30000, 1001};
  EXPECT_EQ(to_string(advance({0, 0, 59, 29, true}, 1, ntsc)), "00:01:00;02");
  EXPECT_EQ(to_string(advance({0, 9, 59, 29, true}, 1, ntsc)), "00:10:00;00");
  EXPECT_EQ(to_string(advance({0, 0, 0, 0, true}, 17982, ntsc)), "00:10:00;00");  // frames in ten minutes
  EXPECT_EQ(to_string(advance({0, 0, 0, 0, true}, 107892, ntsc)), "01:00:00;00");
  EXPECT_EQ(to_string(advance({0, 0, 59, 59, true}, 1, {60000, 1001})), "00:01:00;04");
  EXPECT_EQ(to_string(advance({23, 59, 59, 23, false}, 1, {24, 1})), "00:00:00:00");
  EXPECT_EQ(to_string(advance({0, 0, 0, 0, false}, -1, {24, 1})), "23:59:59:23");
}

TEST(Timecode, PropertyEveryStepIsValidAndReversible) {
  EXPECT_TRUE(rc::check("advancing gives a valid number that leads back", [] {
    const auto [rate, drop] = *rc::gen::element(
        std::pair{Rate{24, 1}, false}, std::pair{Rate{25, 1}, false}, std::pair{Rate{24000, 1001}, false},
        std::pair{Rate{30000, 1001}, true}, std::pair{Rate{60000, 1001}, true});
    const auto frames = *rc::gen::inRange<std::int64_t>(0, 6'000'000);
    const Timecode start{0, 0, 0, 0, drop};
    const Timecode later = advance(start, frames, rate);
    RC_ASSERT((parse_timecode(to_string(later), rate).value() == later));
    RC_ASSERT((advance(later, -frames, rate) == start));
  }));
}

}  // namespace
}  // namespace rushes::config
