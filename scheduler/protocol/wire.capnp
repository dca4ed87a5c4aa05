# What scheduler and worker say to each other, and an agent to its engine process.
#
# Three conversations, never mixed: control (small, at most 64 KiB a message), artifact transfer (a header and, for
# chunks, a second ZeroMQ frame with the raw bytes), and the pipe between an agent and its engine child.
#
# Rules. Fields and union members are only added, never renumbered. A scheduler serves its own `version` and the one
# before. Every digest is 32 bytes of BLAKE2b-256. The bounds stand beside the fields (storage/records/bounds.capnp);
# what exceeds them is refused whole, counted and logged.
@0x9cbe1cae092e78e2;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("rushes::wire");
using import "/storage/records/bounds.capnp".maxBytes;
using import "/storage/records/bounds.capnp".maxCount;
using import "/storage/records/bounds.capnp".least;
using import "/storage/records/bounds.capnp".most;
using import "/storage/records/bounds.capnp".name;
using import "/storage/records/bounds.capnp".keepEnd;

const oldestVersion :UInt16 = 1;          # the previous one is served for one release
const version :UInt16 = 1;
const maxText :UInt32 = 1024;             # of a message or reason for people
const maxLog :UInt32 = 8192;
const maxAttempts :UInt32 = 256;          # that one worker holds
const maxCached :UInt32 = 512;
const maxAsked :UInt32 = 1024;            # digests of one question
const maxSlots :UInt32 = 64;
const maxPrefetch :UInt32 = 16;
const leastMs :UInt32 = 10;
const maxHeartbeatMs :UInt32 = 600000;
const maxLeaseMs :UInt32 = 3600000;
const maxStoredSpec :UInt64 = 458752;
const maxArtifactBytes :UInt64 = 4294967296;
const maxChunkBytes :UInt32 = 1048576;

# One execution of one task. Only the newest attempt with its lease may be accepted.
struct AttemptId { task @0 :UInt64; attempt @1 :UInt32; lease @2 :UInt64; }

# ---- control ----------------------------------------------------------------------------------------------------

struct FromWorker {
  version @0 :UInt16 $least(.oldestVersion) $most(.version);
  union {
    hello @1 :Hello;
    heartbeat @2 :Heartbeat;
    started @3 :AttemptId;
    completed @4 :Completed;
    failed @5 :Failed;
    stopped @6 :AttemptId;      # sent only after the engine process is reaped or the attempt ended
    bye @7 :Void;
  }
}

struct ToWorker {
  version @0 :UInt16 $least(.oldestVersion) $most(.version);
  union {
    welcome @1 :Welcome;
    refused @2 :Text $maxBytes(.maxText);  # this worker may not join; the text says why
    heartbeatAck @3 :HeartbeatAck;
    assign @4 :Assign;
    accepted @5 :AttemptId;     # the result is in the journal. Acknowledgements may leave `lease` 0
    refusedResult @6 :RefusedResult;
    failedAck @7 :AttemptId;
    revoke @8 :Revoke;
    drain @9 :Void;             # not sent any more: a drained worker stays, and gets nothing new
    greet @10 :Void;            # this connection is unknown (the scheduler restarted): say Hello
    nameTaken @11 :NameTaken;   # only to a worker whose Hello names its process
  }
}

struct Hello {
  name @0 :Text $maxBytes(128); # config::is_worker_name()
  build @1 :Text $name;
  slots @2 :UInt32 $least(1) $most(.maxSlots);  # of one kind, for schedulers that know no kinds (words.h, PlainOffer)
  memoryBytes @3 :UInt64;       # that all of these slots together may use
  numericClasses @4 :List(Text) $name $maxCount(16);
  models @5 :List(Model) $maxCount(64);
  prefetch @6 :UInt32 $most(.maxPrefetch);  # assignments held beyond the running ones
  runningAttempts @7 :List(AttemptId) $maxCount(.maxAttempts);  # held and going on, unacknowledged results included
  outbox @8 :UInt32;            # results that wait for acknowledgement
  sequence @9 :UInt64;          # answered in Welcome; see Heartbeat
  storedSpecs @10 :Bool;        # takes tasks whose description is an artifact (see Assign)
  # From here on what `slots` and `memoryBytes` said before; no slot: they still do.
  cpuSlots @11 :UInt32 $most(.maxSlots);
  gpuSlots @12 :UInt32 $most(.maxSlots);
  hostBytes @13 :UInt64;        # that all slots together may use
  deviceBytes @14 :UInt64;      # that all GPU slots together may use
  process @15 :Process;         # none: a build that does not tell one process of a name from another
  leaving @16 :Bool;            # as in Heartbeat
}

# One start of a worker's agent.
struct Process {
  id @0 :Text $name;            # drawn at random
  lock @1 :Text $name;          # names the lock of its folder: a process with the lock of an earlier one took its place
  host @2 :Text $maxBytes(255);
  pid @3 :UInt32;
  remarks @4 :List(Text) $maxCount(64);  # what it could not offer, and why; what its engines noted
}

# Another process has the name: it lives, or its leases have not run out. `limitMs`: the silence after which it counts as
# lost, and this one may have the name.
struct NameTaken { reason @0 :Text $maxBytes(.maxText); limitMs @1 :UInt32 $least(.leastMs) $most(.maxLeaseMs); }

struct Model { name @0 :Text $name; digest @1 :Data; }

struct Welcome {
  workerId @0 :UInt64;
  epoch @1 :UInt64;             # grows with every start of the scheduler
  heartbeatMs @2 :UInt32 $least(.leastMs) $most(.maxHeartbeatMs);
  leaseMs @3 :UInt32 $least(.leastMs) $most(.maxLeaseMs);
  stop @4 :List(AttemptId) $maxCount(.maxAttempts);  # attempts of Hello that are not wanted any more; others are renewed
  sequence @5 :UInt64;
  firstLease @6 :UInt64;        # leases below it are older than this answer: an Assign of one comes too late
}

struct Heartbeat {
  sequence @0 :UInt64;
  attempts @1 :List(Progress) $maxCount(.maxAttempts);
  cached @2 :List(Data) $maxCount(.maxCached);  # digests of artifacts held here, most recently used first
  leaving @3 :Bool;             # it takes nothing new, finishes what runs, and says Bye
  devices @4 :List(Device) $maxCount(64);  # the GPUs of its slots, in the order of the slots
}

# A GPU as its driver tells it.
struct Device {
  name @0 :Text $maxBytes(128);       # "NVIDIA H200"
  capability @1 :Text $maxBytes(64);  # compute capability, "9.0"; empty: the driver does not say
  driver @2 :Text $maxBytes(64);      # its version
  totalBytes @3 :UInt64;
  freeBytes @4 :UInt64;
  celsius @5 :Int32 = -1;       # temperature; -1: the driver does not say
  memoryErrors @6 :UInt64;      # uncorrected, since the driver was loaded
  trouble @7 :Text $maxBytes(.maxText);  # why it cannot be asked
}

struct Progress {
  id @0 :AttemptId;
  fraction @1 :Float32;         # 0..1
  text @2 :Text $maxBytes(.maxText);  # for people: "step 3 of 12"
  computeSeconds @3 :Float64;
}

# Renews the leases of all attempts named in the heartbeat with this sequence, from the moment it was *sent*, by the
# worker's clock. The scheduler counts from its receipt, which is later: the worker's lease always ends first. An
# attempt that is no longer wanted gets a Revoke.
struct HeartbeatAck { sequence @0 :UInt64; }

struct Assign {
  id @0 :AttemptId;
  leaseMs @1 :UInt32 $least(.leastMs) $most(.maxLeaseMs);
  noProgressMs @2 :UInt32;      # stop the attempt after this long without progress; 0: the worker's default
  spec @3 :Data;                # records.TaskSpec, a flat message with its segment table
  # A description that is too large for a message is an artifact: `spec` is empty then. Only for workers whose Hello
  # says storedSpecs.
  specDigest @4 :Data;
  specBytes @5 :UInt64 $least(1) $most(.maxStoredSpec);
}

struct Completed {
  id @0 :AttemptId;
  result @1 :Data;              # records.TaskResult, flat as well; its outputs have receipts
  logTail @2 :Text $maxBytes(.maxLog) $keepEnd;
}

struct RefusedResult { id @0 :AttemptId; reason @1 :Text $maxBytes(.maxText); }

enum FailKind {
  engine @0;    # the stage returned an error, or the worker could not take the assignment
  crash @1;     # the engine process died
  memory @2;    # out of memory
  input @3;     # an input could not be fetched or does not match its digest
  model @4;     # the model's files are missing or wrong on this host
  timeout @5;   # no progress within the limit; the engine was stopped
  artifact @6;  # a result could not be stored
  refused @7;   # the task asks what no engine can do, or its description cannot be read: the same on every host
  device @8;    # a GPU failed under the attempt: it fell off the bus, or answers nothing more to this process
}

struct Failed {
  id @0 :AttemptId;
  kind @1 :FailKind;
  message @2 :Text $maxBytes(.maxText);  # one line
  exitCause @3 :Text $maxBytes(.maxText);  # "signal 9 (Killed)", "exit code 3"; empty while the process lives
  logTail @4 :Text $maxBytes(.maxLog) $keepEnd;
}

struct Revoke { id @0 :AttemptId; reason @1 :Text $maxBytes(.maxText); }

# ---- artifact transfer ------------------------------------------------------------------------------------------
# A worker asks, the scheduler answers each request once with the same `request` number.
# Store: put -> ready (or receipt at once when the bytes are already held); chunk* (each with a payload frame,
# in order of offset) -> ready each; commit -> receipt. At most kChunksInFlight chunks are unanswered.
# Fetch: get -> data with a payload frame. Ask: have -> held.

struct ArtifactRequest {
  version @0 :UInt16 $least(.oldestVersion) $most(.version);
  request @1 :UInt64;
  union {
    have @2 :List(Data) $maxCount(.maxAsked);
    put @3 :Put;
    chunk @4 :Chunk;
    commit @5 :UInt64;          # the upload's number
    get @6 :Get;
  }
}

struct Put { upload @0 :UInt64; digest @1 :Data; bytes @2 :UInt64 $most(.maxArtifactBytes); }
struct Chunk { upload @0 :UInt64; offset @1 :UInt64 $most(.maxArtifactBytes); }
struct Get {
  digest @0 :Data;
  offset @1 :UInt64 $most(.maxArtifactBytes);
  length @2 :UInt32 $least(1) $most(.maxChunkBytes);
}

struct ArtifactReply {
  version @0 :UInt16 $least(.oldestVersion) $most(.version);
  request @1 :UInt64;
  union {
    held @2 :List(Bool) $maxCount(.maxAsked);  # one for each digest asked
    ready @3 :Void;
    receipt @4 :Receipt;        # verified and synced
    data @5 :Piece;
    refused @6 :Refusal;
  }
}

struct Receipt { digest @0 :Data; bytes @1 :UInt64 $most(.maxArtifactBytes); }
struct Piece {
  offset @0 :UInt64 $most(.maxArtifactBytes);
  total @1 :UInt64 $most(.maxArtifactBytes);
}
enum RefusalKind { invalid @0; notFound @1; exhausted @2; corrupt @3; internal @4; }
struct Refusal { kind @0 :RefusalKind; message @1 :Text $maxBytes(.maxText); }

# ---- engine pipe ------------------------------------------------------------------------------------------------
# Each message is preceded by its length in bytes, four bytes, little endian. One task at a time.

struct ToEngine {
  union {
    run @0 :Run;
    cancel @1 :AttemptId;       # stop at the next convenient point; answered by failed
  }
}

struct Run { id @0 :AttemptId; spec @1 :Data; }

struct FromEngine {
  union {
    ready @0 :EngineReady;      # once, when tasks can be taken
    progress @1 :Progress;
    done @2 :EngineDone;
    failed @3 :EngineFailed;
  }
}

# `notes`: what it found at its start, a line each: what its numeric class stands for, how its choices were made.
struct EngineReady {
  numericClass @0 :Text $name;
  build @1 :Text $name;
  notes @2 :List(Text) $maxCount(32) $maxBytes(.maxText);
}
struct EngineDone { id @0 :AttemptId; result @1 :Data; }
struct EngineFailed { id @0 :AttemptId; kind @1 :FailKind; message @2 :Text $maxBytes(.maxText); }
