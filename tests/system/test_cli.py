"""`rushes` and its sisters on a wrong line: one line on stderr, a documented exit code, never a signal."""

import json
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from farm import BIN, SOURCE, Farm, free_ports

PROGRAMS = ["rushes", "rushes-scheduler", "rushes-worker", "rushes-render", "rushes-bench", "rushes-critique",
            "rushes-parity", "rushes-simulate"]

PICTURE = "tools/pictures/first-light.png"


SCRATCH = tempfile.TemporaryDirectory()  # verbs write where they are called, such as `keygen -- -1`


def run(*words, **variables):
    environment = {k: v for k, v in dict(os.environ, **variables).items() if v is not None}
    done = subprocess.run([BIN / words[0], *words[1:]], capture_output=True, timeout=60, env=environment,
                          stdin=subprocess.DEVNULL, cwd=SCRATCH.name)
    return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")


def verbs():
    """Every verb with its options that take a value, as --help has them."""
    _, text, _ = run("rushes", "--help")
    for name in re.findall(r"^  ([a-z-]+) ", text.split("Subcommands:")[1], re.M):
        _, own, _ = run("rushes", name, "--help")
        yield name, re.findall(r"^  (--[a-z-]+) (?:TEXT|INT|UINT)", own, re.M), \
            re.findall(r"^  ([A-Z]+) (?:TEXT|INT)", own, re.M)


class CommandLine(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.url = f"http://127.0.0.1:{free_ports(1)[0]}"
        cls.folder = tempfile.mkdtemp(prefix="rushes-cli-")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def one_line(self, words, codes, **variables):
        code, _, error = run("rushes", *words, **dict({"RUSHES_URL": self.url}, **variables))
        self.assertIn(code, codes, (words, error))
        self.assertEqual(error.count("\n"), 1, (words, error))
        return error

    def test_an_option_is_no_value(self):
        for words in (["retry", "s", "--take", "1", "--note", "--dry-run"], ["--token", "--json", "list"],
                      ["retry", "s", "--take", "1", "--prompt", "--dry-run"]):
            error = self.one_line(words, [2])
            self.assertIn("expected a value, found the option", error)
        self.assertIn("expected a value, found nothing", self.one_line(["retry", "s", "--take", "1", "--prompt", " "], [2]))
        self.assertIn("up to 9007199254740991", self.one_line(["retry", "s", "--take", "1", "--seed", "9007199254740992"], [1, 2]))

    def test_no_argument_ends_a_verb_by_a_signal(self):
        known = list(verbs())
        self.assertGreater(len(known), 25)
        for name, options, places in known:
            rest = ["x"] * len(places)
            for bad in (b"caf\xe9", b"\xff", b"\xed\xa0\x80"):
                self.one_line([name, *rest[:-1], bad], {2})
                for option in options:
                    self.one_line([name, *rest, option, bad], {2})
            for odd in (self.folder, "", "\x01\x1b[2J", "9" * 40, "-1", "/", "a/../../b", "x" * 5000):
                code, _, _ = run("rushes", name, *([odd] * len(places)), RUSHES_URL=self.url, RUSHES_TOKEN="t")
                self.assertIn(code, range(0, 5), (name, odd))
                for option in options:
                    code, _, _ = run("rushes", name, *rest, f"{option}={odd}", RUSHES_URL=self.url)
                    self.assertIn(code, range(0, 5), (name, option, odd))

    def test_urls_and_tokens(self):
        for url in ("http://127.0.0.1:99999999999", "http://127.0.0.1:0", "http://127.0.0.1:-1", "http://", "ftp://x", "x",
                    "http://:80", "http://a b", "http://[::1", "http://x:80:80", "http://x/y"):
            self.assertIn("--url", self.one_line(["--url", url, "list"], {2, 3}))
        self.one_line(["list"], {2}, RUSHES_TOKEN="a\nb")
        self.one_line(["list"], {3}, RUSHES_URL=self.url + "/")

    def test_words_that_are_nearly_right(self):
        self.assertIn("did you mean 'submit'?", self.one_line(["sumbit", "x.yaml"], {2}))
        self.assertIn("did you mean 'watch'?", self.one_line(["--url", self.url, "wacth"], {2}))
        self.assertIn("there is no verb 'frobnicate'", self.one_line(["frobnicate"], {2}))

    def test_errors_are_json_where_json_is_asked_for(self):
        for words in (["list"], ["sumbit"], ["show"], ["submit", self.folder], ["verify", "/nowhere"],
                      ["keygen", b"\xe9"], ["token", "list", "--keys", self.folder], ["export", "s", self.folder]):
            code, out, error = run("rushes", "--json", *words, RUSHES_URL=self.url)
            self.assertIn(code, (1, 2, 3), words)
            self.assertEqual(out, "", words)
            self.assertEqual(set(json.loads(error)["error"]), {"kind", "message"}, words)

    def test_a_word_that_is_no_name_is_refused_before_it_is_asked_for(self):
        for words, part in ((["skip", "abc"], "TASK: expected a task's number"), (["show", "a/b/c"], "expected SHOW/SHOT"),
                            (["costs", "a b"], "expected SHOW/SHOT"), (["drain", "a/b"], "WORKER: expected a name")):
            self.assertIn(part, self.one_line(words, {2}))
        for odd in ("", "/", "a/", "/a", "a//b", "a/b/", "@1", "a@", "a@x", "a@1@2", "a@1/b", ".", "-", "_a", "a.b", "a\nb", "x" * 65,
                    "a/" + "x" * 5000, "a@" + "1" * 10):
            for verb in ("show", "explain", "logs", "critiques", "wait", "watch", "cancel", "remove"):
                error = self.one_line([verb, "--", odd], {2})
                self.assertIn("expected SHOW/SHOT, or a shot's name", error, (verb, odd))
                self.assertLess(len(error), 250)

    def test_a_number_that_is_none_is_refused_in_plain_words(self):
        numbers = 0
        for name in [verb for verb, _, _ in verbs()]:
            _, own, _ = run("rushes", name, "--help")
            places = ["x"] * len(re.findall(r"^  [A-Z]+ TEXT", own, re.M))
            for option, kind in re.findall(r"^  (--[a-z-]+) (INT(?::\S+ to \S+)?)", own, re.M):
                for odd in ("9" * 40, "-" + "9" * 40, "1" * 5000, "x", "1.5", "1e3", "", " ", "0x10"):
                    error = self.one_line([name, *places, f"{option}={odd}"], {2})
                    self.assertRegex(error, rf"^rushes: {option}: expected (a whole number|a value)", (name, kind, odd))
                    self.assertLess(len(error), 200)
                numbers += 1
        self.assertGreater(numbers, 7)
        self.assertIn("--take: expected a whole number from 1 to 9999, found '0'", self.one_line(["approve", "s", "--take", "0"], {2}))
        self.assertIn("--take: expected one value, found several",
                      self.one_line(["keep", "s", "--take", "1", "--take", "2"], {2}))
        self.assertIn("--take: expected a value, found none", self.one_line(["keep", "s", "--take"], {2}))
        self.assertIn("--dry-run: expected no value", self.one_line(["gc", "--dry-run=maybe"], {2}))
        self.assertIn("ACTION: expected add, list or remove, found 'frob'", self.one_line(["token", "frob"], {2}))
        for windows in ("", ",", "1,", "1-", "-1", "2-1", "a", "1 ", "+1", "99999999999999999999", "0-99999"):
            self.assertIn("--windows: expected ", self.one_line(["retry", "s", f"--windows={windows}"], {2}))

    def test_an_empty_word_is_no_value(self):
        for words in (["export", "s", ""], ["keygen", ""], ["verify", ""], ["submit", ""], ["backup", ""],
                      ["costs", "--show="], ["submit", "f", "--idempotency-key="], ["keygen", "d", "--worker="],
                      *(["token", "add", "ann", "--role", "artist", f"--{limit}="] for limit in ("show", "shot", "until", "keys"))):
            self.assertRegex(self.one_line(words, {2}), "expected a value, found no(ne|thing)")

    def test_tokens(self):
        keys = pathlib.Path(self.folder) / "token-keys"
        self.assertEqual(run("rushes", "keygen", keys)[0], 0)
        for words, part in ((["a b"], "NAME: expected a name"), (["x" * 200], "NAME: expected"),
                            (["ann", "--role", "boss"], "--role: expected viewer"), (["gus", "--role", "guest"], "--shot: expected SHOW/SHOT"),
                            (["ann", "--show", "a/b"], "--show: expected a name"), (["ann", "--shot", "a"], "--shot: expected SHOW/SHOT"),
                            (["ann", "--until", "yesterday"], "--until: expected a time"),
                            (["ann", "--until", "2020-01-01T00:00:00Z"], "--until: expected a time to come")):
            words = words if "--role" in words else [*words, "--role", "artist"]
            error = self.one_line(["token", "add", *words, "--keys", keys], {2})
            self.assertTrue(error.startswith("rushes: " + part), error)
        code, _, error = run("rushes", "token", "remove", "admin", "--keys", keys)
        self.assertEqual(code, 0)
        self.assertIn("no token has the role admin now", error)
        self.one_line(["token", "remove", "admin", "--keys", keys], {2})

    def test_rendering_says_what_it_lacks(self):
        shot = pathlib.Path(self.folder) / "one.yaml"
        text = (SOURCE / "config" / "shots" / "first-light.yaml").read_text()
        shot.write_text(text)
        code, _, error = run("rushes-render", shot, "--out", self.folder)  # outside of a checkout
        self.assertEqual((code, error.count("\n")), (2, 1), error)
        self.assertIn("--models: expected a folder that holds NAME/model.yaml, found no folder 'config/models'", error)

    def test_an_interrupted_render_says_so_as_json(self):
        shot = pathlib.Path(self.folder) / "long.yaml"
        shot.write_text("version: 1\nshow: s\nshots:\n- {name: long, prompt: a red metal sphere moves right, "
                        "model: tabletop, frames: 129, seeds: [7], sampling: {steps: 50}}\n")
        out = pathlib.Path(self.folder) / "interrupted"
        render = subprocess.Popen([BIN / "rushes-render", "--json", "--models", SOURCE / "config" / "models", "--out", out,
                                   "--", shot], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(600):
            if out.is_dir() and list(out.iterdir()):
                break
            time.sleep(0.05)
        render.send_signal(signal.SIGINT)
        text, error = render.communicate(timeout=60)
        self.assertEqual((render.returncode, text), (128 + signal.SIGINT, ""))
        self.assertEqual(json.loads(error)["error"]["kind"], "conflict")
        self.assertIn("stopped", json.loads(error)["error"]["message"])

    def test_a_broken_picture_is_named_where_the_shot_names_it(self):
        folder = pathlib.Path(self.folder)
        (folder / "cut.png").write_bytes((SOURCE / PICTURE).read_bytes()[:-2000])
        shot = folder / "pictures.yaml"
        shot.write_text("version: 1\nshow: s\nshots:\n- name: a\n  prompt: a red metal sphere\n  model: tabletop\n"
                        "  frames: 5\n  key_frames: [{frame: 0, image: cut.png}]\n"
                        "- {name: b, prompt: x, model: tabletop, frames: 5, key_frames: [{frame: 0, image: none.png}]}\n")
        code, _, error = run("rushes", "submit", shot, RUSHES_URL=self.url)  # nothing is sent
        self.assertEqual((code, error.count("\n")), (2, 2), error)
        self.assertIn("pictures.yaml:8:34: shots[0].key_frames[0].image: picture ", error)
        self.assertIn("expected a whole picture, found a broken PNG file", error)
        self.assertIn("pictures.yaml:9:83: shots[1].key_frames[0].image: expected a PNG or EXR file, found no file", error)
        shot.write_text(shot.read_text().split("- {name: b")[0])
        code, _, error = run("rushes-render", "--models", SOURCE / "config" / "models", "--out", folder / "p", "--", shot)
        self.assertEqual(code, 2)
        self.assertIn("pictures.yaml:8:34: shots[0].key_frames[0].image: picture ", error)
        self.assertIn("expected a whole picture, found a broken PNG file", error)

    def test_every_program_has_a_version(self):
        for program in PROGRAMS:
            code, out, _ = run(program, "--version")
            self.assertEqual(code, 0, program)
            self.assertRegex(out, r"^\d+\.\d+", program)

    def test_an_option_leaves_the_file_behind_it(self):
        shot = pathlib.Path(self.folder) / "shot.yaml"
        shot.write_text("version: 1\nshow: s\nshots: []\n")
        code, _, error = run("rushes-render", "--models", SOURCE / "config" / "models", shot, "--out", self.folder)
        self.assertEqual(code, 2)
        self.assertIn("shot.yaml", error)
        self.assertNotIn("required", error)

    def test_a_folder_without_a_model_is_named(self):
        shot = pathlib.Path(self.folder) / "models.yaml"
        shot.write_text((SOURCE / "config" / "shots" / "first-light.yaml").read_text())
        code, _, error = run("rushes-render", "--models", self.folder, "--out", pathlib.Path(self.folder) / "o", "--", shot)
        self.assertEqual((code, error.count("\n")), (2, 1), error)
        self.assertIn("found no model in ", error)

    def test_a_host_that_cannot_write_ends_a_render_with_4(self):
        shot = pathlib.Path(self.folder) / "full.yaml"
        shot.write_text("version: 1\nshow: s\nshots:\n- {name: a, prompt: a red metal sphere, model: tabletop, frames: 5, "
                        "seeds: [7], sampling: {steps: 1}, approve: best}\n")
        with tempfile.TemporaryDirectory() as out:
            done = subprocess.run(
                [BIN / "rushes-render", "--models", SOURCE / "config" / "models", "--out", out, "--", shot], text=True,
                capture_output=True, timeout=120, restore_signals=False,  # no SIGXFSZ: writes fail as on a full disk
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)))
            self.assertEqual(done.returncode, 4, done.stderr)
        with tempfile.TemporaryDirectory() as out:
            os.chmod(out, 0o555)
            code, _, error = run("rushes-render", "--models", SOURCE / "config" / "models", "--out", out, "--", shot)
            if os.geteuid() != 0:  # nothing is read-only for root
                self.assertEqual(code, 4, error)

    def test_a_critique_says_what_it_reads(self):
        movie = pathlib.Path(self.folder) / "clip.mp4"
        movie.write_bytes(b"x")
        code, _, error = run("rushes-critique", movie)
        self.assertEqual(code, 2)
        self.assertIn("clip.mp4: expected a frame of an EXR or PNG sequence", error)
        self.assertIn("movies are not read", error)
        code, _, error = run("rushes-critique", movie, "--name", "sh010")
        self.assertEqual(code, 2)
        self.assertIn("--shot", error)

    def test_the_client_says_how_it_is_let_in(self):
        with Farm() as farm:
            farm.start_scheduler()
            refused = farm.cli("list", check=False, environment={"RUSHES_TOKEN": ""})
            self.assertEqual(refused.returncode, 1)
            self.assertIn("asks for a token: --token TOKEN, or the environment's RUSHES_TOKEN", refused.stderr)
            self.assertNotIn("Bearer", refused.stderr)
        self.assertIn("Rushes speaks no TLS", self.one_line(["list", "--url", "https://farm.example.com"], {2}))
        keys = pathlib.Path(self.folder) / "old-keys"
        run("rushes", "keygen", keys)
        (keys / "tokens.yaml").write_text((keys / "tokens.yaml").read_text().replace("digest:", "until: 2020-01-01T00:00:00Z, digest:"))
        self.assertRegex(run("rushes", "token", "list", "--keys", keys)[1], r"until 2020-01-01T00:00:00\S* \(ended\)")


class Tokens(unittest.TestCase):
    def test_a_running_farm_takes_tokens_that_are_added_and_removed(self):
        with Farm() as farm:
            farm.start_scheduler()
            keys = farm.root / "keys"

            def token(*words, check=True):
                return farm.cli("token", *words, "--keys", keys, check=check)

            secret = token("add", "host.example.com", "--role", "artist", "--show", "test").stdout.strip()
            use = {"RUSHES_TOKEN": secret}
            farm.until(lambda: farm.cli("list", check=False, environment=use).returncode == 0, 10, "the token counts")
            self.assertNotIn(secret, (keys / "tokens.yaml").read_text())
            self.assertIn("host.example.com", token("list").stdout)
            self.assertEqual(farm.cli("drain", "w", check=False, environment=use).returncode, 1)
            self.assertEqual(token("add", "host.example.com", "--role", "viewer", check=False).returncode, 1)
            for wrong in (["add", "x", "--role", "artst"], ["add", "x/y", "--role", "artist"], ["add", "x"], ["add"],
                          ["add", "g", "--role", "guest"], ["add", "x", "--role", "artist", "--until", "noon"],
                          ["remove", "nobody"]):
                done = token(*wrong, check=False)
                self.assertEqual((done.returncode, done.stderr.count("\n")), (2, 1), wrong)
            token("remove", "host.example.com")
            farm.until(lambda: farm.cli("list", check=False, environment=use).returncode == 1, 10, "the token is out")
            self.assertEqual(farm.cli("list").returncode, 0)


class Shipped(unittest.TestCase):
    def test_farm_yaml_worker_yaml_and_keygen_work_together(self):
        with Farm() as farm:  # for its root and its ports
            config = farm.root / "config"
            config.mkdir()
            ports = {"7400": farm.http, "7401": farm.control, "7402": farm.artifacts}
            for name in ("farm.yaml", "worker.yaml"):
                text = (SOURCE / "config" / name).read_text()
                for shipped, free in ports.items():
                    text = text.replace(f":{shipped}", f":{free}").replace(f"port: {shipped}", f"port: {free}")
                (config / name).write_text(text)
            for name in ("models", "colour"):
                (config / name).symlink_to(SOURCE / "config" / name)
            farm.cli("keygen", config / "keys", farm=False)
            farm.token = (config / "keys" / "admin.token").read_text().strip()
            farm.start("scheduler", BIN / "rushes-scheduler", "--config", config / "farm.yaml")
            farm.start("worker", BIN / "rushes-worker", "--config", config / "worker.yaml")
            there = lambda: [w["worker"] for w in (farm.get("/v1/workers") or {"workers": []})["workers"]]
            farm.until(lambda: there() == ["worker-bay1"], 40, "the worker of worker.yaml is on the farm")
            # One more host, by its full name and with a key of its own.
            farm.cli("keygen", config / "keys", "--worker", "bay2.example.com", farm=False)
            text = (config / "worker.yaml").read_text().replace("name: worker-bay1", "name: bay2.example.com")
            text = text.replace("keys/worker.", "keys/bay2.example.com.").replace("../worker-data", "../worker-2")
            (config / "worker2.yaml").write_text(text)
            farm.start("worker2", BIN / "rushes-worker", "--config", config / "worker2.yaml")
            farm.until(lambda: "bay2.example.com" in there(), 40, "the second worker is on the farm")
            again = farm.cli("keygen", config / "keys", "--worker", "bay2.example.com", farm=False, check=False)
            self.assertEqual(again.returncode, 1, "keys are never overwritten")


if __name__ == "__main__":
    unittest.main(verbosity=2)
