# What Rushes writes down and must be able to read for ever: recipes, tasks, results, critiques, journal records.
#
# Rules. Fields are only added, never renumbered. Readers bound every list and text (see storage/limits.h).
# A digest is 32 bytes of BLAKE2b-256. Latent coordinates are absolute in the take: t in latent frames, y and x in
# latent pixels. Pixel frames are counted from 0 inside a take; the delivery adds the shot's start frame.
@0xd3c1b6f02a7e4951;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("rushes::records");

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
  prompt @4 :Text;
  negativePrompt @5 :Text;
  seed @6 :UInt64;
  fpsNumerator @7 :UInt32;
  fpsDenominator @8 :UInt32;
  frames @9 :UInt32;             # delivered frames
  renderedFrames @10 :UInt32;    # 4n+1, >= frames; the rest is trimmed
  width @11 :UInt32;             # latent grid in pixels, draft level
  height @12 :UInt32;
  deliverWidth @13 :UInt32;      # centre crop that is delivered, draft level
  deliverHeight @14 :UInt32;
  draft @15 :Sampling;
  windows @16 :List(Range);      # in latent frames, overlapping
  keyFrames @17 :List(KeyFrame);
  revisions @18 :List(Revision); # lineage, oldest first
  master @19 :Master;            # present when the take is upgraded
}

struct Sampling {
  sampler @0 :Sampler;
  sigmas @1 :List(Float32);      # steps + 1 values, the last 0; config/schedule.h
  timesteps @2 :List(Float32);   # what the network sees, one a step
  guidance @3 :Float32;
  segments @4 :List(Range);      # runs of steps between checkpoints
}

struct KeyFrame { frame @0 :UInt32; image @1 :Data; }  # digest of the image artifact

# Windows that were rendered again with new noise, their neighbours frozen.
struct Revision { number @0 :UInt32; windows @1 :List(UInt32); seed @2 :UInt64; reason @3 :Text; }

# The upgrade: a second resolution level, refined from a low noise level under the draft as guide.
struct Master {
  scale @0 :UInt32;              # linear, for example 4
  sampling @1 :Sampling;         # sigmas start at the manifest's start_sigma
  tiles @2 :List(Tile);          # refine tiles, overlapping, in latent pixels of the master level
  decodeTiles @3 :List(Tile);    # disjoint, cover the frame
  windows @4 :List(Range);
}

# One task as a worker gets it. Everything that is needed to run it, nothing about who runs it.
struct TaskSpec {
  task @0 :UInt64;
  show @1 :Text;
  shot @2 :Text;                 # "show/shot" is unique on a farm
  take @3 :UInt32;               # from 1; 0 for work that belongs to the whole shot
  stage @4 :Stage;
  level @5 :UInt32;              # resolution level: 0 draft, 1 master
  window @6 :UInt32;
  segment @7 :UInt32;
  tile @8 :UInt32;               # index into refine tiles (refine) or decode tiles (decode)
  revision @9 :UInt32;           # 0: first render; n: the take's revision n
  frames @10 :Range;             # finish: the run of frames; critique: the frames looked at
  wholeTake @11 :Bool;           # critique: the take rather than one window
  recipe @12 :Data;              # canonical Recipe
  inputs @13 :List(Input);
  delivery @14 :Delivery;        # finish, deliver
  name @15 :Text;                # for people: "sh010 take 1 denoise window 0 steps 3-6"
}

# An artifact that a task reads, and what it is to the task.
struct Input {
  role @0 :Text;                 # "conditioning", "latent", "frames", "guide", "critique", "files", "image"
  digest @1 :Data;
  bytes @2 :UInt64;
  stage @3 :Stage;               # the task that made it
  take @4 :UInt32;
  window @5 :UInt32;
  segment @6 :UInt32;
  tile @7 :UInt32;
  revision @8 :UInt32;
  level @9 :UInt32;
}

struct Delivery {
  folder @0 :Text;               # relative to the finishing host's deliveries folder
  version @1 :Text;              # "v001"
  startFrame @2 :UInt32;         # number of the first frame, 1001
  timecode @3 :Text;             # of the first frame, "01:00:00:00"
  reel @4 :Text;
  master @5 :Bool;               # the upgraded result; false: the draft
}

# An artifact that a task made.
struct Output {
  role @0 :Text;
  digest @1 :Data;
  bytes @2 :UInt64;
}

# What an attempt reports when it is done.
struct TaskResult {
  outputs @0 :List(Output);
  computeSeconds @1 :Float64;    # CPU or GPU seconds spent
  wallSeconds @2 :Float64;
  peakMemoryBytes @3 :UInt64;
  critique @4 :Critique;         # critique tasks only
  numericClass @5 :Text;
  files @6 :List(Text);          # finish, deliver: files written, relative to the deliveries folder
}

enum Verdict { unknown @0; pass @1; revise @2; reject @3; }

struct Critique {
  verdict @0 :Verdict;
  score @1 :Float32;             # 0 worst .. 1 best, over all dimensions
  dimensions @2 :List(Score);
  findings @3 :List(Finding);
  critics @4 :Text;              # names and versions of the critics that ran
  computeSeconds @5 :Float64;
}

struct Score { dimension @0 :Text; score @1 :Float32; threshold @2 :Float32; }

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
}

struct Box { x @0 :Float32 = 0; y @1 :Float32 = 0; width @2 :Float32 = 1; height @3 :Float32 = 1; }
