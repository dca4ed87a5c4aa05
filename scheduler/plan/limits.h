// What a shot may ask of the stages behind the planner. It is refused here, when it is submitted, where a reader of
// records, the wire, a store or the engine would refuse it later; the numbers are those of config/limits.h.
//
// Errors are kInvalid: they name the shot, the limit, how much the shot needs and what helps.
//
// Thread contract: pure functions.
#pragma once

#include <cstdint>
#include <span>

#include "config/result.h"
#include "scheduler/plan/vocabulary.h"

namespace rushes::scheduler {

inline constexpr std::int64_t kMaxPlanTasks = 200'000;  // of one take, or of its upgrade
inline constexpr std::int64_t kMaxPlanNeeds =
    1'500'000;  // their dependencies: a record of the journal holds them

// Whether everything up to the draft's delivery can be made.
Status check_draft(const ShotSpec& spec);
// The same for the upgrade of one of its takes.
Status check_upgrade(const ShotSpec& spec);
// Whether a shot from a journal can be planned at all, in bounded memory: whatever was accepted once can.
bool is_plannable(const ShotSpec& spec);
// Bytes of a task's description (compose.h) with a canonical recipe of so many bytes, from above.
std::int64_t description_bytes(const ShotSpec& spec, const PlannedTask& task, std::int64_t recipe_bytes);
// Whether tasks with a canonical recipe of so many bytes can be described: every revision makes the recipe longer.
Status check_recipe_size(const ShotSpec& spec, std::int64_t recipe_bytes);
// The same for the tasks of a take's upgrade; `master` stands in the recipe.
Status check_upgrade_size(const ShotSpec& spec, const Master& master, std::int64_t recipe_bytes);

// Whether a record can hold the tasks that make a take again after it left: with many revisions they are many.
Status check_again(const ShotSpec& spec, std::span<const PlannedTask> tasks);

}  // namespace rushes::scheduler
