"""What goes wrong says so in one clear line, with a documented exit code, and loses nothing."""

import os
import pathlib
import resource
import shutil
import subprocess
import tempfile
import unittest

from farm import BIN, MODELS, SOURCE, Farm, SMALL_SHOT, free_ports


def run(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


class Refusals(unittest.TestCase):
    def test_unreachable_farm(self):
        code, text = run(BIN / "rushes", "--url", f"http://127.0.0.1:{free_ports(1)[0]}", "list")
        self.assertEqual(code, 3)
        self.assertIn("cannot reach the farm", text)
        self.assertEqual(text.count("\n"), 1)

    def test_usage(self):
        self.assertEqual(run(BIN / "rushes", "no-such-verb")[0], 2)
        self.assertEqual(run(BIN / "rushes-scheduler")[0], 2)
        self.assertEqual(run(BIN / "rushes-worker", "--config", "/nowhere/worker.yaml")[0], 2)

    def test_malformed_batches_are_refused_whole(self):
        with Farm() as farm:
            farm.start_scheduler()
            cases = {
                "frames: 9\n    framse: 9": ("framse", "frames"),
                "frames: nine": ("frames",),
                "frames: 9\n    fps: 25": ("24",),
                "frames: 9\n    model: unknown": ("unknown", "tabletop"),
            }
            for change, words in cases.items():
                text = SMALL_SHOT
                if "model:" in change:
                    text = text.replace("    model: tabletop\n", "")
                text = text.replace("frames: 9", change)
                done = farm.submit(text, check=False)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertRegex(done.stderr, r"shots\.yaml:\d+", change)
                for word in words:
                    self.assertIn(word, done.stderr)
            self.assertEqual(farm.shots(), [])

    def test_pictures_that_are_no_files(self):
        with Farm() as farm:
            farm.start_scheduler()
            os.mkfifo(farm.root / "pipe.png")
            (farm.root / "plates").mkdir()
            for name, found in (("pipe.png", "a pipe"), ("plates", "a folder"), ("none.png", "no file")):
                text = SMALL_SHOT.replace("frames: 9", f"frames: 9\n    key_frames: [{{frame: 0, image: {name}}}]")
                done = farm.submit(text, check=False)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertRegex(done.stderr, r"shots\.yaml:\d+:\d+: .*expected a PNG or EXR file, found " + found)

    def test_text_that_is_not_utf8_is_named_with_its_line(self):
        with Farm() as farm:
            farm.start_scheduler()
            shots = farm.root / "latin.yaml"
            shots.write_bytes(SMALL_SHOT.encode() + b"# caf\xe9\n")
            done = farm.cli("submit", shots, check=False)
            self.assertEqual(done.returncode, 2, done.stderr)
            line = SMALL_SHOT.count("\n") + 1
            self.assertIn(f"latin.yaml:{line}:6: expected UTF-8 text", done.stderr)

    def test_wrong_token(self):
        with Farm() as farm:
            farm.start_scheduler()
            done = farm.cli("list", check=False, environment={"RUSHES_TOKEN": "wrong"})
            self.assertEqual(done.returncode, 1)
            self.assertIn("token", done.stderr)

    def test_few_open_files(self):
        """A host's soft limit would end a farm at some hundred workers; the hard one is named before it does."""
        allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        if allowed != resource.RLIM_INFINITY and allowed < 3000:
            self.skipTest("this host's own limit is small")
        with Farm() as farm:
            for hard, warns in ((2000, True), (3000, False)):  # limits.workers: 1000
                limited = ("prlimit", f"--nofile=256:{hard}", BIN / "rushes-scheduler")
                process = farm.start("scheduler", *limited, "--config", farm.root / "farm.yaml")
                farm.until(lambda: farm.get("/v1/health") is not None, 20, "the scheduler answers")
                self.assertEqual(resource.prlimit(process.pid, resource.RLIMIT_NOFILE), (hard, hard))
                self.assertEqual("LimitNOFILE" in farm.log("scheduler"), warns)
                farm.kill("scheduler")
                (farm.root / "scheduler.log").unlink()

    def test_port_in_use(self):
        with Farm() as farm:
            farm.start_scheduler()
            with Farm() as other:
                for old, new in ((other.control, farm.control), (other.http, farm.http)):
                    text = other.farm_yaml().replace(str(old), str(new))
                    (other.root / "farm.yaml").write_text(text)
                    code, output = run(BIN / "rushes-scheduler", "--config", other.root / "farm.yaml")
                    self.assertEqual(code, 4, output)
                    self.assertIn(str(new), output)

    def test_data_folder_that_cannot_be_used(self):
        with Farm() as farm:
            (farm.root / "data").write_text("a file, not a folder")
            code, output = run(BIN / "rushes-scheduler", "--config", farm.root / "farm.yaml")
            self.assertEqual(code, 4, output)
            self.assertIn("data", output)
            (farm.root / "data").unlink()
            farm.start_scheduler()
            code, output = run(BIN / "rushes-scheduler", "--config", farm.root / "farm.yaml")
            self.assertEqual(code, 4, "a second scheduler on the same data")

    def test_worker_with_an_unknown_key_gets_nothing(self):
        with Farm() as farm:
            farm.start_scheduler()
            farm.cli("keygen", farm.root / "other", farm=False)
            farm.start_worker("stranger", keys="other")
            farm.submit(SMALL_SHOT)
            farm.until(lambda: "key" in farm.log("stranger").lower() or "key" in farm.log("scheduler").lower(), 20,
                       "somebody says that the key is unknown")
            self.assertEqual(farm.get("/v1/workers")["workers"], [])
            self.assertEqual(farm.shots()[0]["tasks"].get("succeeded", 0), 0)

    def test_weights_that_are_missing_or_wrong(self):
        with tempfile.TemporaryDirectory() as folder:
            models = pathlib.Path(folder)
            shutil.copytree(MODELS / "tabletop", models / "tabletop")
            weights = models / "tabletop" / "vae.safetensors"
            shot = models / "shot.yaml"
            shot.write_text(SMALL_SHOT)
            whole = weights.read_bytes()
            for label, content in (("wrong", whole[:-1] + bytes([whole[-1] ^ 1])), ("truncated", whole[: len(whole) // 2]), ("missing", None)):
                weights.unlink() if content is None else weights.write_bytes(content)
                code, output = run(BIN / "rushes-render", shot, "--out", models / "out", "--models", models,
                                   "--colour", SOURCE / "config" / "colour" / "farm.ocio")
                self.assertNotEqual(code, 0, label)
                self.assertIn("vae.safetensors", output, label)


if __name__ == "__main__":
    unittest.main(verbosity=2)
