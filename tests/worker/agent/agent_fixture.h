// The agent between a scheduler and engines that the test plays.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/records/words_codec.h"
#include "tests/scheduler/protocol/records.h"
#include "worker/agent/agent.h"

namespace rushes::worker {

using namespace protocol;
using protocol::test::test_result;
using protocol::test::test_spec;
using testing::ElementsAre;
using testing::IsEmpty;

inline constexpr std::uint32_t kLease = 15'000;

inline AttemptId id(std::uint64_t task, std::uint32_t attempt = 1) {
  return {TaskId(task), attempt, 100 * task + attempt};
}

struct AgentTest : ::testing::Test {
  AgentTest() { start({}); }

  Resources resources{{{2, 0}}, 8ull << 30, 0};
  void start(std::vector<Completed> outbox) {
    AgentOptions options;
    options.name = "worker";
    options.offer.build = "test";
    options.offer.resources = resources;
    options.offer.prefetch = 1;
    agent.emplace(options, std::move(outbox), now);
  }
  void join() {
    agent->on_connected(now);
    agent->on_ready(0, "test-class", now);
    agent->on_ready(1, "test-class", now);
    const auto hello = sent<Hello>();
    ASSERT_EQ(hello.size(), 1u);
    Welcome welcome;
    welcome.sequence = hello[0].sequence;
    agent->on_message(welcome, now);
    take();
  }
  void pass(Time time) {
    for (const Time end = now + time; now < end;) {
      now += Time(500);
      agent->on_tick(now);
    }
  }
  // Time passes and every heartbeat is acknowledged at once.
  void pass_acknowledged(Time time) {
    for (const Time end = now + time; now < end;) {
      pass(Time(500));
      for (const auto& beat : sent<Heartbeat>()) agent->on_message(HeartbeatAck{beat.sequence}, now);
    }
  }
  void assign(const AttemptId& attempt) {
    agent->on_message(Assign{attempt, kLease, 0, test_spec({{digest_of("in"), 2}})}, now);
  }
  void assign_and_run(const AttemptId& attempt) {
    assign(attempt);
    agent->on_fetched(attempt, {}, now);
  }
  TaskResult outputs() { return test_result({{digest_of("out"), 3}}); }

  void take() {
    for (Action& action : agent->take_actions()) actions.push_back(std::move(action));
  }
  // All actions of one kind since they were last asked for; the others stay.
  template <typename T>
  std::vector<T> all() {
    take();
    std::vector<T> found;
    std::erase_if(actions, [&](Action& action) {
      if (auto* body = std::get_if<T>(&action)) found.push_back(std::move(*body));
      return std::holds_alternative<T>(action);
    });
    return found;
  }
  template <typename T>
  std::vector<T> sent() {
    take();
    std::vector<T> found;
    std::erase_if(actions, [&](Action& action) {
      auto* send = std::get_if<action::Send>(&action);
      if (!send || !std::holds_alternative<T>(send->message)) return false;
      found.push_back(std::get<T>(send->message));
      return true;
    });
    return found;
  }

  Time now{1'000'000};
  std::optional<Agent> agent;
  std::vector<Action> actions;
};

}  // namespace rushes::worker
