// The stages of a take, one function each; run_task() (stage.h) picks one.
//
// Each reads its inputs through the helpers below, which say in the error which input of which task is
// missing.
//
// Thread contract: as StageContext, one task at a time.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "worker/engine/payload.h"
#include "worker/engine/stage.h"
#include "worker/picture/colour.h"

namespace rushes::worker {

Result<TaskResult> run_encode(const Task& task, StageContext& context);
Result<TaskResult> run_denoise(const Task& task, StageContext& context);  // denoise and refine
Result<TaskResult> run_critique(const Task& task, StageContext& context);
Result<TaskResult> run_decode(const Task& task, StageContext& context);
Result<TaskResult> run_enlarge(const Task& task, StageContext& context);
Result<TaskResult> run_finish(const Task& task, StageContext& context);
Result<TaskResult> run_deliver(const Task& task, StageContext& context);

// ---- inputs
// The inputs of a role, in the order of the task.
std::vector<const Input*> inputs_of(const Task& task, Role role);
// The only input of a role. Error: kInvalid when there is none or more than one.
Result<const Input*> input_of(const Task& task, Role role);
Result<Conditioning> load_conditioning(const Task& task, StageContext& context);
// An input of latents, mapped.
struct LatentInput {
  Mapped mapped;
  LatentView view;  // of the mapped bytes
};
// The inputs of a role; all have `channels` channels.
Result<std::vector<LatentInput>> load_latents(const Task& task, StageContext& context, int channels,
                                              Role role = Role::kLatent);

// "input ROLE DIGEST", for messages; the agent names the task.
std::string label_of(const Input& input);

// The view that people see pictures through. An error lies in the host's colour configuration, never in the task.
Result<DisplayView> display_view(const StageContext& context);

// ---- outputs
Status put_output(StageContext& context, Role role, std::span<const std::byte> bytes, TaskResult& outcome);
// Reports progress; kConflict ("stopped") when the attempt should end.
Status step_done(StageContext& context, double fraction, const std::string& words);

// ---- geometry
struct TakeVolume {
  int channels = 0;
  Region whole;                                  // latents of the take at the task's level
  int stride_t = 4, stride_y = 8, stride_x = 8;  // pixels per latent
};
Result<TakeVolume> volume_of(const Task& task, StageContext& context);
// Latent region of the task: its window at full frame (denoise), its window and tile (refine).
Region region_of(const Task& task, const TakeVolume& volume);

}  // namespace rushes::worker
