"""rushes-render leaves whole versions or nothing, whatever stops it, and never changes one that exists."""

import pathlib
import signal
import subprocess
import tempfile
import time
import unittest

from farm import BIN, MODELS

SHOT = """version: 1
show: test
shots:
  - name: sh010
    prompt: a red matte sphere moves right across a table by day
    model: tabletop
    frames: {frames}
    seeds: [11]
    sampling: {{steps: {steps}}}
    critics: {{light: {{revise: 0}}, freeze: {{revise: 0}}, exposure: {{revise: 0}}, flicker: {{revise: 0}}}}
    budget: {{windows: 0}}
    approve: best
"""


class Deliveries(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="rushes-deliveries-")
        self.addCleanup(scratch.cleanup)
        self.root = pathlib.Path(scratch.name)
        self.out = self.root / "out"

    def start(self, frames, steps=4):
        shot = self.root / "shot.yaml"
        shot.write_text(SHOT.format(frames=frames, steps=steps))
        process = subprocess.Popen(
            [BIN / "rushes-render", shot, "--out", self.out, "--models", MODELS],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.addCleanup(process.stdout.close)
        return process

    def render(self, frames):
        process = self.start(frames)
        text = process.communicate(timeout=120)[0]
        self.assertEqual(process.returncode, 0, text)

    def stop(self, how):
        """Stops a long run in its middle; its exit code and output."""
        process = self.start(frames=33, steps=30)
        end = time.monotonic() + 60
        while not list(self.out.glob(".*.part-*/artifacts/??")):
            self.assertIsNone(process.poll(), "it ended before it was stopped")
            self.assertLess(time.monotonic(), end)
            time.sleep(0.02)
        process.send_signal(how)
        text = process.communicate(timeout=60)[0]
        return process.returncode, text

    def files(self):
        return {str(path.relative_to(self.out)): path.stat().st_mtime_ns
                for path in self.out.rglob("*") if path.is_file()}

    def test_a_slash_at_the_end_of_a_folder_changes_nothing(self):
        shot = self.root / "shot.yaml"
        shot.write_text(SHOT.format(frames=5, steps=2))
        done = subprocess.run([BIN / "rushes-render", shot, "--out", f"{self.out}/", "--models", f"{MODELS}/"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_colour_that_cannot_be_used_is_found_before_anything_is_rendered(self):
        shot = self.root / "shot.yaml"
        shot.write_text(SHOT.format(frames=5, steps=2))
        done = subprocess.run([BIN / "rushes-render", shot, "--out", self.out, "--models", MODELS,
                               "--colour", self.root / "none.ocio"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
        self.assertEqual(done.returncode, 4, done.stdout)
        self.assertIn("none.ocio", done.stdout)
        self.assertFalse(self.out.exists())

    def test_each_run_is_the_next_version(self):
        self.render(9)
        before = self.files()
        self.render(5)
        after = self.files()
        self.assertEqual(before, {name: after[name] for name in before})
        frames = [len(list((self.out / "test/sh010/draft" / version).glob("*.exr"))) for version in ("v001", "v002")]
        self.assertEqual(frames, [9, 5])
        for version in ("v001", "v002"):
            subprocess.run([BIN / "rushes", "verify", self.out / "test/sh010/draft" / version], check=True,
                           stdout=subprocess.DEVNULL)

    def test_what_is_stopped_leaves_nothing(self):
        for how, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            returned, text = self.stop(how)
            self.assertEqual(returned, code, text)
            self.assertIn("stopped; what was not complete is removed", text)
            self.assertFalse(self.out.exists())

    def test_what_is_killed_is_removed_by_the_next_run(self):
        self.assertEqual(self.stop(signal.SIGKILL)[0], -signal.SIGKILL)
        self.assertTrue(list(self.out.iterdir()))
        self.render(5)
        self.assertEqual([path.name for path in self.out.iterdir()], ["test"])


if __name__ == "__main__":
    unittest.main()
