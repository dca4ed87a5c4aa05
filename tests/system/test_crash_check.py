"""What `crash` would say if a promise were broken: the check is shown ledgers that break one."""

import json
import random
import shutil
import subprocess
import time
import unittest

from account import Account
from crash_farm import WORKERS, Crash, CrashFarm
from farm import BIN


class Check(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """A farm at work, killed twice: ledgers `early` and `late`, and what was acknowledged before each."""
        cls.farm = CrashFarm()
        run = Crash(cls.farm, random.Random(1), lambda line: None)
        cls.farm.start_scheduler()
        for name in WORKERS:
            cls.farm.start_worker(name)
        run.submitter.start()
        for name in ("early", "late"):
            run.work_goes_on()
            known = len(run.submitter.acknowledged)
            cls.farm.until(lambda: len(run.submitter.acknowledged) > known + 1, 30, "submits are acknowledged")
            time.sleep(0.5)
            cls.farm.kill("scheduler")
            shutil.copytree(cls.farm.root / "data" / "ledger", cls.farm.root / name)
            setattr(cls, name, dict(run.submitter.acknowledged))
            cls.farm.start_scheduler()
        run.submitter.leaving.set()

    @classmethod
    def tearDownClass(cls):
        cls.farm.__exit__()

    def read(self, *names):
        account = Account()
        for name in names:
            account.read(self.farm.root / name)
        return account

    def copy(self, name):
        shutil.rmtree(self.farm.root / "copy", ignore_errors=True)
        shutil.copytree(self.farm.root / name, self.farm.root / "copy")
        return self.farm.root / "copy"

    def assertSays(self, account, words):
        self.assertTrue(any(words in line for line in account.complaints), account.complaints)

    def records(self, name, kind):
        done = subprocess.run([BIN / "journal-reader", self.farm.root / name], capture_output=True, text=True)
        return [line["sequence"] for line in map(json.loads, done.stdout.splitlines()) if kind in line["record"]]

    def test_an_honest_ledger_is_not_blamed(self):
        account = self.read("early", "late")
        account.check_submits(self.late)
        self.assertEqual(account.complaints, [])
        self.assertGreater(account.accepted, 0)

    def test_a_lost_submit(self):
        account = self.read("early")
        account.check_submits(self.late)
        self.assertSays(account, "was acknowledged and is lost")

    def test_records_that_vanish_between_two_crashes(self):
        self.assertSays(self.read("late", "early"), "which was on disk")

    def test_a_result_that_is_accepted_twice(self):
        first = self.records("late", "resultAccepted")[0]
        subprocess.run([BIN / "journal-forger", self.copy("late"), str(first)], check=True)
        self.assertSays(self.read("copy"), "was accepted 2 times")

    def test_a_submit_that_is_taken_twice(self):
        first = self.records("late", "batchSubmitted")[0]
        subprocess.run([BIN / "journal-forger", self.copy("late"), str(first)], check=True)
        self.assertSays(self.read("copy"), "was accepted twice")

    def test_a_task_that_is_leased_twice(self):
        last = self.records("late", "leased")[-1]
        subprocess.run([BIN / "journal-forger", self.copy("late"), str(last)], check=True)
        self.assertSays(self.read("copy"), "is given twice")

    def test_a_farm_that_stands_still(self):
        account = self.read("late")
        account.check_end()
        self.assertSays(account, "is stuck")

    def test_a_flipped_bit(self):
        for file in self.copy("late").glob("*.log"):
            content = bytearray(file.read_bytes())
            content[len(content) // 2] ^= 1
            file.write_bytes(content)
        account = self.read("copy")
        account.check_submits(self.late)
        self.assertNotEqual(account.complaints, [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
