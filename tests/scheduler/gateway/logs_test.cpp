// What attempts printed, over HTTP: every attempt of a task, every task of a shot.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "config/instant.h"
#include "tests/scheduler/gateway/gateway_fixture.h"

namespace rushes::scheduler {
namespace {

using testing::HasSubstr;

class LogsTest : public GatewayTest {
 protected:
  // The first task of the first shot fails on w1, with `text` as its last lines.
  void fail_first_task(const std::string& text) {
    farm_.add_worker("w1").hold = true;
    ASSERT_EQ(post("/v1/batches", batch_text({"sh010"}), "a").status, 201);
    AttemptId id;
    for (int i = 0; i < 500 && id.task == kNoId; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      const auto held = farm_.loop().query([](const State& state, Now) {
        const Task& task = state.task(TaskId(1));
        return is_held(task.state) ? AttemptId{TaskId(1), task.attempt, task.lease().id} : AttemptId{};
      });
      if (held) id = *held;
    }
    ASSERT_NE(id.task, kNoId) << "nobody took the task";
    farm_.loop().post("w1", protocol::Started{id});
    Json tasks;
    for (int i = 0; i < 500 && tasks.empty(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      tasks = get("/v1/shots/demo/sh010").json["notable_tasks"];
    }
    ASSERT_EQ(tasks.size(), 1u) << "its shot says which task it is";
    EXPECT_EQ(tasks[0]["task"], 1);
    EXPECT_EQ(tasks[0]["state"], "running");
    EXPECT_EQ(tasks[0]["worker"], "w1");
    farm_.loop().post("w1", protocol::Failed{id, FailKind::kInput, "it broke", "exit 1", text});
  }
};

TEST_F(LogsTest, HaveTheLinesOfEveryAttempt) {
  fail_first_task("first words\n");
  Json attempts;
  for (int i = 0; i < 500 && attempts.size() < 1; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    const Json answer = get("/v1/logs/1").json;
    ASSERT_EQ(answer["tasks"].size(), 1u) << answer;
    attempts = Json::array();
    for (const Json& attempt : answer["tasks"][0]["attempts"])
      if (attempt["state"] == "failed") attempts.push_back(attempt);
  }
  ASSERT_EQ(attempts.size(), 1u);
  EXPECT_EQ(attempts[0]["attempt"], 1);
  EXPECT_EQ(attempts[0]["worker"], "w1");
  EXPECT_EQ(attempts[0]["kind"], "input");
  EXPECT_EQ(attempts[0]["message"], "it broke (exit 1)");
  EXPECT_EQ(attempts[0]["log"], "first words\n");
  EXPECT_TRUE(config::parse_instant(attempts[0]["started"].get<std::string>())) << attempts;
  EXPECT_TRUE(config::parse_instant(attempts[0]["ended"].get<std::string>())) << attempts;
  EXPECT_GE(attempts[0]["seconds"].get<double>(), 0);
}

TEST_F(LogsTest, OfAShotHaveAllTasksThatWereTried) {
  ASSERT_EQ(post("/v1/batches", batch_text({"sh010", "sh020"}), "a").status, 201);
  EXPECT_TRUE(get("/v1/logs/demo/sh010").json["tasks"].empty()) << "no worker is there";
  farm_.add_worker("w1");
  ASSERT_TRUE(farm_.wait_done());
  const Json answer = get("/v1/logs/demo/sh010").json;
  EXPECT_EQ(answer["left_off"], 0);
  EXPECT_GT(answer["tasks"].size(), 3u);
  for (const Json& task : answer["tasks"]) {
    EXPECT_EQ(task["shot"], "demo/sh010");
    ASSERT_EQ(task["attempts"].size(), 1u) << task;
    EXPECT_EQ(task["attempts"][0]["state"], "succeeded");
    EXPECT_EQ(task["attempts"][0]["worker"], "w1");
    EXPECT_EQ(task["attempts"][0]["log"], "log of output of " + task["name"].get<std::string>()) << task;
  }
  EXPECT_EQ(get("/v1/logs/demo/sh099").status, 404);
  EXPECT_EQ(get("/v1/logs/999").status, 404);
  EXPECT_EQ(get("/v1/logs/demo/sh020", "g").status, 403);
}

TEST_F(LogsTest, SayHowManyTasksTheyLeaveOff) {
  ASSERT_EQ(post("/v1/batches", batch_text({"sh010"}), "a").status, 201);
  farm_.add_worker("w1");
  ASSERT_TRUE(farm_.wait_done());
  const Json all = get("/v1/logs/demo/sh010").json["tasks"];
  ASSERT_GT(all.size(), 2u);
  storage::Append append;
  for (std::uint32_t attempt = 2; attempt < 20; ++attempt)
    append.logs.push_back({all[1]["task"].get<std::uint64_t>(), attempt, std::string(60'000, 'x')});
  ASSERT_TRUE(farm_.ledger().append(std::move(append)));
  ASSERT_TRUE(farm_.ledger().flush());
  const Json answer = get("/v1/logs/demo/sh010").json;
  EXPECT_EQ(answer["tasks"].size(), 2u) << "the second one fills the answer";
  EXPECT_EQ(answer["left_off"], all.size() - 2);
}

// Attempts that the state has forgotten still have their lines.
TEST_F(LogsTest, OfAttemptsLongAgoHaveTheLinesOnly) {
  ASSERT_EQ(post("/v1/batches", batch_text({"sh010"}), "a").status, 201);
  farm_.add_worker("w1");
  ASSERT_TRUE(farm_.wait_done());
  storage::Append append;
  append.logs.push_back({1, 7, "words of long ago"});
  ASSERT_TRUE(farm_.ledger().append(std::move(append)));
  ASSERT_TRUE(farm_.ledger().flush());
  const Json attempts = get("/v1/logs/1").json["tasks"][0]["attempts"];
  ASSERT_EQ(attempts.size(), 2u) << attempts;
  EXPECT_EQ(attempts[1]["attempt"], 7);
  EXPECT_EQ(attempts[1]["state"], "unknown");
  EXPECT_EQ(attempts[1]["log"], "words of long ago");
}

}  // namespace
}  // namespace rushes::scheduler
