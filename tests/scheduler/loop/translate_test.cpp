#include "scheduler/translate.h"

#include <gtest/gtest.h>

namespace rushes::scheduler {
namespace {

TEST(Translate, AnAssignmentArrivesWhole) {
  command::Assign assign;
  static_cast<AttemptId&>(assign) = {7, 2, 31};
  assign.worker = "a";
  assign.lease_ms = 15'000;
  assign.no_progress_ms = 480'000;
  assign.spec = "\1\2\3";
  const auto said = to_message(assign);
  ASSERT_TRUE(said);
  EXPECT_EQ(said->first, "a");
  const protocol::Assign expected{{7, 2, 31}, 15'000, 480'000, std::string("\1\2\3"), std::nullopt};
  EXPECT_EQ(std::get<protocol::Assign>(said->second), expected);
}

TEST(Translate, AWelcomeSaysWhatHasToStop) {
  const auto said = to_message(command::Welcome{"a", 3, 9, 2'000, 15'000, {{7, 2, 31}}});
  ASSERT_TRUE(said);
  const protocol::Welcome expected{3, 9, 2'000, 15'000, {{7, 2, 31}}, 0};
  EXPECT_EQ(std::get<protocol::Welcome>(said->second), expected);
}

TEST(Translate, AReplyIsForPeople) { EXPECT_FALSE(to_message(command::Reply{1, command::Done{"fine"}})); }

TEST(Translate, AResultThatCannotBeReadIsSaid) {
  const auto event = to_event("a", protocol::Completed{{7, 2, 31}, "rubbish", ""});
  ASSERT_FALSE(event);
  EXPECT_EQ(event.error().kind, ErrorKind::kInvalid);
}

}  // namespace
}  // namespace rushes::scheduler
