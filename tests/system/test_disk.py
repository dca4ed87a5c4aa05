"""Disks as they are: one that fills up, files in which bits flip.

A full disk refuses new work in clear words, and loses nothing; a damaged ledger stops the start with one line that
says what is damaged and what can be done.
"""

import shutil
import signal
import subprocess
import time
import unittest

from account import Account
from crash_farm import WORKERS, CrashFarm
from farm import BIN
from submitter import Submitter, batch_text

MIB = 1 << 20
RESERVE = 64  # MiB, of limits.disk_reserve in farm.yaml
DAMAGED = 1, 4  # exit codes: found while the farm is recovered; while the ledger is opened


def fill(folder, leave):
    """Writes a file that leaves so many MiB of the disk free."""
    free = shutil.disk_usage(folder).free
    with open(folder / "ballast", "ab") as ballast:
        while free > leave * MIB:
            piece = min(MIB, free - leave * MIB)
            ballast.write(bytes(piece))
            ballast.flush()
            free -= piece


class DiskFarm(CrashFarm):
    """Its data lie on a small disk of their own, for those who may mount one."""

    def __init__(self, mebibytes):
        super().__init__()
        self.disk = self.root / "data"
        self.disk.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", self.disk],
                                 capture_output=True)
        if mounted.returncode != 0:
            super().__exit__()
            raise unittest.SkipTest("mounting a small disk needs root")

    def __exit__(self, *_):
        for name in list(self.processes):
            self.kill(name, signal.SIGKILL)
        subprocess.run(["umount", "-l", self.disk], check=True)
        super().__exit__()


class FullDisk(unittest.TestCase):
    def open_shots(self, farm):
        return (farm.get("/v1/health") or {"open_shots": -1})["open_shots"]

    def check(self, farm, acknowledged):
        account = Account()
        account.read(farm.disk / "ledger")
        account.check_submits(acknowledged)
        account.check_end()
        self.assertEqual(account.complaints, [])
        self.assertGreater(account.accepted, 0)

    def test_new_work_is_refused_and_running_work_finishes(self):
        with DiskFarm(400) as farm:
            farm.start_scheduler()
            person = Submitter(farm.http, farm.token, 1)
            person.texts = {key: batch_text(key, 20, 2) for key in ("before", "full", "after")}
            person.submit("before")
            self.assertIn("before", person.acknowledged)
            fill(farm.disk, RESERVE - 8)
            status, answer = person.ask("POST", "/v1/batches", person.texts["full"], "full")
            self.assertEqual(status, 507, answer)
            self.assertIn("MiB free", answer["error"]["message"])
            self.assertEqual(farm.get("/v1/health")["state"], "full")
            self.assertEqual(len(farm.shots()), 20, "reads are served")
            for name in WORKERS:
                farm.start_worker(name)
            farm.until(lambda: self.open_shots(farm) == 0, 60, "what was accepted is finished on a full disk")
            (farm.disk / "ballast").unlink()
            person.submit("after")
            self.assertIn("after", person.acknowledged)
            farm.until(lambda: self.open_shots(farm) == 0, 60, "there is room again")
            farm.kill("scheduler", signal.SIGTERM)
            self.check(farm, person.acknowledged)

    def test_not_a_byte_is_left(self):
        with DiskFarm(400) as farm:
            farm.start_scheduler()
            person = Submitter(farm.http, farm.token, 1)
            person.texts = {"before": batch_text("before", 40, 3)}
            person.submit("before")
            for name in WORKERS:
                farm.start_worker(name)
            farm.until(lambda: "task.succeeded" in farm.news(), 30, "a result is accepted")
            fill(farm.disk, 0)
            scheduler = farm.processes["scheduler"]
            end = time.monotonic() + 5
            while time.monotonic() < end and scheduler.poll() is None:
                time.sleep(0.1)
            if scheduler.poll() is None:  # it had written in advance what it needs, and serves
                self.assertEqual(len(farm.shots()), 40)
            else:
                self.assertEqual(scheduler.returncode, 4)
                self.assertIn("disk full: free some space and start again", farm.log("scheduler"))
            (farm.disk / "ballast").unlink()
            if scheduler.poll() is not None:
                farm.start_scheduler()
            farm.until(lambda: self.open_shots(farm) == 0, 60, "the work is finished")
            farm.kill("scheduler", signal.SIGTERM)
            self.check(farm, person.acknowledged)


class Damage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """A ledger with work in it, in tables and in a log: killed, started again, killed."""
        cls.farm = CrashFarm()
        for name in WORKERS:
            cls.farm.start_worker(name)
        cls.farm.start_scheduler()
        for batch in ("one", "two"):
            cls.farm.submit(batch_text(batch, 10, 2))
            cls.farm.until(lambda: "shot.delivered" in cls.farm.news(), 60, "a shot is delivered")
            cls.farm.kill("scheduler")
            if batch == "one":
                cls.farm.start_scheduler()
        for name in WORKERS:
            cls.farm.kill(name)
        shutil.copytree(cls.farm.root / "data", cls.farm.root / "sound")
        cls.records = cls.count(cls.farm.root / "sound" / "ledger")

    @classmethod
    def tearDownClass(cls):
        cls.farm.__exit__()

    @staticmethod
    def count(ledger):
        account = Account()
        account.read(ledger)
        return account.last if not account.complaints else account.complaints

    def start(self):
        """Starts the scheduler; its exit code and what it says, or None while it serves."""
        process = self.farm.start("scheduler", BIN / "rushes-scheduler", "--config", self.farm.root / "farm.yaml")
        end = time.monotonic() + 30
        while time.monotonic() < end and process.poll() is None and self.farm.get("/v1/health") is None:
            time.sleep(0.02)
        return process.poll()

    def with_damage(self, pattern, where):
        """Flips a bit in the largest such file; what becomes of the start."""
        self.farm.kill("scheduler")
        shutil.rmtree(self.farm.root / "data")
        shutil.copytree(self.farm.root / "sound", self.farm.root / "data")
        log = self.farm.root / "scheduler.log"
        log.unlink(missing_ok=True)
        file = max((self.farm.root / "data" / "ledger").glob(pattern), key=lambda one: one.stat().st_size)
        content = bytearray(file.read_bytes())
        content[int(where * (len(content) - 1))] ^= 0x10
        file.write_bytes(content)
        code = self.start()
        if code is not None:
            lines = [line for line in self.farm.log("scheduler").splitlines() if line.startswith("rushes-scheduler: ")]
            self.assertIn(code, DAMAGED)
            self.assertEqual(len(lines), 1, lines)
            self.assertIn("ledger in", lines[0])
            self.assertIn("restore", lines[0])
        else:  # a bit that nobody needs: everything is there
            self.farm.kill("scheduler", signal.SIGTERM)
            count = self.count(self.farm.root / "data" / "ledger")
            self.assertTrue(isinstance(count, int) and count > self.records, (file, where, count))
        return code

    def test_the_log(self):
        codes = [self.with_damage("*.log", place / 12) for place in range(13)]
        self.assertGreater(sum(code is not None for code in codes), 8)

    def test_the_tables(self):
        for place in range(9):
            self.with_damage("*.sst", place / 8)

    def test_what_names_the_files(self):
        self.assertIsNotNone(self.with_damage("CURRENT", 0.1))
        self.assertIsNotNone(self.with_damage("MANIFEST-*", 0.5))


if __name__ == "__main__":
    unittest.main(verbosity=2)
