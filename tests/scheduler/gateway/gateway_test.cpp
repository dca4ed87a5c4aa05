// The HTTP API over loopback, with a real loop, ledger and vault behind it.
#include "scheduler/gateway/gateway.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "config/instant.h"
#include "storage/records/words_codec.h"
#include "tests/scheduler/gateway/gateway_fixture.h"

namespace rushes::scheduler {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

TEST_F(GatewayTest, HealthNeedsNoToken) {
  const auto reply = reply_of(client().Get("/v1/health"));
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.json["state"], "ok");
  EXPECT_EQ(reply.json["build"], "test");
}

TEST_F(GatewayTest, TokensAndRolesAreAskedFor) {
  EXPECT_EQ(reply_of(client().Get("/v1/shots")).status, 401);
  EXPECT_EQ(get("/v1/shots", "nobody").status, 401);
  EXPECT_EQ(get("/v1/shots").status, 200);
  const auto refused = post("/v1/batches", batch_text({"sh010"}), "v");
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused.json["error"]["kind"], "denied");
  EXPECT_THAT(refused.body, HasSubstr("artist"));
  EXPECT_EQ(post("/v1/shots/demo/sh010/approve", "{\"take\":1}", "a").status, 403);
  EXPECT_EQ(post("/v1/workers/w/drain", "", "s").status, 403);
}

TEST_F(GatewayTest, ABatchGoesThroughTheWholeFarm) {
  const auto created = post("/v1/batches", batch_text({"sh010", "sh020"}, 2), "a");
  ASSERT_EQ(created.status, 201) << created.body;
  EXPECT_EQ(created.json["show"], "demo");
  ASSERT_EQ(created.json["shots"].size(), 2u);
  EXPECT_EQ(created.json["shots"][0]["shot"], "demo/sh010");
  EXPECT_EQ(created.json["shots"][0]["takes"], 2);
  EXPECT_EQ(created.json["shots"][0]["frames"], 9);
  EXPECT_EQ(created.json["shots"][0]["seeds"], Json::array({7, 8}));

  const auto waiting = get("/v1/explain/demo/sh010");
  EXPECT_EQ(waiting.status, 200);
  EXPECT_TRUE(waiting.json["reason"].is_string()) << waiting.body;

  farm_.add_worker("w1");
  ASSERT_TRUE(farm_.wait_done());
  const auto shot = get("/v1/shots/demo/sh010").json;
  EXPECT_EQ(shot["state"], "delivered");
  EXPECT_EQ(shot["fps"], "24");
  ASSERT_EQ(shot["takes"].size(), 2u);
  EXPECT_EQ(shot["takes"][0]["critique"]["verdict"], "pass");
  EXPECT_FALSE(shot["deliveries"].empty());
  EXPECT_GT(shot["seconds_per_stage"]["denoise"].get<double>(), 0);
  EXPECT_EQ(get("/v1/shots").json["shots"].size(), 2u);
  EXPECT_TRUE(get("/v1/shots").json["shots"][0]["times"].is_null()) << "only of one shot";
  EXPECT_GE(shot["times"]["running_seconds"].get<double>(), 0)
      << "whole milliseconds: such tasks may have none";
  EXPECT_GE(shot["times"]["queued_seconds"].get<double>(), 0);
  EXPECT_EQ(shot["times"]["person_seconds"], 0) << "nobody was asked";

  const auto critiques = get("/v1/critiques/demo/sh010");
  EXPECT_EQ(critiques.json["takes"].size(), 2u);
  const auto task = get("/v1/tasks/1");
  EXPECT_EQ(task.json["state"], "succeeded");
  EXPECT_EQ(task.json["attempts"][0]["worker"], "w1");
  const auto workers = get("/v1/workers").json["workers"];
  ASSERT_EQ(workers.size(), 1u);
  EXPECT_EQ(workers[0]["state"], "idle");
  EXPECT_EQ(workers[0]["resources"]["cpu_slots"], workers[0]["slots"]);
  EXPECT_GT(workers[0]["resources"]["host_bytes"].get<std::uint64_t>(), 0u);
  EXPECT_EQ(workers[0]["taken"]["cpu_slots"], 0);

  ASSERT_EQ(post("/v1/shots/demo/sh010/approve", R"({"take": 2})", "s").status, 200);
  const auto approved = get("/v1/shots/demo/sh010").json;
  EXPECT_EQ(approved["approved"], 2);
  EXPECT_EQ(approved["approved_by"], "sue");
  EXPECT_TRUE(config::parse_instant(approved["approved_at"].get<std::string>())) << approved["approved_at"];
}

TEST_F(GatewayTest, PeopleChangeTheirMindsAboutTakes) {
  const std::string shot = "/v1/shots/demo/sh010";
  ASSERT_EQ(post("/v1/batches", batch_text({"sh010"}, 2), "a").status, 201);
  farm_.add_worker("w1");
  ASSERT_TRUE(farm_.wait_done());
  const auto dry =
      post(shot + "/retry", R"({"take": 1, "seed": 99, "prompt": "a blue ball", "dry_run": true})", "a");
  ASSERT_EQ(dry.status, 200) << dry.body;
  EXPECT_THAT(
      dry.json["message"].get<std::string>(),
      AllOf(HasSubstr("with seed 99 and a new prompt: frames 1001 to"), HasSubstr("; note: prompt: ")));
  EXPECT_TRUE(dry.json["takes"][0]["revisions"].empty());
  ASSERT_EQ(post(shot + "/retry", R"({"take": 1, "seed": 99})", "a").status, 200);
  ASSERT_TRUE(farm_.wait_done());
  const auto revision = [&] { return get(shot).json["takes"][0]["revisions"][0]; };
  EXPECT_EQ(revision()["seed"], 99);
  EXPECT_EQ(revision()["current"], true);
  EXPECT_EQ(revision()["standing"], "current");
  EXPECT_EQ(get(shot).json["takes"][0]["version"], 1);
  for (const auto& take : {get(shot).json["takes"][0], get("/v1/critiques/demo/sh010").json["takes"][0]}) {
    EXPECT_EQ(take["prompt"], get(shot).json["prompt"]);
    EXPECT_NE(take["seed"], 99) << "its own";
    ASSERT_EQ(take["renewed"].size(), 1u) << take;
    EXPECT_EQ(take["renewed"][0]["revision"], 1);
    EXPECT_EQ(take["renewed"][0]["seed"], 99);
    EXPECT_EQ(take["renewed"][0]["prompt"], take["prompt"]);
  }

  EXPECT_EQ(post(shot + "/revert", R"({"take": 1})", "a").status, 403);
  EXPECT_EQ(post(shot + "/revert", R"({"take": "one"})", "s").status, 400);
  EXPECT_EQ(post(shot + "/revert", R"({"take": 1, "version": 7})", "s").status, 404);
  const auto back = post(shot + "/revert", R"({"take": 1, "version": 0})", "s");
  EXPECT_EQ(back.json["message"], "take 1 of demo/sh010 is at version 0");
  EXPECT_EQ(revision()["current"], false);
  EXPECT_EQ(revision()["kept"], true) << "it was, once";
  EXPECT_EQ(revision()["standing"], "history");
  EXPECT_EQ(get(shot).json["takes"][0]["version"], 0);
  EXPECT_TRUE(get(shot).json["takes"][0]["renewed"].empty()) << "it is as it was rendered first";
  EXPECT_EQ(post(shot + "/keep", R"({"take": 1})", "s").status, 200);
  EXPECT_EQ(post(shot + "/restore-take", R"({"take": 1})", "s").status, 409) << "it was not dropped";
  ASSERT_TRUE(farm_.wait_done());

  EXPECT_EQ(post("/v1/batches", batch_text({"sh010"}), "a").status, 409);
  const auto again = post("/v1/batches?replace=1", batch_text({"sh010"}), "a");
  ASSERT_EQ(again.status, 201) << again.body;
  EXPECT_EQ(again.json["shots"][0]["archived"], "demo/sh010@1");
  EXPECT_EQ(get(shot + "@1").status, 200);
  EXPECT_EQ(post(shot + "@1/retry", R"({"take": 1})", "a").status, 409);
  ASSERT_TRUE(farm_.wait_done());
  EXPECT_THAT(post(shot + "/remove", "", "s").json["message"].get<std::string>(), HasSubstr("demo/sh010@2"));
  EXPECT_EQ(get(shot).status, 404);
}

// The value of one line of GET /metrics, NaN when there is no such line.
double metric(const std::string& text, const std::string& series) {
  const auto at = text.find("\n" + series + " ");
  return at == std::string::npos ? std::nan("") : std::stod(text.substr(at + series.size() + 2));
}

TEST_F(GatewayTest, MetricsCountWhatTheFarmDid) {
  EXPECT_EQ(reply_of(client().Get("/metrics")).status, 401);
  ASSERT_EQ(post("/v1/batches", batch_text({"sh010"}, 2), "a").status, 201);
  const auto before = get("/metrics");
  EXPECT_EQ(before.status, 200);
  EXPECT_EQ(metric(before.body, "rushes_http_refused_total{kind=\"unknown_tokens\"}"), 1) << before.body;
  EXPECT_EQ(metric(before.body, "rushes_wire_refused_total{kind=\"replayed\"}"), 0);
  EXPECT_EQ(metric(before.body, "rushes_tasks{show=\"demo\",state=\"succeeded\"}"), 0) << before.body;
  EXPECT_GE(metric(before.body, "rushes_tasks{show=\"demo\",state=\"ready\"}"), 1);
  EXPECT_EQ(metric(before.body, "rushes_workers{state=\"connected\"}"), 0);
  EXPECT_EQ(metric(before.body, "rushes_shots{state=\"queued\"}"), 1) << before.body;
  EXPECT_EQ(metric(before.body, "rushes_dispatch_seconds_count"), 0);

  farm_.add_worker("w1");
  ASSERT_TRUE(farm_.wait_done());
  const auto after = get("/metrics");
  const double done = metric(after.body, "rushes_tasks{show=\"demo\",state=\"succeeded\"}");
  EXPECT_GT(done, 5) << after.body;
  EXPECT_EQ(metric(after.body, "rushes_tasks{show=\"demo\",state=\"ready\"}"), 0);
  EXPECT_EQ(metric(after.body, "rushes_shots{state=\"delivered\"}"), 1) << after.body;
  EXPECT_EQ(metric(after.body, "rushes_workers{state=\"connected\"}"), 1);
  EXPECT_GT(metric(after.body, "rushes_device_seconds_total{show=\"demo\",stage=\"denoise\",kind=\"cpu\"}"),
            0);
  EXPECT_GT(metric(after.body, "rushes_sync_seconds_count"),
            metric(before.body, "rushes_sync_seconds_count"));
  const double dispatches = metric(after.body, "rushes_dispatch_seconds_count");
  EXPECT_GE(dispatches, 1);
  EXPECT_LE(dispatches, done);
  EXPECT_EQ(metric(after.body, "rushes_lease_expiries_total"), 0);
  restart();
  const auto again = get("/metrics");
  for (const char* kept : {"rushes_tasks{show=\"demo\",state=\"succeeded\"}",
                           "rushes_device_seconds_total{show=\"demo\",stage=\"denoise\",kind=\"cpu\"}"})
    EXPECT_EQ(metric(again.body, kept), metric(after.body, kept)) << kept;
}

TEST_F(GatewayTest, ADryRunPlansAndKeepsNothing) {
  const auto dry = post("/v1/batches?dry_run=1", batch_text({"sh010"}), "a");
  EXPECT_EQ(dry.status, 200) << dry.body;
  EXPECT_EQ(dry.json["dry_run"], true);
  EXPECT_GT(dry.json["shots"][0]["tasks"].get<int>(), 0);
  const auto& stages = dry.json["shots"][0]["stages"];
  ASSERT_GT(stages.size(), 3u);
  EXPECT_EQ(stages[1]["stage"], "denoise");
  EXPECT_EQ(stages[1]["tensors"], true);
  EXPECT_GT(stages[1]["tensor_bytes"].get<std::uint64_t>(), 0u);
  EXPECT_EQ(get("/v1/shots/demo/sh010").status, 404);
}

TEST_F(GatewayTest, AKeyRepeatsTheAnswerOrConflicts) {
  const auto first = post("/v1/batches", batch_text({"sh010"}), "a", {{"Idempotency-Key", "k1"}});
  ASSERT_EQ(first.status, 201);
  restart();
  const auto again = post("/v1/batches", batch_text({"sh010"}), "a", {{"Idempotency-Key", "k1"}});
  EXPECT_EQ(again.status, 200) << again.body;
  EXPECT_EQ(again.json["batch"], first.json["batch"]);
  EXPECT_EQ(again.json["shots"], first.json["shots"]);
  const auto other = post("/v1/batches", batch_text({"sh020"}), "a", {{"Idempotency-Key", "k1"}});
  EXPECT_EQ(other.status, 409);
  EXPECT_EQ(get("/v1/shots").json["shots"].size(), 1u);
  EXPECT_EQ(
      post("/v1/batches", batch_text({"sh030"}), "a", {{"Idempotency-Key", std::string(200, 'k')}}).status,
      400);
}

TEST_F(GatewayTest, AWrongBatchIsRefusedWholeWithPlaces) {
  std::string text = batch_text({"sh010", "sh020"});
  text.replace(text.rfind("frames: 9"), 9, "frmes: 9");
  const auto refused = post("/v1/batches", text, "a", {{"X-Rushes-File", "mine.yaml"}});
  EXPECT_EQ(refused.status, 400);
  ASSERT_FALSE(refused.json["errors"].empty()) << refused.body;
  EXPECT_EQ(refused.json["errors"][0]["file"], "mine.yaml");
  EXPECT_GT(refused.json["errors"][0]["line"].get<int>(), 0);
  EXPECT_THAT(refused.body, HasSubstr("frmes"));
  EXPECT_EQ(get("/v1/shots").json["shots"].size(), 0u);

  std::string rate = batch_text({"sh010"});
  rate.replace(rate.find("frames: 9"), 9, "frames: 9, fps: 25");
  const auto wrong_rate = post("/v1/batches", rate, "a");
  EXPECT_EQ(wrong_rate.status, 400);
  EXPECT_THAT(wrong_rate.body, HasSubstr("24"));

  std::string model = batch_text({"sh010"});
  model.replace(model.find("tiny"), 4, "tinny");
  EXPECT_THAT(post("/v1/batches", model, "a").body, HasSubstr("tiny"));
}

TEST_F(GatewayTest, HostileRequestsAreRefusedAndTheFarmGoesOn) {
  EXPECT_EQ(post("/v1/batches", std::string(65 * 1024, 'x'), "a").status, 413);
  EXPECT_EQ(post("/v1/batches", std::string("\xff\xfe\0\1", 4), "a").status, 400);
  EXPECT_EQ(post("/v1/batches", std::string(20'000, '['), "a").status, 400);
  EXPECT_EQ(get("/v1/nothing").status, 404);
  EXPECT_EQ(get("/v1/nothing").json["error"]["kind"], "not_found");
  EXPECT_EQ(get("/v1/tasks/999999999999999999").status, 404);
  EXPECT_EQ(get("/v1/tasks/0").status, 404);
  EXPECT_EQ(get("/v1/events?since=-1").status, 400);
  EXPECT_EQ(get("/v1/shots/demo/sh010").status, 404);
  EXPECT_EQ(post("/v1/shots/demo/sh010/approve", "{\"take\":1}", "s").status, 404);
  EXPECT_EQ(post("/v1/shots/demo/sh010/approve", "{\"take\":-1}", "s").status, 400);
  EXPECT_EQ(post("/v1/shots/demo/sh010/approve", "[1,2", "s").status, 400);
  EXPECT_EQ(post("/v1/shots/demo/sh010/retry", "{\"windows\":[\"a\"]}", "a").status, 400);
  EXPECT_EQ(post("/v1/shots/demo/sh010/retry", "{\"wndows\":[1]}", "a").status, 400);
  EXPECT_EQ(post("/v1/shots/demo/sh010/retry", std::string(5000, '{'), "a").status, 400);
  // What is printed back of a wrong value is short, and its nesting costs no stack.
  const std::string nested = "{\"take\":" + std::string(30'000, '[') + std::string(30'000, ']') + "}";
  const auto deep = post("/v1/shots/demo/sh010/approve", nested, "s");
  EXPECT_EQ(deep.status, 400);
  EXPECT_LT(deep.body.size(), 300u);
  const auto longer =
      post("/v1/shots/demo/sh010/approve", "{\"take\":\"" + std::string(50'000, 'x') + "\"}", "s");
  EXPECT_EQ(longer.status, 400);
  EXPECT_LT(longer.body.size(), 300u);
  EXPECT_EQ(get("/v1/files/" + std::string(8'000, 'x')).status, 404);
  EXPECT_EQ(get("/v1/health").json["state"], "ok");
  EXPECT_EQ(count("oversized_bodies"), 1u);
}

TEST_F(GatewayTest, WithoutATokenNothingChangesAndItIsCounted) {
  ASSERT_EQ(post("/v1/batches", batch_text({"sh010"}), "a").status, 201);
  const Digest before = farm_.state_hash_now();
  const auto bare = [this](const std::string& path, const std::string& body) {
    return reply_of(client().Post(path, body, "application/json")).status;
  };
  EXPECT_EQ(bare("/v1/batches", batch_text({"sh020"})), 401);
  EXPECT_EQ(bare("/v1/shots/demo/sh010/cancel", ""), 401);
  EXPECT_EQ(bare("/v1/shots/demo/sh010/approve", "{\"take\": 1}"), 401);
  EXPECT_EQ(bare("/v1/shots/demo/sh010/retry", "{}"), 401);
  EXPECT_EQ(bare("/v1/tasks/1/skip", ""), 401);
  EXPECT_EQ(bare("/v1/workers/w/drain", ""), 401);
  EXPECT_EQ(post("/v1/shots/demo/sh010/cancel", "", "v").status, 403);
  EXPECT_EQ(farm_.state_hash_now(), before);
  EXPECT_EQ(count("unknown_tokens"), 6u);
  EXPECT_EQ(count("refused_roles"), 1u);
}

TEST_F(GatewayTest, ARequestThatNeverEndsHoldsNothing) {
  EXPECT_THAT(raw("GET /v1/health HTTP/1.1\r\nHost: x\r\n"), HasSubstr(" 408 "));
  EXPECT_EQ(count("slow_requests"), 1u);
  std::string many = "GET /v1/health HTTP/1.1\r\n";
  for (int i = 0; i < 100; ++i) many += "X-" + std::to_string(i) + ": x\r\n";
  EXPECT_THAT(raw(many + "\r\n"), HasSubstr(" 431 "));
  EXPECT_THAT(raw("GET /v1/health HTTP/1.1\r\nX: " + std::string(40'000, 'x') + "\r\n\r\n"),
              HasSubstr(" 431 "));
  EXPECT_EQ(count("oversized_headers"), 2u);
  EXPECT_THAT(raw("GET /v1/health HTTP/1.1\r\nHost: x\r\n\r\n"), HasSubstr("200 OK"));
}

TEST_F(GatewayTest, WishesReachTheShot) {
  ASSERT_EQ(post("/v1/batches", batch_text({"sh010"}), "a").status, 201);
  const auto paused = post("/v1/shots/demo/sh010/pause", "", "a");
  EXPECT_EQ(paused.status, 200) << paused.body;
  EXPECT_NE(paused.json["paused"], "no");
  EXPECT_EQ(post("/v1/shots/demo/sh010/resume", "", "a").json["paused"], "no");
  const auto cancelled = post("/v1/shots/demo/sh010/cancel", "", "a");
  EXPECT_EQ(cancelled.json["state"], "cancelled") << cancelled.body;
  farm_.add_worker("w1");
  const auto drained = post("/v1/workers/w1/drain", "", "root");
  EXPECT_EQ(drained.status, 200);
  EXPECT_EQ(drained.json["state"], "drained") << drained.body;
  const auto undrained = post("/v1/workers/w1/undrain", "", "root");
  EXPECT_EQ(undrained.json["state"], "idle") << undrained.body;
  EXPECT_THAT(std::string(undrained.json["message"]), HasSubstr("gets tasks again"));
  const auto living = post("/v1/workers/w1/forget", "", "root");
  EXPECT_EQ(living.status, 409);
  EXPECT_THAT(living.body, HasSubstr("rushes drain w1"));
  for (const char* verb : {"drain", "undrain", "forget"}) {
    EXPECT_EQ(post(std::string("/v1/workers/w2/") + verb, "", "root").status, 404);
    EXPECT_EQ(post(std::string("/v1/workers/w1/") + verb, "", "s").status, 403);
  }
}

TEST_F(GatewayTest, EventsAreNumberedAndWaitedFor) {
  ASSERT_EQ(post("/v1/batches", batch_text({"sh010"}), "a").status, 201);
  const auto first = get("/v1/events?since=0").json;
  ASSERT_FALSE(first["events"].empty());
  EXPECT_EQ(first["events"][0]["seq"], 1);
  const auto at = first["events"][0]["at"].get<std::string>();
  EXPECT_THAT(at, MatchesRegex("[0-9-]{10}T[0-9:]{8}[.][0-9]{3}Z"));
  EXPECT_TRUE(config::parse_instant(at)) << at;
  const auto next = first["next"].get<std::uint64_t>();
  EXPECT_EQ(next, first["events"].size());
  EXPECT_TRUE(get("/v1/events?since=" + std::to_string(next)).json["events"].empty());
  std::thread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    post("/v1/shots/demo/sh010/pause", "", "a");
  });
  const auto woken = get("/v1/events?wait=20&since=" + std::to_string(next)).json;
  later.join();
  ASSERT_FALSE(woken["events"].empty());
  EXPECT_EQ(woken["events"][0]["seq"].get<std::uint64_t>(), next + 1);
}

TEST_F(GatewayTest, BelowTheReserveSubmitsAreRefusedAndWorkFinishes) {
  ASSERT_EQ(post("/v1/batches", batch_text({"sh010"}), "a").status, 201);
  disk_full_ = true;
  const auto refused = post("/v1/batches", batch_text({"sh020"}), "a");
  EXPECT_EQ(refused.status, 507);
  EXPECT_EQ(refused.json["error"]["kind"], "exhausted");
  EXPECT_EQ(get("/v1/health").json["state"], "full");
  farm_.add_worker("w1");
  ASSERT_TRUE(farm_.wait_done());
  EXPECT_EQ(farm_.shot_state("sh010"), "delivered");
}

TEST_F(GatewayTest, ArtifactsAndFilesAreServedFromTheirPlacesOnly) {
  const std::string bytes = std::string(3 << 20, 'x') + "end";
  const auto digest = farm_.vault().put(bytes).value();
  EXPECT_EQ(get("/v1/artifacts/" + to_hex(digest)).body, bytes);
  EXPECT_EQ(get("/v1/artifacts/" + std::string(64, '0')).status, 404);

  const auto renders = farm_.folder() / "renders";
  std::filesystem::create_directories(renders / "demo");
  std::ofstream(renders / "demo" / "clip.mov") << "a movie";
  std::ofstream(farm_.folder() / "outside.txt") << "not yours";
  std::filesystem::create_symlink(farm_.folder() / "outside.txt", renders / "demo" / "link");
  EXPECT_EQ(get("/v1/files/demo/clip.mov").body, "a movie");
  for (const char* path : {"../outside.txt", "demo/../../outside.txt", "%2e%2e/outside.txt", "/etc/passwd",
                           "demo", "demo/link", "none"}) {
    const auto reply = get(std::string("/v1/files/") + path);
    EXPECT_EQ(reply.status, 404) << path;
    EXPECT_EQ(reply.body.find("not yours"), std::string::npos);
  }
}

TEST_F(GatewayTest, APictureIsServedAsWhatItIsInAnyRange) {
  const std::string movie = std::string("\0\0\0 ftypisom", 12) + std::string(3 << 20, 'm');
  const std::string sheet = "\x89PNG\r\n\x1a\n picture";
  for (const auto& [bytes, type] : {std::pair{movie, "video/mp4"},
                                    {sheet, "image/png"},
                                    {std::string("{\"score\": 1}"), "application/json"},
                                    {std::string(), "application/octet-stream"},
                                    {std::string("\x10\0\0\0 tensors", 12), "application/octet-stream"}}) {
    const std::string path = "/v1/artifacts/" + to_hex(farm_.vault().put(bytes).value());
    const auto whole = client().Get(path, token("v"));
    ASSERT_TRUE(whole) << type;
    EXPECT_EQ(whole->status, 200);
    EXPECT_EQ(whole->body, bytes);
    EXPECT_EQ(whole->get_header_value("Content-Type"), type);
    EXPECT_THAT(whole->get_header_value("Cache-Control"), HasSubstr("immutable"));
    if (bytes.size() < 12) continue;
    const std::string end = std::to_string(bytes.size() - 1);
    const auto part = client().Get(path, token("v", {{"Range", "bytes=4-" + end}}));
    ASSERT_TRUE(part);
    EXPECT_EQ(part->status, 206);
    EXPECT_EQ(part->body, bytes.substr(4));
    EXPECT_EQ(part->get_header_value("Content-Range"), "bytes 4-" + end + "/" + std::to_string(bytes.size()));
    const auto beyond = client().Get(path, token("v", {{"Range", "bytes=99999999-"}}));
    ASSERT_TRUE(beyond);
    EXPECT_EQ(beyond->status, 416);
    EXPECT_EQ(beyond->get_header_value("Content-Range"), "bytes */" + std::to_string(bytes.size()));
    const auto many = client().Get(path, token("v", {{"Range", "bytes=0-1,3-4,0-7"}}));
    ASSERT_TRUE(many);
    EXPECT_EQ(many->body, bytes) << "several ranges are answered with all of it";
    EXPECT_EQ(reply_of(client().Get(path)).status, 401);
  }
}

TEST_F(GatewayTest, ATakeInReviewIsAskedForByNumberAndKind) {
  ASSERT_EQ(post("/v1/batches", batch_text({"sh010"}), "a").status, 201);
  const std::string path = "/v1/shots/demo/sh010/delivery";
  EXPECT_EQ(get(path + "?take=1").status, 409) << "not rendered yet";
  farm_.add_worker("w1");
  ASSERT_TRUE(farm_.wait_done());
  const auto draft = get(path + "?kind=draft&take=1");
  ASSERT_EQ(draft.status, 200) << draft.body;
  const auto spec = decode_task(draft.body);
  ASSERT_TRUE(spec) << spec.error().message;
  EXPECT_EQ(spec->stage, Stage::kDeliver);
  EXPECT_EQ(spec->delivery.version, "take1_v0");
  for (const Input& input : spec->inputs)
    EXPECT_EQ(get("/v1/artifacts/" + to_hex(input.digest)).status, 200) << to_string(input.role);
  EXPECT_EQ(get(path + "?kind=proxy&take=1").status, 409) << "this worker makes no movies";
  EXPECT_EQ(get(path + "?kind=master&take=1").status, 409);
  for (const char* query : {"?kind=film", "?take=0", "?take=x", "?take=-1", "?take=99999999999999999999",
                            "?version=-1", "?version=1e3", "?kind=master&version=0"})
    EXPECT_EQ(get(path + query).status, 400) << query;
  EXPECT_EQ(get(path + "?take=77").status, 404);
  EXPECT_EQ(get(path + "?take=1&version=9").status, 404);
  EXPECT_EQ(get("/v1/shots/demo/none/delivery").status, 404);
}

TEST_F(GatewayTest, ABackupIsAnAdminsAndItsNameAWord) {
  EXPECT_EQ(post("/v1/backups/monday", "", "s").status, 403);
  const auto made = post("/v1/backups/monday", "", "root");
  EXPECT_EQ(made.status, 201) << made.body;
  EXPECT_EQ(made.json["folder"], (farm_.folder() / "backups" / "monday").string());
  EXPECT_GT(made.json["bytes"].get<int>(), 0);
  EXPECT_EQ(post("/v1/backups/monday", "", "root").status, 409);
  EXPECT_EQ(post("/v1/backups/a.b", "", "root").status, 400);
  for (const char* path : {"/v1/backups/..", "/v1/backups/../x", "/v1/backups/a/b", "/v1/backups/%2e%2e%2fx"})
    EXPECT_EQ(post(path, "", "root").status, 400) << path;
  EXPECT_EQ(post("/v1/backups/", "", "root").status, 404);
  EXPECT_FALSE(std::filesystem::exists(farm_.folder() / "x"));
}

TEST_F(GatewayTest, APortInUseIsSaid) {
  const auto second = Gateway::start({}, "127.0.0.1", gateway_->port());
  ASSERT_FALSE(second) << "two farms on one port";
  EXPECT_EQ(second.error().kind, ErrorKind::kExhausted);
  EXPECT_THAT(second.error().message, HasSubstr("in use"));
}

TEST_F(GatewayTest, AStoppingFarmAnswersInsteadOfHanging) {
  farm_.loop().stop();
  const auto reply = get("/v1/shots");
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(post("/v1/batches", batch_text({"sh010"}), "a").status, 503);
}

}  // namespace
}  // namespace rushes::scheduler
