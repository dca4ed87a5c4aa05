"""Takes whose days are over leave the disk; what was approved can still be exported and verified, and what left is
rendered again with the same pixels."""

import json
import pathlib
import tempfile
import time
import unittest

from farm import Farm
from test_review import SHOT, pixels

SWEEP = 60  # seconds: the shortest times.upload_sweep; what is younger is never removed


class ForgetfulFarm(Farm):
    def farm_yaml(self):
        text = super().farm_yaml().replace("times: {", f"times: {{upload_sweep: {SWEEP} s, ")
        return text + "retention: {dropped_days: never}\nshows:\n  - {name: test, retention: {draft_days: 0}}\n"


class Retention(unittest.TestCase):
    def vault_bytes(self, farm):
        return sum(path.stat().st_size for path in (farm.root / "data" / "vault").rglob("*") if path.is_file())

    def export(self, farm, folder, *words):
        done = farm.cli("export", "sh010", folder, *words, "--json", check=False)
        return pathlib.Path(json.loads(done.stdout)["folder"]) if done.returncode == 0 else done.stderr

    def test_drafts_leave_and_the_approved_take_stays(self):
        with ForgetfulFarm() as farm, tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            farm.start_scheduler()
            farm.start_worker("one")
            # Most of the vault has to leave: else its files are not written anew at once.
            farm.submit(SHOT.replace("[11, 12]", "[11, 12, 13, 14, 15]"))
            self.assertEqual(farm.until_at_rest()[0]["state"], "review")
            farm.cli("approve", "sh010", "--take", 1)
            farm.until(lambda: farm.shots()[0]["state"] == "delivered", 60, "take 1 is delivered")
            before = pixels(self.export(farm, folder / "before", "--take", 2))
            made = time.monotonic()

            would = json.loads(farm.cli("gc", "--dry-run", "--json").stdout)
            self.assertEqual([(row["shot"], row["take"]) for row in would["takes"]], [("test/sh010", take) for take in (2, 3, 4, 5)])
            self.assertGreater(would["bytes"], 1 << 20)
            self.assertIn("4 takes would leave", farm.cli("gc", "--dry-run").stdout)
            self.assertIsInstance(self.export(farm, folder / "dry", "--take", 2), pathlib.Path)

            time.sleep(max(0.0, made + SWEEP + 2 - time.monotonic()))
            size = self.vault_bytes(farm)
            said = farm.cli("gc").stdout
            self.assertIn("test/sh010 take 2", said)
            self.assertIn("never approved", said)
            self.assertTrue(all(len(line) <= 80 for line in said.splitlines()), said)
            farm.until(lambda: self.vault_bytes(farm) < size - would["bytes"] // 2, 60, "the disk has its space back")

            refusal = self.export(farm, folder / "gone", "--take", 2)
            self.assertIn("rushes retry test/sh010 --take 2", refusal)
            self.assertIn("pictures left on", farm.cli("show", "sh010").stdout)
            self.assertEqual(len(pixels(self.export(farm, folder / "kept", "--take", 1))), 9)
            delivery = self.export(farm, folder / "delivery")
            self.assertEqual(farm.cli("verify", delivery, farm=False).returncode, 0)

            farm.kill("scheduler")  # SIGKILL: what left is in the journal
            farm.start_scheduler()
            self.assertIn("left on", self.export(farm, folder / "gone", "--take", 2))
            farm.cli("retry", "sh010", "--take", 2)
            farm.until_at_rest()
            self.assertEqual(pixels(self.export(farm, folder / "again", "--take", 2)), before, "the same seed")


if __name__ == "__main__":
    unittest.main(verbosity=2)
