"""Data folders that version 0.1 left behind: opened with every shot as it was, then worked off to the end."""

import json
import tarfile
import unittest

from farm import BIN, SOURCE, Farm

DATA = SOURCE / "tests" / "data" / "farm-0.1"


class OldFarm(Farm):
    def __init__(self, name):
        super().__init__()
        with tarfile.open(DATA / f"{name}.tar.xz") as archive:
            archive.extractall(self.root)
        self.before = json.loads((DATA / f"{name}.json").read_text())

    def show(self, shot):
        return json.loads(self.cli("show", shot, "--json").stdout)

    def start_null_worker(self):
        """The worker that held the leases of the folder, with an engine that renders nothing."""
        config = self.root / "bay1.yaml"
        config.write_text(self.worker_yaml("bay1", 2))
        self.start("bay1", BIN / "rushes-worker", "--config", config, "--engine-program", BIN / "null-engine")


def of_then(now, then):
    """What the data of then has of `now`: keys that are younger are left out."""
    if isinstance(then, dict):
        return {key: of_then(now[key], then[key]) for key in then}
    if isinstance(then, list) and len(now) == len(then):
        return [of_then(one, other) for one, other in zip(now, then)]
    return now


class OldData(unittest.TestCase):
    def check(self, name):
        with OldFarm(name) as farm:
            farm.start_scheduler()
            self.assertEqual({shot["shot"] for shot in farm.shots()}, set(farm.before))
            for shot, before in farm.before.items():
                now = farm.show(shot)
                takes = before.pop("takes")
                self.assertEqual(of_then(now, before), before, shot)
                self.assertEqual(of_then(now["takes"], takes), takes, shot)
            cost = farm.show("old/delivered")["device_seconds"]
            self.assertGreater(cost["cpu"], 0, "results of before count")
            self.assertEqual(cost["wasted"], 0, "records of before do not say what was in vain")
            farm.start_null_worker()
            farm.cli("resume", "old/paused")
            farm.until_at_rest(120)
            states = {shot["shot"]: shot["state"] for shot in farm.shots()}
            for shot in ("old/delivered", "old/master", "old/paused", "old/waiting"):
                self.assertEqual(states[shot], "delivered", shot)
            for shot in ("old/review", "old/long", "old/lost", "old/running"):
                self.assertEqual(states[shot], "review", shot)
            for shot in ("old/cancelled", "old/dropped"):
                self.assertEqual(states[shot], "cancelled", shot)
            farm.cli("approve", "old/running", "--take", "2")
            farm.until(lambda: farm.show("old/running")["state"] == "delivered", 60, "a person's choice is delivered")

    def test_a_journal_without_snapshots(self):
        self.check("journal")

    def test_a_snapshot_and_the_journal_behind_it(self):
        self.check("snapshot")


if __name__ == "__main__":
    unittest.main(verbosity=2)
