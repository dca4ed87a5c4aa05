#include "config/frame_range.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <set>

namespace rushes::config {
namespace {

std::string canonical(const std::string& text) {
  const auto range = FrameRange::parse(text);
  return range ? range->text() : range.error().message;
}

TEST(FrameRange, AcceptsAndNormalises) {
  EXPECT_EQ(canonical("1-30"), "1-30");
  EXPECT_EQ(canonical("7"), "7");
  EXPECT_EQ(canonical("3,5-10,47-327"), "3,5-10,47-327");
  EXPECT_EQ(canonical("47-327, 5-10 ,3"), "3,5-10,47-327");
  EXPECT_EQ(canonical("1-10x2"), "1-9x2");
  EXPECT_EQ(canonical("1-2x5"), "1");
  EXPECT_EQ(canonical("10-1"), "1-10");
  EXPECT_EQ(canonical("10-1x-3"), "1-10x3");
  EXPECT_EQ(canonical("10-2x-3"), "4-10x3");
  EXPECT_EQ(canonical("10-1:-1"), "1-10");
  EXPECT_EQ(canonical("-5-10"), "-5-10");
  EXPECT_EQ(canonical("-5--1"), "-5--1");
  EXPECT_EQ(canonical("1-5,6-10,11"), "1-11");
  EXPECT_EQ(canonical("0001-0005"), "1-5");
}

TEST(FrameRange, RefusesWithTheReason) {
  EXPECT_EQ(canonical("1-10:2"),
            "frame range '1-10:2': ':' is a step in OpenJD and an interleave in OpenCue; write '1-10x2' for "
            "a step");
  EXPECT_EQ(canonical("1-10y2"),
            "frame range '1-10y2': the inverted step 'y' is not supported; list the frames you mean");
  EXPECT_EQ(
      canonical("1-10,5-12"),
      "frame range '1-10,5-12': 1-10 and 5-12 overlap; every frame may be named once, in runs that do not "
      "interleave");
  EXPECT_EQ(
      canonical("1-9x2,2-10x2"),
      "frame range '1-9x2,2-10x2': 1-9x2 and 2-10x2 overlap; every frame may be named once, in runs that do "
      "not interleave");
  EXPECT_EQ(canonical("1-10x-2"),
            "frame range '1-10x-2': an ascending range needs a positive step; write '1-10x2'");
  EXPECT_EQ(canonical("10-1x2"),
            "frame range '10-1x2': a descending range needs a negative step; write '10-1x-2'");
  EXPECT_EQ(canonical("1-10x0"), "frame range '1-10x0': step 0 never ends; write x1 or more");
  EXPECT_EQ(canonical(""), "frame range '': expected frames such as '1-30' or '3,5-10', found nothing");
  const std::string form = ": expected a frame, A-B or A-BxS with frames within +-100000000";
  for (const char* bad :
       {"a", "1-", "1-2-3", "1..5", "1-10x", "1-10z2", "99999999999999999999", "100000001", "1-10x2x3"})
    EXPECT_EQ(canonical(bad), "frame range '" + std::string(bad) + "'" + form);
  EXPECT_EQ(canonical("1,,2"), "frame range ''" + form);
}

TEST(FrameRange, TooManyPartsAreRefused) {
  std::string text = "1";
  for (std::size_t i = 1; i <= kMaxRuns; ++i) text += "," + std::to_string(1 + 2 * i);
  EXPECT_FALSE(FrameRange::parse(text));
}

TEST(FrameRange, CountsWithoutMaterialising) {
  const auto range = FrameRange::parse("-100000000-100000000");
  ASSERT_TRUE(range);
  EXPECT_EQ(range->count(), 200'000'001);
  EXPECT_EQ(range->runs().size(), 1u);
  EXPECT_EQ(range->at(200'000'000), 100'000'000);
  EXPECT_EQ(FrameRange::of(5, 4).count(), 0);
  EXPECT_EQ(FrameRange::of(5, 9), *FrameRange::parse("5-9"));
}

// Random runs with gaps between them, written in random order and direction, against a plain set.
TEST(FrameRange, PropertyMatchesASet) {
  EXPECT_TRUE(rc::check("a range behaves as the set of its frames", [] {
    const auto sizes = *rc::gen::container<std::vector<int>>(rc::gen::inRange(1, 12)).as("frames per run");
    std::set<std::int64_t> frames;
    std::vector<std::string> parts;
    std::int64_t next = *rc::gen::inRange(-500, 500);
    for (const int size : sizes) {
      const std::int64_t step = *rc::gen::inRange(1, 6);
      const std::int64_t slack = *rc::gen::inRange<std::int64_t>(0, step);
      const std::int64_t last = next + (size - 1) * step;
      for (int i = 0; i < size; ++i) frames.insert(next + i * step);
      const std::string low = std::to_string(next), high = std::to_string(last + slack);
      const bool down = *rc::gen::arbitrary<bool>();
      parts.push_back(down ? std::to_string(last) + "-" + std::to_string(next - slack) + "x-" +
                                 std::to_string(step)
                           : low + "-" + high + "x" + std::to_string(step));
      if (down && last == next - slack) parts.back() = std::to_string(last);
      next = last + 1 + *rc::gen::inRange(0, 20);
    }
    std::string text;
    for (const std::string& part : parts) text = text.empty() ? part : part + "," + text;
    if (text.empty()) return;
    const auto range = FrameRange::parse(text);
    RC_ASSERT(range.has_value());
    RC_ASSERT(range->count() == static_cast<std::int64_t>(frames.size()));
    RC_ASSERT((*FrameRange::parse(range->text()) == *range));
    std::int64_t index = 0;
    for (const std::int64_t frame : frames) {
      RC_ASSERT(range->at(index++) == frame);
      RC_ASSERT(range->contains(frame));
      RC_ASSERT(range->contains(frame + 1) == (frames.count(frame + 1) != 0));
    }
  }));
}

TEST(FrameRange, PropertyAnyTextIsAcceptedOrRefused) {
  EXPECT_TRUE(rc::check("hostile text never crashes, and what is accepted round-trips", [] {
    const auto text = *rc::gen::container<std::string>(rc::gen::elementOf(std::string("0123456789-,x:y ")));
    const auto range = FrameRange::parse(text);
    if (!range) return;
    RC_ASSERT((*FrameRange::parse(range->text()) == *range));
  }));
}

}  // namespace
}  // namespace rushes::config
