// Random histories: workers crash, vanish, repeat themselves and fail; the scheduler is killed at any event
// and starts from its journal; people pause, cancel, skip and retry. After every event all invariants hold, a
// replay gives the same state, nothing acknowledged is lost, and once the faults stop every shot ends.
#include <algorithm>

#include "scheduler/core/journal/record_codec.h"
#include "scheduler/core/journal/snapshot.h"
#include "scheduler/core/state/apply.h"
#include "scheduler/core/state/retention.h"
#include "tests/scheduler/core/sim_farm.h"

namespace rushes::scheduler {
namespace {

class Chaos {
 public:
  explicit Chaos(std::uint64_t seed) : random_(seed) {
    farm_.check_every_step = true;
    for (int i = 0; i < 4; ++i) {
      workers_.push_back(
          std::make_unique<SimWorker>(farm_, "w" + std::to_string(i), 1 + chance(30), chance(50) ? 2 : 0));
      workers_.back()->critic = [this](const Task& task) { return critic(task); };
    }
  }

  void run(int events) {
    submit();
    for (int i = 0; i < events && !testing::Test::HasFatalFailure(); ++i) {
      act();
      note_acknowledged();
      if (i % 200 == 0) check_replay();
    }
    if (testing::Test::HasFatalFailure()) return;
    settle();
    for (const Shot& shot : farm_.state().shots) {
      EXPECT_TRUE(shot.state == ShotState::kDelivered || shot.state == ShotState::kCancelled)
          << shot.key << " is " << to_string(shot.state) << ": " << shot.reason;
    }
    check_replay();
  }

  std::size_t restarts = 0, crashes = 0;
  std::size_t acknowledged() const { return results_.size(); }
  const TestFarm& farm() const { return farm_; }

 private:
  bool chance(unsigned percent) { return random_() % 100 < percent; }
  SimWorker& any_worker() { return *workers_[random_() % workers_.size()]; }

  Critique critic(const Task& task) {
    // A function of the task, so that a repeated attempt says the same.
    std::mt19937_64 dice(task.plan.id.number() * 31 + task.plan.revision);
    Critique critique;
    const unsigned roll = dice() % 100;
    critique.verdict = roll < 10   ? Verdict::kReject
                       : roll < 40 ? Verdict::kRevise
                       : roll < 95 ? Verdict::kPass
                                   : Verdict::kUnknown;
    critique.score = static_cast<float>(dice() % 1000) / 1000;
    Finding finding;
    finding.dimension = dice() % 2 ? "seam" : "flicker";
    finding.severity = 0.5f;
    finding.window = dice() % 3;
    critique.findings.push_back(finding);
    return critique;
  }

  void submit() {
    std::vector<config::Shot> shots;
    for (int i = 0; i < 3; ++i) {
      const int number = next_shot_++;
      config::Shot shot = test_shot("sh" + std::to_string(number), 9 + static_cast<int>(random_() % 90),
                                    1 + static_cast<int>(random_() % 3), number % 2 ? "one" : "two");
      shot.gate = chance(20);
      shot.upgrade.enabled = chance(25);
      shot.upgrade.scale = 2;
      shot.priority = static_cast<int>(random_() % 3) * 40;
      if (chance(20)) shot.approve = config::Approve::kPerson;
      shots.push_back(shot);
    }
    farm_.submit(std::move(shots));
  }

  std::string any_shot() {
    const auto& shots = farm_.state().shots;
    return shots[ShotId(static_cast<std::uint32_t>(random_() % shots.size()))].key;
  }

  void act() {
    SimWorker& worker = any_worker();
    const unsigned roll = random_() % 1000;
    if (roll < 60) return worker.hello();
    if (roll < 150) return worker.beat();
    if (roll < 350) return worker.receive();
    if (roll < 640) {
      if (worker.held.empty()) return worker.receive();
      const AttemptId ref = worker.held[random_() % worker.held.size()];
      if (chance(70)) worker.start(ref);
      worker.complete(ref);
      if (chance(10)) worker.complete(ref);  // a repeated message
      return;
    }
    if (roll < 660 && !worker.held.empty()) return worker.fail(worker.held.front());
    if (roll < 672) {  // SIGKILL of the worker: all that it held and was told is gone
      worker.receive();
      worker.lose_everything();
      ++crashes;
      return chance(50) ? worker.hello() : farm_.step(event::Disconnected{worker.name});
    }
    if (roll < 690 && !farm_.sent.empty()) {  // a lost message
      farm_.sent.erase(farm_.sent.begin() + static_cast<std::ptrdiff_t>(random_() % farm_.sent.size()));
      return;
    }
    if (roll < 700) {
      ++restarts;
      return farm_.restart();
    }
    if (roll < 705) return farm_.snapshot();
    if (roll < 713 && next_shot_ < 6) return submit();
    if (roll < 717) return farm_.step(event::Pause{1, any_shot(), "ann"});
    if (roll < 723) return farm_.step(event::Resume{1, any_shot(), "ann"});
    if (roll < 724) return farm_.step(event::Cancel{1, any_shot(), "ann"});
    if (roll < 731) return farm_.step(event::Retry{1, any_shot(), 0, {}, "", "ann"});
    if (roll < 733) return farm_.step(event::Retry{1, any_shot(), 1, {0}, "again", "ann"});
    if (roll < 734) return farm_.step(event::Retry{1, any_shot(), 2, {}, "another one", "ann", roll, "blue"});
    if (roll < 735) return farm_.step(event::Keep{1, any_shot(), 1, "ann"});
    if (roll < 736) return farm_.step(event::Revert{1, any_shot(), 1, {}, "ann"});
    if (roll < 737) return farm_.step(event::RestoreTake{1, any_shot(), 1, "ann"});
    if (roll < 738) return farm_.step(event::RemoveShot{1, any_shot(), "ann"});
    if (roll < 739)
      return farm_.step(event::Skip{1, TaskId(1 + random_() % farm_.state().tasks.size()), "ann"});
    if (roll < 743)
      return farm_.step(event::Approve{1, any_shot(), 1 + static_cast<std::uint32_t>(random_() % 3), "ann"});
    if (roll < 746) return farm_.step(event::Upgrade{1, any_shot(), "ann"});
    if (roll < 748) return farm_.step(event::DrainWorker{1, worker.name, "ann"});
    if (roll < 749) return farm_.step(event::UndrainWorker{1, worker.name, "ann"});
    if (roll < 750) return farm_.step(event::ForgetWorker{1, worker.name, "ann"});
    if (roll < 755) return farm_.step(event::FromWorker{worker.name, protocol::Bye{}});
    if (roll < 760) return farm_.step(event::CollectGarbage{1, chance(20)});
    farm_.pass_ms(static_cast<std::int64_t>(random_() % 4000));
  }

  // Invariants 1 and 2: what was accepted stays, with the same content.
  void note_acknowledged() {
    for (const Task& task : farm_.state().tasks) {
      if (task.state != TaskState::kSucceeded) continue;
      const auto [known, is_new] = results_.try_emplace(task.plan.id, task.result.outputs.front().digest);
      ASSERT_EQ(known->second, task.result.outputs.front().digest)
          << "task " << task.plan.id.number() << " changed";
    }
    for (const auto& [id, digest] : results_) {
      ASSERT_EQ(farm_.state().task(id).state, TaskState::kSucceeded)
          << "task " << id.number() << " was accepted";
    }
  }

  void check_replay() {
    State again;
    for (const Record& record : farm_.journal) {
      ASSERT_TRUE(check(again, record).has_value());
      scheduler::apply(again, record);
    }
    ASSERT_EQ(state_hash(again), state_hash(farm_.state()));
    const State recovered = farm_.recovered();
    ASSERT_EQ(state_hash(recovered), state_hash(farm_.state())) << "a snapshot missed a change";
    ASSERT_EQ(recovered.events.last(), farm_.state().events.last());
  }

  // A take is approved, or rendered again where its pictures left.
  void look_at(const Shot& shot, std::uint32_t take) {
    const std::string key = shot.key;
    if (has_left(shot.take(take)))
      farm_.step(event::Retry{1, key, take, {}, "", "ann"});
    else
      farm_.step(event::Approve{1, key, take, "ann"});
  }

  // No more faults; a person looks after what needs one. Everything has to end.
  void settle() {
    for (int round = 0; round < 60 && !testing::Test::HasFatalFailure(); ++round) {
      for (auto& worker : workers_) {
        farm_.step(event::UndrainWorker{1, worker->name, "ann"});
        worker->hello();
      }
      std::vector<SimWorker*> all;
      for (auto& worker : workers_) all.push_back(worker.get());
      run_to_end(farm_, all);
      note_acknowledged();
      bool open = false;
      const std::size_t count = farm_.state().shots.size();
      for (ShotId id(0); id.number() < count; ++id) {
        const Shot& shot = farm_.state().shots[id];
        const std::string key = shot.key;
        open = open || (shot.state != ShotState::kDelivered && shot.state != ShotState::kCancelled);
        if (shot.pause_requested) farm_.step(event::Resume{1, key, "ann"});
        if (shot.state == ShotState::kReview) look_at(shot, shot.ranking.front());
        if (farm_.state().shots[id].state != ShotState::kAttention) continue;
        if (shot.attention_task == kNoId) {  // every take was dropped
          has_left(shot.take(1)) ? look_at(shot, 1) : farm_.step(event::RestoreTake{1, key, 1, "ann"});
        } else {
          farm_.step(event::Retry{1, key, 0, {}, "", "ann"});
        }
      }
      if (!open) return;
      farm_.pass_ms(30'000);
    }
  }

  std::mt19937_64 random_;
  static Settings settings() {
    Settings settings = test_settings();
    constexpr double kSecond = 1.0 / 86'400;  // in days
    settings.retention = {5 * kSecond, 60 * kSecond};
    return settings;
  }
  TestFarm farm_{settings()};
  std::vector<std::unique_ptr<SimWorker>> workers_;
  std::map<TaskId, Digest> results_;
  int next_shot_ = 0;
};

class Random : public testing::TestWithParam<int> {};

TEST_P(Random, NoViolationAndEveryShotEnds) {
  Chaos chaos(static_cast<std::uint64_t>(GetParam()));
  chaos.run(2000);
  EXPECT_GT(chaos.restarts, 5u);
  EXPECT_GT(chaos.crashes, 5u);
  EXPECT_GT(chaos.acknowledged(), 30u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, Random, testing::Range(1, 13));

}  // namespace
}  // namespace rushes::scheduler
