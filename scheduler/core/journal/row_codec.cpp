#include "scheduler/core/journal/row_codec.h"

namespace rushes::scheduler {

RevokeCause cause_of(RevokeCause cause, const std::string& reason) {
  const bool is_missing = cause == RevokeCause::kUnknown && reason == "the worker does not name it";
  return is_missing ? RevokeCause::kMissing : cause;
}

RUSHES_CODEC(ShotSpec, records::ShotSpec, spec) {
  FIELD(Show, spec.show);
  FIELD(Name, spec.name);
  FIELD(Recipe, spec.recipe);
  FIELD(WindowFrames, spec.grid.window_frames);
  FIELD(StrideT, spec.grid.stride_t);
  FIELD(StrideY, spec.grid.stride_y);
  FIELD(StrideX, spec.grid.stride_x);
  FIELD(Channels, spec.grid.channels);
  FIELD(Master, spec.master);
  FIELD(Seeds, spec.seeds);
  FIELD(Priority, spec.priority);
  FIELD(Gate, spec.gate);
  FIELD(ApproveBest, spec.approve_best);
  FIELD(Upgrade, spec.upgrade);
  FIELD(Scale, spec.scale);
  FIELD(ReviseWindows, spec.revise_windows);
  FIELD(ReviseDeviceSeconds, spec.revise_device_seconds);
  FIELD(Critics, spec.critics);
  FIELD(StartFrame, spec.start_frame);
  FIELD(Timecode, spec.timecode);
  FIELD(Reel, spec.reel);
  FIELD(DeliverNumerator, spec.deliver_rate.numerator);
  FIELD(DeliverDenominator, spec.deliver_rate.denominator);
  FIELD(DeadlineWallMs, spec.deadline_wall_ms);
  FIELD(Limits, spec.limits);
  FIELD(Remarks, spec.remarks);
  FIELD(MemoryMeasured, spec.grid.memory.measured);
  FIELD(MemoryWeights, spec.grid.memory.weights);
  FIELD(MemoryStep, spec.grid.memory.step);
  FIELD(MemoryToken, spec.grid.memory.token);
  FIELD(MemoryVae, spec.grid.memory.vae);
  FIELD(MemoryBoxLatent, spec.grid.memory.box_latent);
  FIELD(MemoryFrameLatent, spec.grid.memory.frame_latent);
  FIELD(PicturePixels, spec.pictures.pixels);
  FIELD(PictureMemory, spec.pictures.memory);
  io.require(!spec.recipe.windows.empty() && !spec.recipe.draft.segments.empty(), "shot: has no windows");
  io.require(!spec.seeds.empty(), "shot: has no takes");
}

RUSHES_CODEC(Dependency, records::Dependency, need) {
  FIELD(Task, need.task);
  FIELD(Data, need.data);
}

RUSHES_CODEC(PlannedTask, records::PlannedTask, task) {
  FIELD(Id, task.id);
  FIELD(Stage, task.stage);
  FIELD(Take, task.take);
  FIELD(Level, task.level);
  FIELD(Window, task.window);
  FIELD(Segment, task.segment);
  FIELD(Tile, task.tile);
  FIELD(Revision, task.revision);
  FIELD(Frames, task.frames);
  FIELD(WholeTake, task.whole_take);
  FIELD(MasterDelivery, task.master_delivery);
  records::Of<Io, std::uint64_t> memory_bytes = task.host_bytes + task.tensor_bytes;
  FIELD(MemoryBytes, memory_bytes);
  FIELD(HostBytes, task.host_bytes);
  FIELD(Work, task.work);
  FIELD(HostSeconds, task.host_seconds);
  FIELD(Needs, task.needs);
  records::Of<Io, std::uint32_t> replays = task.replays ? *task.replays + 1 : 0;
  FIELD(Replays, replays);
  if constexpr (Io::kReads) {
    if (replays > 0) task.replays = replays - 1;
    if (!computes_tensors(task.stage, task.whole_take)) task.host_bytes = memory_bytes;
    io.require(task.host_bytes <= memory_bytes, "task: its host memory is more than all of its memory");
    task.tensor_bytes = memory_bytes - task.host_bytes;
    for (const Dependency& need : task.needs)
      io.require(need.task != kNoId && need.task < task.id, "needs: a task needs only earlier ones");
  }
}

RUSHES_CODEC(VersionGraph, records::VersionGraph, graph) {
  FIELD(Denoise, graph.denoise);
  FIELD(Checkpoints, graph.checkpoints);
  FIELD(WindowCritiques, graph.window_critiques);
  FIELD(Decode, graph.decode);
  FIELD(Critique, graph.critique);
  FIELD(Encode, graph.encode);
}

RUSHES_CODEC(UpgradeGraph, records::UpgradeGraph, graph) {
  FIELD(Enlarge, graph.enlarge);
  FIELD(Refine, graph.refine);
  FIELD(Decode, graph.decode);
  FIELD(Finish, graph.finish);
  FIELD(Deliver, graph.deliver);
}

RUSHES_CODEC(Version, records::Version, version) {
  FIELD(Number, version.number);
  FIELD(Parent, version.parent);
  FIELD(Windows, version.windows);
  FIELD(Seed, version.seed);
  FIELD(Reason, version.reason);
  FIELD(By, version.by);
  FIELD(Graph, version.graph);
  FIELD(Recipe, version.recipe);
  FIELD(Judged, version.judged);
  FIELD(Verdict, version.verdict);
  FIELD(Score, version.score);
  FIELD(PlannedWallMs, version.planned_wall_ms);
  FIELD(JudgedWallMs, version.judged_wall_ms);
  FIELD(Prompt, version.prompt);
  FIELD(WasKept, version.was_kept);
  FIELD(Again, version.again);
  io.require(!version.again || version.number > 0, "version: the first one makes another one again");
  io.require(version.number == 0 || version.parent < version.number, "version: its parent is not older");
  if constexpr (Io::kReads) version.recipe_hash = hash_of(version.recipe);
}

RUSHES_CODEC(Batch, records::BatchRow, batch) {
  FIELD(Name, batch.name);
  FIELD(IdempotencyKey, batch.idempotency_key);
  FIELD(By, batch.by);
  FIELD(Text, batch.text);
  FIELD(Shots, batch.shots);
  FIELD(WallMs, batch.wall_ms);
}

RUSHES_CODEC(DeliveryDone, records::DeliveryDone, delivery) {
  FIELD(Take, delivery.take);
  FIELD(Master, delivery.master);
  FIELD(Folder, delivery.folder);
  FIELD(Version, delivery.version);
  FIELD(Files, delivery.files);
  FIELD(WallMs, delivery.wall_ms);
}

RUSHES_CODEC(WorkerFacts, records::WorkerState, worker) {
  FIELD(Name, worker.name);
  FIELD(Build, worker.offer.build);
  FIELD(ProtocolVersion, worker.offer.protocol_version);
  records::Of<Io, PlainOffer> plain = plain_offer(worker.offer.resources);
  FIELD(Slots, plain.slots);
  FIELD(Prefetch, worker.offer.prefetch);
  FIELD(MemoryBytes, plain.memory_bytes);
  FIELD(NumericClasses, worker.offer.numeric_classes);
  FIELD(Models, worker.offer.models);
  FIELD(Draining, worker.draining);
  FIELD(JoinedWallMs, worker.joined_wall_ms);
  FIELD(FailedTasks, worker.failed_tasks);
  FIELD(FailedShots, worker.failed_shots);
  FIELD(Process, worker.process);
  FIELD(StoppedWallMs, worker.stopped_wall_ms);
  FIELD(Forgotten, worker.forgotten);
  auto& resources = worker.offer.resources;
  FIELD(CpuSlots, resources.slots[SlotKind::kCpu]);
  FIELD(GpuSlots, resources.slots[SlotKind::kGpu]);
  FIELD(HostBytes, resources.host_bytes);
  FIELD(DeviceBytes, resources.device_bytes);
  if constexpr (Io::kReads)
    if (total(resources.slots) == 0) resources = resources_of(plain, worker.offer.numeric_classes);
}

RUSHES_CODEC(Take, records::TakeRow, take) {
  FIELD(Number, take.number);
  FIELD(State, take.state);
  FIELD(Reason, take.reason);
  FIELD(Versions, take.versions);
  FIELD(Kept, take.kept);
  FIELD(Upgrade, take.upgrade);
  FIELD(MasterRecipe, take.master_recipe);
  FIELD(ChosenBy, take.chosen_by);
  FIELD(ChosenByRetry, take.chosen_by_retry);
  FIELD(ChosenByRestore, take.chosen_by_restore);
  FIELD(LeftBefore, take.left.before);
  FIELD(LeftReason, take.left.reason);
  FIELD(LeftWallMs, take.left.wall_ms);
  FIELD(ChangedWallMs, take.changed_wall_ms);
  const bool waits = !is_planned(take) && take.kept == 0 && take.state == TakeState::kPlanned;
  io.require(waits || take.kept < take.versions.size(), "take: keeps a version that it does not have");
  if constexpr (Io::kReads) take.master_recipe_hash = hash_of(take.master_recipe);
}

RUSHES_CODEC(WallSpan, records::WallSpan, span) {
  FIELD(BeginMs, span.begin_ms);
  FIELD(EndMs, span.end_ms);
  FIELD(Over, span.over);
}

RUSHES_CODEC(ShotFacts, records::ShotRow, shot) {
  FIELD(Spec, shot.spec);
  FIELD(Batch, shot.batch);
  FIELD(By, shot.by);
  FIELD(State, shot.state);
  FIELD(Reason, shot.reason);
  FIELD(AttentionTask, shot.attention_task);
  FIELD(PauseRequested, shot.pause_requested);
  FIELD(Paused, shot.paused);
  FIELD(NumericClass, shot.numeric_class);
  FIELD(EngineBuild, shot.engine_build);
  FIELD(Encode, shot.encode);
  FIELD(Takes, shot.takes);
  FIELD(Ranking, shot.ranking);
  FIELD(Approved, shot.approved);
  FIELD(DraftDelivery, shot.draft_delivery);
  FIELD(DraftVersions, shot.draft_versions);
  FIELD(MasterVersions, shot.master_versions);
  FIELD(Deliveries, shot.deliveries);
  FIELD(CreatedWallMs, shot.created_wall_ms);
  FIELD(StartedWallMs, shot.started_wall_ms);
  FIELD(FinishedWallMs, shot.finished_wall_ms);
  FIELD(Archived, shot.archived);
  FIELD(PersonWaits, shot.person_waits);
  FIELD(ApprovedBy, shot.approved_by);
  FIELD(ApprovedWallMs, shot.approved_wall_ms);
  FIELD(ArchivedWallMs, shot.archived_wall_ms);
  if constexpr (Io::kReads) {
    shot.key = key_of(shot.spec, shot.archived);
    for (std::size_t i = 0; i < shot.takes.size(); ++i) {
      shot.takes[i].shot = ShotId(io.message.getShot());
      io.require(shot.takes[i].number == i + 1, "takes: are not in order");
    }
    io.require(shot.approved <= shot.takes.size(), "shot: approves a take that it does not have");
  }
}

RUSHES_CODEC(Lease, records::LeaseRow, lease) {
  FIELD(Id, lease.id);
  FIELD(Worker, lease.worker);
  FIELD(Revoking, lease.revoking);
  FIELD(Then, lease.then);
  FIELD(RevokeReason, lease.revoke_reason);
  FIELD(WallMs, lease.wall_ms);
  FIELD(StartedWallMs, lease.started_wall_ms);
  FIELD(RevokeCause, lease.revoke_cause);
  if constexpr (Io::kReads) lease.revoke_cause = cause_of(lease.revoke_cause, lease.revoke_reason);
}

// Slots are of two kinds: a bit says which.
template <typename Io>
using GpuBit = records::Of<Io, bool>;

RUSHES_CODEC(Failure, records::FailureRow, failure) {
  FIELD(End, failure.end);
  FIELD(Attempt, failure.attempt);
  FIELD(Worker, failure.worker);
  FIELD(Kind, failure.kind);
  FIELD(Message, failure.message);
  FIELD(ExitCause, failure.exit_cause);
  FIELD(LogTail, failure.log_tail);
  FIELD(WallMs, failure.wall_ms);
  FIELD(StartedWallMs, failure.started_wall_ms);
  FIELD(SlotSeconds, failure.slot_seconds);
  io.require(is_duration(failure.slot_seconds), "attempt: its time is no duration");
  GpuBit<Io> gpu = failure.slot == SlotKind::kGpu;
  FIELD(GpuSlot, gpu);
  if constexpr (Io::kReads) failure.slot = gpu ? SlotKind::kGpu : SlotKind::kCpu;
}

RUSHES_CODEC(TaskFacts, records::TaskRow, task) {
  FIELD(Plan, task.plan);
  FIELD(Shot, task.shot);
  FIELD(State, task.state);
  FIELD(Attempt, task.attempt);
  FIELD(Failures, task.failures);
  FIELD(Losses, task.lost_attempts);
  if (is_held(task.state)) FIELD(Lease, task.last_lease);
  FIELD(BadAttempts, task.bad_attempts);
  FIELD(ClosedReason, task.closed_reason);
  FIELD(AcceptedAttempt, task.accepted_attempt);
  FIELD(AcceptedLease, task.accepted_lease);
  FIELD(AcceptedWorker, task.accepted_worker);
  if (task.accepted_attempt > 0) FIELD(Result, task.result);
  FIELD(PlannedWallMs, task.planned_wall_ms);
  FIELD(StartedWallMs, task.started_wall_ms);
  FIELD(FinishedWallMs, task.finished_wall_ms);
  FIELD(SlowOn, task.slow_on);
  FIELD(AcceptedStartedWallMs, task.accepted_started_wall_ms);
  GpuBit<Io> gpu = task.accepted_slot == SlotKind::kGpu;
  FIELD(AcceptedGpuSlot, gpu);
  FIELD(WastedCpuSeconds, task.wasted_seconds[SlotKind::kCpu]);
  FIELD(WastedGpuSeconds, task.wasted_seconds[SlotKind::kGpu]);
  for (const double seconds : task.wasted_seconds.values)
    io.require(is_duration(seconds), "task: its wasted time is no duration");
  if constexpr (Io::kReads) {  // older rows do not say, but tensors have no other slot
    const bool by_class =
        computes_tensors(task.plan) && slot_kind_of(task.result.numeric_class) == SlotKind::kGpu;
    task.accepted_slot = gpu || by_class ? SlotKind::kGpu : SlotKind::kCpu;
  }
}

}  // namespace rushes::scheduler
