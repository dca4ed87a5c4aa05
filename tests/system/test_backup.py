"""A backup of a farm at work becomes a farm again: what was delivered, judged and paid for is there, and it goes on.

What was delivered after the backup is unknown to the restored farm; its files stay where they are.
"""

import json
import shutil
import subprocess
import unittest

from farm import BIN, SMALL_SHOT, Farm


class BackedUp(Farm):
    def farm_yaml(self):
        return super().farm_yaml() + "backups: backups\n"

    def restore(self, backup):
        return subprocess.run(
            [str(BIN / "rushes-scheduler"), "--config", str(self.root / "farm.yaml"), "--restore", str(backup)],
            capture_output=True, text=True, timeout=60)

    def show(self, shot):
        return json.loads(self.cli("show", shot, "--json").stdout)

    def seen(self, shot):
        """What a person sees of a shot, less the times that go on."""
        show = self.show(shot)
        return {"state": show["state"], "approved": show["approved"], "deliveries": show["deliveries"],
                "takes": [{key: take[key] for key in ("take", "seed", "state", "rank", "score", "recipe_hash", "critique")}
                          for take in show["takes"]],
                "pictures": [(version["movie"], version["sheet"]) for take in show["takes"] for version in take["versions"]]}

    def artifacts_of(self, shot):
        """Digest and size of what `show` names."""
        return [artifact for take in self.show(shot)["takes"] for version in take["versions"]
                for artifact in [version["movie"], version["sheet"], *version["decoded"]] if artifact]


class Backup(unittest.TestCase):
    def test_a_farm_is_restored_and_goes_on(self):
        with BackedUp() as farm:
            farm.start_scheduler()
            farm.start_worker("bay1")
            farm.submit(SMALL_SHOT)
            farm.until_at_rest()
            before = farm.seen("test/sh010")
            self.assertEqual(before["state"], "delivered")
            farm.submit(SMALL_SHOT.replace("sh010", "sh020"))  # at work while the backup is made
            farm.until(lambda: farm.show("test/sh020")["tasks"].get("succeeded"), 60, "sh020 has a result")
            made = json.loads(farm.cli("backup", "monday", "--json").stdout)
            self.assertEqual(made["folder"], str(farm.root / "backups" / "monday"))
            farm.until_at_rest()
            expected = farm.pixels()
            self.assertIn("exists", farm.cli("backup", "monday", check=False).stderr)
            refused = farm.restore(made["folder"])
            self.assertEqual(refused.returncode, 1)
            self.assertIn("stop its scheduler first", refused.stderr)

            farm.kill("scheduler")
            refused = farm.restore(made["folder"])
            self.assertEqual(refused.returncode, 1)
            self.assertIn("a restore replaces nothing", refused.stderr)
            shutil.rmtree(farm.root / "data")
            restored = farm.restore(made["folder"])
            self.assertEqual(restored.returncode, 0, restored.stderr)
            self.assertIn("2 shots", restored.stdout)
            shutil.rmtree(farm.deliveries / "test" / "sh020", ignore_errors=True)
            farm.start_scheduler()
            self.assertEqual(farm.seen("test/sh010"), before)
            for artifact in farm.artifacts_of("test/sh010"):
                self.assertEqual(len(self.bytes_of(farm, artifact["digest"])), artifact["bytes"])
            farm.until_at_rest()
            self.assertEqual(farm.show("test/sh020")["state"], "delivered")
            self.assertEqual(farm.pixels(), expected, "the same pixels as before")

    @staticmethod
    def bytes_of(farm, digest):
        done = subprocess.run(["curl", "-sf", "-H", f"Authorization: Bearer {farm.token}",
                               f"http://127.0.0.1:{farm.http}/v1/artifacts/{digest}"], capture_output=True, check=True)
        return done.stdout

    def test_a_scheduler_does_not_start_on_half_a_restore(self):
        with BackedUp() as farm:
            (farm.root / "data" / ".restoring").mkdir(parents=True)
            process = farm.start("scheduler", BIN / "rushes-scheduler", "--config", farm.root / "farm.yaml")
            self.assertEqual(process.wait(20), 4)
            self.assertIn("a restore was cut short here", farm.log("scheduler"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
