#include "tests/simulation/people.h"

#include <utility>

#include "scheduler/core/state/retention.h"

namespace rushes::simulation {

using scheduler::ShotState;
namespace event = scheduler::event;

namespace {

constexpr std::int64_t kPatience = 30'000;  // as Loop::kPatience
constexpr std::int64_t kAgain = 1'000;
constexpr std::int64_t kCollect = 2'000;  // a studio of minutes has no time for an hour

}  // namespace

People::People(World& world, std::uint32_t tasks)
    : world_(world), dice_(world.seed, 5), tasks_(tasks), model_(studio_model()) {}

void People::begin() {
  submitting_ = true;
  submit();
  collect();
}

void People::collect() {
  world_.scheduler->request(event::CollectGarbage{}, [](const auto&) {});
  world_.timeline.in(kCollect, [this] { collect(); });
}

void People::submit() {
  if (submitted_ >= tasks_) {
    submitting_ = false;
    return;
  }
  event::SubmitBatch batch;
  batch.idempotency_key = batch.name = "batch" + std::to_string(next_batch_++);
  batch.text = digest_of(batch.name);
  batch.by = "ann";
  for (auto shots = dice_.between(1, 4); shots > 0; --shots)
    batch.shots.push_back({studio_shot(dice_, next_shot_++), model_, {}});
  ask(std::move(batch));
}

void People::ask(event::SubmitBatch batch) {
  const auto answered = std::make_shared<bool>(false);
  const auto again = [this, batch, answered] {
    if (!std::exchange(*answered, true)) ask(batch);
  };
  const bool sent = world_.scheduler->request(batch, [this, batch, answered](const auto& answer) {
    if (std::exchange(*answered, true)) return;
    if (answer) {
      std::vector<std::string> shots;
      for (const auto& shot : batch.shots) shots.push_back(shot.shot.show + "/" + shot.shot.name);
      for (const auto& shot : std::get<scheduler::command::Submitted>(*answer).shots)
        submitted_ += shot.tasks;
      world_.oracle.acknowledged_submit(shots);
    } else {
      world_.oracle.complain(1, "a batch is refused: " + answer.error().message);
    }
    world_.timeline.in(dice_.between(0, 2'000), [this] { submit(); });
  });
  world_.timeline.in(sent ? kPatience : kAgain, again);
}

void People::insist(scheduler::Event wanted) {
  ++open_;
  const auto answered = std::make_shared<bool>(false);
  const auto again = [this, wanted, answered] {
    if (std::exchange(*answered, true)) return;
    --open_;
    insist(wanted);
  };
  const bool sent = world_.scheduler->request(wanted, [this, answered](const auto&) {
    if (!std::exchange(*answered, true)) --open_;
  });
  world_.timeline.in(sent ? kPatience : kAgain, again);
}

std::string People::any_shot(Dice& dice) const {
  const auto& shots = world_.oracle.shadow().shots();
  return shots.empty() ? "no/shot"
                       : shots[scheduler::ShotId(static_cast<std::uint32_t>(dice.below(shots.size())))].key;
}

std::string People::any_worker(Dice& dice) const {
  return worker_name(static_cast<int>(dice.below(world_.workers.size())));
}

void People::undrain_everybody() {
  for (int i = 0; i < static_cast<int>(world_.workers.size()); ++i)
    insist(event::UndrainWorker{0, worker_name(i), "ann"});
}

void People::wish(std::int64_t what) {
  Dice dice(static_cast<std::uint64_t>(what), 6);
  const std::string shot = any_shot(dice);
  const auto take = static_cast<std::uint32_t>(dice.between(1, 3));
  const auto tasks = world_.oracle.shadow().tasks().size();
  switch (dice.below(20)) {
    case 0:
    case 1:
      return insist(event::Pause{0, shot, "ann"});
    case 2:
    case 3:
      return insist(event::Resume{0, shot, "ann"});
    case 4:
      return insist(event::Cancel{0, shot, "ann"});
    case 5:
      return insist(event::Retry{0, shot, 0, {}, "", "ann"});
    case 6:
      return insist(event::Retry{0, shot, take, {0}, "again", "ann"});
    case 7:
      return insist(event::Skip{0, TaskId(1 + dice.below(tasks + 1)), "ann"});
    case 8:
      return insist(event::Approve{0, shot, take, "ann"});
    case 9:
      return insist(event::Upgrade{0, shot, "ann"});
    case 10:
      return insist(event::DrainWorker{0, any_worker(dice), "ann"});
    case 11:
      return insist(event::Retry{0, shot, 0, {1}, "brighter", "ann"});
    case 12:
      return insist(event::Retry{0, shot, take, {}, "another one", "ann", 7, "a blue ball"});
    case 17:
      return insist(event::RemoveShot{0, shot, "ann"});
    case 18:
      return insist(event::UndrainWorker{0, any_worker(dice), "ann"});
    case 19:
      return insist(event::ForgetWorker{0, any_worker(dice), "ann"});
    case 13:
      return insist(event::Keep{0, shot, take, "ann"});
    case 14:
      return insist(event::Revert{0, shot, take, {}, "ann"});
    case 15:
      return insist(event::Revert{0, shot, take, 0, "ann"});
    default:
      return insist(event::RestoreTake{0, shot, take, "ann"});
  }
}

std::size_t People::tend() {
  std::size_t count = 0;
  for (const scheduler::Shot& shot : world_.scheduler->state().shots) {
    if (shot.state == ShotState::kDelivered || shot.state == ShotState::kCancelled) continue;
    ++count;
    if (shot.pause_requested) {
      insist(event::Resume{0, shot.key, "ann"});
    } else if (shot.state == ShotState::kReview) {
      const std::uint32_t best = shot.ranking.front();
      if (has_left(shot.take(best)))
        insist(event::Retry{0, shot.key, best, {}, "look at it again", "ann"});
      else
        insist(event::Approve{0, shot.key, best, "ann"});
    } else if (shot.state == ShotState::kAttention && shot.attention_task != kNoId) {
      insist(event::Retry{0, shot.key, 0, {}, "", "ann"});
    } else if (shot.state == ShotState::kAttention) {  // every take was dropped
      if (has_left(shot.take(1)))
        insist(event::Retry{0, shot.key, 1, {}, "from its seed", "ann"});
      else
        insist(event::RestoreTake{0, shot.key, 1, "ann"});
    }
  }
  return count;
}

}  // namespace rushes::simulation
