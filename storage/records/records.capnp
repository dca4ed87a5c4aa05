# What Rushes writes down and must be able to read for ever: recipes, tasks, results, critiques, journal records.
#
# Rules. Fields are only added, never renumbered. Every list, text and number is bounded where it is read
# (storage/records/reader.h); the bounds stand beside the fields (storage/records/bounds.capnp).
# A digest is 32 bytes of BLAKE2b-256. Latent coordinates are absolute in the take: t in latent frames, y and x in
# latent pixels. Pixel frames are counted from 0 inside a take; the delivery adds the shot's start frame.
@0xd3c1b6f02a7e4951;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("rushes::records");
using import "/storage/records/bounds.capnp".maxBytes;
using import "/storage/records/bounds.capnp".maxCount;
using import "/storage/records/bounds.capnp".least;
using import "/storage/records/bounds.capnp".most;

const maxListed :UInt32 = 1000000;        # entries of a list of tasks, dependencies or numbers
const maxRecipeBytes :UInt32 = 8388608;
const maxFrames :UInt32 = 131072;         # of a take; well above what a shot file may ask for, as all below
const maxSide :UInt32 = 65536;            # pixels of a frame
const maxRate :UInt32 = 1000000;          # numerator and denominator of a frame rate
const maxTiles :UInt32 = 65536;
const maxScale :UInt32 = 64;
const maxTakes :UInt32 = 4096;
const maxRevisions :UInt32 = 16384;
const maxArtifactBytes :UInt64 = 4294967296;
const maxModelMemory :UInt64 = 17592186044416;  # bytes of tensors, of a whole run
const maxLatentMemory :UInt64 = 4294967296;     # of one token or latent

enum Stage {
  encode @0;    # a shot: prompt, key frames, annotations -> conditioning tensors
  denoise @1;   # (window, segment): own and neighbouring latents of the segment before -> latents
  critique @2;  # a window at a checkpoint, or a whole take: latents or frames -> critique
  decode @3;    # a spatial tile over the whole take in time: latents -> scene-linear frames
  enlarge @4;   # an approved take: latents or frames -> guide latents at the next resolution level
  refine @5;    # (window, tile, segment): guide and latents -> latents at the higher level
  finish @6;    # a run of frames: decoded tiles -> EXR files and proxy frames
  deliver @7;   # a draft or a master: everything -> movie, contact sheet, sidecar
}

enum Sampler { euler @0; unipc @1; dpmpp @2; }

# A half-open run of something.
struct Range { begin @0 :UInt32; end @1 :UInt32; }

# A rectangle of latent pixels, without halo.
struct Tile { y @0 :UInt32; x @1 :UInt32; height @2 :UInt32; width @3 :UInt32; }

# Everything that decides a take's pixels. Its hash is BLAKE2b-256 over its canonical Cap'n Proto form.
struct Recipe {
  engineBuild @0 :Text;          # changes when a build changes pixels
  numericClass @1 :Text;         # kernels/backend.h numeric_class(); a take stays inside one
  model @2 :Text;                # manifest name
  modelDigest @3 :Data;          # digest over the digests of the model's files
  prompt @4 :Text;               # that is encoded now: of the newest revision that has one, else the take's
  negativePrompt @5 :Text;
  seed @6 :UInt64;
  fpsNumerator @7 :UInt32 $most(.maxRate);
  fpsDenominator @8 :UInt32 $most(.maxRate);
  frames @9 :UInt32 $most(.maxFrames);             # delivered frames
  renderedFrames @10 :UInt32 $most(.maxFrames);    # 4n+1, >= frames; the rest is trimmed
  width @11 :UInt32 $most(.maxSide);             # latent grid in pixels, draft level
  height @12 :UInt32 $most(.maxSide);
  deliverWidth @13 :UInt32 $most(.maxSide);      # centre crop that is delivered, draft level
  deliverHeight @14 :UInt32 $most(.maxSide);
  draft @15 :Sampling;
  windows @16 :List(Range);      # in latent frames, overlapping
  keyFrames @17 :List(KeyFrame) $maxCount(32768);
  revisions @18 :List(Revision) $maxCount(.maxRevisions); # lineage, oldest first
  master @19 :Master;            # present when the take is upgraded
  decodeTiles @20 :List(Tile) $maxCount(.maxTiles);  # of the draft, disjoint; absent: the whole frame is one tile
  takePrompt @21 :Text;          # the take's own, where a revision has another; older recipes do not say
}

struct Sampling {
  sampler @0 :Sampler;
  sigmas @1 :List(Float32);      # steps + 1 values, the last 0; config/schedule.h
  timesteps @2 :List(Float32);   # what the network sees, one a step
  guidance @3 :Float32;
  segments @4 :List(Range);      # runs of steps between checkpoints
}

struct KeyFrame { frame @0 :UInt32; image @1 :Data; bytes @2 :UInt64; }  # digest and size of the image artifact

# Windows that were rendered again with new noise, their neighbours frozen.
struct Revision {
  number @0 :UInt32;
  windows @1 :List(UInt32);
  seed @2 :UInt64;
  reason @3 :Text;
  prompt @4 :Text;                # empty: that of before
}

# The upgrade: a second resolution level, refined from a low noise level under the draft as guide.
struct Master {
  scale @0 :UInt32 $most(.maxScale);              # linear, for example 4
  sampling @1 :Sampling;         # sigmas start at the manifest's start_sigma
  tiles @2 :List(Tile) $maxCount(.maxTiles);          # refine tiles, overlapping, in latent pixels of the master level
  decodeTiles @3 :List(Tile) $maxCount(.maxTiles);    # disjoint, cover the frame
  windows @4 :List(Range);
}

# One task as a worker gets it. Everything that is needed to run it, nothing about who runs it.
struct TaskSpec {
  task @0 :UInt64;
  show @1 :Text;
  shot @2 :Text;                 # "show/shot" is unique on a farm
  take @3 :UInt32;               # from 1; 0 for work that belongs to the whole shot
  stage @4 :Stage;
  level @5 :UInt32 $most(1);              # resolution level: 0 draft, 1 master
  window @6 :UInt32;
  segment @7 :UInt32;
  tile @8 :UInt32;               # index into refine tiles (refine) or decode tiles (decode)
  revision @9 :UInt32;           # 0: first render; n: the take's revision n
  frames @10 :Range;             # finish: the run of frames; critique: the frames looked at
  wholeTake @11 :Bool;           # critique: the take rather than one window
  recipe @12 :Data $maxBytes(.maxRecipeBytes);              # canonical Recipe
  inputs @13 :List(Input);
  delivery @14 :Delivery;        # finish, deliver
  name @15 :Text;                # for people: "sh010 take 1 denoise window 0 steps 3-6"
  critics @16 :List(CriticSetting);  # critique: the rules in force
}

# How the scores of one critic count. Older shots list only what they changed: a critic that is not listed has its
# default rule, a negative threshold is the default one.
struct CriticSetting {
  name @0 :Text;                 # a name of config/critics.h
  enabled @1 :Bool = true;
  revise @2 :Float32 = -1;       # below this score the window is revised
  reject @3 :Float32 = -1;       # below this score the take is dropped
  blocks @4 :Bool = true;        # false: it advises, its scores change no verdict
}

# An artifact that a task reads, and what it is to the task.
struct Input {
  role @0 :Text;                 # a word of Role (words.h): "conditioning", "latent", "frames", ...
  digest @1 :Data;
  bytes @2 :UInt64;
  stage @3 :Stage;               # the task that made it
  take @4 :UInt32;
  window @5 :UInt32;
  segment @6 :UInt32;
  tile @7 :UInt32;
  revision @8 :UInt32;
  level @9 :UInt32 $most(1);
}

struct Delivery {
  folder @0 :Text;               # relative to the finishing host's deliveries folder
  version @1 :Text;              # "v001"
  startFrame @2 :UInt32;         # number of the first frame, 1001
  timecode @3 :Text;             # of the first frame, "01:00:00:00"
  reel @4 :Text;
  master @5 :Bool;               # the upgraded result; false: the draft
  fpsNumerator @6 :UInt32 $most(.maxRate);       # delivered rate; differs from the recipe's when the shot conforms
  fpsDenominator @7 :UInt32 $most(.maxRate);
  shotWallMs @8 :Int64;          # when the shot was submitted: tells shots of one name on two farms apart
  takes @9 :List(TakeShown) $maxCount(.maxTakes);  # deliver: all takes of the shot; older schedulers list none
}

# What a contact sheet says of a take beside its critique.
struct TakeShown {
  take @0 :UInt32;
  version @1 :UInt32;            # the current one
  seed @2 :UInt64;
  rank @3 :UInt32;               # from 1, the best; 0: not ranked
}

# An artifact that a task made.
struct Output {
  role @0 :Text;
  digest @1 :Data;
  bytes @2 :UInt64 $most(.maxArtifactBytes);
}

# What an attempt reports when it is done.
struct TaskResult {
  outputs @0 :List(Output);
  computeSeconds @1 :Float64;    # CPU or GPU seconds spent, as the engine counted them
  wallSeconds @2 :Float64;       # for which it held its slot: its device seconds
  peakMemoryBytes @3 :UInt64;
  critique @4 :Critique;         # critique tasks only
  numericClass @5 :Text;
  files @6 :List(Text) $maxCount(100000);          # finish, deliver: files written, relative to the deliveries folder
}

enum Verdict { unknown @0; pass @1; revise @2; reject @3; }

struct Critique {
  verdict @0 :Verdict;
  score @1 :Float32;             # 0 worst .. 1 best, over the dimensions that block
  dimensions @2 :List(Score);
  findings @3 :List(Finding);
  critics @4 :Text;              # names and versions of the critics that ran
  computeSeconds @5 :Float64;
}

# `threshold` and `reject` are the rule's thresholds in force (CriticSetting); older critiques have no `reject`.
struct Score { dimension @0 :Text; score @1 :Float32; threshold @2 :Float32; reject @3 :Float32; blocks @4 :Bool = true; }

# One remark: what, where, how bad, and what would help.
struct Finding {
  dimension @0 :Text;
  severity @1 :Float32;          # 0..1
  frames @2 :Range;              # frames of the take
  window @3 :UInt32;
  box @4 :Box;                   # normalised, origin top-left, y down
  message @5 :Text;
  remedy @6 :Text;
  evidence @7 :Float64;          # the measured number
  threshold @8 :Float64;         # the bound it broke
  blocks @9 :Bool = true;        # false: advice, which changes no verdict and asks for no revision
}

struct Box { x @0 :Float32 = 0; y @1 :Float32 = 0; width @2 :Float32 = 1; height @3 :Float32 = 1; }

# ---- The journal ---------------------------------------------------------------------------------------------------
#
# What the scheduler decided, in order (scheduler/core/state/record.h has the same names). Replaying the records gives
# the same state in every later version: a reader knows all older forms, a kind it does not know stops it by name.
# Times: wall... are milliseconds since 1970 for people; ...Ms are of CLOCK_BOOTTIME and only hints after a restart.

enum TaskState { pending @0; ready @1; leased @2; running @3; succeeded @4; failed @5; cancelled @6; aborted @7; skipped @8; }
enum ShotState { queued @0; drafting @1; review @2; upgrading @3; delivered @4; attention @5; cancelled @6; }
enum TakeState { planned @0; rendering @1; judged @2; approved @3; dropped @4; master @5; }
enum RevokeCause { unknown @0; closed @1; missing @2; queued @3; speculative @4; straggler @5; }
enum EndCause { none @0; failed @1; expired @2; stopped @3; workerRestarted @4; }

struct Record {
  version @0 :UInt16 = 1;        # of the meaning of the records; newer than the reader: refused
  union {
    batchSubmitted @1 :BatchSubmitted;
    shotPlanned @2 :ShotPlanned;
    versionPlanned @3 :VersionPlanned;
    upgradePlanned @4 :UpgradePlanned;
    deliveryPlanned @5 :DeliveryPlanned;
    classPinned @6 :ClassPinned;
    leased @7 :Leased;
    started @8 :Started;
    resultAccepted @9 :ResultAccepted;
    attemptEnded @10 :AttemptEnded;
    revokeAsked @11 :RevokeAsked;
    taskClosed @12 :TaskClosed;
    taskReopened @13 :TaskReopened;
    versionJudged @14 :VersionJudged;
    versionKept @15 :VersionKept;
    takeMoved @16 :TakeMoved;
    shotMoved @17 :ShotMoved;
    takesRanked @18 :TakesRanked;
    takeApproved @19 :TakeApproved;
    holdChanged @20 :HoldChanged;
    delivered @21 :Delivered;
    workerJoined @22 :WorkerJoined;
    workerDraining @23 :WorkerDraining;
    workerQuarantined @24 :WorkerQuarantined;
    recovered @25 :Recovered;
    farmRow @26 :FarmRow;        # snapshots: one row a record
    shotRow @27 :ShotRow;
    taskRow @28 :TaskRow;
    workerRow @29 :WorkerRow;
    batchRow @30 :BatchSubmitted;
    snapshotEnd @31 :Void;
    estimateRow @32 :EstimateRow;
    workerNoted @33 :WorkerNoted;
    shotArchived @34 :ShotArchived;
    workerStopped @35 :WorkerStopped;
    workerForgotten @36 :WorkerForgotten;
    takeLeft @37 :TakeLeft;
  }
}

# The attempt that may deliver a task's result: fenced by number and lease.
struct AttemptRef { task @0 :UInt64; attempt @1 :UInt32; lease @2 :UInt64; }

struct BatchRow {
  name @0 :Text;
  idempotencyKey @1 :Text;
  by @2 :Text;
  text @3 :Data;                 # digest of the YAML text
  shots @4 :List(UInt32) $maxCount(.maxListed);
  wallMs @5 :Int64;
}

# A shot resolved against its model.
struct ShotSpec {
  show @0 :Text;
  name @1 :Text;
  recipe @2 :Recipe;             # of every take, except seed, class and build
  windowFrames @3 :UInt32;       # native window of the model, 4n+1
  strideT @4 :UInt32 $least(1);            # frames, rows, columns per latent
  strideY @5 :UInt32 $least(1);
  strideX @6 :UInt32 $least(1);
  master @7 :Sampling;
  seeds @8 :List(UInt64) $maxCount(.maxTakes);
  priority @9 :UInt32;
  gate @10 :Bool;
  approveBest @11 :Bool;
  upgrade @12 :Bool;
  scale @13 :UInt32 $most(.maxScale);
  reviseWindows @14 :UInt32 $most(.maxRevisions);     # budget per take
  reviseDeviceSeconds @15 :Float64;   # budget per take, < 0: no bound
  critics @16 :List(CriticSetting);
  startFrame @17 :UInt32;
  timecode @18 :Text;
  reel @19 :Text;
  deliverNumerator @20 :UInt32;
  deliverDenominator @21 :UInt32 $least(1);
  deadlineWallMs @22 :Int64;     # 0: none
  limits @23 :List(Text) $maxCount(64);        # shared limits that its tasks claim
  channels @24 :UInt32 = 16 $least(1) $most(4096);  # of a latent
  remarks @25 :List(Text) $maxCount(64);       # what the model will not do as the prompt says, in sentences
  # What the model's tensors take (config/model_memory.h); the defaults are those of shots before it was measured.
  memoryMeasured @26 :Bool;
  memoryWeights @27 :UInt64 $most(.maxModelMemory);
  memoryStep @28 :UInt64 $most(.maxModelMemory);
  memoryToken @29 :UInt64 = 65536 $most(.maxLatentMemory);
  memoryVae @30 :UInt64 $most(.maxModelMemory);
  memoryBoxLatent @31 :UInt64 = 524288 $most(.maxLatentMemory);
  memoryFrameLatent @32 :UInt64 = 10240 $most(.maxLatentMemory);
  # What reading the pictures of its key frames takes: pixels of all, memory of the largest. 0: an older shot.
  picturePixels @33 :UInt64;
  pictureMemory @34 :UInt64;
}

struct Dependency { task @0 :UInt64; data @1 :Bool = true; }  # data: its outputs are inputs

struct PlannedTask {
  id @0 :UInt64;
  stage @1 :Stage;
  take @2 :UInt32;
  level @3 :UInt32;
  window @4 :UInt32;
  segment @5 :UInt32;
  tile @6 :UInt32;
  revision @7 :UInt32;
  frames @8 :Range;
  wholeTake @9 :Bool;
  masterDelivery @10 :Bool;
  memoryBytes @11 :UInt64;      # of host and tensors together
  work @12 :Float64;
  needs @13 :List(Dependency) $maxCount(.maxListed);
  hostBytes @14 :UInt64;        # of memoryBytes; older records do not say
  hostSeconds @16 :Float64;     # beside `work`, on one core of any host
  replays @15 :UInt32;          # 1 + the version of its take of whose recipe it makes again what left; 0: its own
}

struct VersionGraph {
  denoise @0 :List(UInt64) $maxCount(.maxListed);      # [window * segments + segment]
  checkpoints @1 :List(UInt64) $maxCount(.maxListed);
  windowCritiques @2 :List(UInt64) $maxCount(.maxListed);
  decode @3 :List(UInt64) $maxCount(.maxListed);
  critique @4 :UInt64;
  encode @5 :UInt64;              # of its own prompt; 0: the shot's
}

struct UpgradeGraph {
  enlarge @0 :UInt64;
  refine @1 :List(UInt64) $maxCount(.maxListed);       # [(window * tiles + tile) * segments + segment]
  decode @2 :List(UInt64) $maxCount(.maxListed);
  finish @3 :List(UInt64) $maxCount(.maxListed);
  deliver @4 :UInt64;
}

struct Version {
  number @0 :UInt32;
  parent @1 :UInt32;
  windows @2 :List(UInt32);
  seed @3 :UInt64;
  reason @4 :Text;
  by @5 :Text;
  graph @6 :VersionGraph;
  recipe @7 :Data $maxBytes(.maxRecipeBytes);               # canonical Recipe
  judged @8 :Bool;
  verdict @9 :Verdict;
  score @10 :Float32;
  plannedWallMs @11 :Int64;
  judgedWallMs @12 :Int64;
  prompt @13 :Text;
  wasKept @14 :Bool;
  again @15 :Bool;                # its parent's pictures left, and it makes the same ones from the same recipe
}

struct BatchSubmitted { batch @0 :UInt64; row @1 :BatchRow; }
struct ShotPlanned {
  shot @0 :UInt32;
  batch @1 :UInt64;
  by @2 :Text;
  spec @3 :ShotSpec;
  tasks @4 :List(PlannedTask) $maxCount(.maxListed);
  wallMs @5 :Int64;
  draftVersions @6 :UInt32;       # deliveries of the shots of this name before it
  masterVersions @7 :UInt32;
}
# It gives its name free and is SHOW/SHOT@number from then on.
struct ShotArchived { shot @0 :UInt32; number @1 :UInt32; by @2 :Text; wallMs @3 :Int64; }
struct VersionPlanned {
  shot @0 :UInt32;
  take @1 :UInt32;
  version @2 :Version;
  tasks @3 :List(PlannedTask) $maxCount(.maxListed);
}
struct UpgradePlanned {
  shot @0 :UInt32;
  take @1 :UInt32;
  graph @2 :UpgradeGraph;
  recipe @3 :Data $maxBytes(.maxRecipeBytes);
  tasks @4 :List(PlannedTask) $maxCount(.maxListed);
  wallMs @5 :Int64;
}
struct DeliveryPlanned {
  shot @0 :UInt32;
  take @1 :UInt32;
  tasks @2 :List(PlannedTask) $maxCount(.maxListed);
  wallMs @3 :Int64;
}
struct TakeRecipe { take @0 :UInt32; recipe @1 :Data $maxBytes(.maxRecipeBytes); }
struct ClassPinned { shot @0 :UInt32; numericClass @1 :Text; engineBuild @2 :Text; recipes @3 :List(TakeRecipe); }

struct Leased { ref @0 :AttemptRef; worker @1 :UInt32; expiresMs @2 :Int64; wallMs @3 :Int64; }
struct Started {
  ref @0 :AttemptRef;
  nowMs @1 :Int64;
  wallMs @2 :Int64;
  loads @3 :Bool;                # it begins with loading its model
  countedFromMs @4 :Int64;       # when its own work begins; 0: nowMs (written by older builds)
}
struct ResultAccepted { ref @0 :AttemptRef; worker @1 :UInt32; result @2 :TaskResult; wallMs @3 :Int64; }
struct AttemptEnded {
  ref @0 :AttemptRef;
  worker @1 :UInt32;
  end @2 :EndCause;
  kind @3 :Text;
  message @4 :Text;
  exitCause @5 :Text;
  logTail @6 :Text;
  then @7 :TaskState;
  retryAtMs @8 :Int64;
  wallMs @9 :Int64;
  blameless @10 :Bool;           # a failure that says nothing about its worker
  slotSeconds @11 :Float64;      # for which it held its slot; older records do not say
}
struct RevokeAsked {
  ref @0 :AttemptRef;
  then @1 :TaskState;
  reason @2 :Text;
  straggler @3 :Bool;            # older builds have no cause
  cause @4 :RevokeCause;
}
struct TaskClosed { task @0 :UInt64; state @1 :TaskState; reason @2 :Text; wallMs @3 :Int64; }
struct TaskReopened { task @0 :UInt64; reason @1 :Text; wallMs @2 :Int64; }

struct VersionJudged {
  shot @0 :UInt32;
  take @1 :UInt32;
  number @2 :UInt32;
  verdict @3 :Verdict;
  score @4 :Float32;
  wallMs @5 :Int64;
}
struct VersionKept {
  shot @0 :UInt32;
  take @1 :UInt32;
  number @2 :UInt32;
  wallMs @3 :Int64;
  by @4 :Text;                    # a person; empty: the critics
  byRetry @5 :Bool;               # that person had it rendered; older records do not say
  byRestore @6 :Bool;             # that person asked to have a dropped take back
}
# What the take's tasks before `before` made is removed from the vault.
struct TakeLeft {
  shot @0 :UInt32;
  take @1 :UInt32;
  before @2 :UInt64;
  reason @3 :Text;
  bytes @4 :UInt64;               # that only they needed
  wallMs @5 :Int64;
  by @6 :Text;                    # a person; empty: its days were over, or an older record
}
struct TakeMoved { shot @0 :UInt32; take @1 :UInt32; state @2 :TakeState; reason @3 :Text; wallMs @4 :Int64; }
struct ShotMoved { shot @0 :UInt32; state @1 :ShotState; reason @2 :Text; task @3 :UInt64; wallMs @4 :Int64; }
struct TakesRanked { shot @0 :UInt32; ranking @1 :List(UInt32); wallMs @2 :Int64; }
struct TakeApproved { shot @0 :UInt32; take @1 :UInt32; by @2 :Text; wallMs @3 :Int64; }  # take 0: withdrawn
struct HoldChanged { shot @0 :UInt32; requested @1 :Bool; reached @2 :Bool; by @3 :Text; wallMs @4 :Int64; }
struct DeliveryDone {
  take @0 :UInt32;
  master @1 :Bool;
  folder @2 :Text;
  version @3 :Text;
  files @4 :List(Text) $maxCount(.maxListed);
  wallMs @5 :Int64;
}
struct Delivered { shot @0 :UInt32; delivery @1 :DeliveryDone; }

struct ModelOffer { name @0 :Text; digest @1 :Data; }
struct WorkerState {
  name @0 :Text;
  build @1 :Text;
  protocolVersion @2 :UInt32;
  slots @3 :UInt32 $least(1) $most(4096);  # of one kind: words.h, PlainOffer
  prefetch @4 :UInt32 $most(4096);
  memoryBytes @5 :UInt64;                  # as slots
  numericClasses @6 :List(Text) $maxCount(1024);
  models @7 :List(ModelOffer);
  draining @8 :Bool;
  joinedWallMs @9 :Int64;
  failedTasks @10 :UInt32;         # since its last result: finished by others
  cpuSlots @11 :UInt32 $most(4096);  # from here on of every kind; without any slot: an older record
  gpuSlots @12 :UInt32 $most(4096);
  hostBytes @13 :UInt64;
  deviceBytes @14 :UInt64;
  failedShots @15 :List(UInt32) $maxCount(.maxListed);  # since its last result: each once
  process @16 :WorkerProcess;
  stoppedWallMs @17 :Int64;        # it said that it left; 0: it did not
  forgotten @18 :Bool;             # a person took it from the list
}
# One start of a worker's agent; without an id: of a build that does not say.
struct WorkerProcess {
  id @0 :Text;
  lock @1 :Text;
  host @2 :Text;
  pid @3 :UInt32;
  address @4 :Text;
  remarks @5 :List(Text) $maxCount(64);  # what it could not offer, and why
}
struct WorkerStopped { worker @0 :UInt32; wallMs @1 :Int64; }
struct WorkerForgotten { worker @0 :UInt32; by @1 :Text; wallMs @2 :Int64; }
struct WorkerJoined { worker @0 :UInt32; row @1 :WorkerState; nowMs @2 :Int64; wallMs @3 :Int64; }
struct WorkerDraining { worker @0 :UInt32; draining @1 :Bool; by @2 :Text; wallMs @3 :Int64; }
struct WorkerQuarantined { worker @0 :UInt32; untilMs @1 :Int64; wallMs @2 :Int64; reason @3 :Text; }
struct WorkerNoted { worker @0 :UInt32; wallMs @1 :Int64; text @2 :Text; }
struct Recovered {                 # renews every lease once
  epoch @0 :UInt64;
  expiresMs @1 :Int64;
  wallMs @2 :Int64;
  firstLease @3 :UInt64;           # of a restored farm: numbers below may be known from its lost days; 0: they go on
}

struct FarmRow { nextLease @0 :UInt64; epoch @1 :UInt64; lastEvent @2 :UInt64; }

struct TakeRow {
  number @0 :UInt32;
  state @1 :TakeState;
  reason @2 :Text;
  versions @3 :List(Version) $maxCount(32768);
  kept @4 :UInt32;
  upgrade @5 :UpgradeGraph;
  masterRecipe @6 :Data $maxBytes(.maxRecipeBytes);
  chosenBy @7 :Text;
  chosenByRetry @8 :Bool;         # older rows do not say
  leftBefore @9 :UInt64;          # what its tasks before this one made is not in the vault any more; 0: nothing left
  leftReason @10 :Text;
  leftWallMs @11 :Int64;
  changedWallMs @12 :Int64;       # 0: an older row
  chosenByRestore @13 :Bool;
}

struct WallSpan {
  beginMs @0 :Int64;
  endMs @1 :Int64;                # 0: it lasts
  over @2 :Bool;                  # the shot was over then; older rows do not say
}

struct ShotRow {
  shot @0 :UInt32;
  spec @1 :ShotSpec;
  batch @2 :UInt64;
  by @3 :Text;
  state @4 :ShotState;
  reason @5 :Text;
  attentionTask @6 :UInt64;
  pauseRequested @7 :Bool;
  paused @8 :Bool;
  numericClass @9 :Text;
  engineBuild @10 :Text;
  encode @11 :UInt64;
  takes @12 :List(TakeRow) $maxCount(.maxTakes);
  ranking @13 :List(UInt32);
  approved @14 :UInt32;
  draftDelivery @15 :UInt64;
  draftVersions @16 :UInt32;
  masterVersions @17 :UInt32;
  deliveries @18 :List(DeliveryDone) $maxCount(.maxListed);
  createdWallMs @19 :Int64;
  startedWallMs @20 :Int64;
  finishedWallMs @21 :Int64;
  archived @22 :UInt32;           # SHOW/SHOT@archived; 0: not archived
  personWaits @23 :List(WallSpan) $maxCount(256);  # when it waited for a person or was over, oldest first
  approvedBy @24 :Text;
  approvedWallMs @25 :Int64;
  archivedWallMs @26 :Int64;      # 0: not archived, or an older row
}

struct FailureRow {
  end @0 :EndCause;
  attempt @1 :UInt32;
  worker @2 :Text;
  kind @3 :Text;
  message @4 :Text;
  exitCause @5 :Text;
  logTail @6 :Text;
  wallMs @7 :Int64;
  startedWallMs @8 :Int64;       # 0: it never began
  slotSeconds @9 :Float64;
  gpuSlot @10 :Bool;             # its slot was a GPU
}

struct LeaseRow {                # while a task is leased or running
  id @0 :UInt64;
  worker @1 :UInt32;
  revoking @2 :Bool;
  then @3 :TaskState;
  revokeReason @4 :Text;
  wallMs @5 :Int64;
  startedWallMs @6 :Int64;
  revokeCause @7 :RevokeCause;   # unknown: written by an older build
}

struct TaskRow {
  plan @0 :PlannedTask;
  shot @1 :UInt32;
  state @2 :TaskState;
  attempt @3 :UInt32;
  failures @4 :UInt32;
  losses @5 :UInt32;
  lease @6 :LeaseRow;
  badAttempts @7 :List(FailureRow);
  closedReason @8 :Text;
  acceptedAttempt @9 :UInt32;
  acceptedLease @10 :UInt64;
  acceptedWorker @11 :UInt32;
  result @12 :TaskResult;
  plannedWallMs @13 :Int64;
  startedWallMs @14 :Int64;
  finishedWallMs @15 :Int64;
  slowOn @16 :UInt32 = 0xffffffff;  # the worker that it was taken from because it was too slow there
  acceptedStartedWallMs @17 :Int64;
  acceptedGpuSlot @18 :Bool;        # older rows do not say
  wastedCpuSeconds @19 :Float64;    # slot seconds of attempts that brought no result
  wastedGpuSeconds @20 :Float64;
}

# What was learned about how long tasks take: wall seconds of one unit of work.
struct EstimateRow {
  stage @0 :Stage;
  level @1 :UInt32;
  model @2 :Text;
  numericClass @3 :Text;
  mean @4 :Float64;
  deviation @5 :Float64;
  samples @6 :UInt32;
  sizes @7 :UInt32;              # attempts behind the next four; 0: an older farm, which knew no fixed part
  inverseWork @8 :Float64;       # scheduler/core/policy/estimate.h: SizeFit
  relativeSeconds @9 :Float64;
  inverseVariance @10 :Float64;
  covariance @11 :Float64;
}

struct WorkerRow { worker @0 :UInt32; row @1 :WorkerState; }
