// POST /v1/gc: first what would leave, then it leaves, and what people then hear of the take.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/scheduler/gateway/gateway_fixture.h"

namespace rushes::scheduler {
namespace {

using testing::HasSubstr;
using testing::Not;

class CollectTest : public GatewayTest {
 protected:
  CollectTest() {
    farm_.settings.shows = {{"demo", 1, 0, {{}, 0.0}}};  // drafts leave at once
    farm_.sweep_age = std::chrono::milliseconds(0);
  }
  void deliver() {
    ASSERT_EQ(post("/v1/batches", batch_text({"sh010"}, 2), "a").status, 201);
    farm_.add_worker("w");
    ASSERT_TRUE(farm_.wait_done());
    shot_ = get("/v1/shots/demo/sh010").json;
    ASSERT_EQ(shot_["state"], "delivered");
    approved_ = shot_["approved"].get<int>();
    other_ = 3 - approved_;
  }
  // The decoded frames of a take.
  std::string frames_of(int take) {
    const Json& version = shot_["takes"][static_cast<std::size_t>(take - 1)]["versions"][0];
    return version["decoded"][0]["digest"].get<std::string>();
  }
  Json shot_;
  int approved_ = 0, other_ = 0;
};

class CollectLately : public CollectTest {
 protected:
  CollectLately() { farm_.sweep_age = std::chrono::hours(24); }
};

TEST_F(CollectLately, WhatWasMadeWithinTheUploadSweepIsNotCollectableYet) {
  deliver();
  farm_.vault().put("an upload that no result names").value();
  const auto would = post("/v1/gc", R"({"dry_run": true})", "root");
  ASSERT_EQ(would.json["takes"].size(), 1u) << would.body;
  EXPECT_EQ(would.json["later"]["bytes"], would.json["bytes"]);
  EXPECT_EQ(would.json["later"]["artifacts"], would.json["artifacts"]);
  EXPECT_EQ(would.json["uploads"]["artifacts"], 0);
  EXPECT_THAT(get("/metrics").body, HasSubstr("rushes_collectable_bytes 0\n"));
}

TEST_F(CollectTest, ADryRunSaysWhatLeavesAndThenItDoes) {
  deliver();
  farm_.vault().put("an upload that no result names").value();
  const auto would = post("/v1/gc", R"({"dry_run": true})", "root");
  ASSERT_EQ(would.status, 200) << would.body;
  ASSERT_EQ(would.json["takes"].size(), 1u) << would.body;
  EXPECT_EQ(would.json["takes"][0]["shot"], "demo/sh010");
  EXPECT_EQ(would.json["takes"][0]["take"], other_);
  EXPECT_EQ(would.json["takes"][0]["reason"], "never approved, 0 days");
  EXPECT_GT(would.json["bytes"], 0);
  EXPECT_EQ(would.json["later"]["bytes"], 0);
  EXPECT_EQ(would.json["uploads"]["artifacts"], 1);
  EXPECT_TRUE(would.json["freed"].is_null());
  EXPECT_EQ(get("/v1/artifacts/" + frames_of(other_)).status, 200) << "nothing is done";
  const std::string bytes = std::to_string(would.json["bytes"].get<int>());
  EXPECT_THAT(get("/metrics").body, HasSubstr("rushes_collectable_bytes " + bytes + "\n"));

  const auto did = post("/v1/gc", "", "root");
  ASSERT_EQ(did.status, 200) << did.body;
  EXPECT_EQ(did.json["bytes"], would.json["bytes"]);
  EXPECT_THAT(get("/v1/events?since=0").body, HasSubstr(", by adm\""));
  EXPECT_EQ(did.json["freed"]["bytes"],
            would.json["bytes"].get<int>() + would.json["uploads"]["bytes"].get<int>());
  EXPECT_EQ(get("/v1/artifacts/" + frames_of(other_)).status, 404);
  EXPECT_EQ(get("/v1/artifacts/" + frames_of(approved_)).status, 200);
  EXPECT_THAT(get("/metrics").body, HasSubstr("rushes_collectable_bytes 0\n"));
  EXPECT_TRUE(post("/v1/gc", "", "root").json["takes"].empty()) << "it left once";
}

TEST_F(CollectTest, PeopleAreToldWhatLeftAndWhatToDo) {
  deliver();
  ASSERT_EQ(post("/v1/gc", "", "root").status, 200);
  const auto shot = get("/v1/shots/demo/sh010").json;
  const Json& gone = shot["takes"][static_cast<std::size_t>(other_ - 1)];
  EXPECT_EQ(gone["left"]["reason"], "never approved, 0 days");
  EXPECT_TRUE(gone["versions"][0]["left"].get<bool>());
  EXPECT_TRUE(gone["versions"][0]["decoded"].empty());
  EXPECT_TRUE(shot["takes"][static_cast<std::size_t>(approved_ - 1)]["left"].is_null());
  const std::string take = std::to_string(other_);
  const auto refused = get("/v1/shots/demo/sh010/delivery?take=" + take);
  EXPECT_EQ(refused.status, 409);
  EXPECT_THAT(refused.body, HasSubstr("left on 20"));
  EXPECT_THAT(refused.body, HasSubstr("rushes retry demo/sh010 --take " + take));
  EXPECT_EQ(get("/v1/shots/demo/sh010/delivery").status, 200) << "the approved one is there";
  EXPECT_THAT(get("/v1/events").body, HasSubstr("\"take.left\""));
  // Rendered again it is there again.
  ASSERT_EQ(post("/v1/shots/demo/sh010/retry", R"({"take": )" + take + "}", "a").status, 200);
  ASSERT_TRUE(farm_.wait_done());
  EXPECT_EQ(get("/v1/shots/demo/sh010/delivery?take=" + take).status, 200);
}

TEST_F(CollectTest, ARestartKnowsWhatLeftAndAsksForNothingThatIsGone) {
  deliver();
  ASSERT_EQ(post("/v1/gc", "", "root").status, 200);
  const auto held = [&](int take) {
    return farm_.vault().references(*digest_from_hex(frames_of(take))).value();
  };
  restart();
  farm_.janitor().flush();
  EXPECT_EQ(held(other_), 0u);
  EXPECT_GE(held(approved_), 1u);
  EXPECT_EQ(get("/v1/shots/demo/sh010/delivery?take=" + std::to_string(other_)).status, 409);
}

TEST_F(CollectTest, AWrongBodyIsRefused) {
  EXPECT_EQ(post("/v1/gc", R"({"dryrun": true})", "root").status, 400);
  EXPECT_EQ(post("/v1/gc", R"({"dry_run": 1})", "root").status, 400);
  EXPECT_EQ(post("/v1/gc", "{}", "demo-secret").status, 403) << "the vault is the whole farm's";
}

}  // namespace
}  // namespace rushes::scheduler
