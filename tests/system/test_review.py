"""A person looks at takes before approving one: movie, contact sheet and EXR frames, on a farm and without one."""

import json
import pathlib
import re
import signal
import subprocess
import tempfile
import unittest
import urllib.request

from farm import BIN, MODELS, SOURCE, Farm

SHOT = """version: 1
show: test
shots:
  - name: sh010
    prompt: a red matte sphere moves right across a table by day
    model: tabletop
    frames: 9
    seeds: [11, 12]
    sampling: {steps: 4}
    timecode: "10:00:00:00"
    approve: person
    critics: {light: {reject: 0}, freeze: {reject: 0}, exposure: {reject: 0}, flicker: {reject: 0}, seam: {reject: 0}}
"""


def chunks(path):
    """What an EXR file holds behind its header and table of offsets: the compressed pixels."""
    data = path.read_bytes()
    at, box, attributes = 8, None, {}
    while data[at]:
        name, kind, at = *data[at:].split(b"\0", 2)[:2], at
        at += len(name) + len(kind) + 2
        size = int.from_bytes(data[at : at + 4], "little")
        attributes[name.decode()] = data[at + 4 : at + 4 + size]
        at += 4 + size
    box = [int.from_bytes(attributes["dataWindow"][i : i + 4], "little", signed=True) for i in range(0, 16, 4)]
    blocks = (box[3] - box[1] + 32) // 32  # PIZ: 32 lines each
    return data[at + 1 + 8 * blocks :], attributes


def pixels(folder):
    return [chunks(path)[0] for path in sorted(folder.glob("*.exr"))]


class Review(unittest.TestCase):
    def test_takes_in_review_have_pictures(self):
        with Farm() as farm, tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            farm.start_scheduler()
            farm.submit(SHOT)
            early = farm.cli("export", "sh010", folder, "--take", 1, check=False)
            self.assertEqual(early.returncode, 1)
            self.assertIn("rushes wait test/sh010", early.stderr)
            farm.start_worker("one")
            self.assertEqual(farm.until_at_rest()[0]["state"], "review")

            # Where they are: in the text, and by digest in the JSON.
            text = farm.cli("show", "sh010").stdout
            self.assertIn("version 0 (current): movie", text)
            self.assertIn("rushes export test/sh010 DIR --take N", text)
            shot = json.loads(farm.cli("show", "sh010", "--json").stdout)
            for take in shot["takes"]:
                (version,) = take["versions"]
                self.assertTrue(version["current"] and version["judged"])
                self.check_movie_over_http(farm, version["movie"])
                self.assertEqual([tile["tile"] for tile in version["decoded"]], [0])

            self.interrupt_an_export(farm, folder)
            exported = self.export_all_kinds(farm, folder)
            farm.cli("approve", "sh010", "--take", 2)
            self.assertEqual(farm.until_at_rest()[0]["state"], "delivered")
            delivered = next(farm.deliveries.rglob("*.exr")).parent
            self.assertEqual(pixels(exported), pixels(delivered))
            mine, theirs = (chunks(min(at.glob("*.exr")))[1] for at in (exported, delivered))
            differ = {name for name in mine if mine[name] != theirs[name]}
            self.assertLessEqual(differ, {"reelName", "rushes/version"}, "the header says the same of the take")
            self.assertEqual(mine["rushes/take"], theirs["rushes/take"])

            # The newest delivery, as it is.
            whole = json.loads(farm.cli("export", "sh010", folder, "--json").stdout)
            self.assertEqual(pixels(pathlib.Path(whole["folder"])), pixels(delivered))
            refused = farm.cli("export", "sh010", folder, "--kind", "master", check=False)
            self.assertEqual(refused.returncode, 1)
            self.assertIn("rushes upgrade test/sh010", refused.stderr)

    def check_movie_over_http(self, farm, movie):
        def get(**headers):
            headers["Authorization"] = f"Bearer {farm.token}"
            url = f"http://127.0.0.1:{farm.http}/v1/artifacts/{movie['digest']}"
            return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10)

        with get() as answer:
            whole = answer.read()
            self.assertEqual(answer.headers["Content-Type"], "video/mp4")
        self.assertEqual(len(whole), movie["bytes"])
        with get(Range="bytes=100-299") as answer:  # what a browser does to seek
            self.assertEqual((answer.status, answer.read()), (206, whole[100:300]))

    def interrupt_an_export(self, farm, folder):
        scheduler = farm.processes["scheduler"]
        scheduler.send_signal(signal.SIGSTOP)
        export = subprocess.Popen(
            [BIN / "rushes", "--url", f"http://127.0.0.1:{farm.http}", "--token", farm.token, "export", "test/sh010",
             folder / "deep" / "er", "--take", "1"],
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        status = pathlib.Path(f"/proc/{export.pid}/status")
        catches = re.compile(r"SigCgt:\s*([0-9a-f]+)")
        farm.until(lambda: int(catches.search(status.read_text())[1], 16) & 2, 20, "it watches for SIGINT")
        export.send_signal(signal.SIGINT)
        scheduler.send_signal(signal.SIGCONT)
        self.assertIn("stopped; nothing of the export is left", export.communicate(timeout=60)[1])
        self.assertEqual(export.returncode, 128 + signal.SIGINT)
        self.assertEqual(list(folder.iterdir()), [])

    def export_all_kinds(self, farm, folder):
        """Returns the folder of take 2's frames."""
        done = json.loads(farm.cli("export", "sh010", folder / "new", "--take", 2, "--kind", "proxy", "--json").stdout)
        self.assertEqual((done["kind"], done["take"], done["version"]), ("proxy", 2, "take2_v0"))
        proxy = folder / "new" / "test" / "sh010_proxy_take2_v0"
        self.assertEqual(sorted(done["files"]), sorted(path.name for path in proxy.iterdir()))
        self.assertTrue((proxy / "sh010_proxy_take2_v0.mp4").read_bytes()[4:8] == b"ftyp")
        self.assertTrue((proxy / "sh010_proxy_take2_v0_contact.png").read_bytes().startswith(b"\x89PNG"))

        done = farm.cli("export", "sh010", folder, "--take", 2)
        draft = folder / "test" / done.stdout.split("/")[-1].strip()
        self.assertEqual(len(list(draft.iterdir())), 9)
        self.assertEqual(len(list(draft.glob("*take2_v0*.exr"))), 9)
        again = farm.cli("export", "sh010", folder, "--take", 2, "--version", 0, check=False)
        self.assertEqual(again.returncode, 1, "never into a folder that exists")
        self.assertIn("exists", again.stderr)
        missing = farm.cli("export", "sh010", folder, "--take", 2, "--version", 4, check=False)
        self.assertEqual(missing.returncode, 2)
        self.assertIn("the newest is 0", missing.stderr)
        self.assertEqual(farm.cli("export", "sh010", folder, "--take", 3, check=False).returncode, 2)
        master = farm.cli("export", "sh010", folder, "--take", 2, "--kind", "master", check=False)
        self.assertEqual(master.returncode, 1)
        self.assertIn("rushes approve test/sh010 --take 2", master.stderr)
        self.assertEqual({path.name for path in folder.iterdir()}, {"new", "test"}, "refusals leave nothing")
        self.assertEqual(list((folder / "test").iterdir()), [draft], "refusals leave nothing")
        return draft

    def test_a_master_is_exported_as_it_is_delivered(self):
        with Farm() as farm, tempfile.TemporaryDirectory() as folder:
            farm.start_scheduler()
            farm.start_worker("one")
            text = re.sub("frames: 9", "frames: 5", SHOT).replace("[11, 12]", "[11]")
            farm.submit(text.replace("approve: person", "approve: best\n    upgrade: {scale: 2, steps: 1}"))
            self.assertEqual(farm.until_at_rest()[0]["state"], "delivered")
            done = json.loads(farm.cli("export", "sh010", folder, "--kind", "master", "--json").stdout)
            delivered = next((farm.deliveries / "test" / "sh010" / "master").rglob("*.exr")).parent
            exported = pathlib.Path(done["folder"])
            self.assertEqual(len(pixels(exported)), 5)
            self.assertEqual(pixels(exported), pixels(delivered))

            # What was replaced lies beside it in folders of its own.
            farm.cli("export", "sh010", folder)
            (farm.root / "again.yaml").write_text(text)
            farm.cli("submit", farm.root / "again.yaml", "--replace")
            for more in ((), ("--take", 1)):
                farm.cli("export", "sh010@1", folder, *more)
            names = sorted(path.name for path in (pathlib.Path(folder) / "test").iterdir())
            self.assertEqual(names, ["sh010@1_draft_take1_v0", "sh010@1_master_v001", "sh010_master_take1", "sh010_master_v001"])

    def test_without_a_farm(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / "shots.yaml").write_text(SHOT)

            def render(*more):
                return subprocess.run(
                    [BIN / "rushes-render", folder / "shots.yaml", "--out", folder / "out", "--models", MODELS,
                     "--colour", SOURCE / "config" / "colour" / "farm.ocio", *more],
                    capture_output=True, text=True, timeout=300,
                )  # fmt: skip

            done = render("--json")
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            (review,) = json.loads(done.stdout)["reviews"]
            self.assertEqual(pathlib.Path(review["folder"]), folder / "out" / "test" / "sh010" / "review" / "v001")
            for take in review["takes"]:
                files = sorted(path.suffix for path in (pathlib.Path(review["folder"]) / take["folder"]).iterdir())
                self.assertEqual(files, 9 * [".exr"] + [".mp4", ".png"])
            self.assertEqual([take["take"] for take in review["takes"]], [1, 2])
            done = render()
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertRegex(done.stderr, r"waits for a person: look at its takes in .*review/v002; .*`seeds: \[1[12]\]`")
            self.assertIn(f"to deliver take {review['best']}, write `seeds: [{review['best_seed']}]`", done.stderr)
            first = pathlib.Path(review["folder"])
            self.assertEqual(pixels(first / "take1"), pixels(first.parent / "v002" / "take1"))
            self.assertEqual(sorted(path.name for path in (folder / "out").iterdir()), ["test"])


class NothingPasses(unittest.TestCase):
    def test_the_exit_code_says_that_a_person_is_needed(self):
        shot = SHOT.replace("approve: person", "approve: best").replace("frames: 9", "frames: 5")
        shot = shot.replace("seeds: [11, 12]", "seeds: [11]\n    budget: {windows: 0}")
        shot = shot.replace("exposure: {reject: 0}", "exposure: {revise: 1, reject: 0}")
        with Farm() as farm:
            farm.start_scheduler()
            farm.start_worker("one")
            (farm.root / "shot.yaml").write_text(shot)
            done = farm.cli("submit", farm.root / "shot.yaml", "--wait", check=False)
            self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
            self.assertIn("no take passed its critics; the best is take 1", done.stdout)
            self.assertEqual(farm.cli("wait", "sh010", check=False).returncode, 1)
            self.assertFalse(list(farm.deliveries.rglob("*.exr")), "nothing is delivered in silence")
            farm.cli("approve", "sh010", "--take", 1)
            self.assertEqual(farm.cli("wait", "sh010").returncode, 0)

    def test_without_a_farm_it_says_what_helps(self):
        shot = SHOT.replace("approve: person", "approve: best").replace("frames: 9", "frames: 5")
        shot = shot.replace("seeds: [11, 12]", "seeds: [12, 11]\n    budget: {windows: 0}")
        shot = shot.replace("exposure: {reject: 0}", "exposure: {revise: 1, reject: 0}")
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)

            def render(text, *more):
                (folder / "shots.yaml").write_text(text)
                return subprocess.run([BIN / "rushes-render", folder / "shots.yaml", "--out", "out", "--models", MODELS, *more],
                                      capture_output=True, text=True, timeout=300, cwd=folder)

            done = render(shot, "--json")
            self.assertEqual(done.returncode, 1, done.stderr)
            error = json.loads(done.stderr)["error"]
            self.assertEqual(error["kind"], "conflict")
            self.assertIn("no take passed its critics, so none is delivered; the best is take", error["message"])
            done = render(shot)
            self.assertNotRegex(done.stderr, r"\(retry\)|approve it")
            advice = re.search(r"although critics object, write `(seeds: \[1[12]\])`, `approve: best` and `(critics: {.*?})` into",
                               done.stderr)
            self.assertIsNotNone(advice, done.stderr)
            self.assertEqual(advice[2], "critics: {exposure: off}")
            shot = re.sub(r"critics: .*", advice[2], re.sub(r"seeds: .*", advice[1], shot))
            done = render(shot)
            self.assertEqual(done.returncode, 0, done.stderr)
            delivered = folder / "out" / "test" / "sh010" / "draft" / "v001"
            self.assertIn(f" in {delivered} (", done.stdout, "a path that a script can use")
            take = {"seeds: [12]": "take1", "seeds: [11]": "take2"}[advice[1]]
            looked_at = folder / "out" / "test" / "sh010" / "review" / "v001" / take
            self.assertEqual(pixels(looked_at), pixels(delivered))

    def test_a_skip_says_what_becomes_of_the_take(self):
        with Farm() as farm:
            farm.start_scheduler()
            farm.start_worker("one")
            farm.submit(SHOT.replace("{steps: 4}", "{steps: 60}").replace("frames: 9", "frames: 65"))

            def denoise():
                tasks = (farm.get("/v1/explain/test/sh010") or {"tasks": []})["tasks"]
                return [task["task"] for task in tasks if "take 1 denoise" in task["name"]]

            farm.until(denoise, 60, "take 1 is planned")
            self.assertIn("take 1 is dropped", farm.cli("skip", denoise()[0]).stdout)
            self.assertIn("dropped: its denoise was skipped by ", farm.cli("show", "sh010").stdout)


if __name__ == "__main__":
    unittest.main()
