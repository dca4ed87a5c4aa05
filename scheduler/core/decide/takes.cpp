#include "scheduler/core/decide/takes.h"

#include <algorithm>
#include <cassert>
#include <cstdio>
#include <optional>

#include "config/mutation.h"
#include "config/version_name.h"
#include "scheduler/core/decide/moves.h"
#include "scheduler/core/policy/ranking.h"
#include "scheduler/core/state/costs.h"
#include "scheduler/core/state/retention.h"
#include "scheduler/plan/compose.h"
#include "scheduler/plan/limits.h"
#include "scheduler/plan/plan.h"
#include "scheduler/plan/recipe.h"
#include "scheduler/plan/revise.h"
#include "storage/records/lineage.h"
#include "storage/records/noise.h"

namespace rushes::scheduler {
namespace {

// Critiques that decide on a version: the windows' and the whole take's.
std::vector<TaskId> critiques_of(const VersionGraph& graph) {
  std::vector<TaskId> tasks = graph.checkpoints;
  tasks.insert(tasks.end(), graph.window_critiques.begin(), graph.window_critiques.end());
  tasks.push_back(graph.critique);
  return tasks;
}

// The recipe of the current version: the take's, with the chain of versions that led to it.
Recipe current_recipe(const Shot& shot, const Take& take) {
  Recipe recipe = take_recipe(shot.spec, take.number);
  recipe.numeric_class = shot.numeric_class;
  recipe.engine_build = shot.engine_build;
  if (is_planned(take)) recipe.revisions = revisions_of(take, take.kept);
  return recipe;
}

// The seed of all of a take's current version, or where windows have seeds of their own that of the take.
std::uint64_t seed_of(const Shot& shot, const Take& take) {
  const Version& kept = take.versions[take.kept];
  return kept.windows.size() == shot.spec.recipe.windows.size() ? kept.seed
                                                                : shot.spec.seeds[take.number - 1];
}

// Why a version would have the pixels of the one that it starts from.
std::string unchanged(const Shot& shot, const Take& take, const Version& version) {
  const std::string name = "take " + std::to_string(take.number) + " of " + shot.key;
  if (renewed_frames(shot.spec.recipe.windows, version.windows).empty())
    return name +
           ": these windows share all their frames with windows that stay, so nothing would change; name " +
           "their neighbours too";
  return name + ": seed " + std::to_string(version.seed) +
         " made what is there, so nothing would change; name another seed";
}

// `approve: best` delivers what passed, what no critic had a word about, and what a person chose when it was there to be
// looked at: who asks for another version has not seen it.
bool may_be_delivered(const Take& take) {
  const Verdict verdict = take.versions[take.kept].verdict;
  const bool chosen = !take.chosen_by.empty() && !take.chosen_by_retry && !take.chosen_by_restore;
  return verdict == Verdict::kPass || verdict == Verdict::kUnknown || chosen;
}

// Who asked to have a take of the ranking back, to look at it, has not chosen yet: `approve: best` waits for them.
const Take* restored_take(const Shot& shot) {
  for (const std::uint32_t number : shot.ranking)
    if (shot.take(number).chosen_by_restore) return &shot.take(number);
  return nullptr;
}

std::string why_none_is_delivered(const Shot& shot) {
  const Take& best = shot.take(shot.ranking.front());
  const Version& version = best.versions[best.kept];
  char score[16];
  std::snprintf(score, sizeof score, "%.2f", static_cast<double>(version.score));
  return "no take passed its critics; the best is take " + std::to_string(best.number) + " (" +
         to_string(version.verdict) + ", " + score + "): approve it, or render windows again (retry)";
}

void close_task(Decision& decision, TaskId id, TaskState then, const std::string& reason) {
  const State& state = decision.state();
  const Task& task = state.task(id);
  if (is_final(task.state)) return;
  if (!is_held(task.state)) {
    decision.emit(record::TaskClosed{id, then, reason, decision.now().wall_ms});
  } else if (!task.lease().revoking || task.lease().then != then) {
    revoke(decision, task, then, RevokeCause::kClosed, reason);
  }
}

void finish_if_delivered(Decision& decision, ShotId shot) {
  const State& state = decision.state();
  const Shot& row = state.shots[shot];
  if (row.approved == 0 || row.draft_delivery == kNoId || !is_done(state.task(row.draft_delivery))) return;
  const UpgradeGraph& graph = row.take(row.approved).upgrade;
  if (graph.enlarge != kNoId && !is_done(state.task(graph.deliver))) return;
  move_shot(decision, shot, ShotState::kDelivered);
}

// Plans another revision. Returns why none is planned, empty where nothing asks for one; nullopt: one is planned.
std::optional<std::string> revise(Decision& decision, ShotId shot, std::uint32_t take_number) {
  const State& state = decision.state();
  const Shot& row = state.shots[shot];
  const Take& take = row.take(take_number);
  const Version& kept = take.versions[take.kept];
  std::vector<Finding> findings = state.task(kept.graph.critique).result.critique.findings;
  if (std::none_of(findings.begin(), findings.end(), asks_for_revision)) {
    for (const TaskId id : kept.graph.window_critiques) {
      const auto& more = state.task(id).result.critique.findings;
      findings.insert(findings.end(), more.begin(), more.end());
    }
  }
  Spent spent;
  std::uint32_t first_windows = 0;
  double first_seconds = 0;
  for (const TaskId id : row.tasks) {
    const Task& task = state.task(id);
    if (task.plan.take != take_number || task.plan.level > 0) continue;
    if (task.plan.revision == 0) {
      if (task.plan.stage == Stage::kDenoise) {
        first_seconds += cost_of(task).total();
        first_windows += task.plan.segment == 0 ? 1 : 0;
      }
    } else if (take.versions[task.plan.revision].by.empty()) {
      spent.device_seconds += cost_of(task).total();
    }
  }
  for (const Version& version : take.versions) {
    if (version.number > 0 && version.by.empty())
      spent.windows += static_cast<std::uint32_t>(version.windows.size());
  }
  spent.window_seconds = first_windows > 0 ? first_seconds / first_windows : 0;
  RevisionChoice choice = choose_revision(row.spec, findings, spent);
  if (choice.windows.empty()) return std::string();
  auto planned =
      next_version(decision, shot, take_number, {std::move(choice.windows), std::move(choice.reason)});
  if (!planned) return planned.error().message;
  decision.emit(std::move(*planned));
  return std::nullopt;
}

// A version was judged. Of the critics' versions the better one is kept, a person's is kept whatever they say of it,
// and what a person chose meanwhile stays.
void keep_version(Decision& decision, ShotId shot, const Take& take, const Version& version) {
  const Version& kept = take.versions[take.kept];
  if (version.by.empty() && !take.chosen_by.empty()) return;
  const bool better = policy::is_better({version.number, version.verdict, version.score},
                                        {kept.number, kept.verdict, kept.score});
  decision.emit(record::VersionKept{shot, take.number,
                                    better || !version.by.empty() ? version.number : kept.number,
                                    decision.now().wall_ms, version.by, !version.by.empty()});
}

// A version was judged: one is kept; then another revision, or the take is judged.
void settle_version(Decision& decision, ShotId shot, std::uint32_t take_number, std::uint32_t number) {
  const State& state = decision.state();
  const Take& take = state.shots[shot].take(take_number);
  const Version& version = take.versions[number];
  if (number > 0) {
    keep_version(decision, shot, take, version);
  } else if (version.verdict == Verdict::kReject && take.chosen_by.empty()) {
    return drop_take(decision, shot, take_number, "rejected by the critics");
  }
  const Version& best = take.versions[take.kept];
  std::string why;
  if (best.verdict == Verdict::kRevise && take.chosen_by.empty()) {
    const std::optional<std::string> refused = revise(decision, shot, take_number);
    if (!refused) return;
    why = *refused;
  }
  move_take(decision, shot, take_number, TakeState::kJudged, why);
  rank_if_judged(decision, shot);
}

void judge_if_complete(Decision& decision, ShotId shot, std::uint32_t take_number, std::uint32_t number) {
  const State& state = decision.state();
  const Take& take = state.shots[shot].take(take_number);
  const Version& version = take.versions[number];
  if (take.state == TakeState::kDropped || version.judged) return;
  for (const TaskId id : version.graph.decode) {
    if (!is_done(state.task(id))) return;
  }
  std::vector<Verdict> verdicts;
  float sum = 0;
  int known = 0;
  for (const TaskId id : critiques_of(version.graph)) {
    const Task& task = state.task(id);
    if (!is_done(task)) return;
    const Critique& critique = task.result.critique;
    verdicts.push_back(critique.verdict);
    if (critique.verdict == Verdict::kUnknown) continue;
    sum += static_cast<float>(critique.score);
    ++known;
  }
  // The whole take's score is the take's; without it (skipped, unknown) the mean of those that have one.
  const Critique& whole = state.task(version.graph.critique).result.critique;
  const float score = whole.verdict != Verdict::kUnknown ? static_cast<float>(whole.score)
                                                         : sum / static_cast<float>(std::max(known, 1));
  decision.emit(record::VersionJudged{shot, take_number, number, policy::worst(verdicts), score,
                                      decision.now().wall_ms});
  settle_version(decision, shot, take_number, number);
}

// The current version, whose pictures left, is made again: the same pixels, by the same recipe.
Result<record::VersionPlanned> make_again(const Decision& decision, ShotId shot,
                                          record::VersionPlanned planned) {
  const State& state = decision.state();
  const Shot& row = state.shots[shot];
  const Take& take = row.take(planned.take);
  Version& version = planned.version;
  std::vector<Rendered> lineage;
  for (const std::uint32_t number : lineage_of(take, take.kept)) {
    const Version& part = take.versions[number];
    lineage.push_back({number, number == 0 ? version.windows : part.windows, part.graph.encode});
  }
  VersionPlan plan =
      plan_again(row.spec, take.number, version.number, lineage, row.encode, state.tasks.next_id());
  if (Status made = check_again(row.spec, plan.tasks); !made) return tl::unexpected(made.error());
  version.again = true;
  version.graph = std::move(plan.graph);
  version.recipe = take.versions[take.kept].recipe;
  version.recipe_hash = take.versions[take.kept].recipe_hash;
  planned.tasks = std::move(plan.tasks);
  return planned;
}

}  // namespace

void follow_up(Decision& decision, TaskId id) {
  const State& state = decision.state();
  const Task& task = state.task(id);
  const ShotId shot = task.shot;
  if (state.shots[shot].state == ShotState::kCancelled) return;
  if (task.plan.stage == Stage::kCritique) {
    const std::uint32_t take = task.plan.take, version = task.plan.revision;
    if (task.state == TaskState::kSucceeded && !task.plan.whole_take && version == 0 &&
        task.result.critique.verdict == Verdict::kReject && state.shots[shot].take(take).chosen_by.empty() &&
        !mutated(Mutation::kSkipCheckpointVerdict)) {
      return drop_take(decision, shot, take,
                       "window " + std::to_string(task.plan.window) + " was rejected by the critics");
    }
    judge_if_complete(decision, shot, take, version);
  } else if (task.plan.stage == Stage::kDecode && task.plan.level == 0) {
    judge_if_complete(decision, shot, task.plan.take,
                      task.plan.revision);  // its critiques may have been skipped
  } else if (task.plan.stage == Stage::kDeliver) {
    const bool master = task.plan.master_delivery;
    if (task.state == TaskState::kSucceeded) {
      const Shot& row = state.shots[shot];
      const std::string version =
          delivered_version(row.spec, master, task.result.files)
              .value_or(config::version_name(master ? row.master_versions : row.draft_versions));
      DeliveryDone delivery{task.plan.take,
                            master,
                            delivery_folder(row.spec, master, version),
                            version,
                            task.result.files,
                            decision.now().wall_ms};
      decision.emit(record::Delivered{shot, std::move(delivery)});
    }
    if (master) move_take(decision, shot, state.task(id).plan.take, TakeState::kMaster);
    finish_if_delivered(decision, shot);
  }
}

void plan_takes(Decision& decision, ShotId shot) {
  const State& state = decision.state();
  for (std::uint32_t take = 1; take <= state.shots[shot].takes.size(); ++take) {
    if (is_planned(state.shots[shot].take(take))) continue;
    auto planned = next_version(decision, shot, take, {});
    assert(planned);  // a first rendering is never refused
    decision.emit(std::move(*planned));
  }
}

Result<record::VersionPlanned> next_version(const Decision& decision, ShotId shot, std::uint32_t take_number,
                                            Rerendering wanted) {
  const State& state = decision.state();
  const Shot& row = state.shots[shot];
  const Take& take = row.take(take_number);
  record::VersionPlanned planned;
  planned.shot = shot;
  planned.take = take_number;
  Version& version = planned.version;
  version.number = static_cast<std::uint32_t>(take.versions.size());
  version.parent = take.kept;
  version.reason = std::move(wanted.reason);
  version.by = std::move(wanted.by);
  version.planned_wall_ms = decision.now().wall_ms;
  VersionPlan plan;
  Recipe recipe = current_recipe(row, take);
  if (version.number == 0) {
    version.seed = row.spec.seeds[take_number - 1];
    for (std::uint32_t w = 0; w < row.spec.recipe.windows.size(); ++w) version.windows.push_back(w);
    plan = plan_take(row.spec, take_number, row.encode, state.tasks.next_id());
  } else {
    version.windows = std::move(wanted.windows);
    const bool left = has_left(take);  // then all of it is made again
    const std::uint64_t seed =
        left ? seed_of(row, take) : revision_seed(row.spec.seeds[take_number - 1], version.number);
    version.seed = wanted.seed.value_or(seed);
    if (wanted.prompt != current_prompt(recipe)) version.prompt = std::move(wanted.prompt);
    if (left && !wanted.seed && version.prompt.empty()) return make_again(decision, shot, std::move(planned));
    const Recipe before = recipe;
    recipe.revisions.push_back(
        {version.number, version.windows, version.seed, version.reason, version.prompt});
    if (!left && !renders_otherwise(before, recipe))
      return fail(ErrorKind::kConflict, unchanged(row, take, version));
    const VersionGraph& parent = take.versions[take.kept].graph;
    const bool encodes = !version.prompt.empty() || (left && parent.encode != kNoId);
    plan = plan_revision(row.spec, take_number, version.number, version.windows, parent,
                         parent.encode != kNoId ? parent.encode : row.encode, state.tasks.next_id(), encodes);
  }
  version.graph = std::move(plan.graph);
  version.recipe = encode_recipe(recipe);
  if (version.number > 0) {
    const Status made = check_recipe_size(row.spec, std::ssize(version.recipe));
    if (!made) return tl::unexpected(made.error());
  }
  version.recipe_hash = recipe_hash(version.recipe);
  planned.tasks = std::move(plan.tasks);
  return planned;
}

void rank_if_judged(Decision& decision, ShotId shot) {
  const State& state = decision.state();
  const Shot& row = state.shots[shot];
  if (row.approved != 0) return;
  std::vector<policy::Judged> judged;
  for (const Take& take : row.takes) {
    if (take.state == TakeState::kDropped || (take.state == TakeState::kJudged && has_left(take))) continue;
    if (take.state != TakeState::kJudged) return;
    const Version& kept = take.versions[take.kept];
    judged.push_back({take.number, kept.verdict, kept.score});
  }
  if (judged.empty())
    return move_shot(
        decision, shot, ShotState::kAttention,
        "every take was dropped; restore one (restore-take), render one again (retry --take), or cancel");
  decision.emit(record::TakesRanked{shot, policy::rank(judged), decision.now().wall_ms});
  if (!row.spec.approve_best) return move_shot(decision, shot, ShotState::kReview);
  if (const Take* restored = restored_take(row))
    return move_shot(decision, shot, ShotState::kReview,
                     "take " + std::to_string(restored->number) + " was restored by " + restored->chosen_by +
                         ": approve the take that is to be delivered");
  for (const std::uint32_t number : row.ranking)
    if (may_be_delivered(row.take(number))) return approve(decision, shot, number, std::string(kApproveBest));
  move_shot(decision, shot, ShotState::kReview, why_none_is_delivered(row));
}

Status plan_upgrade_of(Decision& decision, ShotId shot) {
  const State& state = decision.state();
  const Shot& row = state.shots[shot];
  const Take& take = row.take(row.approved);
  const VersionGraph& kept = take.versions[take.kept].graph;
  auto plan = plan_upgrade(row.spec, take.number, kept, kept.encode != kNoId ? kept.encode : row.encode,
                           state.tasks.next_id());
  if (!plan) return tl::unexpected(plan.error());
  auto recipe = decode_recipe(take.versions[take.kept].recipe);
  if (!recipe) return tl::unexpected(recipe.error());
  if (recipe->prompt.empty()) recipe->prompt = row.spec.recipe.prompt;  // an older one does not say
  recipe->master = std::move(plan->master);
  record::UpgradePlanned planned;
  planned.shot = shot;
  planned.take = take.number;
  planned.graph = std::move(plan->graph);
  planned.recipe = encode_recipe(*recipe);
  const Status made = check_upgrade_size(row.spec, recipe->master, std::ssize(planned.recipe));
  if (!made) return made;
  planned.recipe_hash = recipe_hash(planned.recipe);
  planned.tasks = std::move(plan->tasks);
  planned.wall_ms = decision.now().wall_ms;
  decision.emit(std::move(planned));
  move_shot(decision, shot, ShotState::kUpgrading);
  return {};
}

void approve(Decision& decision, ShotId shot, std::uint32_t take_number, const std::string& by) {
  const State& state = decision.state();
  decision.emit(record::TakeApproved{shot, take_number, by, decision.now().wall_ms});
  move_take(decision, shot, take_number, TakeState::kApproved, "approved by " + by);
  const Shot& row = state.shots[shot];
  std::vector<TaskId> shown;
  for (const Take& take : row.takes) {
    const VersionGraph& graph = take.versions[take.kept].graph;
    const bool complete =
        !has_left(take) && std::all_of(graph.decode.begin(), graph.decode.end(), [&](TaskId id) {
          return state.task(id).state == TaskState::kSucceeded;
        });
    const bool under_way = take.state == TakeState::kPlanned || take.state == TakeState::kRendering;
    if (under_way) {  // another take was chosen before this one was ready: it is not wanted any more
      const std::string why = "another take was approved";
      if (complete) {
        close_tasks(decision, shot, take.number, TaskState::kAborted, why);
        move_take(decision, shot, take.number, TakeState::kJudged, why);
      } else {
        drop_take(decision, shot, take.number, why);
      }
    }
    if (!complete) continue;
    shown.insert(shown.end(), graph.decode.begin(), graph.decode.end());
    if (state.task(graph.critique).state == TaskState::kSucceeded) shown.push_back(graph.critique);
  }
  PlannedTask delivery = plan_draft_delivery(row.spec, take_number, shown, state.tasks.next_id());
  delivery.revision = row.take(take_number).kept;
  decision.emit(record::DeliveryPlanned{shot, take_number, {std::move(delivery)}, decision.now().wall_ms});
  if (row.spec.upgrade) {
    if (const Status planned = plan_upgrade_of(decision, shot); !planned) {
      move_shot(decision, shot, ShotState::kAttention, planned.error().message);
    }
  } else {
    move_shot(decision, shot, ShotState::kDrafting);
  }
}

void withdraw_approval(Decision& decision, ShotId shot, const std::string& reason) {
  const State& state = decision.state();
  const Shot& row = state.shots[shot];
  if (row.approved == 0) {
    if (!row.ranking.empty()) decision.emit(record::TakesRanked{shot, {}, decision.now().wall_ms});
    return;
  }
  const std::uint32_t before = row.approved;
  if (row.draft_delivery != kNoId) close_task(decision, row.draft_delivery, TaskState::kAborted, reason);
  close_upgrade(decision, shot, before, reason);
  decision.emit(record::TakeApproved{shot, 0, {}, decision.now().wall_ms});
  decision.emit(record::TakesRanked{shot, {}, decision.now().wall_ms});
  move_take(decision, shot, before, TakeState::kJudged, reason);
}

void drop_take(Decision& decision, ShotId shot, std::uint32_t take, const std::string& reason) {
  move_take(decision, shot, take, TakeState::kDropped, reason);
  close_tasks(decision, shot, take, TaskState::kAborted,
              "take " + std::to_string(take) + " was dropped: " + reason);
  leave_attention(decision, shot);
  rank_if_judged(decision, shot);
}

void close_tasks(Decision& decision, ShotId shot, std::uint32_t take, TaskState then,
                 const std::string& reason) {
  const State& state = decision.state();
  for (std::size_t i = 0; i < state.shots[shot].tasks.size(); ++i) {
    const TaskId id = state.shots[shot].tasks[i];
    if (take == 0 || state.task(id).plan.take == take) close_task(decision, id, then, reason);
  }
}

void close_upgrade(Decision& decision, ShotId shot, std::uint32_t take, const std::string& reason) {
  const State& state = decision.state();
  const UpgradeGraph& graph = state.shots[shot].take(take).upgrade;
  if (graph.enlarge == kNoId) return;
  for (TaskId id = graph.enlarge; id <= graph.deliver; ++id)
    if (state.task(id).shot == shot) close_task(decision, id, TaskState::kAborted, reason);
}

}  // namespace rushes::scheduler
