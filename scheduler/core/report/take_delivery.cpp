#include "scheduler/core/report/take_delivery.h"

#include <algorithm>

#include "scheduler/core/state/retention.h"
#include "scheduler/plan/compose.h"
#include "scheduler/plan/plan.h"

namespace rushes::scheduler {
namespace {

std::string name_of(const Shot& shot, std::uint32_t take) {
  return shot.key + " take " + std::to_string(take);
}

Result<std::uint32_t> choose_take(const Shot& shot, std::uint32_t take) {
  if (take > shot.takes.size())
    return fail(ErrorKind::kNotFound, shot.key + ": there is no take " + std::to_string(take) +
                                          "; it has takes 1 to " + std::to_string(shot.takes.size()));
  if (take != 0) return take;
  if (shot.approved != 0) return shot.approved;
  if (!shot.ranking.empty()) return shot.ranking.front();
  if (shot.takes.size() == 1) return 1u;
  return fail(ErrorKind::kInvalid, shot.key + ": it has " + std::to_string(shot.takes.size()) +
                                       " takes and none is ranked yet; say which one: --take N");
}

bool all_succeeded(const State& state, const std::vector<TaskId>& tasks) {
  return !tasks.empty() && std::all_of(tasks.begin(), tasks.end(), [&](TaskId id) {
    return state.task(id).state == TaskState::kSucceeded;
  });
}

// The version that is asked for, with its frames decoded.
Result<const Version*> choose_version(const State& state, const Shot& shot, const Take& take,
                                      const TakeChoice& choice) {
  const std::string name = name_of(shot, take.number);
  const std::size_t versions = std::max<std::size_t>(take.versions.size(), 1);
  if (choice.version.value_or(0) >= versions)
    return fail(ErrorKind::kNotFound, name + ": there is no version " + std::to_string(*choice.version) +
                                          "; the newest is " + std::to_string(versions - 1));
  const std::string wait = "; `rushes wait " + shot.key + "` waits for it";
  if (!is_planned(take)) return fail(ErrorKind::kConflict, name + ": it is not rendered yet" + wait);
  const Version& version = take.versions[choice.version.value_or(take.kept)];
  if (has_left(take, version)) return fail(ErrorKind::kConflict, why_left(shot, take));
  if (all_succeeded(state, version.graph.decode)) return &version;
  const std::string what = name + ": version " + std::to_string(version.number);
  if (take.state == TakeState::kDropped)
    return fail(ErrorKind::kConflict, what + " was dropped before it had frames (" + take.reason + ")");
  const bool stopped = std::ranges::any_of(version.graph.decode, [&](TaskId id) {
    return is_final(state.task(id).state) && state.task(id).state != TaskState::kSucceeded;
  });
  if (stopped)
    return fail(ErrorKind::kConflict, what + " was stopped before it had frames; retry renders another");
  return fail(ErrorKind::kConflict, what + " is not rendered yet" + wait);
}

Status check_master(const State& state, const Shot& shot, const Take& take, const TakeChoice& choice) {
  const std::string name = name_of(shot, take.number);
  if (choice.version)
    return fail(ErrorKind::kInvalid, name + ": a master has no versions; leave --version out");
  if (!take.upgrade.decode.empty() && has_left(state, state.task(take.upgrade.decode.front())))
    return fail(ErrorKind::kConflict, why_left(shot, take));
  if (all_succeeded(state, take.upgrade.decode)) return {};
  if (!take.upgrade.decode.empty())
    return fail(ErrorKind::kConflict,
                name + ": its master is not done yet; `rushes wait " + shot.key + "` waits for it");
  return fail(ErrorKind::kConflict, name + ": it has no master; `rushes approve " + shot.key + " --take " +
                                        std::to_string(take.number) + "` and `rushes upgrade " + shot.key +
                                        "` make one");
}

// Movie and sheet, which are inputs of no other task.
Status add_pictures(const State& state, const std::string& name, const Version& version, TaskSpec& spec) {
  for (const Output& output : state.task(version.graph.critique).result.outputs)
    if (output.role == Role::kProxy || output.role == Role::kSheet) {
      Input& input = spec.inputs.emplace_back();
      input.role = output.role;
      input.digest = output.digest;
      input.bytes = output.bytes;
      input.stage = Stage::kCritique;
      input.take = spec.take;
      input.revision = static_cast<int>(version.number);
    }
  if (!spec.inputs.empty()) return {};
  return fail(ErrorKind::kConflict, name + ": version " + std::to_string(version.number) +
                                        " has no movie and sheet (it is not judged yet, or its worker was "
                                        "older than they are); --kind draft writes its frames");
}

}  // namespace

Result<TaskSpec> delivery_of(const State& state, std::string_view key, const TakeChoice& choice) {
  const Shot* shot = state.find_shot(key);
  if (shot == nullptr)
    return fail(ErrorKind::kNotFound,
                "shot " + std::string(key) + ": there is none; `rushes list` shows all");
  const auto number = choose_take(*shot, choice.take);
  if (!number) return tl::unexpected(number.error());
  const Take& take = shot->take(*number);
  const bool master = choice.kind == TakeKind::kMaster, proxy = choice.kind == TakeKind::kProxy;
  if (master)
    if (Status there = check_master(state, *shot, take, choice); !there) return tl::unexpected(there.error());
  const auto version = choose_version(state, *shot, take, choice);
  if (!version) return tl::unexpected(version.error());
  const VersionGraph& graph = (*version)->graph;

  std::vector<TaskId> shown;
  if (!proxy) shown = master ? take.upgrade.decode : graph.decode;
  if (!proxy) shown.push_back(graph.critique);
  PlannedTask task = plan_draft_delivery(shot->spec, *number, shown, kNoId);
  task.master_delivery = master;
  task.level = master ? 1 : 0;
  std::vector<Made> made;
  made.reserve(shown.size());
  for (const TaskId id : shown) made.push_back({&state.task(id).plan, &state.task(id).result.outputs});
  Composition composition;
  composition.spec = &shot->spec;
  composition.task = &task;
  composition.recipe = master ? &take.master_recipe : &(*version)->recipe;
  composition.made = made;
  composition.version = "take" + std::to_string(*number);
  if (!master) composition.version += "_v" + std::to_string((*version)->number);
  TaskSpec spec = compose(composition);
  if (proxy)
    if (Status there = add_pictures(state, name_of(*shot, *number), **version, spec); !there)
      return tl::unexpected(there.error());
  return spec;
}

}  // namespace rushes::scheduler
