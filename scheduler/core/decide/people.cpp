// Events of people: they submit, approve, retry, cancel.
#include <algorithm>
#include <set>

#include "scheduler/core/decide/events.h"
#include "scheduler/core/decide/lookup.h"
#include "scheduler/core/decide/moves.h"
#include "scheduler/core/decide/takes.h"
#include "scheduler/core/state/price.h"
#include "scheduler/core/state/retention.h"
#include "scheduler/plan/plan.h"
#include "scheduler/plan/recipe.h"

namespace rushes::scheduler {
namespace {

command::SubmittedShot summary(const ShotSpec& spec, Pricer& pricer) {
  const auto takes = static_cast<std::uint32_t>(spec.seeds.size());
  return {spec.show + "/" + spec.name,
          takes,
          static_cast<std::uint32_t>(1 + takes * count_take_tasks(spec)),
          static_cast<std::uint32_t>(spec.recipe.windows.size()),
          static_cast<std::uint32_t>(spec.recipe.frames),
          spec.deliver_rate,
          spec.seeds,
          {},
          spec.remarks,
          pricer.price_of(spec),
          {}};
}

// What farm.yaml says when a shot is submitted holds for all of it.
void choose_class(const Decision& decision, ShotSpec& spec) {
  const auto& shows = decision.settings().shows;
  const auto is_its = [&](const config::Show& show) { return show.name == spec.show; };
  const auto listed = std::find_if(shows.begin(), shows.end(), is_its);
  if (listed == shows.end() || listed->numeric_class.empty()) return;
  spec.recipe.numeric_class = listed->numeric_class;
  const auto offers = [&](const Worker& worker) {
    const auto& classes = worker.offer.numeric_classes;
    return worker.connected &&
           std::find(classes.begin(), classes.end(), listed->numeric_class) != classes.end();
  };
  const auto& workers = decision.state().workers;
  if (std::none_of(workers.begin(), workers.end(), offers))
    spec.remarks.push_back("show " + spec.show + ": its shots wait for a worker of numeric class " +
                           listed->numeric_class + ", and none is connected");
}

bool is_over(const Shot& shot) {
  return shot.state == ShotState::kDelivered || shot.state == ShotState::kCancelled;
}

// Of a shot that is cancelled or delivered.
std::string why_over(const Shot& shot) {
  if (shot.state == ShotState::kCancelled) return cancelled(shot);
  return "shot " + shot.key + " is delivered; nothing of it is left to do";
}

// Of a shot whose approved take has an upgrade.
std::string standing_of_upgrade(const Shot& shot) {
  if (shot.state == ShotState::kDelivered)
    for (auto delivery = shot.deliveries.rbegin(); delivery != shot.deliveries.rend(); ++delivery)
      if (delivery->master && delivery->take == shot.approved)
        return "is done: its master is delivered in " + delivery->folder;
  return "is already planned";
}

// The number under which a shot would be archived.
std::uint32_t free_number(const State& state, const Shot& shot) {
  std::uint32_t number = 1;
  while (state.find_shot(key_of(shot.spec, number)) != nullptr) ++number;
  return number;
}

// Its name is free afterwards; what of it still runs is called off.
void archive(Decision& decision, ShotId id, const std::string& by) {
  const Shot& shot = decision.state().shots[id];
  if (!is_over(shot)) {
    move_shot(decision, id, ShotState::kCancelled, "replaced by " + by);
    close_tasks(decision, id, 0, TaskState::kCancelled, "its shot was replaced by " + by);
  }
  decision.emit(record::ShotArchived{id, free_number(decision.state(), shot), by, decision.now().wall_ms});
}

}  // namespace

void on(Decision& decision, const event::SubmitBatch& e) {
  const State& state = decision.state();
  learn_settings(decision);
  Pricer pricer(state);
  if (const std::uint64_t known = state.names.batch(e.idempotency_key); known != 0) {
    const Batch& batch = state.batches[known];
    if (batch.text != e.text) {
      return decision.refuse(
          e.request, ErrorKind::kConflict,
          "idempotency key " + e.idempotency_key + " was used for another batch (" + batch.name + ")");
    }
    command::Submitted again{known, {}, true};
    for (const ShotId shot : batch.shots) again.shots.push_back(summary(state.shots[shot].spec, pricer));
    return decision.reply(e.request, std::move(again));
  }

  std::vector<ShotSpec> specs;
  std::string problems;
  std::set<std::string> names;
  std::vector<std::string> unknown;
  std::string denied;
  const auto problem = [&problems](const std::string& line) {
    problems += (problems.empty() ? "" : "\n") + line;
  };
  for (const event::ShotRequest& wanted : e.shots) {
    const std::string key = wanted.shot.show + "/" + wanted.shot.name;
    if (state.find_shot(key) != nullptr && !e.replace)
      problem(config::problem_at(wanted.shot, "name",
                                 "shot " + key +
                                     " is already on the farm; give it another name, or replace it (submit "
                                     "--replace)"));
    if (const Shot* before = state.find_shot(key); before != nullptr && e.replace && !e.overrules)
      if (const std::string its = overruled(*before); !its.empty())
        denied += (denied.empty() ? "" : "\n") + config::problem_at(wanted.shot, "name", its);
    if (!names.insert(key).second)
      problem(config::problem_at(wanted.shot, "name", "shot " + key + " is in the batch twice"));
    for (const auto& found : config::unknown_limits(wanted.shot, decision.settings().limits.shared))
      unknown.push_back(config::problem_at(wanted.shot, found.key, found.message));
    auto spec = resolve_shot(wanted.shot, *wanted.model, wanted.images, decision.settings().critics);
    if (spec) {
      spec->remarks = wanted.remarks;
      choose_class(decision, *spec);
      specs.push_back(std::move(*spec));
    } else {
      problem(config::problem_at(wanted.shot, "", spec.error().message));
    }
  }
  if (e.shots.empty()) problem("the batch has no shots");
  const bool conflict = specs.size() == e.shots.size() && !e.shots.empty() && unknown.empty();
  for (const std::string& line : unknown) problem(line);
  if (!problems.empty()) {
    return decision.refuse(e.request, conflict ? ErrorKind::kConflict : ErrorKind::kInvalid, problems);
  }
  if (!denied.empty()) return decision.refuse(e.request, ErrorKind::kDenied, denied);
  const auto open =
      std::count_if(state.shots.begin(), state.shots.end(), [](const Shot& s) { return !is_over(s); });
  if (open + static_cast<long>(specs.size()) > decision.settings().limits.open_shots) {
    return decision.refuse(e.request, ErrorKind::kExhausted,
                           "the farm holds " + std::to_string(open) + " open shots, at most " +
                               std::to_string(decision.settings().limits.open_shots) +
                               "; wait, or raise limits.open_shots");
  }

  command::Submitted answer;
  for (const ShotSpec& spec : specs) {
    answer.shots.push_back(summary(spec, pricer));
    if (e.dry_run) answer.shots.back().stages = stage_needs(spec);
    if (const Shot* before = state.find_shot(key_of(spec, 0)))
      answer.shots.back().archived = key_of(spec, free_number(state, *before));
  }
  if (!e.dry_run) {
    answer.batch = state.batches.size() + 1;
    record::BatchSubmitted batch{answer.batch,
                                 {e.name, e.idempotency_key, e.by, e.text, {}, decision.now().wall_ms}};
    for (std::uint32_t i = 0; i < specs.size(); ++i) batch.row.shots.push_back(state.shots.next_id() + i);
    decision.emit(std::move(batch));
    for (ShotSpec& spec : specs) {
      record::ShotPlanned planned{state.shots.next_id(), answer.batch, e.by, {}, {}, decision.now().wall_ms};
      if (const Shot* before = state.find_shot(key_of(spec, 0))) {
        planned.draft_versions = before->draft_versions;
        planned.master_versions = before->master_versions;
        archive(decision, state.shots.id_of(*before), e.by);
      }
      planned.tasks = {plan_encode(spec, state.tasks.next_id())};
      planned.spec = std::move(spec);
      decision.emit(std::move(planned));
    }
  }
  decision.reply(e.request, std::move(answer));
}

void on(Decision& decision, const event::RemoveShot& e) {
  const Shot* shot = shot_or_refuse(decision, e.request, e.shot);
  if (shot == nullptr) return;
  if (!is_over(*shot))
    return decision.refuse(e.request, ErrorKind::kConflict,
                           "shot " + e.shot + " is " + to_string(shot->state) + "; cancel it first (cancel)");
  const ShotId id = decision.state().shots.id_of(*shot);
  archive(decision, id, e.by);
  decision.reply(e.request, "shot " + e.shot + " is archived as " + decision.state().shots[id].key);
}

void on(Decision& decision, const event::Cancel& e) {
  const State& state = decision.state();
  const Shot* shot = shot_or_refuse(decision, e.request, e.shot);
  if (shot == nullptr) return;
  const ShotId id = state.shots.id_of(*shot);
  if (shot->state == ShotState::kDelivered)
    return decision.refuse(e.request, ErrorKind::kConflict, why_over(*shot));
  if (const std::string denied = overruled(*shot); !e.overrules && !denied.empty())
    return decision.refuse(e.request, ErrorKind::kDenied, denied);
  if (shot->state != ShotState::kCancelled) {
    move_shot(decision, id, ShotState::kCancelled, "cancelled by " + e.by);
    close_tasks(decision, id, 0, TaskState::kCancelled, "cancelled by " + e.by);
  }
  decision.reply(e.request, "shot " + e.shot + " is cancelled");
}

void on(Decision& decision, const event::Pause& e) {
  const State& state = decision.state();
  const Shot* shot = shot_or_refuse(decision, e.request, e.shot);
  if (shot == nullptr) return;
  if (is_over(*shot)) return decision.refuse(e.request, ErrorKind::kConflict, why_over(*shot));
  if (!shot->pause_requested) {
    decision.emit(record::HoldChanged{state.shots.id_of(*shot), true, false, e.by, decision.now().wall_ms});
    note_pause(decision, state.shots.id_of(*shot));
  }
  decision.reply(e.request,
                 "shot " + e.shot + (shot->paused ? " is paused" : " pauses when its running tasks end"));
}

void on(Decision& decision, const event::Resume& e) {
  const State& state = decision.state();
  const Shot* shot = shot_or_refuse(decision, e.request, e.shot);
  if (shot == nullptr) return;
  if (is_over(*shot)) return decision.refuse(e.request, ErrorKind::kConflict, why_over(*shot));
  if (!shot->pause_requested)
    return decision.reply(e.request,
                          "shot " + e.shot + " is not paused (its state is " + to_string(shot->state) + ")");
  decision.emit(record::HoldChanged{state.shots.id_of(*shot), false, false, e.by, decision.now().wall_ms});
  decision.reply(e.request, "shot " + e.shot + " goes on");
}

void on(Decision& decision, const event::Approve& e) {
  const State& state = decision.state();
  const Shot* shot = shot_or_refuse(decision, e.request, e.shot);
  if (shot == nullptr) return;
  if (take_or_refuse(decision, e.request, *shot, e.take) == nullptr) return;
  const Take& take = shot->take(e.take);
  if (shot->approved == e.take)
    return decision.reply(e.request, "take " + std::to_string(e.take) + " is already approved");
  if (has_left(take)) return decision.refuse(e.request, ErrorKind::kConflict, why_left(*shot, take));
  if (take.state != TakeState::kJudged) {
    return decision.refuse(
        e.request, ErrorKind::kConflict,
        "take " + std::to_string(e.take) + " is " + to_string(take.state) +
            (take.state == TakeState::kDropped
                 ? ": " + take.reason + "; restore it (restore-take) or render it again (retry)"
                 : "; it can be approved once it is judged"));
  }
  const ShotId id = state.shots.id_of(*shot);
  withdraw_approval(decision, id, "take " + std::to_string(e.take) + " was approved instead");
  approve(decision, id, e.take, e.by);
  decision.reply(e.request, "take " + std::to_string(e.take) + " of " + e.shot + " is approved");
}

void on(Decision& decision, const event::Upgrade& e) {
  const State& state = decision.state();
  const Shot* shot = shot_or_refuse(decision, e.request, e.shot);
  if (shot == nullptr) return;
  if (shot->state == ShotState::kCancelled)
    return decision.refuse(e.request, ErrorKind::kConflict, cancelled(*shot));
  if (shot->approved == 0)
    return decision.refuse(e.request, ErrorKind::kConflict,
                           "shot " + e.shot + " has no approved take; approve one first");
  if (shot->take(shot->approved).upgrade.enlarge != kNoId)
    return decision.reply(e.request, "the upgrade of " + e.shot + " " + standing_of_upgrade(*shot));
  if (const Status planned = plan_upgrade_of(decision, state.shots.id_of(*shot)); !planned) {
    return decision.refuse(e.request, planned.error().kind, planned.error().message);
  }
  decision.reply(e.request, "the upgrade of " + e.shot + " is planned");
}

void on(Decision& decision, const event::Skip& e) {
  const State& state = decision.state();
  if (!state.has_task(e.task)) {
    return decision.refuse(e.request, ErrorKind::kNotFound,
                           "no task " + std::to_string(e.task.number()) + " on this farm");
  }
  const Task& task = state.task(e.task);
  const ShotId shot = task.shot;
  const std::uint32_t take = task.plan.take;
  const std::string name = "task " + std::to_string(e.task.number());
  if (is_final(task.state))
    return decision.refuse(e.request, ErrorKind::kConflict, name + " is " + to_string(task.state));
  if (task.plan.stage == Stage::kCritique || task.plan.stage == Stage::kDeliver) {
    if (is_held(task.state)) {
      if (!task.lease().revoking)
        revoke(decision, task, TaskState::kSkipped, RevokeCause::kClosed, "skipped by " + e.by);
      return decision.reply(e.request, name + " is skipped when its attempt has stopped");
    }
    decision.emit(
        record::TaskClosed{e.task, TaskState::kSkipped, "skipped by " + e.by, decision.now().wall_ms});
    if (state.task(e.task).plan.master_delivery)
      close_upgrade(decision, shot, take, "its delivery was skipped by " + e.by);
    follow_up(decision, e.task);
    leave_attention(decision, shot);
    return decision.reply(e.request, name + " is skipped");
  }
  if (take == 0 || task.plan.level > 0) {
    return decision.refuse(e.request, ErrorKind::kConflict,
                           name + " makes what others need; cancel the shot or retry the task");
  }
  drop_take(decision, shot, take,
            "its " + std::string(to_string(task.plan.stage)) + " was skipped by " + e.by);
  leave_attention(decision, shot);
  decision.reply(e.request, name + " makes what the rest of its take needs: take " + std::to_string(take) +
                                " is dropped");
}

}  // namespace rushes::scheduler
