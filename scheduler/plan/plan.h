// A shot becomes a task graph.
//
//   encode (shot) -> denoise (window, segment) -> [critique (window)] -> decode (tile) -> critique (take)
//   denoise (w, s) needs (w-1, s-1), (w, s-1), (w+1, s-1): a stencil, no barrier
//   upgrade: enlarge -> refine (window, tile, segment) -> decode (tile) -> finish (run of frames) -> deliver
//
// Task ids are given by the caller (`first` is the id of the first new task) and run on without gaps; a task
// only needs tasks with smaller ids.
//
// Thread contract: pure functions.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "config/model.h"
#include "config/result.h"
#include "config/shot.h"
#include "scheduler/plan/vocabulary.h"

namespace rushes::scheduler {

// The shot resolved against its model and the farm's rules for critics. `images` are the artifacts of
// shot.key_frames, in their order.
// Error: kInvalid when the model cannot make the shot, or when a later stage could not carry it (plan/limits.h).
Result<ShotSpec> resolve_shot(const config::Shot& shot, const config::ModelManifest& model,
                              std::span<const StoredPicture> images,
                              const config::CriticRules& critics = config::default_rules());

// config::model_digest() as bytes, with or without its "blake2b-256:" in front. It identifies a model on the
// farm.
Result<Digest> digest_of_model(const config::ModelManifest& model);

// The recipe of a take (from 1) before any revision or upgrade.
Recipe take_recipe(const ShotSpec& spec, std::uint32_t take);

// Frames of the clip that a run of latent frames stands for: latent 0 is frame 0, latent t > 0 the next stride_t.
Range clip_frames(const Range& latents, const ModelGrid& grid);

// The decode tiles of the draft, in the order of VersionGraph::decode.
std::vector<Rect> draft_tiles(const ShotSpec& spec);

PlannedTask plan_encode(const ShotSpec& spec, TaskId id);

struct VersionPlan {
  VersionGraph graph;
  std::vector<PlannedTask> tasks;
};
// The first rendering of a take.
VersionPlan plan_take(const ShotSpec& spec, std::uint32_t take, TaskId encode, TaskId first);
// Revision `number` of a take: `windows` (ascending, not empty) from their first segment with the neighbours
// of `parent` frozen; its critiques, decode and take critique again. new_prompt: its prompt is encoded first, by a task
// of the take; `encode` is the task that encoded the prompt of before.
VersionPlan plan_revision(const ShotSpec& spec, std::uint32_t take, std::uint32_t number,
                          std::span<const std::uint32_t> windows, const VersionGraph& parent, TaskId encode,
                          TaskId first, bool new_prompt = false);

// What is replayed of a version: what it rendered of the take.
struct Rendered {
  std::uint32_t number = 0;
  std::span<const std::uint32_t> windows;  // ascending; of the first rendering all
  TaskId encode;                           // of a prompt of its own; none: the shot's
};
// Version `number` of a take makes again what the last version of `lineage` (the first rendering first) had, which left:
// every window from its own recipe, and what it was made of as far as it is needed. `encode` is the shot's.
VersionPlan plan_again(const ShotSpec& spec, std::uint32_t take, std::uint32_t number,
                       std::span<const Rendered> lineage, TaskId encode, TaskId first);

// What an upgrade adds to the recipe of a take.
Master plan_master(const ShotSpec& spec);

struct UpgradePlan {
  Master master;
  UpgradeGraph graph;
  std::vector<PlannedTask> tasks;
};
// Error: kInvalid, see check_upgrade().
Result<UpgradePlan> plan_upgrade(const ShotSpec& spec, std::uint32_t take, const VersionGraph& kept,
                                 TaskId encode, TaskId first);

// The draft delivery: contact sheet of all takes, movie and EXR of `take`. `shown` are the decode tasks and
// the take critique of every take to show, take by take.
PlannedTask plan_draft_delivery(const ShotSpec& spec, std::uint32_t take, std::span<const TaskId> shown,
                                TaskId id);

// How many tasks the draft of one take has.
std::uint64_t count_take_tasks(const ShotSpec& spec);

}  // namespace rushes::scheduler
