// A person's word about the versions of a take: render again, keep, go back, restore.
#include <algorithm>
#include <set>
#include <span>

#include "config/seconds.h"
#include "scheduler/core/decide/events.h"
#include "scheduler/core/decide/lookup.h"
#include "scheduler/core/decide/moves.h"
#include "scheduler/core/decide/takes.h"
#include "scheduler/core/state/estimates.h"
#include "scheduler/core/state/retention.h"
#include "scheduler/plan/plan.h"
#include "scheduler/plan/recipe.h"

namespace rushes::scheduler {
namespace {

std::string person(const std::string& by) { return by.empty() ? "a person" : by; }

bool is_under_way(const Take& take) {
  return take.state == TakeState::kPlanned || take.state == TakeState::kRendering;
}

std::string words_of(const Shot& shot, const Take& take) {
  return "take " + std::to_string(take.number) + " of " + shot.key;
}

// ---- retry

// Whether a failed task of the shot decodes a tile that its recipe lacks: recipes name draft tiles since they may
// have several, and older ones were planned with tiles that the engine could not know.
bool has_nameless_tiles(const State& state, const Shot& shot) {
  return std::any_of(shot.tasks.begin(), shot.tasks.end(), [&](TaskId id) {
    const Task& task = state.task(id);
    if (task.state != TaskState::kFailed || task.plan.stage != Stage::kDecode || task.plan.level > 0)
      return false;
    const auto recipe = decode_recipe(shot.take(task.plan.take).versions[task.plan.revision].recipe);
    return recipe &&
           static_cast<std::size_t>(task.plan.tile) >= std::max<std::size_t>(1, recipe->decode_tiles.size());
  });
}

void retry_failed_tasks(Decision& decision, const event::Retry& e, const Shot& shot) {
  const State& state = decision.state();
  const ShotId id = state.shots.id_of(shot);
  if (has_nameless_tiles(state, shot)) {
    return decision.refuse(
        e.request, ErrorKind::kConflict,
        "shot " + e.shot +
            " was planned by an older scheduler, with draft tiles that its recipe does not "
            "name, so that no engine can decode it; submit it again under another name");
  }
  std::vector<TaskId> failed;
  for (const TaskId task : shot.tasks)
    if (state.task(task).state == TaskState::kFailed) failed.push_back(task);
  if (failed.empty())
    return decision.refuse(
        e.request, ErrorKind::kConflict,
        "shot " + e.shot + " has no failed task; name a take to render it again (--take N)");
  const std::string answer =
      failed.size() == 1 ? "1 task is tried again" : std::to_string(failed.size()) + " tasks are tried again";
  if (e.dry_run) return decision.reply(e.request, answer);
  for (const TaskId task : failed)
    decision.emit(record::TaskReopened{task, e.note.empty() ? "asked by " + person(e.by) : e.note,
                                       decision.now().wall_ms});
  leave_attention(decision, id);
  decision.reply(e.request, answer);
}

// The take that a retry means when it names none; 0: it is not clear.
std::uint32_t meant_take(const Shot& shot, std::uint32_t named) {
  if (named != 0) return named;
  if (shot.approved != 0) return shot.approved;
  if (!shot.ranking.empty()) return shot.ranking.front();
  return shot.takes.size() == 1 ? 1 : 0;
}

// The windows to render, ascending; all of them where none is named. Errors: kInvalid, kConflict.
Result<std::vector<std::uint32_t>> windows_to_render(const Shot& shot, const Take& take,
                                                     std::vector<std::uint32_t> named) {
  const auto count = static_cast<std::uint32_t>(shot.spec.recipe.windows.size());
  if (named.empty())
    for (std::uint32_t window = 0; window < count; ++window) named.push_back(window);
  std::sort(named.begin(), named.end());
  named.erase(std::unique(named.begin(), named.end()), named.end());
  if (named.back() >= count)
    return fail(ErrorKind::kInvalid, "shot " + shot.key + " has windows 0 to " + std::to_string(count - 1));
  if (!is_planned(take) || is_under_way(take))
    return fail(ErrorKind::kConflict, words_of(shot, take) + " is " + to_string(take.state) +
                                          (is_planned(take) && take.versions[take.kept].judged
                                               ? "; keep its current version first (keep --take " +
                                                     std::to_string(take.number) + ")"
                                               : "; it can be rendered again once it is judged"));
  if (named.size() < count && has_left(take))
    return fail(ErrorKind::kConflict, why_left(shot, take) + ", all of it (no --windows)");
  if (named.size() < count && !take.versions[take.kept].judged)
    return fail(ErrorKind::kConflict,
                words_of(shot, take) +
                    " was dropped before all its windows were rendered; render all of it "
                    "again (no --windows), or restore it (restore-take)");
  return named;
}

// "about 42 device seconds, of it 2.0 a guess: finish, deliver were never measured"
std::string cost_of(const State& state, const Shot& shot, std::span<const PlannedTask> tasks) {
  double seconds = 0, guessed = 0;
  std::set<Stage> unknown;
  for (const PlannedTask& task : tasks) {
    const Pace its = pace(state, shot, task.stage, task.level);
    const double own = its.of(task.work) + task.host_seconds;
    seconds += own;
    if (its.measured) continue;
    guessed += own;
    unknown.insert(task.stage);
  }
  std::string names;
  for (const Stage stage : unknown) names += (names.empty() ? "" : ", ") + std::string(to_string(stage));
  const std::string text = "about " + config::seconds_text(seconds) + " device seconds";
  if (names.empty()) return text;
  if (guessed == seconds) return text + ", a guess: nothing was measured yet";
  return text + ", of it " + config::seconds_text(guessed) + " a guess: " + names +
         (unknown.size() == 1 ? " was" : " were") + " never measured";
}

// "windows 1, 2 with seed 7: frames 1018 to 1050 change, later ones differ a little where the decoder remembers them;
// about 42 device seconds"
std::string effect_of(const State& state, const Shot& shot, const record::VersionPlanned& planned) {
  const Recipe& recipe = shot.spec.recipe;
  const Version& version = planned.version;
  const std::string cost = cost_of(state, shot, planned.tasks);
  if (version.again)
    return "every window from its own seed and prompt, so that the pixels that left come back, " + cost;
  std::string windows;
  Range latents = recipe.windows[version.windows.front()];
  for (const std::uint32_t window : version.windows) {
    windows += (windows.empty() ? "" : ", ") + std::to_string(window);
    latents.end = std::max(latents.end, recipe.windows[window].end);
  }
  Range frames = clip_frames(latents, shot.spec.grid);
  frames.end = std::min(frames.end, recipe.frames);
  const auto number = [&](int frame) {
    return std::to_string(static_cast<int>(shot.spec.start_frame) + frame);
  };
  std::string text = (version.windows.size() == 1 ? "window " : "windows ") + windows + " with seed " +
                     std::to_string(version.seed) + (version.prompt.empty() ? "" : " and a new prompt") +
                     ": frames " + number(frames.begin) + " to " + number(frames.end - 1) + " change, ";
  if (frames.end < recipe.frames)
    text += number(frames.end) + " to " + number(recipe.frames - 1) +
            " differ a little where the decoder remembers the ones before, ";
  return text + cost;
}

// What a new version takes back, in words; empty where no take is approved.
std::string withdrawn_of(const Shot& shot) {
  if (shot.approved == 0) return "";
  return "; take " + std::to_string(shot.approved) + " is no longer approved" +
         (shot.state == ShotState::kUpgrading ? ", and its upgrade stops" : "");
}

// ---- keep, revert, restore

// What stops with a revision that is not wanted any more.
void stop_revision(Decision& decision, ShotId shot, std::uint32_t take, const std::string& reason) {
  close_tasks(decision, shot, take, TaskState::kAborted, reason);
  move_take(decision, shot, take, TakeState::kJudged, reason);
  leave_attention(decision, shot);
}

// A person chose a version: it is the current one, and the takes are ranked anew where none is approved.
void choose(Decision& decision, ShotId shot, std::uint32_t take, std::uint32_t version,
            const std::string& by) {
  const Take& row = decision.state().shots[shot].take(take);
  decision.emit(record::VersionKept{shot, take, version, decision.now().wall_ms, by});
  if (is_under_way(row))
    stop_revision(decision, shot, take, "version " + std::to_string(version) + " was chosen by " + by);
  rank_if_judged(decision, shot);
}

std::vector<TaskId> tasks_of(const VersionGraph& graph) {
  std::vector<TaskId> tasks = graph.denoise;
  const auto add = [&](const std::vector<TaskId>& more) {
    tasks.insert(tasks.end(), more.begin(), more.end());
  };
  add(graph.checkpoints);
  add(graph.window_critiques);
  add(graph.decode);
  add({graph.critique, graph.encode});
  std::erase(tasks, TaskId(0));
  return tasks;
}

// The aborted tasks of a version are wanted again. Returns whether any is left to do.
bool reopen(Decision& decision, const VersionGraph& graph, const std::string& reason) {
  const State& state = decision.state();
  bool open = false;
  for (const TaskId id : tasks_of(graph)) {
    const Task& task = state.task(id);
    if (task.state == TaskState::kAborted) {
      decision.emit(record::TaskReopened{id, reason, decision.now().wall_ms});
    } else if (is_held(task.state) && task.lease().revoking && task.lease().then == TaskState::kAborted) {
      revoke(decision, task, TaskState::kReady, RevokeCause::kClosed, reason);
    }
    open = open || !is_final(state.task(id).state);
  }
  return open;
}

}  // namespace

void on(Decision& decision, const event::Retry& e) {
  const State& state = decision.state();
  const Shot* shot = shot_or_refuse(decision, e.request, e.shot);
  if (shot == nullptr) return;
  if (shot->state != ShotState::kCancelled && e.take == 0 && e.windows.empty() && !e.seed && e.prompt.empty())
    return retry_failed_tasks(decision, e, *shot);
  const std::uint32_t number = meant_take(*shot, e.take);
  if (number == 0 && shot->state != ShotState::kCancelled)
    return decision.refuse(e.request, ErrorKind::kInvalid, "name the take that is to be rendered again");
  const Take* take = take_or_refuse(decision, e.request, *shot, number);
  if (take == nullptr) return;
  auto windows = windows_to_render(*shot, *take, e.windows);
  if (!windows) return decision.refuse(e.request, windows.error().kind, windows.error().message);
  if (const std::string denied = overruled(*shot); !e.overrules && !denied.empty())
    return decision.refuse(e.request, ErrorKind::kDenied, denied);
  const std::string why = e.note.empty() ? "asked by " + person(e.by) : e.note;
  const ShotId id = state.shots.id_of(*shot);
  auto planned =
      next_version(decision, id, number, {std::move(*windows), why, person(e.by), e.seed, e.prompt});
  if (!planned) return decision.refuse(e.request, planned.error().kind, planned.error().message);
  const std::string effect = effect_of(state, *shot, *planned) + withdrawn_of(*shot);
  const std::string name = words_of(*shot, *take);
  if (e.dry_run) return decision.reply(e.request, name + " would be rendered again: " + effect);
  withdraw_approval(decision, id, "take " + std::to_string(number) + " is rendered again");
  const std::uint32_t version = planned->version.number;
  decision.emit(std::move(*planned));
  move_take(decision, id, number, TakeState::kRendering, why);
  move_shot(decision, id, ShotState::kDrafting);
  decision.reply(e.request, name + ", version " + std::to_string(version) + ": " + effect);
}

void on(Decision& decision, const event::Keep& e) {
  const Shot* shot = shot_or_refuse(decision, e.request, e.shot);
  if (shot == nullptr) return;
  const Take* take = take_or_refuse(decision, e.request, *shot, e.take);
  if (take == nullptr) return;
  const std::string name = words_of(*shot, *take);
  if (has_left(*take)) return decision.refuse(e.request, ErrorKind::kConflict, why_left(*shot, *take));
  if (take->state == TakeState::kDropped)
    return decision.refuse(e.request, ErrorKind::kConflict,
                           name + " is dropped; restore it first (restore-take)");
  if (!is_planned(*take) || !take->versions[take->kept].judged)
    return decision.refuse(e.request, ErrorKind::kConflict,
                           name + " is " + to_string(take->state) + " and has no judged version yet");
  const std::uint32_t version = take->kept;
  choose(decision, decision.state().shots.id_of(*shot), e.take, version, person(e.by));
  decision.reply(e.request,
                 name + " keeps version " + std::to_string(version) + ", whatever its critics say");
}

void on(Decision& decision, const event::Revert& e) {
  const Shot* shot = shot_or_refuse(decision, e.request, e.shot);
  if (shot == nullptr) return;
  const Take* take = take_or_refuse(decision, e.request, *shot, e.take);
  if (take == nullptr) return;
  const std::string name = words_of(*shot, *take);
  const auto refuse = [&](const std::string& why) {
    decision.refuse(e.request, ErrorKind::kConflict, name + " " + why);
  };
  if (!take->versions.empty() && has_left(*take, take->versions.back()))
    return decision.refuse(e.request, ErrorKind::kConflict, why_left(*shot, *take));
  if (take->state == TakeState::kDropped) return refuse("is dropped; restore it first (restore-take)");
  if (!is_planned(*take) || !take->versions[take->kept].judged)
    return refuse(std::string("is ") + to_string(take->state) + " and has no judged version yet");
  if (!e.version && take->kept == 0 && !is_under_way(*take))
    return refuse("is at its first version; there is none before it");
  // While a revision is under way the current version is the one that it starts from.
  const std::uint32_t before = is_under_way(*take) ? take->kept : take->versions[take->kept].parent;
  const std::uint32_t version = e.version.value_or(before);
  if (version >= take->versions.size() || !take->versions[version].judged)
    return decision.refuse(e.request, ErrorKind::kNotFound,
                           name + " has no judged version " + std::to_string(version) + "; it has 0 to " +
                               std::to_string(take->versions.size() - 1));
  if (version == take->kept && !is_under_way(*take))
    return refuse("is at version " + std::to_string(version) + " already");
  if (has_left(*take, take->versions[version]))
    return decision.refuse(e.request, ErrorKind::kConflict,
                           "version " + std::to_string(version) + ": " + why_left(*shot, *take));
  const ShotId id = decision.state().shots.id_of(*shot);
  if (shot->approved == e.take)
    withdraw_approval(decision, id,
                      "take " + std::to_string(e.take) + " goes back to version " + std::to_string(version));
  choose(decision, id, e.take, version, person(e.by));
  decision.reply(e.request, name + " is at version " + std::to_string(version));
}

void on(Decision& decision, const event::RestoreTake& e) {
  const State& state = decision.state();
  const Shot* shot = shot_or_refuse(decision, e.request, e.shot);
  if (shot == nullptr) return;
  const Take* take = take_or_refuse(decision, e.request, *shot, e.take);
  if (take == nullptr) return;
  const std::string name = words_of(*shot, *take);
  if (take->state != TakeState::kDropped)
    return decision.refuse(e.request, ErrorKind::kConflict,
                           name + " is " + to_string(take->state) + "; only a dropped take is restored");
  if (has_left(*take)) return decision.refuse(e.request, ErrorKind::kConflict, why_left(*shot, *take));
  const ShotId id = state.shots.id_of(*shot);
  const std::string reason = "restored by " + person(e.by);
  decision.emit(
      record::VersionKept{id, e.take, take->kept, decision.now().wall_ms, person(e.by), false, true});
  const auto then = [&] {
    const bool waits = shot->spec.approve_best && shot->approved == 0;
    return std::string(waits ? "; nothing is delivered until a take is approved" : "");
  };
  if (reopen(decision, take->versions[take->kept].graph, reason)) {
    withdraw_approval(decision, id, name + " is " + reason);
    move_take(decision, id, e.take, TakeState::kRendering, reason);
    move_shot(decision, id, ShotState::kDrafting, reason);
    return decision.reply(e.request, name + " goes on where it was stopped" + then());
  }
  move_take(decision, id, e.take, TakeState::kJudged, reason);
  rank_if_judged(decision, id);
  decision.reply(e.request, name + " is in the choice again" + then());
}

}  // namespace rushes::scheduler
