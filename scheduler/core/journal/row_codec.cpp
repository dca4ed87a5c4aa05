#include "scheduler/core/journal/row_codec.h"

#include "scheduler/plan/recipe.h"

namespace rushes::scheduler::codec {
namespace {

// Guards numbers that later code uses as sizes or divisors.
std::uint32_t at_least_one(std::uint32_t value, const char* field) {
  if (value == 0) malformed(field, "is zero");
  return value;
}

}  // namespace

TaskState read_task_state(records::TaskState s) { return read_enum<TaskState>(s, kTaskStates, "task state"); }
ShotState read_shot_state(records::ShotState s) { return read_enum<ShotState>(s, kShotStates, "shot state"); }
TakeState read_take_state(records::TakeState s) { return read_enum<TakeState>(s, 6, "take state"); }
Verdict read_verdict(records::Verdict v) { return read_enum<Verdict>(v, 4, "verdict"); }
AttemptEnd read_end(records::EndCause e) { return read_enum<AttemptEnd>(e, 5, "end of attempt"); }

Bytes read_recipe_bytes(capnp::Data::Reader data, Digest& hash) {
  Bytes bytes = read_data(data, "recipe", kMaxRecipeBytes);
  hash = bytes.empty() ? Digest{} : recipe_hash(bytes);
  return bytes;
}

void write(records::ShotSpec::Builder out, const ShotSpec& spec) {
  out.setShow(spec.show);
  out.setName(spec.name);
  write(out.initRecipe(), spec.recipe);
  out.setWindowFrames(spec.grid.window_frames);
  out.setStrideT(spec.grid.stride_t);
  out.setStrideY(spec.grid.stride_y);
  out.setStrideX(spec.grid.stride_x);
  write(out.initMaster(), spec.master);
  write_numbers(spec.seeds, out.initSeeds(spec.seeds.size()));
  out.setPriority(spec.priority);
  out.setGate(spec.gate);
  out.setApproveBest(spec.approve_best);
  out.setUpgrade(spec.upgrade);
  out.setScale(spec.scale);
  out.setReviseWindows(spec.revise_windows);
  out.setReviseComputeSeconds(spec.revise_compute_seconds);
  write_all(out.initCritics(spec.critics.size()), spec.critics);
  out.setStartFrame(spec.start_frame);
  out.setTimecode(spec.timecode);
  out.setReel(spec.reel);
  out.setDeliverNumerator(static_cast<std::uint32_t>(spec.deliver_rate.numerator));
  out.setDeliverDenominator(static_cast<std::uint32_t>(spec.deliver_rate.denominator));
  out.setDeadlineWallMs(spec.deadline_wall_ms);
  auto limits = out.initLimits(spec.limits.size());
  for (unsigned i = 0; i < spec.limits.size(); ++i) limits.set(i, spec.limits[i]);
}

ShotSpec read(records::ShotSpec::Reader in) {
  ShotSpec spec;
  spec.show = read_text(in.getShow(), "show");
  spec.name = read_text(in.getName(), "shot");
  spec.recipe = read(in.getRecipe());
  spec.grid.window_frames = in.getWindowFrames();
  spec.grid.stride_t = at_least_one(in.getStrideT(), "stride");
  spec.grid.stride_y = at_least_one(in.getStrideY(), "stride");
  spec.grid.stride_x = at_least_one(in.getStrideX(), "stride");
  spec.master = read(in.getMaster());
  read_size(in.getSeeds(), "seeds", kMaxTakes);
  spec.seeds = read_numbers<std::uint64_t>(in.getSeeds(), "seeds");
  spec.priority = in.getPriority();
  spec.gate = in.getGate();
  spec.approve_best = in.getApproveBest();
  spec.upgrade = in.getUpgrade();
  spec.scale = at_most(in.getScale(), kMaxScale, "scale");
  spec.revise_windows = at_most(in.getReviseWindows(), kMaxRevisions, "windows to revise");
  spec.revise_compute_seconds = in.getReviseComputeSeconds();
  spec.critics = read_all<CriticSetting>(in.getCritics(), "critics");
  spec.start_frame = in.getStartFrame();
  spec.timecode = read_text(in.getTimecode(), "timecode");
  spec.reel = read_text(in.getReel(), "reel");
  spec.deliver_rate = {static_cast<std::int32_t>(in.getDeliverNumerator()),
                       static_cast<std::int32_t>(in.getDeliverDenominator())};
  at_least_one(in.getDeliverDenominator(), "delivered rate");
  spec.deadline_wall_ms = in.getDeadlineWallMs();
  read_size(in.getLimits(), "limits", 64);
  for (auto limit : in.getLimits()) spec.limits.push_back(read_text(limit, "limit"));
  if (spec.recipe.windows.empty() || spec.recipe.draft.segments.empty()) malformed("shot", "has no windows");
  if (spec.seeds.empty()) malformed("shot", "has no takes");
  return spec;
}

void write(records::PlannedTask::Builder out, const PlannedTask& task) {
  out.setId(task.id);
  out.setStage(static_cast<records::Stage>(task.stage));
  out.setTake(task.take);
  out.setLevel(task.level);
  out.setWindow(task.window);
  out.setSegment(task.segment);
  out.setTile(task.tile);
  out.setRevision(task.revision);
  write(out.initFrames(), task.frames);
  out.setWholeTake(task.whole_take);
  out.setMasterDelivery(task.master_delivery);
  out.setMemoryBytes(task.memory_bytes);
  out.setWork(task.work);
  auto needs = out.initNeeds(task.needs.size());
  for (unsigned i = 0; i < task.needs.size(); ++i) {
    needs[i].setTask(task.needs[i].task);
    needs[i].setData(task.needs[i].data);
  }
}

PlannedTask read(records::PlannedTask::Reader in) {
  PlannedTask task;
  task.id = in.getId();
  task.stage = read_enum<Stage>(in.getStage(), kStages, "stage");
  task.take = in.getTake();
  task.level = in.getLevel();
  task.window = in.getWindow();
  task.segment = in.getSegment();
  task.tile = in.getTile();
  task.revision = in.getRevision();
  task.frames = read(in.getFrames());
  task.whole_take = in.getWholeTake();
  task.master_delivery = in.getMasterDelivery();
  task.memory_bytes = in.getMemoryBytes();
  task.work = in.getWork();
  read_size(in.getNeeds(), "needs");
  for (auto need : in.getNeeds()) {
    if (need.getTask() == 0 || need.getTask() >= task.id)
      malformed("needs", "a task needs only earlier ones");
    task.needs.push_back({need.getTask(), need.getData()});
  }
  return task;
}

void write(records::VersionGraph::Builder out, const VersionGraph& graph) {
  write_numbers(graph.denoise, out.initDenoise(graph.denoise.size()));
  write_numbers(graph.checkpoints, out.initCheckpoints(graph.checkpoints.size()));
  write_numbers(graph.window_critiques, out.initWindowCritiques(graph.window_critiques.size()));
  write_numbers(graph.decode, out.initDecode(graph.decode.size()));
  out.setCritique(graph.critique);
}

VersionGraph read(records::VersionGraph::Reader in) {
  return {read_numbers<TaskId>(in.getDenoise(), "denoise"),
          read_numbers<TaskId>(in.getCheckpoints(), "checkpoints"),
          read_numbers<TaskId>(in.getWindowCritiques(), "window critiques"),
          read_numbers<TaskId>(in.getDecode(), "decode"), in.getCritique()};
}

void write(records::UpgradeGraph::Builder out, const UpgradeGraph& graph) {
  out.setEnlarge(graph.enlarge);
  write_numbers(graph.refine, out.initRefine(graph.refine.size()));
  write_numbers(graph.decode, out.initDecode(graph.decode.size()));
  write_numbers(graph.finish, out.initFinish(graph.finish.size()));
  out.setDeliver(graph.deliver);
}

UpgradeGraph read(records::UpgradeGraph::Reader in) {
  return {in.getEnlarge(), read_numbers<TaskId>(in.getRefine(), "refine"),
          read_numbers<TaskId>(in.getDecode(), "decode"), read_numbers<TaskId>(in.getFinish(), "finish"),
          in.getDeliver()};
}

void write(records::Version::Builder out, const Version& version) {
  out.setNumber(version.number);
  out.setParent(version.parent);
  write_numbers(version.windows, out.initWindows(version.windows.size()));
  out.setSeed(version.seed);
  out.setReason(version.reason);
  out.setBy(version.by);
  write(out.initGraph(), version.graph);
  out.setRecipe(data_of(version.recipe));
  out.setJudged(version.judged);
  out.setVerdict(static_cast<records::Verdict>(version.verdict));
  out.setScore(version.score);
  out.setPlannedWallMs(version.planned_wall_ms);
  out.setJudgedWallMs(version.judged_wall_ms);
}

Version read(records::Version::Reader in) {
  Version version;
  version.number = in.getNumber();
  version.parent = in.getParent();
  if (version.number > 0 && version.parent >= version.number) malformed("version", "its parent is not older");
  version.windows = read_numbers<std::uint32_t>(in.getWindows(), "windows");
  version.seed = in.getSeed();
  version.reason = read_text(in.getReason(), "reason");
  version.by = read_text(in.getBy(), "by");
  version.graph = read(in.getGraph());
  version.recipe = read_recipe_bytes(in.getRecipe(), version.recipe_hash);
  version.judged = in.getJudged();
  version.verdict = read_verdict(in.getVerdict());
  version.score = in.getScore();
  version.planned_wall_ms = in.getPlannedWallMs();
  version.judged_wall_ms = in.getJudgedWallMs();
  return version;
}

void write(records::AttemptRef::Builder out, const AttemptRef& ref) {
  out.setTask(ref.task);
  out.setAttempt(ref.attempt);
  out.setLease(ref.lease);
}
AttemptRef read(records::AttemptRef::Reader in) { return {in.getTask(), in.getAttempt(), in.getLease()}; }

void write(records::BatchRow::Builder out, const Batch& batch) {
  out.setName(batch.name);
  out.setIdempotencyKey(batch.idempotency_key);
  out.setBy(batch.by);
  out.setText(data_of(batch.text));
  write_numbers(batch.shots, out.initShots(batch.shots.size()));
  out.setWallMs(batch.wall_ms);
}

Batch read(records::BatchRow::Reader in) {
  return {read_text(in.getName(), "batch"),
          read_text(in.getIdempotencyKey(), "idempotency key"),
          read_text(in.getBy(), "by"),
          read_digest(in.getText(), "text digest"),
          read_numbers<ShotId>(in.getShots(), "shots"),
          in.getWallMs()};
}

void write(records::DeliveryDone::Builder out, const DeliveryDone& delivery) {
  out.setTake(delivery.take);
  out.setMaster(delivery.master);
  out.setFolder(delivery.folder);
  out.setVersion(delivery.version);
  auto files = out.initFiles(delivery.files.size());
  for (unsigned i = 0; i < delivery.files.size(); ++i) files.set(i, delivery.files[i]);
  out.setWallMs(delivery.wall_ms);
}

DeliveryDone read(records::DeliveryDone::Reader in) {
  DeliveryDone delivery{in.getTake(),
                        in.getMaster(),
                        read_text(in.getFolder(), "folder"),
                        read_text(in.getVersion(), "version"),
                        {},
                        in.getWallMs()};
  read_size(in.getFiles(), "files");
  for (auto file : in.getFiles()) delivery.files.push_back(read_text(file, "file"));
  return delivery;
}

void write(records::WorkerState::Builder out, const Worker& worker) {
  out.setName(worker.name);
  out.setBuild(worker.build);
  out.setProtocolVersion(worker.protocol_version);
  out.setSlots(worker.slots);
  out.setPrefetch(worker.prefetch);
  out.setMemoryBytes(worker.memory_bytes);
  auto classes = out.initNumericClasses(worker.numeric_classes.size());
  for (unsigned i = 0; i < worker.numeric_classes.size(); ++i) classes.set(i, worker.numeric_classes[i]);
  auto models = out.initModels(worker.models.size());
  for (unsigned i = 0; i < worker.models.size(); ++i) {
    models[i].setName(worker.models[i].name);
    models[i].setDigest(data_of(worker.models[i].digest));
  }
  out.setDraining(worker.draining);
  out.setJoinedWallMs(worker.joined_wall_ms);
  out.setFailuresInRow(worker.failures_in_row);
}

Worker read(records::WorkerState::Reader in) {
  Worker worker;
  worker.name = read_text(in.getName(), "worker");
  worker.build = read_text(in.getBuild(), "build");
  worker.protocol_version = in.getProtocolVersion();
  worker.slots = at_least_one(in.getSlots(), "slots");
  worker.prefetch = in.getPrefetch();
  worker.memory_bytes = in.getMemoryBytes();
  read_size(in.getNumericClasses(), "numeric classes", 1024);
  for (auto name : in.getNumericClasses()) worker.numeric_classes.push_back(read_text(name, "numeric class"));
  read_size(in.getModels(), "models", 4096);
  for (auto model : in.getModels()) {
    worker.models.push_back(
        {read_text(model.getName(), "model"), read_digest(model.getDigest(), "model digest")});
  }
  worker.draining = in.getDraining();
  worker.joined_wall_ms = in.getJoinedWallMs();
  worker.failures_in_row = in.getFailuresInRow();
  return worker;
}

namespace {

void write_take(records::TakeRow::Builder out, const Take& take) {
  out.setNumber(take.number);
  out.setState(static_cast<records::TakeState>(take.state));
  out.setReason(take.reason);
  write_all(out.initVersions(take.versions.size()), take.versions);
  out.setKept(take.kept);
  codec::write(out.initUpgrade(), take.upgrade);
  out.setMasterRecipe(data_of(take.master_recipe));
}

Take read_take(records::TakeRow::Reader in) {
  Take take;
  take.number = in.getNumber();
  take.state = read_take_state(in.getState());
  take.reason = read_text(in.getReason(), "take reason");
  take.versions = read_all<Version>(in.getVersions(), "versions");
  take.kept = in.getKept();
  const bool waits = !is_planned(take) && take.kept == 0 && take.state == TakeState::kPlanned;
  if (!waits && take.kept >= take.versions.size()) malformed("take", "keeps a version that it does not have");
  take.upgrade = codec::read(in.getUpgrade());
  take.master_recipe = read_recipe_bytes(in.getMasterRecipe(), take.master_recipe_hash);
  return take;
}

void write(records::LeaseRow::Builder out, const Lease& lease) {
  out.setId(lease.id);
  out.setWorker(lease.worker);
  out.setRevoking(lease.revoking);
  out.setThen(static_cast<records::TaskState>(lease.then));
  out.setRevokeReason(lease.revoke_reason);
  out.setWallMs(lease.wall_ms);
  out.setStartedWallMs(lease.started_wall_ms);
}

Lease read_lease(records::LeaseRow::Reader in) {
  Lease lease;
  lease.id = in.getId();
  lease.worker = in.getWorker();
  lease.revoking = in.getRevoking();
  lease.then = read_task_state(in.getThen());
  lease.revoke_reason = read_text(in.getRevokeReason(), "revoke reason");
  lease.wall_ms = in.getWallMs();
  lease.started_wall_ms = in.getStartedWallMs();
  return lease;
}

void write(records::FailureRow::Builder out, const Failure& failure) {
  out.setEnd(static_cast<records::EndCause>(failure.end));
  out.setAttempt(failure.attempt);
  out.setWorker(failure.worker);
  out.setKind(failure.kind);
  out.setMessage(failure.message);
  out.setExitCause(failure.exit_cause);
  out.setLogTail(failure.log_tail);
  out.setWallMs(failure.wall_ms);
}

Failure read_failure(records::FailureRow::Reader in) {
  return {read_end(in.getEnd()),
          in.getAttempt(),
          read_text(in.getWorker(), "worker"),
          read_text(in.getKind(), "kind"),
          read_text(in.getMessage(), "message"),
          read_text(in.getExitCause(), "exit cause"),
          read_text(in.getLogTail(), "log"),
          in.getWallMs()};
}

}  // namespace

void write(records::ShotRow::Builder out, const Shot& shot) {
  write(out.initSpec(), shot.spec);
  out.setBatch(shot.batch);
  out.setBy(shot.by);
  out.setState(static_cast<records::ShotState>(shot.state));
  out.setReason(shot.reason);
  out.setAttentionTask(shot.attention_task);
  out.setPauseRequested(shot.pause_requested);
  out.setPaused(shot.paused);
  out.setNumericClass(shot.numeric_class);
  out.setEngineBuild(shot.engine_build);
  out.setEncode(shot.encode);
  auto takes = out.initTakes(shot.takes.size());
  for (unsigned i = 0; i < shot.takes.size(); ++i) write_take(takes[i], shot.takes[i]);
  write_numbers(shot.ranking, out.initRanking(shot.ranking.size()));
  out.setApproved(shot.approved);
  out.setDraftDelivery(shot.draft_delivery);
  out.setDraftVersions(shot.draft_versions);
  out.setMasterVersions(shot.master_versions);
  write_all(out.initDeliveries(shot.deliveries.size()), shot.deliveries);
  out.setCreatedWallMs(shot.created_wall_ms);
  out.setStartedWallMs(shot.started_wall_ms);
  out.setFinishedWallMs(shot.finished_wall_ms);
}

Shot read(records::ShotRow::Reader in) {
  Shot shot;
  shot.spec = read(in.getSpec());
  shot.key = shot.spec.show + "/" + shot.spec.name;
  shot.batch = in.getBatch();
  shot.by = read_text(in.getBy(), "by");
  shot.state = read_shot_state(in.getState());
  shot.reason = read_text(in.getReason(), "shot reason");
  shot.attention_task = in.getAttentionTask();
  shot.pause_requested = in.getPauseRequested();
  shot.paused = in.getPaused();
  shot.numeric_class = read_text(in.getNumericClass(), "numeric class");
  shot.engine_build = read_text(in.getEngineBuild(), "engine build");
  shot.encode = in.getEncode();
  read_size(in.getTakes(), "takes", kMaxTakes);
  for (auto take : in.getTakes()) {
    shot.takes.push_back(read_take(take));
    shot.takes.back().shot = in.getShot();
    if (shot.takes.back().number != shot.takes.size()) malformed("takes", "are not in order");
  }
  shot.ranking = read_numbers<std::uint32_t>(in.getRanking(), "ranking");
  shot.approved = in.getApproved();
  if (shot.approved > shot.takes.size()) malformed("shot", "approves a take that it does not have");
  shot.draft_delivery = in.getDraftDelivery();
  shot.draft_versions = in.getDraftVersions();
  shot.master_versions = in.getMasterVersions();
  shot.deliveries = read_all<DeliveryDone>(in.getDeliveries(), "deliveries");
  shot.created_wall_ms = in.getCreatedWallMs();
  shot.started_wall_ms = in.getStartedWallMs();
  shot.finished_wall_ms = in.getFinishedWallMs();
  return shot;
}

void write(records::TaskRow::Builder out, const Task& task) {
  write(out.initPlan(), task.plan);
  out.setShot(task.shot);
  out.setState(static_cast<records::TaskState>(task.state));
  out.setAttempt(task.attempt);
  out.setFailures(task.failures);
  out.setLosses(task.losses);
  if (is_held(task.state)) write(out.initLease(), task.lease);
  auto failures = out.initBadAttempts(task.bad_attempts.size());
  for (unsigned i = 0; i < task.bad_attempts.size(); ++i) write(failures[i], task.bad_attempts[i]);
  out.setClosedReason(task.closed_reason);
  out.setAcceptedAttempt(task.accepted_attempt);
  out.setAcceptedLease(task.accepted_lease);
  out.setAcceptedWorker(task.accepted_worker);
  if (task.accepted_attempt > 0) write(out.initResult(), task.result);
  out.setPlannedWallMs(task.planned_wall_ms);
  out.setStartedWallMs(task.started_wall_ms);
  out.setFinishedWallMs(task.finished_wall_ms);
  out.setSlowOn(task.slow_on);
}

Task read(records::TaskRow::Reader in) {
  Task task;
  task.plan = read(in.getPlan());
  task.shot = in.getShot();
  task.state = read_task_state(in.getState());
  task.attempt = in.getAttempt();
  task.failures = in.getFailures();
  task.losses = in.getLosses();
  if (is_held(task.state)) task.lease = read_lease(in.getLease());
  read_size(in.getBadAttempts(), "failures", 4096);
  for (auto failure : in.getBadAttempts()) task.bad_attempts.push_back(read_failure(failure));
  task.closed_reason = read_text(in.getClosedReason(), "closed reason");
  task.accepted_attempt = in.getAcceptedAttempt();
  task.accepted_lease = in.getAcceptedLease();
  task.accepted_worker = in.getAcceptedWorker();
  if (task.accepted_attempt > 0) task.result = read(in.getResult());
  task.planned_wall_ms = in.getPlannedWallMs();
  task.started_wall_ms = in.getStartedWallMs();
  task.finished_wall_ms = in.getFinishedWallMs();
  task.slow_on = in.getSlowOn();
  return task;
}

}  // namespace rushes::scheduler::codec
