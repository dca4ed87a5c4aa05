"""An account of a farm, kept from its journal alone.

It reads the ledger with journal-reader, which shares no code with the scheduler, and knows the promises of the
farm in its own words: a submit that was acknowledged is there, once; a task is leased to one worker at a time and
its result is accepted once, from the attempt that holds the lease; in the end nothing is left open.
"""

import hashlib
import json
import subprocess

from farm import BIN

HELD = {"leased", "running"}
FINAL = {"succeeded", "cancelled", "aborted", "skipped"}
OVERLAP = 1000  # records that are read again: what was on disk once stays as it was


class Task:
    def __init__(self, stage):
        self.stage = stage
        self.state = "pending"
        self.attempt = 0
        self.lease = None  # (attempt, lease) while somebody holds it
        self.accepted = 0


class Account:
    def __init__(self):
        self.last = 0  # sequence of the last record read
        self.lines = {}  # the last OVERLAP ones, by sequence
        self.tasks, self.shots, self.batches, self.leases = {}, {}, {}, set()
        self.names, self.planned = set(), {}  # of all shots; of the shots of each batch
        self.accepted = self.expired = self.recoveries = 0
        self.complaints = []

    def require(self, holds, what):
        if not holds:
            self.complaints.append(what)

    # ---- reading ---------------------------------------------------------------------------------------------------
    def read(self, ledger):
        """What the journal holds beyond the last reading. The scheduler must not run."""
        start = max(0, self.last - OVERLAP)
        done = subprocess.run(
            [str(BIN / "journal-reader"), str(ledger), "--after", str(start)], capture_output=True, text=True
        )
        self.require(done.returncode == 0, done.stderr.strip())
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        before = self.last
        self.require(not lines or lines[0]["sequence"] <= before + 1,
                     f"the journal was trimmed to {lines and lines[0]['sequence']} before it was read beyond {before}")
        self.require(not before or (lines and lines[-1]["sequence"] >= before),
                     f"the journal ends before record {before}, which was on disk")
        for line in lines:
            self.learn(line)

    def learn(self, line):
        sequence = line["sequence"]
        if sequence <= self.last:
            self.require(self.lines.get(sequence, line) == line, f"record {sequence} is another one now")
            return
        self.require(sequence == self.last + 1, f"record {self.last + 1} is missing, {sequence} follows {self.last}")
        self.last = sequence
        self.lines[sequence] = line
        self.lines.pop(sequence - OVERLAP - 1, None)
        record = line["record"]
        kind = next(key for key in record if key != "version")
        handle = getattr(self, "on_" + kind, None)
        if handle:
            handle(record[kind], f"record {sequence}: ")

    # ---- records, by kind; the others say nothing about these promises -----------------------------------------------
    def on_batchSubmitted(self, r, place):
        row = r["row"]
        key = row.get("idempotencyKey") or f"none, batch {r['batch']}"
        self.require(key not in self.batches, f"{place}the submit with key {key} was accepted twice")
        self.batches[key] = {"batch": int(r["batch"])}

    def on_shotPlanned(self, r, place):
        name = r["spec"]["show"] + "/" + r["spec"]["name"]
        self.require(name not in self.names, f"{place}shot {name} is there twice")
        self.names.add(name)
        self.shots[r["shot"]] = {"name": name, "state": "queued"}
        self.planned.setdefault(int(r["batch"]), set()).add(name)
        self.add_tasks(r, place)

    def add_tasks(self, r, place):
        for task in r.get("tasks", []):
            self.require(int(task["id"]) == len(self.tasks) + 1, f"{place}task {task['id']} is out of order")
            self.tasks[int(task["id"])] = Task(task["stage"])

    on_versionPlanned = on_upgradePlanned = on_deliveryPlanned = add_tasks

    def on_leased(self, r, place):
        number, ref = int(r["ref"]["task"]), (r["ref"]["attempt"], int(r["ref"]["lease"]))
        task = self.tasks[number]
        self.require(task.lease is None, f"{place}task {number} is leased again while lease {task.lease} lasts")
        self.require(task.state not in FINAL, f"{place}task {number} is leased and already {task.state}")
        self.require(ref[0] == task.attempt + 1, f"{place}task {number} goes from attempt {task.attempt} to {ref[0]}")
        self.require(ref[1] not in self.leases, f"{place}lease {ref[1]} is given twice")
        self.leases.add(ref[1])
        task.lease, task.attempt, task.state = ref, ref[0], "leased"

    def held(self, r, place):
        number, ref = int(r["ref"]["task"]), (r["ref"]["attempt"], int(r["ref"]["lease"]))
        task = self.tasks[number]
        self.require(task.lease == ref, f"{place}task {number}: attempt {ref} speaks, {task.lease} holds the lease")
        return number, task

    def on_started(self, r, place):
        self.held(r, place)[1].state = "running"

    def on_resultAccepted(self, r, place):
        number, task = self.held(r, place)
        task.accepted += 1
        self.require(task.accepted == 1, f"{place}task {number} was accepted {task.accepted} times")
        task.lease, task.state = None, "succeeded"
        self.accepted += 1
        expected = list(hashlib.blake2b(f"task {number}".encode(), digest_size=32).digest())
        for output in r["result"].get("outputs", []):
            self.require(output["digest"] == expected, f"{place}task {number} was given another one's result")

    def on_attemptEnded(self, r, place):
        _, task = self.held(r, place)
        task.lease, task.state = None, r["then"]
        self.expired += r["end"] == "expired"

    def on_taskClosed(self, r, place):
        task = self.tasks[int(r["task"])]
        self.require(task.state not in FINAL and not task.lease, f"{place}task {r['task']} is closed and {task.state}")
        task.state = r["state"]

    def on_taskReopened(self, r, place):
        self.tasks[int(r["task"])].state = "ready"

    def on_shotMoved(self, r, place):
        self.shots[r["shot"]]["state"] = r["state"]

    def on_recovered(self, r, place):
        self.recoveries += 1

    # ---- what people and the end ask for -----------------------------------------------------------------------------
    def check_submits(self, acknowledged):
        """`acknowledged`: idempotency key -> the farm's answer."""
        for key, answer in acknowledged.items():
            batch = self.batches.get(key)
            self.require(batch is not None, f"the submit with key {key} was acknowledged and is lost")
            if batch is None:
                continue
            self.require(batch["batch"] == answer["batch"], f"the submit with key {key} was answered as another batch")
            there = self.planned.get(batch["batch"], set())
            told = {shot["shot"] for shot in answer["shots"]}
            self.require(there == told, f"the submit with key {key} was told of {told}, planned are {there}")

    def check_end(self):
        for number, task in self.tasks.items():
            self.require(task.state in FINAL, f"task {number} ({task.stage}) is stuck: {task.state}")
            self.require(task.accepted == (task.state == "succeeded"), f"task {number}: {task.accepted} results")
        for shot in self.shots.values():
            self.require(shot["state"] == "delivered", f"shot {shot['name']} is stuck: {shot['state']}")
