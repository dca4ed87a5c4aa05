"""What can go wrong with a farm of real processes, one fault a round, under load (see `crash`).

Each fault picks its victim and its length by `dice` and leaves every process running again. Thread contract: one
thread, beside those of the relays and of the submitter.
"""

import os
import signal
import statistics
import time

from account import Account
from farm import BIN, Farm
from relay import Relay
from submitter import Submitter

LEASE = 1.5  # seconds; short, so that a round can outlast it
WORKERS = ("bay1", "bay2", "bay3")
PATIENCE = 60  # until work goes on behind a fault; machines that test are busy


class CrashFarm(Farm):
    """A farm whose workers, and people, reach the scheduler through relays."""

    def __init__(self):
        super().__init__()
        self.relays = {name: (Relay(self.control), Relay(self.artifacts)) for name in WORKERS}
        self.front = Relay(self.http)
        self.told = 0  # number of the last event that was read

    def __exit__(self, *_):
        for relay in [self.front, *sum(self.relays.values(), ())]:
            relay.close()
        super().__exit__()

    def farm_yaml(self):
        # Lost workers are what this is about: no task is given to a person for it.
        return super().farm_yaml().replace("lease: 6 s", f"lease: {round(LEASE * 1000)} ms, heartbeat: 300 ms") + (
            "retries: {attempts: 100}\n"
        )

    def start_worker(self, name):
        config = self.root / f"{name}.yaml"
        control, artifacts = self.relays[name]
        text = self.worker_yaml(name, 2)
        for ours, theirs in ((self.control, control.port), (self.artifacts, artifacts.port)):
            text = text.replace(f"127.0.0.1:{ours}", f"127.0.0.1:{theirs}")
        config.write_text(text)
        program = BIN / "null-engine"
        return self.start(name, BIN / "rushes-worker", "--config", config, "--engine-program", program)

    def news(self):
        """Kinds of the events since the last call. The farm tells only of what a crash cannot take back."""
        answer = self.get(f"/v1/events?since={self.told}") or {"events": [], "next": self.told}
        self.told = answer["next"]
        return [event["type"] for event in answer["events"]]


class Crash:
    def __init__(self, farm, dice, log):
        self.farm, self.dice, self.log = farm, dice, log
        self.account = Account()
        self.submitter = Submitter(farm.front.port, farm.token, dice.random())
        self.counts = {}
        self.recoveries = []  # seconds from the start of a process to its first new lease

    # ---- what goes wrong -------------------------------------------------------------------------------------------
    def faults(self):
        """Name, weight, what to do."""
        return (
            ("kill scheduler", 6, self.kill_scheduler),
            ("kill scheduler while it recovers", 2, self.kill_scheduler_twice),
            ("kill worker", 4, self.kill_worker),
            ("kill engine", 2, self.kill_engine),
            ("kill everybody", 1, self.kill_everybody),
            ("stop scheduler", 3, lambda: self.stop("scheduler")),
            ("stop worker", 3, lambda: self.stop(self.dice.choice(WORKERS))),
            ("cut worker", 3, lambda: self.disturb(self.farm.relays[self.dice.choice(WORKERS)], Relay.cut)),
            ("hold worker", 3, lambda: self.disturb(self.farm.relays[self.dice.choice(WORKERS)], Relay.hold)),
            ("cut all workers", 1, lambda: self.disturb(sum(self.farm.relays.values(), ()), Relay.cut)),
            ("cut people", 2, lambda: self.disturb([self.farm.front], Relay.cut)),
        )

    def kill_scheduler(self):
        self.farm.kill("scheduler")
        self.read_journal()
        time.sleep(self.dice.choice((0, 0, self.dice.uniform(0, 1.5 * LEASE))))
        self.restart_scheduler()

    def kill_scheduler_twice(self):
        self.farm.kill("scheduler")
        self.read_journal()
        self.farm.start("scheduler", BIN / "rushes-scheduler", "--config", self.farm.root / "farm.yaml")
        time.sleep(self.dice.uniform(0, 0.3))
        self.kill_scheduler()

    def kill_worker(self):
        name = self.dice.choice(WORKERS)
        self.farm.kill(name)
        time.sleep(self.dice.uniform(0, 1.5 * LEASE))
        self.farm.start_worker(name)

    def kill_engine(self):
        worker = self.farm.processes[self.dice.choice(WORKERS)]
        with open(f"/proc/{worker.pid}/task/{worker.pid}/children") as children:
            engines = children.read().split()
        if engines:
            os.kill(int(self.dice.choice(engines)), signal.SIGKILL)

    def kill_everybody(self):
        for name in WORKERS:
            self.farm.kill(name)
            self.farm.start_worker(name)
        self.kill_scheduler()

    def stop(self, name):
        process = self.farm.processes[name]
        process.send_signal(signal.SIGSTOP)
        time.sleep(self.dice.uniform(0, 2 * LEASE))
        process.send_signal(signal.SIGCONT)

    def disturb(self, relays, how):
        for relay in relays:
            how(relay)
        time.sleep(self.dice.uniform(0, 2 * LEASE))
        if how is Relay.hold and self.dice.random() < 0.5:  # what was held is lost
            for relay in relays:
                relay.cut()
        for relay in relays:
            relay.mend()

    # ---- the rounds ------------------------------------------------------------------------------------------------
    def read_journal(self):
        self.log("reads the journal")
        acknowledged = dict(self.submitter.acknowledged)
        self.account.read(self.farm.root / "data" / "ledger")
        self.account.check_submits(acknowledged)
        self.check()

    def check(self):
        problems = self.account.complaints + self.submitter.complaints
        if problems:
            raise AssertionError("\n".join(problems[:20]))

    def restart_scheduler(self):
        begin = time.monotonic()
        self.farm.start_scheduler()
        kinds = []

        def leased():
            kinds.extend(self.farm.news())
            return "farm.started" in kinds and "task.leased" in kinds[kinds.index("farm.started") :]

        self.farm.until(leased, PATIENCE, "a task is leased after the restart")
        self.recoveries.append(time.monotonic() - begin)

    def run(self, rounds):
        self.farm.start_scheduler()
        for name in WORKERS:
            self.farm.start_worker(name)
        self.submitter.start()
        self.work_goes_on()
        names, weights, what = zip(*self.faults())
        for number in range(rounds):
            time.sleep(self.dice.uniform(0.05, 0.8))
            chosen = self.dice.choices(range(len(names)), weights)[0]
            self.log(f"round {number + 1}: {names[chosen]}")
            self.counts[names[chosen]] = self.counts.get(names[chosen], 0) + 1
            what[chosen]()
            self.work_goes_on()
            self.check()
        self.finish()

    def work_goes_on(self):
        while self.farm.news():
            continue
        self.farm.until(lambda: "task.succeeded" in self.farm.news(), PATIENCE, "a result is accepted")

    def finish(self):
        self.log("the last submits")
        self.submitter.finish()
        self.check()
        self.log("the last shots")
        health = lambda: self.farm.get("/v1/health") or {"open_shots": -1}
        self.farm.until(lambda: health()["open_shots"] == 0, 120, "every shot is delivered")
        for name in (*WORKERS, "scheduler"):
            self.log(f"SIGTERM to {name}")
            self.farm.kill(name, signal.SIGTERM)
        self.read_journal()
        self.account.check_end()
        self.check()

    def report(self):
        account, recoveries = self.account, sorted(self.recoveries)
        return {
            "faults": self.counts,
            "submits": {"acknowledged": len(self.submitter.acknowledged), "repeated": self.submitter.repeated,
                        "abandoned": len(self.submitter.abandoned)},
            "records": account.last,
            "tasks": len(account.tasks),
            "results_accepted": account.accepted,
            "leases": len(account.leases),
            "leases_expired": account.expired,
            "scheduler_starts": account.recoveries,
            "restart_to_lease_s": {"median": round(statistics.median(recoveries), 3), "max": round(recoveries[-1], 3)}
            if recoveries else None,
        }
