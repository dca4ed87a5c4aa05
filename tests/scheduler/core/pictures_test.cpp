// A person sees a take before approving it: where its pictures are, and what an export of it is made of.
#include <gmock/gmock.h>

#include "scheduler/core/report/take_delivery.h"
#include "scheduler/core/report/view.h"
#include "tests/scheduler/core/sim_farm.h"

namespace rushes::scheduler {
namespace {

constexpr const char* kShot = "demo/sh010";

// Two takes of two windows; the first take was revised, and the first rendering is the better one.
class Pictures : public testing::Test {
 protected:
  void SetUp() override {
    config::Shot shot = test_shot("sh010", 53, 2);
    shot.approve = config::Approve::kPerson;
    shot.budget.windows = 1;
    farm_.submit({shot});
    worker_.critic = [](const Task& task) {
      Critique critique;
      critique.verdict = Verdict::kPass;
      critique.score = 0.7;
      if (task.plan.take != 1 || !task.plan.whole_take) return critique;
      critique.verdict = Verdict::kRevise;
      critique.score = task.plan.revision == 0 ? 0.5 : 0.4;
      Finding& finding = critique.findings.emplace_back();
      finding.dimension = "flicker";
      finding.severity = 0.8;
      finding.frames = {30, 40};
      finding.window = 1;
      return critique;
    };
    worker_.hello();
    // What a task reads never holds pictures for people: older workers do not know them.
    while (!worker_.held.empty() || !farm_.sent.empty()) {
      for (const Command& command : farm_.sent) {
        const auto* assign = message_in<protocol::Assign>(command);
        if (assign == nullptr) continue;
        for (const Input& input : std::get<TaskSpec>(assign->task).inputs)
          EXPECT_TRUE(input.role != Role::kProxy && input.role != Role::kSheet);
      }
      worker_.receive();
      if (worker_.held.empty()) break;
      const AttemptId first = worker_.held.front();
      worker_.start(first);
      worker_.complete(first);
    }
    ASSERT_EQ(farm_.shot(kShot).state, ShotState::kReview);
  }

  const Task& task(TaskId id) const { return farm_.state().task(id); }
  std::string refusal(const TakeChoice& choice, ErrorKind kind) {
    const auto spec = delivery_of(farm_.state(), kShot, choice);
    EXPECT_FALSE(spec);
    if (spec) return "";
    EXPECT_EQ(spec.error().kind, kind) << spec.error().message;
    return spec.error().message;
  }

  TestFarm farm_;
  SimWorker worker_{farm_, "a"};
};

TEST_F(Pictures, EveryVersionSaysWhereItsPicturesAre) {
  const auto shot = view::shot(farm_.state(), kShot, farm_.now);
  ASSERT_TRUE(shot);
  ASSERT_EQ(shot->takes[0].versions.size(), 2U);
  for (const view::TakeInfo& take : shot->takes)
    for (const view::VersionInfo& version : take.versions) {
      const Version& row = farm_.shot(kShot).take(take.number).versions[version.number];
      ASSERT_TRUE(version.movie && version.sheet);
      EXPECT_EQ(*version.movie, task(row.graph.critique).result.outputs[1]);
      EXPECT_EQ(version.movie->role, Role::kProxy);
      EXPECT_EQ(version.sheet->role, Role::kSheet);
      ASSERT_EQ(version.decoded.size(), row.graph.decode.size());
      EXPECT_EQ(version.decoded[0].frames, task(row.graph.decode[0]).result.outputs[0]);
    }
  EXPECT_NE(shot->takes[0].versions[0].movie->digest, shot->takes[0].versions[1].movie->digest);
  EXPECT_TRUE(shot->takes[0].master_decoded.empty());
}

TEST_F(Pictures, AnExportReadsWhatItsVersionMade) {
  for (const std::uint32_t version : {0U, 1U}) {
    const Version& row = farm_.shot(kShot).take(1).versions[version];
    const auto draft = delivery_of(farm_.state(), kShot, {TakeKind::kDraft, 1, version});
    ASSERT_TRUE(draft) << draft.error().message;
    EXPECT_EQ(draft->recipe_bytes, row.recipe);
    EXPECT_EQ(draft->delivery.version, "take1_v" + std::to_string(version));
    ASSERT_EQ(draft->inputs.size(), row.graph.decode.size() + 1);
    EXPECT_EQ(draft->inputs[0].digest, task(row.graph.decode[0]).result.outputs[0].digest);
    EXPECT_EQ(draft->inputs.back().digest, task(row.graph.critique).result.outputs[0].digest);
    const auto proxy = delivery_of(farm_.state(), kShot, {TakeKind::kProxy, 1, version});
    ASSERT_TRUE(proxy) << proxy.error().message;
    ASSERT_EQ(proxy->inputs.size(), 2U);
    EXPECT_EQ(proxy->inputs[0].role, Role::kProxy);
    EXPECT_EQ(proxy->inputs[0].digest, task(row.graph.critique).result.outputs[1].digest);
  }
  EXPECT_EQ(delivery_of(farm_.state(), kShot, {TakeKind::kDraft, 1, {}})->delivery.version, "take1_v0")
      << "the one that is kept";
  EXPECT_EQ(delivery_of(farm_.state(), kShot, {})->take, 2) << "the best ranked";
}

TEST_F(Pictures, ADeliveryKnowsEveryTakeOfItsSheet) {
  farm_.step(event::Approve{1, kShot, 1, "ann"});
  std::optional<Delivery> delivery;
  for (const Command& command : farm_.sent)
    if (const auto* assign = message_in<protocol::Assign>(command))
      delivery = std::get<TaskSpec>(assign->task).delivery;
  ASSERT_TRUE(delivery);
  const auto& seeds = farm_.shot(kShot).spec.seeds;
  EXPECT_EQ(delivery->takes, (std::vector<TakeShown>{{1, 0, seeds[0], 2}, {2, 0, seeds[1], 1}}));
  EXPECT_EQ(delivery->shot_wall_ms, farm_.shot(kShot).created_wall_ms);
}

TEST_F(Pictures, AMasterIsThereOnceItIsMade) {
  EXPECT_THAT(refusal({TakeKind::kMaster, 2, {}}, ErrorKind::kConflict),
              testing::HasSubstr("rushes approve"));
  farm_.step(event::Approve{1, kShot, 2, "ann"});
  run_to_end(farm_, {&worker_});
  farm_.step(event::Upgrade{2, kShot, "ann"});
  EXPECT_THAT(refusal({TakeKind::kMaster, 2, {}}, ErrorKind::kConflict), testing::HasSubstr("not done yet"));
  run_to_end(farm_, {&worker_});
  const auto master = delivery_of(farm_.state(), kShot, {TakeKind::kMaster, 0, {}});
  ASSERT_TRUE(master) << master.error().message;
  EXPECT_EQ(master->take, 2) << "the approved one";
  EXPECT_TRUE(master->delivery.master);
  EXPECT_EQ(master->delivery.version, "take2");
  EXPECT_EQ(master->recipe_bytes, farm_.shot(kShot).take(2).master_recipe);
  EXPECT_EQ(master->inputs[0].level, 1);
  refusal({TakeKind::kMaster, 2, 0}, ErrorKind::kInvalid);
}

TEST_F(Pictures, WhatIsNotThereIsSaid) {
  EXPECT_THAT(refusal({TakeKind::kDraft, 3, {}}, ErrorKind::kNotFound), testing::HasSubstr("takes 1 to 2"));
  EXPECT_THAT(refusal({TakeKind::kProxy, 1, 2}, ErrorKind::kNotFound), testing::HasSubstr("the newest is 1"));
  EXPECT_EQ(delivery_of(farm_.state(), "demo/none", {}).error().kind, ErrorKind::kNotFound);
  farm_.submit({test_shot("sh020", 53, 2)});
  const auto early = delivery_of(farm_.state(), "demo/sh020", {TakeKind::kDraft, 1, {}});
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().kind, ErrorKind::kConflict);
  EXPECT_THAT(early.error().message, testing::HasSubstr("rushes wait demo/sh020"));
  EXPECT_EQ(delivery_of(farm_.state(), "demo/sh020", {}).error().kind, ErrorKind::kInvalid) << "which take?";
}

}  // namespace
}  // namespace rushes::scheduler
