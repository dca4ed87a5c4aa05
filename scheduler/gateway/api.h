// clang-format off
// The HTTP API under /v1: paths, roles and the shape of every JSON answer. The one page that clients need.
//
// A query has the parameters that a path lists below; any other one is refused: 400, with those that the path takes.
//
// A body needs a Content-Length (or comes in chunks), is not compressed, and is read after the token was checked; without a
// length it is empty. A token that is limited to a show or a shot sees and touches nothing else: 403, or 404 for tasks,
// artifacts and files of others; lists leave them out.
//
// A request whose head is broken is answered before the token is asked for, and the connection ends: 400, 408 (too slow),
// 414 and 431 (a line is longer than 8 KiB, or the head than 32 KiB or 63 headers), 417, 501, 505. A broken body: 400, or 408.
//
// All bodies are JSON (UTF-8) unless stated otherwise; times are seconds as numbers; digests are 64 hex digits; a
// shot is named "SHOW/SHOT". Every request but GET /v1/health carries "Authorization: Bearer TOKEN"
// (the scheme in any case).
//
// Errors: {"error": {"kind": "invalid", "message": "..."}} or, for a refused batch,
//         {"errors": [{"file", "line", "column", "key", "message"}]} with status 400.
//   kind -> status: invalid 400 (413 when the body is too large), denied 401 (no or unknown token) and 403 (role),
//   not_found 404, conflict 409, too_many 429, exhausted 507, unreachable 503, internal 500.
//
// path                                          role        answer
// GET  /v1/health                               -           {"state": "ok|full|stuck", "build", "uptime_seconds", "workers"}
// GET  /metrics                                 viewer      text/plain: Prometheus' text format, see metrics.h
// POST /v1/batches[?dry_run=1][&replace=1]                  artist      BATCH (201; 200: dry run or repeated idempotency key)
//      body: the YAML text with the header X-Rushes-File: its name, percent-encoded, for messages; or, with the
//      Content-Type application/json, {"yaml": text, "file"?: name, "pictures"?: {"path as in the YAML": DIGEST}}.
//      Idempotency-Key: optional header, at most 128 characters
// POST /v1/pictures/DIGEST                      artist      {"digest", "bytes"} (201): a PNG or EXR file, with Content-Length; at
//      most 256 MiB (config/picture.h), decoded before it is kept. A batch names it by its digest; it is swept after a day without one.
//      The farm opens no path that a client names, but absolute ones below `picture_roots` of farm.yaml
// GET  /v1/shots                                viewer      {"shots": [SHOT...]}, takes without windows, seconds and pictures
// GET  /v1/shots/SHOW/SHOT                      viewer      SHOT
// POST /v1/shots/SHOW/SHOT/cancel|pause|resume  artist      SHOT
// POST /v1/shots/SHOW/SHOT/approve {"take"}     supervisor  SHOT
// POST /v1/shots/SHOW/SHOT/upgrade              supervisor  SHOT
// POST /v1/shots/SHOW/SHOT/keep|restore-take {"take"}, revert {"take", "version"?}   supervisor  SHOT
// POST /v1/shots/SHOW/SHOT/remove               supervisor  {"message"}: it is SHOW/SHOT@N from then on
//      the answers to all of these have "message": what was done, in words
// POST /v1/shots/SHOW/SHOT/retry                artist      SHOT      body {"windows": [..]?, "take"?, "seed"?, "prompt"?, "note"?,
//                                                         "dry_run"?}
// GET  /v1/critiques/SHOW/SHOT                  viewer      {"takes": [{"take", "seed", "prompt", "renewed": [RENEWED...], "state",
//                                                             "critique": null | CRITIQUE,
//                                                             "windows": [CRITIQUE + {"window", "revision", "state",
//                                                             "doing"}], "revisions": [REVISION...]}]}
// GET  /v1/explain/SHOW/SHOT, /v1/explain/TASK  viewer      {"state", "waiting", "reason", "starts_in_seconds",
//                                                             "tasks": [{"task", "name", "state", "waiting",
//                                                             "reason", "starts_in_seconds", "ahead"}]}
//      waiting: null | the kind of the reason ("inputs", "checkpoint", "limit", ... core/report/explain.h)
//      starts_in_seconds: null | about; ahead: it runs ahead of its checkpoint's verdict; a shot has "deadline" too
// GET  /v1/tasks/ID                             viewer      TASK
// GET  /v1/logs/TASK, /v1/logs/SHOW/SHOT        viewer      {"tasks": [LOG...], "left_off": tasks that an answer of 1 MiB had no room for}
//      of a shot: its tasks that a worker was given, failed ones first, then those with attempts in vain, then the others
// POST /v1/tasks/ID/skip                        supervisor  TASK
// GET  /v1/workers                              viewer      {"workers": [WORKER...]}
// GET  /v1/costs[?show=NAME][&shot=SHOW/SHOT]   viewer      COSTS of the shots that the token sees; several shows and shots may be
//      named; 404 says which of them is not there, 400 which shot belongs to none of the shows
// POST /v1/backups/NAME                         admin       {"backup", "folder", "bytes", "files", "records", "seconds"} (201)
//      records: the last one that is certainly in it; answered when it is complete, which takes as long as the copy
// POST /v1/gc {"dry_run"?}                      admin       {"takes": [{"shot", "take", "reason", "since": instant from which its
//      days count, "artifacts", "bytes"}], "artifacts", "bytes", "later": SWEPT, "uploads": SWEPT, "freed": null | SWEPT, "dry_run"}
//      takes whose days are over (retention of farm.yaml), with what nothing else needs: all of it leaves, or would, at most
//      10,000 takes at once; later: what of it was uploaded within times.upload_sweep, which is not removed now;
//      uploads: that no result names, older than times.upload_sweep; freed: what was removed now, of takes and uploads; the
//      disk has its space once the vault is compacted, which begins at once and takes seconds or, where much is left, hours.
//      SWEPT: {"artifacts", "bytes"}
// POST /v1/workers/NAME/drain|undrain           admin       WORKER with "message": what was done, in words
// POST /v1/workers/NAME/forget                  admin       {"message"}; 409: it lives, or its leases have not run out
// GET  /v1/events?since=N&wait=SECONDS          viewer      {"events": [EVENT...], "next": N, "first": oldest held}
//      wait <= 30; at most 1000 events
// GET  /v1/artifacts/DIGEST                     viewer      the bytes, as video/mp4, image/png, application/json or
//      application/octet-stream; ranges are served, and answers may be kept for good: a digest never has other bytes
// GET  /v1/shots/SHOW/SHOT/delivery?kind=draft|master|proxy[&take=N][&version=V]
//                                               viewer      application/octet-stream: a TaskSpec of records.capnp, the task
//      that would deliver it: its inputs are the artifacts that `rushes export` makes files of. Without take the approved
//      one, else the best ranked; without version the current one. 409: it is not there yet
// GET  /v1/files/PATH                           viewer      application/octet-stream: a file below the deliveries folder
//
// BATCH    {"batch": 3, "show", "dry_run": false, "repeated": false, "price": SUM of all shots, "shots": [{"shot", "takes",
//           "windows", "tasks", "frames", "fps", "seeds", "price": PRICE, "remarks": [what the model will not do as the prompt
//           says], "stages": [{"stage", "level": "draft|master", "tensors", "host_bytes", "tensor_bytes"}]}]}
//           stages: of a dry run, the largest task of each; with tensors a slot of the kind of the
//           shot's numeric class and tensor_bytes of its memory, else a CPU slot; "known_words": {model: the words that it
//           knows} of models whose shots have remarks
// RANGE    {"low", "expected", "high": device seconds, "basis": "measured|other_devices|partly_guess|guess"}   two mean deviations
//           of what was measured to each side. other_devices: of this model, but not on devices that are connected now; guess:
//           nothing was measured, an order of magnitude; partly_guess, of a sum: some of its stages are a guess
// SUM      RANGE + {"guessed": null | {"stages": ["draft decode"...] that were never measured, "expected": seconds of them}}
// PRICE    SUM + {"revisions": {"expected", "high"}, "stages": of a dry run, [RANGE + {"stage", "level": "draft|master"}]}   what all takes, the
//           delivery and the upgrade will cost, by what the farm knows now, without attempts in vain; beyond it revisions: what
//           critics are expected to have rendered again, and what they may by the shot's budget
// SHOT     {"shot", "show", "name", "state", "reason", "paused": "no|requested|reached",
//           "attention": null | {"reason", "task", "log"}, "prompt", "remarks": as BATCH, "model", "numeric_class", "frames",
//           "fps": "24", "priority", "batch", "approved": null | take, "approved_by": null | name,
//           "approved_at": null | TIME, "times": null | {"queued_seconds", "running_seconds", "person_seconds"}: of one shot,
//           without overlaps and the times when it was over, failed attempts are queueing; "progress": 0..1, "elapsed_seconds",
//           "estimate_seconds": null | remaining, "device_seconds": COST, "waiting": null | "why nothing of it runs",
//           "deadline": null | {"at": "2026-12-01T17:00:00Z", "at_risk", "slack_seconds"}, "limits": [names],
//           "tasks": {"pending": n, "ready": n, "leased": n, "running": n, "succeeded": n, ...},
//           "notable_tasks": [{"task", "name", "state", "worker", "progress", "words": what it does, or what it failed of}]: failed ones
//           and the one that attention is about, then those that run, at most 64, of one shot only,
//           "seconds_per_stage": {"encode": s, ...}, "takes": [TAKE...],
//           "upgrade": null | {"take", "progress", "stage", "windows": [WINDOW...]},
//           "deliveries": [{"kind": "draft|master", "take", "version", "folder", "files": ["path below the
//           deliveries folder"], "path": the folder where people have it (path_map of farm.yaml); of one shot only}]}
// COST     {"cpu", "gpu": seconds for which attempts held a slot of that kind, with those that run; "total": of both;
//           "wasted": what of it went to attempts that failed, were lost or called off}
// SPENT    COST + {"wasted_cpu", "wasted_gpu"}
// COSTS    {"device_seconds": SPENT of all shots below, "shows": [{"show", "shots": how many, "device_seconds": SPENT}],
//           "batches": [{"batch", "name": of its file, "show", "shots", "device_seconds": SPENT}], "shots": [{"shot", "show",
//           "batch", "state", "device_seconds": SPENT}]}   each list has the most expensive first. Shots that were cancelled,
//           replaced or removed count on: what was spent stays spent. batches: empty for a token of one shot
// TAKE     {"take", "seed": its own, "prompt": its own, "renewed": [RENEWED...], "state", "reason", "rank": null | 1..,
//           "score": null (not judged) | 0..1, "verdict": null | "pass|revise|reject|unknown",
//           "stage": "what runs now", "progress": 0..1, "activity": "words for people", "windows": [WINDOW...],
//           "device_seconds": COST, "seconds_per_stage": {...}, "recipe_hash", "critique": null | CRITIQUE,
//           "version": null | the current one, "revisions": [REVISION...], "versions": [VERSION...], "master_decoded": [DECODED...],
//           "left": null | {"at", "reason"}: pictures of it were removed by the show's retention; its versions say which}
// VERSION  {"version": 0 (the first rendering) or the number of a revision, "current": it is shown and delivered, "judged", "left": its pictures
//           were removed, "device_seconds": COST,
//           "movie": null | ARTIFACT (MP4), "sheet": null | ARTIFACT (PNG), "decoded": [DECODED...]}   of one shot only;
//           movie and sheet are there once a version is judged, and null when the worker was older than they are
// ARTIFACT {"digest", "bytes"}   GET /v1/artifacts/DIGEST
// DECODED  ARTIFACT + {"tile"}: safetensors, scene-linear ACES2065-1 half floats of a tile in all frames
// WINDOW   {"window", "progress": 0..1, "revision", "doing": "words for people", "worker"}
// RENEWED  {"windows": [..], "revision", "seed", "prompt"}   windows of the current version that are not as the take was
//           rendered first, and of what they were made
// CRITIQUE {"verdict": "pass|revise|reject|unknown", "score": null: unknown | 0..1, "dimensions": [{"dimension", "score",
//           "threshold", "reject", "blocks"}], "findings": [FINDING...], "critics", "compute_seconds": of the
//           critics alone, as they counted them}
//           thresholds are the rules in force; without "blocks" a dimension advises and changes no verdict
// FINDING  {"dimension", "severity": 0..1, "frames": [first, last], "exr_frames": [first, last], "window",
//           "box": [x, y, width, height], "message", "remedy", "evidence", "threshold", "blocks"}   both ends included;
//           frames from 0, exr_frames and the message by the numbers of the EXR files; box 0..1 from the top left
// REVISION {"revision", "windows": [..], "seed", "prompt": null (that of before) | its own, "reason", "by",
//           "again": its parent's pictures had left, and it made the same ones again, "score_before": null | 0..1,
//           "score_after": null | 0..1, "kept": null | it became the current one, "current": true | false,
//           "standing": "current", "part": the current one was made from it, "pending": it is rendered now, "history": it was taken
//           back (kept), or never became current}
// TASK     {"task", "name", "shot", "take", "stage", "level", "window", "segment", "tile", "revision", "state",
//           "progress", "attempts": [ATTEMPT...],
//           "device_seconds": COST, "needs": [task..], "reason": null | "why it waits"}
// ATTEMPT  {"attempt", "worker", "state": "leased|running|succeeded|failed|lease ran out|stopped|worker restarted", "kind"?, "fault"?:
//           "input|host|device|model|cancelled", of one that brought no result, "started": null | TIME, "ended": null | TIME, "seconds":
//           null | s, "message": what it failed of, or what it does}   the last 8 that brought no result, the accepted one, the one that is held
// LOG      {"task", "name", "shot", "state", "attempts": [ATTEMPT + {"log": null | the end of what it printed}]}   a worker sends the
//           last 8 KiB when the attempt ends, and the farm keeps them of every attempt; of attempts before those of ATTEMPT there are
//           only the lines, with the state "unknown"
// WORKER   {"worker", "state": "idle|busy|draining|drained|quarantined|lost|stopped", "since": null | when it was
//           lost or stopped, "unheard_since": null | when the scheduler started that has not heard of it, "drained": it gets
//           nothing until it is undrained, "process": null | {"host", "address", "pid"},
//           "remarks": [what its process could not offer, and why, and what its engines noted], "build", "slots": all, "prefetch",
//           "resources": {"cpu_slots", "gpu_slots", "host_bytes", "device_bytes"}, "taken": as resources,
//           "running": [{"task", "name", "fraction", "words"}], "numeric_classes": [..],
//           "models": [..], "devices": [{"name", "capability": "9.0", "driver", "total_bytes", "free_bytes", "celsius": null | n,
//           "memory_errors": uncorrected, "trouble": why it cannot be asked}] its GPUs, "finished", "failed",
//           "device_seconds": COST}   process, finished, failed and device_seconds are null, and remarks empty, for a token that
//           is limited to a show or shot
// TIME     "2026-12-01T17:00:00.250Z"
// EVENT    {"seq", "at": null | TIME, "seconds": since the farm began, "type", "shot", "take", "task", "worker", "words"}
#pragma once
