// Who may do what over HTTP: every verb with every role, and with tokens that are limited or over.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/scheduler/gateway/gateway_fixture.h"

namespace rushes::scheduler {
namespace {

using config::Role;
using testing::HasSubstr;

struct VerbRow {
  const char* method;
  const char* path;
  Role needed;
};

constexpr VerbRow kVerbs[] = {
    {"GET", "/metrics", Role::kViewer},
    {"GET", "/v1/shots", Role::kViewer},
    {"GET", "/v1/shots/demo/sh010", Role::kViewer},
    {"GET", "/v1/shots/demo/sh010/delivery", Role::kViewer},  // export
    {"GET", "/v1/critiques/demo/sh010", Role::kViewer},
    {"GET", "/v1/explain/demo/sh010", Role::kViewer},
    {"GET", "/v1/explain/1", Role::kViewer},
    {"GET", "/v1/tasks/1", Role::kViewer},
    {"GET", "/v1/logs/1", Role::kViewer},
    {"GET", "/v1/logs/demo/sh010", Role::kViewer},
    {"GET", "/v1/workers", Role::kViewer},
    {"GET", "/v1/costs", Role::kViewer},
    {"GET", "/v1/events", Role::kViewer},
    {"GET", "/v1/artifacts/0000000000000000000000000000000000000000000000000000000000000000", Role::kViewer},
    {"GET", "/v1/files/demo/sh010/clip.mov", Role::kViewer},
    {"POST", "/v1/batches", Role::kArtist},            // submit
    {"POST", "/v1/batches?replace=1", Role::kArtist},  // submit --replace
    {"POST", "/v1/pictures/0000000000000000000000000000000000000000000000000000000000000000", Role::kArtist},
    {"POST", "/v1/shots/demo/sh010/pause", Role::kArtist},
    {"POST", "/v1/shots/demo/sh010/resume", Role::kArtist},
    {"POST", "/v1/shots/demo/sh010/retry", Role::kArtist},
    {"POST", "/v1/shots/demo/sh010/cancel", Role::kArtist},
    {"POST", "/v1/shots/demo/sh010/upgrade", Role::kSupervisor},
    {"POST", "/v1/shots/demo/sh010/approve", Role::kSupervisor},
    {"POST", "/v1/shots/demo/sh010/keep", Role::kSupervisor},
    {"POST", "/v1/shots/demo/sh010/revert", Role::kSupervisor},
    {"POST", "/v1/shots/demo/sh010/restore-take", Role::kSupervisor},
    {"POST", "/v1/shots/demo/sh010/remove", Role::kSupervisor},
    {"POST", "/v1/tasks/1/skip", Role::kSupervisor},
    {"POST", "/v1/workers/w1/drain", Role::kAdmin},
    {"POST", "/v1/backups/not.a.word", Role::kAdmin},
    {"POST", "/v1/gc", Role::kAdmin},
};

class RolesTest : public GatewayTest {
 protected:
  Reply ask(const VerbRow& verb, const std::string& secret) {
    return verb.method == std::string("GET") ? get(verb.path, secret) : post(verb.path, "no body", secret);
  }
};

TEST_F(RolesTest, EveryVerbAsksForItsRole) {
  ASSERT_EQ(post("/v1/batches", batch_text({"sh010"}), "a").status, 201);
  const std::pair<const char*, Role> people[] = {
      {"v", Role::kViewer}, {"a", Role::kArtist}, {"s", Role::kSupervisor}, {"root", Role::kAdmin}};
  for (const VerbRow& verb : kVerbs) {
    const int stranger = ask(verb, "guess").status;
    EXPECT_TRUE(stranger == 401 || stranger == 429) << verb.path << ": " << stranger;
    for (const auto& [secret, role] : people) {
      const auto reply = ask(verb, secret);
      if (role >= verb.needed) {
        EXPECT_NE(reply.status, 403) << verb.path << ": " << reply.body;
        EXPECT_NE(reply.status, 401) << verb.path << ": " << reply.body;
      } else {
        EXPECT_EQ(reply.status, 403) << verb.path << " with " << secret;
        EXPECT_THAT(reply.body, HasSubstr("needs the role " + std::string(config::to_string(verb.needed))));
      }
    }
  }
}

TEST_F(RolesTest, ATokenOfAShowTouchesNothingElse) {
  ASSERT_EQ(post("/v1/batches", batch_text({"sh010"}), "demo-secret").status, 201);
  EXPECT_EQ(post("/v1/batches", batch_text({"sh020"}), "other-secret").status, 403);
  for (const VerbRow& verb : kVerbs) {
    const auto reply = ask(verb, "other-secret");
    if (std::string(verb.path).find("demo/") != std::string::npos) {
      EXPECT_TRUE(reply.status == 403 || reply.status == 404) << verb.path << ": " << reply.body;
    }
  }
  for (const char* whole : {"/metrics", "/v1/tasks/1", "/v1/logs/1", "/v1/explain/1"})
    EXPECT_GE(get(whole, "other-secret").status, 403) << whole;
  EXPECT_EQ(get("/v1/tasks/1", "demo-secret").status, 200);
  EXPECT_EQ(post("/v1/workers/w1/drain", "", "demo-secret").status, 403) << "a worker is the whole farm's";
  EXPECT_THAT(get("/v1/shots/demo/sh010", "other-secret").body, HasSubstr("limited to the show other"));
  EXPECT_EQ(get("/v1/shots", "other-secret").json["shots"].size(), 0u);
  EXPECT_EQ(get("/v1/shots", "demo-secret").json["shots"].size(), 1u);
  EXPECT_TRUE(get("/v1/events", "other-secret").json["events"].empty());
  EXPECT_FALSE(get("/v1/events", "demo-secret").json["events"].empty());
  EXPECT_EQ(get("/v1/events", "other-secret").json["next"], get("/v1/events").json["next"]);
}

TEST_F(RolesTest, ATokenOfAShowSeesThePicturesOfItsShotsOnly) {
  const auto digest = farm_.vault().put("a movie").value();
  const std::string path = "/v1/artifacts/" + to_hex(digest);
  EXPECT_EQ(get(path, "demo-secret").status, 404) << "nobody's";
  ASSERT_TRUE(farm_.vault().retain("demo/sh010/1", {digest}));
  EXPECT_EQ(get(path, "demo-secret").status, 200);
  EXPECT_EQ(get(path, "g").status, 200);
  EXPECT_EQ(get(path, "other-secret").status, 404);
  const auto renders = farm_.folder() / "renders";
  for (const char* shot : {"sh010", "sh020"}) {
    std::filesystem::create_directories(renders / "demo" / shot / "v001");
    std::ofstream(renders / "demo" / shot / "v001" / "clip.mov") << "a movie";
  }
  EXPECT_EQ(get("/v1/files/demo/sh010/v001/clip.mov", "demo-secret").status, 200);
  EXPECT_EQ(get("/v1/files/demo/sh010/v001/clip.mov", "other-secret").status, 404);
  EXPECT_EQ(get("/v1/files/demo/sh010/v001/clip.mov", "g").status, 200);
  EXPECT_EQ(get("/v1/files/demo/sh020/v001/clip.mov", "g").status, 404);
}

TEST_F(RolesTest, AGuestSeesOneShot) {
  ASSERT_EQ(post("/v1/batches", batch_text({"sh010", "sh020"}), "a").status, 201);
  EXPECT_EQ(get("/v1/shots", "g").json["shots"].size(), 1u);
  EXPECT_EQ(get("/v1/shots/demo/sh010", "g").status, 200);
  EXPECT_EQ(get("/v1/shots/demo/sh020", "g").status, 403);
  EXPECT_EQ(post("/v1/shots/demo/sh010/pause", "", "g").status, 403);
  const auto told = get("/v1/events", "g");
  EXPECT_FALSE(told.json["events"].empty());
  for (const auto& event : told.json["events"]) EXPECT_EQ(event["shot"], "demo/sh010");
}

TEST_F(RolesTest, WhatAWorkerDidForOthersIsNotTold) {
  farm_.add_worker("w1");
  ASSERT_EQ(post("/v1/batches", batch_text({"sh010"}), "a").status, 201);
  ASSERT_TRUE(farm_.wait_done());
  EXPECT_GT(get("/v1/workers").json["workers"][0]["finished"], 0);
  for (const char* limited : {"g", "other-secret"}) {
    const Json worker = get("/v1/workers", limited).json["workers"][0];
    EXPECT_EQ(worker["worker"], "w1");
    for (const char* key : {"process", "finished", "failed", "device_seconds"})
      EXPECT_TRUE(worker[key].is_null()) << key << " " << limited;
    EXPECT_TRUE(worker["remarks"].empty());
  }
}

TEST_F(RolesTest, WhatAQueryDoesNotTakeIsRefusedWithWhatItTakes) {
  ASSERT_EQ(post("/v1/batches", batch_text({"sh010"}), "a").status, 201);
  for (const VerbRow& verb : kVerbs) {
    if (verb.method != std::string("GET")) continue;
    const auto reply = get(verb.path + std::string("?shwo=demo"), "root");
    EXPECT_EQ(reply.status, 400) << verb.path;
    EXPECT_THAT(reply.body, HasSubstr("unknown query parameter 'shwo'")) << verb.path;
  }
  EXPECT_THAT(get("/v1/costs?shwo=demo").body, HasSubstr("/v1/costs takes show, shot"));
  EXPECT_THAT(get("/v1/shots?x=1").body, HasSubstr("/v1/shots takes none"));
  EXPECT_EQ(get("/v1/health?x=1").status, 400);
  EXPECT_EQ(get("/v1/events?since=0&wait=0").status, 200);
  // Of a submit too: a slip would render what was to be looked at only.
  for (const char* query : {"?dry-run=1", "?dry_run=yes", "?dry_run", "?dry_run=1&replace=true"})
    EXPECT_EQ(post(std::string("/v1/batches") + query, batch_text({"sh020"}), "a").status, 400) << query;
  EXPECT_EQ(get("/v1/shots").json["shots"].size(), 1u);
}

TEST_F(RolesTest, ANameIsCheckedByTheRuleOfItsKind) {
  for (const char* name : {"a/b", "-w", "w%20x", "%FF"}) {
    const auto worker = post(std::string("/v1/workers/") + name + "/drain", "", "root");
    EXPECT_EQ(worker.status, 400) << name;
    EXPECT_THAT(worker.body, HasSubstr("worker: expected a name of at most 128 letters")) << name;
    const auto backup = post(std::string("/v1/backups/") + name, "", "root");
    if (name != std::string("-w")) {
      EXPECT_EQ(backup.status, 400) << name;
      EXPECT_THAT(backup.body, HasSubstr("backup: expected a name of at most 64 letters")) << name;
    }
  }
  EXPECT_EQ(post("/v1/workers/" + std::string(128, 'w') + "/drain", "", "root").status, 404);
}

TEST_F(RolesTest, ATokenEndsAtItsTime) {
  const auto reply = get("/v1/shots", "late-secret");
  EXPECT_EQ(reply.status, 401);
  EXPECT_THAT(reply.body, HasSubstr("the token of late ended at 1970-01-01T00:00:01Z"));
}

TEST_F(RolesTest, AnArtistDoesNotTakeAPersonsApprovalAway) {
  const std::string shot = "/v1/shots/demo/sh010", retry = R"({"take": 1, "seed": 99})";
  ASSERT_EQ(post("/v1/batches", batch_text({"sh010"}, 2), "a").status, 201);
  farm_.add_worker("w1");
  ASSERT_TRUE(farm_.wait_done());
  EXPECT_EQ(post(shot + "/retry", retry, "a").status, 200) << "`approve: best` approved it";
  ASSERT_TRUE(farm_.wait_done());
  ASSERT_EQ(post(shot + "/approve", R"({"take": 2})", "s").status, 200);
  for (const auto& [path, body] :
       {std::pair(shot + "/retry", std::string(R"({"take": 1, "seed": 98})")),
        std::pair(std::string("/v1/batches?replace=1"), batch_text({"sh010"})),
        std::pair(std::string("/v1/batches?replace=1&dry_run=1"), batch_text({"sh010"}))}) {
    const auto refused = post(path, body, "a");
    EXPECT_EQ(refused.status, 403) << path << ": " << refused.body;
    EXPECT_THAT(refused.body,
                HasSubstr("was approved by sue; what takes that away needs the role supervisor"));
  }
  EXPECT_EQ(get(shot).json["approved"], 2);
  EXPECT_EQ(post(shot + "/retry", R"({"take": 1, "seed": 98})", "s").status, 200);
}

}  // namespace
}  // namespace rushes::scheduler
