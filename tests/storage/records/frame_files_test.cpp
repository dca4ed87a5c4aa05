#include "storage/records/frame_files.h"

#include <gtest/gtest.h>

namespace rushes {
namespace {

using Files = std::vector<std::string>;

TEST(FrameFiles, FramesThatFollowEachOtherAreOneEntry) {
  const Files files{"a/s.1001.exr", "a/s.1002.exr", "a/s.1003.exr", "a/s.mp4",      "a/s.1004.exr",
                    "a/s.0099.exr", "a/s.0100.exr", "a/s.9999.exr", "a/s.10000.exr"};
  const Files joined{"a/s.[1001-1003].exr", "a/s.mp4", "a/s.1004.exr", "a/s.[0099-0100].exr",
                     "a/s.[9999-10000].exr"};
  EXPECT_EQ(join_frames(files), joined);
  EXPECT_EQ(expand_frames(joined, 100), files);
}

TEST(FrameFiles, OnlyOneSequenceIsJoined) {
  const Files files{"a/s.1.exr", "a/t.2.exr", "a/t.3.png", "a/t.5.png", "a/t.06.png",
                    "",          ".",         "x.y",       "1.exr"};
  EXPECT_EQ(join_frames(files), files);
  EXPECT_EQ(expand_frames(files, 100), files);
}

TEST(FrameFiles, WhatIsNoSequenceStaysAndALongOneIsCut) {
  const Files strange{"a[", "a]", "[2-1].exr", "[a-b].exr", "[-].exr", "]-[", "s.[1-99999999999].exr"};
  EXPECT_EQ(expand_frames(strange, 100), strange);
  EXPECT_EQ(expand_frames({"s.[1-999999999].exr", "s.mp4"}, 3), (Files{"s.1.exr", "s.2.exr", "s.3.exr"}));
}

}  // namespace
}  // namespace rushes
