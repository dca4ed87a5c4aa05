#include "config/rate.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <array>
#include <cstdio>
#include <string>

namespace rushes::config {
namespace {

TEST(Rate, ReadsWholeNtscAndFractions) {
  EXPECT_EQ(parse_rate("24"), (Rate{24, 1}));
  EXPECT_EQ(parse_rate("23.976"), (Rate{24000, 1001}));
  EXPECT_EQ(parse_rate("29.97"), (Rate{30000, 1001}));
  EXPECT_EQ(parse_rate("50/2"), (Rate{25, 1}));
  EXPECT_EQ(to_string(Rate{24000, 1001}), "24000/1001");
}

TEST(Rate, ZerosAtTheEndOfADecimalChangeNothing) {
  for (const auto& [written, meant] : {std::pair{"24.0", Rate{24, 1}},
                                       {"24.000", {24, 1}},
                                       {"100.0", {100, 1}},
                                       {"120.0", {120, 1}},
                                       {"23.9760", {24000, 1001}},
                                       {"23.980", {24000, 1001}},
                                       {"29.970", {30000, 1001}},
                                       {"47.9520", {48000, 1001}},
                                       {"59.940", {60000, 1001}},
                                       {"119.8800", {120000, 1001}}})
    EXPECT_EQ(parse_rate(written), meant) << written;
  for (const char* bad : {"24.", ".0", ".", "24.0.0", "0.0", "-24.0", "24.0/1", "24.1234567891", "2400.0"})
    EXPECT_FALSE(parse_rate(bad)) << bad;
  EXPECT_EQ(parse_rate("24.50"), (Rate{49, 2}));
}

// As tools of the trade print n*1000/1001: rounded or cut, to any number of places.
TEST(Rate, DecimalsMeanNtscRatesWithinTheirPlaces) {
  for (const int n : {24, 25, 30, 48, 60, 90, 100, 120, 240}) {
    const Rate meant = *parse_rate(std::to_string(n * 1000) + "/1001");
    for (int places = 2; places <= 9; ++places) {
      std::array<char, 32> rounded{};
      std::snprintf(rounded.data(), rounded.size(), "%.*f", places, n * 1000 / 1001.0);
      EXPECT_EQ(parse_rate(rounded.data()), meant) << rounded.data();
      std::snprintf(rounded.data(), rounded.size(), "%.12f", n * 1000 / 1001.0);
      const std::string cut(
          rounded.data(), std::string_view(rounded.data()).find('.') + 1 + static_cast<std::size_t>(places));
      EXPECT_EQ(parse_rate(cut), meant) << cut;
    }
  }
  EXPECT_EQ(parse_rate("23.976024"), (Rate{24000, 1001}));
  EXPECT_EQ(parse_rate("29.97003"), (Rate{30000, 1001}));
  EXPECT_EQ(parse_rate("59.94006"), (Rate{60000, 1001}));
  EXPECT_EQ(parse_rate("23.97"), (Rate{24000, 1001}));
  EXPECT_EQ(parse_rate("99.90"), (Rate{100000, 1001}));
}

TEST(Rate, OtherDecimalsAreWhatTheyAre) {
  EXPECT_EQ(parse_rate("12.5"), (Rate{25, 2}));
  EXPECT_EQ(parse_rate("24.5"), (Rate{49, 2}));
  EXPECT_EQ(parse_rate("24.1"), (Rate{241, 10}));
  EXPECT_EQ(parse_rate("23.95"), (Rate{479, 20}));
  EXPECT_EQ(parse_rate("59.90"), (Rate{599, 10}));
  EXPECT_EQ(parse_rate("23.978"), (Rate{11989, 500}));
  EXPECT_EQ(parse_rate("59.9").error().message,
            "expected one of the two that it could mean, 60000/1001 and 599/10, found '59.9'");
}

TEST(Rate, RefusesOthers) {
  for (const char* bad :
       {"", "0", "-24", "+24", "24fps", "241", "481/2", "1/0", "24/-1", "24/", "1/2", "nan", "99999999999"})
    EXPECT_FALSE(parse_rate(bad)) << bad;
  EXPECT_EQ(parse_rate("24fps").error().message,
            "expected frames per second as a number or a fraction, such as 24, 23.976, 12.5 or 24000/1001, "
            "found '24fps'");
  EXPECT_EQ(parse_rate("0.5").error().message, "expected 1 to 240 frames per second, found '0.5'");
  EXPECT_EQ(parse_rate("2997003/125000").error().message,
            "expected frames per second that are a fraction with a denominator of at most 1001 such as "
            "24000/1001, found '2997003/125000', which is 2997003/125000");
  EXPECT_EQ(parse_rate("24.1234").error().message,
            "expected frames per second that are a fraction with a denominator of at most 1001 such as "
            "24000/1001, found '24.1234', which is 120617/5000");
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

TEST(Timecode, CountsUpTo120FramesASecond) {
  for (const auto& [text, rate] : {std::pair{"10:00:00:47", Rate{48000, 1001}},
                                   {"10:00:00:49", {50, 1}},
                                   {"10:00:00:59", {60, 1}},
                                   {"10:01:00;04", {60000, 1001}},
                                   {"10:00:00:99", {100, 1}},
                                   {"10:00:00:119", {120, 1}},
                                   {"10:00:00:119", {120000, 1001}}}) {
    const auto code = parse_timecode(text, rate);
    ASSERT_TRUE(code) << text << ": " << code.error().message;
    EXPECT_EQ(to_string(*code), text);
  }
  for (const auto& [text, rate] : {std::pair{"10:00:00:099", Rate{120, 1}},
                                   {"10:00:00:120", {120, 1}},
                                   {"10:00:00:100", {100, 1}},
                                   {"10:00:00:-01", {120, 1}},
                                   {"-0:00:00:00", {24, 1}},
                                   {"10:00:00;02", {120000, 1001}},
                                   {"10:00:00;02", {48000, 1001}},
                                   {"10:01:00;03", {60000, 1001}}})
    EXPECT_FALSE(parse_timecode(text, rate)) << text;
  EXPECT_EQ(parse_timecode("10:00:00:00", {240, 1}).error().message,
            "expected no timecode at 240 frames per second: it counts up to 120 frames a second, found "
            "'10:00:00:00'");
  EXPECT_FALSE(has_timecode({121, 1}));
  EXPECT_EQ(timecode_base({24000, 1001}), 24);
  EXPECT_EQ(timecode_base({1, 1}), 1);
  EXPECT_EQ(timecode_base({25, 2}), 13);
}

TEST(Timecode, DropFrameFollowsTheStandard) {
  const Rate ntsc{30000, 1001};
  EXPECT_EQ(to_string(advance({0, 0, 59, 29, true}, 1, ntsc)), "00:01:00;02");
  EXPECT_EQ(to_string(advance({0, 9, 59, 29, true}, 1, ntsc)), "00:10:00;00");
  EXPECT_EQ(to_string(advance({0, 0, 0, 0, true}, 17982, ntsc)), "00:10:00;00");  // frames in ten minutes
  EXPECT_EQ(to_string(advance({0, 0, 0, 0, true}, 107892, ntsc)), "01:00:00;00");
  EXPECT_EQ(to_string(advance({0, 0, 59, 59, true}, 1, {60000, 1001})), "00:01:00;04");
  EXPECT_EQ(to_string(advance({0, 59, 59, 59, true}, 1, {60000, 1001})), "01:00:00;00");
  EXPECT_EQ(to_string(advance({23, 59, 59, 59, true}, 1, {60000, 1001})), "00:00:00;00");
  EXPECT_EQ(to_string(advance({10, 0, 0, 119, false}, 1, {120000, 1001})), "10:00:01:00");
  EXPECT_EQ(to_string(advance({23, 59, 59, 23, false}, 1, {24, 1})), "00:00:00:00");
  EXPECT_EQ(to_string(advance({0, 0, 0, 0, false}, -1, {24, 1})), "23:59:59:23");
}

TEST(Timecode, PropertyEveryStepIsValidAndReversible) {
  EXPECT_TRUE(rc::check("advancing gives a valid number that leads back", [] {
    const auto [rate, drop] = *rc::gen::element(
        std::pair{Rate{24, 1}, false}, std::pair{Rate{25, 1}, false}, std::pair{Rate{24000, 1001}, false},
        std::pair{Rate{30000, 1001}, true}, std::pair{Rate{60000, 1001}, true},
        std::pair{Rate{48000, 1001}, false}, std::pair{Rate{50, 1}, false}, std::pair{Rate{100, 1}, false},
        std::pair{Rate{120000, 1001}, false}, std::pair{Rate{120, 1}, false});
    const auto frames = *rc::gen::inRange<std::int64_t>(0, 12'000'000);
    const Timecode start{0, 0, 0, 0, drop};
    const Timecode later = advance(start, frames, rate);
    RC_ASSERT((parse_timecode(to_string(later), rate).value() == later));
    RC_ASSERT((advance(later, -frames, rate) == start));
  }));
}

}  // namespace
}  // namespace rushes::config
