// What people's words lead to: who may overrule whom, and what the answers say.
#include <gmock/gmock.h>

#include "tests/scheduler/core/sim_farm.h"

namespace rushes::scheduler {
namespace {

constexpr const char* kShot = "demo/sh010";

// What an artist's word leads to: the refusal, or empty.
std::string refusal_of(TestFarm& farm, const Event& event) {
  farm.step(event);
  const auto& result = farm.last_reply().result;
  if (result) return "";
  EXPECT_EQ(result.error().kind, ErrorKind::kDenied) << result.error().message;
  return result.error().message;
}

std::vector<Event> words_that_overrule(const TestFarm& farm) {
  event::Retry retry{9, kShot, 2, {}, "", "art"}, dry = retry;
  dry.dry_run = true;
  retry.overrules = dry.overrules = false;
  event::SubmitBatch batch;
  batch.request = 9;
  batch.name = "again";
  batch.by = "art";
  batch.replace = true;
  batch.overrules = false;
  batch.shots.push_back({test_shot("sh010", 53, 1), farm.model, {}});
  event::SubmitBatch trial = batch;
  trial.dry_run = true;
  return {dry, trial, retry, batch};
}

TEST(Overruling, WhoMayNotOverruleCannotTakeAPersonsApprovalAway) {
  for (const char* state : {"upgrading", "delivered"}) {
    TestFarm farm;
    SimWorker worker(farm, "a");
    config::Shot shot = test_shot("sh010", 53, 2);
    shot.approve = config::Approve::kPerson;
    shot.upgrade.enabled = state == std::string("upgrading");
    farm.submit({shot});
    worker.hello();
    run_to_end(farm, {&worker});
    farm.step(event::Approve{1, kShot, 1, "ann"});
    if (state == std::string("delivered")) run_to_end(farm, {&worker});
    std::vector<Event> words = words_that_overrule(farm);
    if (state == std::string("upgrading")) words.push_back(event::Cancel{9, kShot, "art", false});
    for (const Event& word : words) {
      const std::size_t records = farm.journal.size();
      EXPECT_THAT(
          refusal_of(farm, word),
          testing::HasSubstr("take 1 of demo/sh010 was approved by ann; what takes that away needs the "
                             "role supervisor"))
          << state << " " << word.index();
      EXPECT_EQ(farm.journal.size(), records);
    }
    EXPECT_EQ(farm.shot(kShot).approved, 1u);
  }
}

TEST(Overruling, WhatOnlyApproveBestApprovedIsAnybodysToChange) {
  for (std::size_t i = 0; i < 4; ++i) {
    TestFarm farm;
    SimWorker worker(farm, "a");
    farm.submit({test_shot("sh010", 53, 2)});
    worker.hello();
    run_to_end(farm, {&worker});
    ASSERT_EQ(farm.shot(kShot).state, ShotState::kDelivered);
    EXPECT_EQ(refusal_of(farm, words_that_overrule(farm)[i]), "");
  }
}

TEST(Answers, AnUpgradeThatIsDoneSaysWhereTheMasterIs) {
  TestFarm farm;
  SimWorker worker(farm, "a");
  config::Shot shot = test_shot("sh010", 53, 1);
  shot.upgrade.enabled = true;
  farm.submit({shot});
  worker.hello();
  const auto answer = [&] {
    farm.step(event::Upgrade{9, kShot, "ann"});
    return std::get<command::Done>(farm.last_reply().result.value()).message;
  };
  while (farm.shot(kShot).state != ShotState::kUpgrading) {
    worker.receive();
    ASSERT_FALSE(worker.held.empty());
    worker.complete(worker.held.front());
  }
  EXPECT_THAT(answer(), testing::HasSubstr("is already planned"));
  run_to_end(farm, {&worker});
  ASSERT_EQ(farm.shot(kShot).state, ShotState::kDelivered);
  EXPECT_THAT(answer(), testing::HasSubstr("its master is delivered in demo/sh010/master/v001"));
}

}  // namespace
}  // namespace rushes::scheduler
