#include "scheduler/core/state/retention.h"

#include <algorithm>
#include <cstdio>
#include <unordered_map>

#include "config/instant.h"
#include "config/mutation.h"
#include "scheduler/core/state/tasks.h"

namespace rushes::scheduler {
namespace {

bool is_shot_over(const Shot& shot) { return shot.state == ShotState::kCancelled || shot.archived != 0; }

// An upgrade was asked for and its master is not delivered yet.
bool is_upgrading(const Shot& shot) {
  return !is_shot_over(shot) && shot.state != ShotState::kDelivered && shot.approved != 0 &&
         shot.take(shot.approved).upgrade.enlarge != kNoId;
}

bool is_delivered(const Shot& shot, std::uint32_t take) {
  return std::any_of(shot.deliveries.begin(), shot.deliveries.end(),
                     [&](const DeliveryDone& delivery) { return delivery.take == take; });
}

// What can be said of a take without a look at its tasks; they may still keep it.
policy::RetainedTake facts_of(const Shot& shot, const Take& take) {
  policy::RetainedTake facts;
  facts.dropped = take.state == TakeState::kDropped;
  facts.approved = shot.approved == take.number;
  facts.delivered = is_delivered(shot, take.number);
  facts.kept_by_person = !take.chosen_by.empty() && !take.chosen_by_retry;
  const bool under_way = take.state == TakeState::kPlanned || take.state == TakeState::kRendering;
  facts.in_work = under_way && !is_shot_over(shot);
  facts.shot_over = is_shot_over(shot);
  facts.shot_at_rest = shot.state == ShotState::kReview || shot.state == ShotState::kDelivered;
  facts.upgrade_under_way = is_upgrading(shot);
  facts.changed_wall_ms = take.changed_wall_ms;
  facts.shot_over_wall_ms = std::max(shot.archived_wall_ms, shot.finished_wall_ms);
  return facts;
}

// Adds what the tasks of the shot say. Returns whether the take has artifacts.
bool add_tasks_of(const State& state, const Shot& shot, const Take& take, policy::RetainedTake& facts) {
  bool has_artifacts = false;
  for (const TaskId id : shot.tasks) {
    const Task& task = state.task(id);
    const bool open = !is_final(task.state) && !mutated(Mutation::kForgetOpenTasks);
    const bool own = task.plan.take == take.number;
    if (open) {
      facts.shot_at_rest = false;
      facts.in_work = facts.in_work || own;
      for (const Dependency& need : task.plan.needs)
        facts.needed = facts.needed || state.task(need.task).plan.take == take.number;
    }
    if (!own) continue;
    facts.changed_wall_ms = std::max(facts.changed_wall_ms, task.finished_wall_ms);
    facts.was_approved = facts.was_approved || task.plan.stage == Stage::kDeliver;
    has_artifacts = has_artifacts || (id >= take.left.before && !task.result.outputs.empty());
  }
  return has_artifacts;
}

// The take, if its days are over.
std::optional<LeavingTake> leaving(const State& state, const Shot& shot, const Take& take,
                                   const policy::RetentionDays& days, std::int64_t now_wall_ms) {
  const bool all_left = !take.versions.empty() && has_left(take, take.versions.back());
  if (take.versions.empty() || all_left) return std::nullopt;
  policy::RetainedTake facts = facts_of(shot, take);
  auto leave = policy::may_leave(facts);
  if (!leave || !policy::is_due(*leave, days, now_wall_ms))
    return std::nullopt;  // most of them: no look at tasks
  if (!add_tasks_of(state, shot, take, facts)) return std::nullopt;
  leave = policy::may_leave(facts);
  if (!leave || !policy::is_due(*leave, days, now_wall_ms)) return std::nullopt;
  LeavingTake found;
  found.id = {state.shots.id_of(shot), take.number};
  found.leave = *leave;
  found.days = policy::days_of(leave->as, days);
  return found;
}

// Where an artifact was found first, among the takes asked for.
struct Found {
  std::size_t take = 0;
  std::uint64_t bytes = 0;
  std::int64_t wall_ms = 0;  // when it was made last
};
using Artifacts = std::unordered_map<Digest, Found, DigestHash>;

// The outputs of the takes' tasks that left (`gone`) or are still there, without those that anything else of the farm
// has too. One pass over all tasks.
Artifacts own_artifacts(const State& state, const std::vector<TakeId>& takes, bool gone) {
  Artifacts own;
  for (std::size_t i = 0; i < takes.size(); ++i)
    for (const TaskId id : state.shots[takes[i].shot].tasks) {
      const Task& task = state.task(id);
      if (task.plan.take != takes[i].take || has_left(state, task) != gone) continue;
      for (const Output& output : task.result.outputs) {
        Found& found = own.try_emplace(output.digest, Found{i, output.bytes, 0}).first->second;
        found.wall_ms = std::max(found.wall_ms, task.finished_wall_ms);
      }
    }
  if (own.empty()) return own;
  std::vector<TakeId> sorted = takes;
  std::sort(sorted.begin(), sorted.end());
  for (const Task& task : state.tasks) {
    if (task.result.outputs.empty() || has_left(state, task)) continue;
    const TakeId take{task.shot, task.plan.take};
    if (!gone && std::binary_search(sorted.begin(), sorted.end(), take)) continue;
    for (const Output& output : task.result.outputs) own.erase(output.digest);
  }
  for (const Shot& shot : state.shots)
    for (const KeyFrame& key_frame : shot.spec.recipe.key_frames) own.erase(key_frame.image);
  return own;
}

std::string days_text(double days) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", days);
  return std::string(text) + (days == 1 ? " day" : " days");
}

}  // namespace

bool has_left(const State& state, const Task& task) {
  const Take* take = state.take_of(task);
  return take != nullptr && task.plan.id < take->left.before;
}

std::string why_left(const Shot& shot, const Take& take) {
  const std::string number = std::to_string(take.number);
  std::string remedy = "render it again as it was (rushes retry " + shot.key + " --take " + number + ")";
  if (is_shot_over(shot)) remedy = "submit the shot again";
  if (take.state == TakeState::kRendering) remedy = "it is being rendered again";
  return "the pictures of take " + number + " of " + shot.key + " left on " +
         config::instant_text(take.left.wall_ms).substr(0, 10) + " by the retention of its show (" +
         take.left.reason + "): " + remedy;
}

void begin_days_of_older_takes(State& state, std::int64_t wall_ms) {
  for (Shot& shot : state.shots)
    for (Take& take : shot.takes) {
      if (take.versions.empty() || take.changed_wall_ms != 0) continue;
      take.changed_wall_ms = wall_ms;
      mark_changed(state, shot);
    }
}

std::string reason_of(const LeavingTake& leaving) {
  switch (leaving.leave.as) {
    case policy::LeavesAs::kDropped:
      return "dropped, " + days_text(leaving.days);
    case policy::LeavesAs::kShotOver:
      return "its shot is over, " + days_text(leaving.days);
    case policy::LeavesAs::kUnapproved:
      break;
  }
  return "never approved, " + days_text(leaving.days);
}

std::vector<LeavingTake> takes_to_leave(const State& state, const Settings& settings,
                                        const LeavingSearch& search) {
  std::vector<LeavingTake> leaving_takes;
  std::vector<TakeId> ids;
  for (ShotId id = search.after.shot; state.shots.has(id) && ids.size() < search.most; ++id) {
    const Shot& shot = state.shots[id];
    const config::Retention says = config::retention_of(settings.shows, settings.retention, shot.spec.show);
    const policy::RetentionDays days{*says.dropped_days, *says.draft_days};
    if (days.dropped == config::Retention::kForever && days.drafts == config::Retention::kForever) continue;
    for (const Take& take : shot.takes) {
      if (ids.size() == search.most || TakeId{id, take.number} <= search.after) continue;
      const auto found = leaving(state, shot, take, days, search.now_wall_ms);
      if (!found) continue;
      ids.push_back(found->id);
      leaving_takes.push_back(*found);
    }
  }
  for (const auto& [digest, artifact] : own_artifacts(state, ids, false)) {
    LeavingTake& take = leaving_takes[artifact.take];
    ++take.artifacts;
    take.bytes += artifact.bytes;
    if (artifact.wall_ms < search.fresh_wall_ms) continue;
    ++take.later_artifacts;
    take.later_bytes += artifact.bytes;
  }
  return leaving_takes;
}

std::vector<Digest> unneeded_artifacts(const State& state, const std::vector<TakeId>& takes) {
  std::vector<Digest> digests;
  for (const auto& [digest, artifact] : own_artifacts(state, takes, true)) digests.push_back(digest);
  return digests;
}

std::vector<TakeId> takes_that_left(const State& state) {
  std::vector<TakeId> takes;
  for (const Shot& shot : state.shots)
    for (const Take& take : shot.takes)
      if (take.left.before != kNoId) takes.push_back({state.shots.id_of(shot), take.number});
  return takes;
}

}  // namespace rushes::scheduler
