// GET /v1/costs: sums, order, and what a limited token sees of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/scheduler/gateway/gateway_fixture.h"

namespace rushes::scheduler {
namespace {

using testing::HasSubstr;

class CostsTest : public GatewayTest {
 protected:
  // sh010 with one take, sh020 with three, both delivered; and a queued one of another show.
  void render() {
    ASSERT_EQ(post("/v1/batches", batch_text({"sh010"}), "a").status, 201);
    ASSERT_EQ(post("/v1/batches", batch_text({"sh020"}, 3), "a").status, 201);
    farm_.add_worker("w1");
    ASSERT_TRUE(farm_.wait_done());
    std::string other = batch_text({"sh010"});
    other.replace(other.find("show: demo"), 10, "show: other");
    ASSERT_EQ(post("/v1/batches", other, "a").status, 201);
    ASSERT_TRUE(farm_.wait_done());
  }
  static double total(const Json& row) { return row["device_seconds"]["total"].get<double>(); }
};

TEST_F(CostsTest, AreSumsOfTheShotsWithTheMostExpensiveFirst) {
  render();
  const Json costs = get("/v1/costs").json;
  ASSERT_EQ(costs["shots"].size(), 3u) << costs;
  EXPECT_EQ(costs["shots"][0]["shot"], "demo/sh020");
  EXPECT_EQ(costs["shots"][0]["state"], "delivered");
  double shots = 0;
  for (const Json& row : costs["shots"]) {
    const Json shot = get("/v1/shots/" + row["shot"].get<std::string>()).json;
    EXPECT_DOUBLE_EQ(total(row), total(shot)) << row;
    shots += total(row);
  }
  EXPECT_GT(shots, 0);
  EXPECT_DOUBLE_EQ(total(costs), shots);
  ASSERT_EQ(costs["shows"].size(), 2u);
  EXPECT_EQ(costs["shows"][0]["show"], "demo");
  EXPECT_EQ(costs["shows"][0]["shots"], 2);
  EXPECT_DOUBLE_EQ(total(costs["shows"][0]) + total(costs["shows"][1]), shots);
  ASSERT_EQ(costs["batches"].size(), 3u);
  EXPECT_EQ(costs["batches"][0]["batch"], 2);
  EXPECT_EQ(costs["batches"][0]["name"], "batch.yaml");
}

TEST_F(CostsTest, OfAShowOrOfShotsOnly) {
  render();
  const Json show = get("/v1/costs?show=other").json;
  ASSERT_EQ(show["shots"].size(), 1u);
  EXPECT_EQ(show["shots"][0]["shot"], "other/sh010");
  const Json shots = get("/v1/costs?shot=demo/sh010&shot=other/sh010").json;
  EXPECT_EQ(shots["shots"].size(), 2u);
  EXPECT_DOUBLE_EQ(total(shots), total(shots["shots"][0]) + total(shots["shots"][1]));
  EXPECT_EQ(get("/v1/costs?show=nowhere").status, 404);
  const auto another = get("/v1/costs?show=other&shot=demo/sh010");
  EXPECT_EQ(another.status, 400);
  EXPECT_THAT(another.body, HasSubstr("shot demo/sh010 belongs to none of the shows"));
  EXPECT_EQ(get("/v1/costs?show=demo&shot=demo/sh010").status, 200);
  const auto missing = get("/v1/costs?shot=demo/sh010&shot=demo/sh099");
  EXPECT_EQ(missing.status, 404);
  EXPECT_THAT(missing.body, HasSubstr("shot demo/sh099: there is none"));
}

TEST_F(CostsTest, AReplacedShotCountsOn) {
  render();
  const double before = total(get("/v1/costs?show=demo").json);
  ASSERT_EQ(post("/v1/batches?replace=1", batch_text({"sh020"}), "a").status, 201);
  ASSERT_TRUE(farm_.wait_done());
  const Json after = get("/v1/costs?show=demo").json;
  ASSERT_EQ(after["shots"].size(), 3u);
  EXPECT_EQ(after["shots"][0]["shot"], "demo/sh020@1");
  EXPECT_GT(total(after), before);
}

TEST_F(CostsTest, ABatchIsPricedBeforeAndWhenItIsSubmitted) {
  const Json guess = post("/v1/batches?dry_run=1", batch_text({"sh010"}, 2), "a").json;
  EXPECT_EQ(guess["price"]["basis"], "guess");
  EXPECT_THAT(guess["price"]["guessed"]["stages"].dump(), HasSubstr("draft denoise"));
  EXPECT_EQ(guess["price"]["guessed"]["expected"], guess["price"]["expected"]);
  render();
  const std::string batch = batch_text({"sh030", "sh040"}, 2);
  const Json dry = post("/v1/batches?dry_run=1", batch, "a").json;
  const Json& price = dry["shots"][0]["price"];
  EXPECT_EQ(price["basis"], "measured") << dry;
  EXPECT_EQ(price["guessed"], nullptr);
  EXPECT_EQ(price["stages"][0]["stage"], "encode");
  EXPECT_EQ(price["stages"][0]["level"], "draft");
  double low = 0, high = 0;
  for (const Json& stage : price["stages"]) {
    EXPECT_LE(stage["low"], stage["expected"]);
    EXPECT_LE(stage["expected"], stage["high"]);
    low += stage["low"].get<double>();
    high += stage["high"].get<double>();
  }
  EXPECT_DOUBLE_EQ(price["low"].get<double>(), low);
  EXPECT_DOUBLE_EQ(price["high"].get<double>(), high);
  EXPECT_DOUBLE_EQ(dry["price"]["high"].get<double>(), 2 * high) << "of both shots";
  EXPECT_GT(price["revisions"]["high"], price["revisions"]["expected"]);
  const Json submitted = post("/v1/batches", batch, "a").json;
  for (const char* key : {"low", "expected", "high", "revisions"})
    EXPECT_EQ(submitted["shots"][0]["price"][key], price[key]) << key;
  EXPECT_EQ(submitted["price"], dry["price"]);
}

TEST_F(CostsTest, OfALimitedTokenAreThoseThatItSees) {
  render();
  const Json show = get("/v1/costs", "demo-secret").json;
  EXPECT_EQ(show["shots"].size(), 2u);
  EXPECT_EQ(show["shows"].size(), 1u);
  EXPECT_EQ(show["batches"].size(), 2u);
  EXPECT_DOUBLE_EQ(total(show), total(get("/v1/costs?show=demo").json));
  const Json shot = get("/v1/costs", "g").json;
  ASSERT_EQ(shot["shots"].size(), 1u);
  EXPECT_DOUBLE_EQ(total(shot), total(get("/v1/costs?shot=demo/sh010").json));
  EXPECT_TRUE(shot["batches"].empty());
  EXPECT_EQ(get("/v1/costs?show=demo", "other-secret").status, 404);
  EXPECT_EQ(get("/v1/costs?shot=demo/sh020", "g").status, 404);
}

}  // namespace
}  // namespace rushes::scheduler
