"""What `cmake --install` and deploy/ promise: a tree that works where it is put, units that systemd takes, Kubernetes
objects that its API takes, and a README whose files and commands work as they stand there."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

import farm as farm_module
from farm import BIN, SMALL_SHOT, SOURCE, Farm

DEPLOY = SOURCE / "deploy"
PREFIX = "usr/local"
PROGRAMS = ("rushes", "rushes-scheduler", "rushes-worker", "rushes-render", "rushes-critique")
UNITS = {"rushes-scheduler.service": 2.0, "rushes-worker@.service": 4.0}  # exposure by systemd-analyze, at most


def run(*words, **options):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=120, **options)


class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="rushes-install-"))
        cls.root = cls.folder / PREFIX
        done = run("cmake", "--install", BIN.parent, "--prefix", f"/{PREFIX}", env=dict(os.environ, DESTDIR=cls.folder))
        if done.returncode != 0:
            raise AssertionError(done.stdout + done.stderr)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def test_programs_start_and_say_their_version(self):
        self.assertEqual({path.name for path in (self.root / "bin").iterdir()}, set(PROGRAMS))
        for program in PROGRAMS:
            done = run(self.root / "bin" / program, "--help", cwd="/")
            self.assertEqual(done.returncode, 0, f"{program}: {done.stderr}")
            self.assertIn("--", done.stdout)

    def test_nothing_in_it_names_the_sources(self):
        for path in self.root.rglob("*"):
            if path.is_file() and path.suffix != ".safetensors" and path.parent.name != "bin":
                self.assertNotIn(str(SOURCE).encode(), path.read_bytes(), path)

    def test_a_farm_renders_with_what_is_installed(self):
        kept = farm_module.BIN, farm_module.SOURCE
        farm_module.BIN, farm_module.SOURCE = self.root / "bin", self.root / "share/rushes"
        try:
            with Farm(self.root / "share/rushes/config/models") as farm:
                farm.start_scheduler()
                farm.start_worker("bay1")
                farm.submit(SMALL_SHOT.replace("seeds: [11, 12, 13]", "seeds: [11]"))
                self.assertEqual(farm.until_at_rest(120)[0]["state"], "delivered")
        finally:
            farm_module.BIN, farm_module.SOURCE = kept

    def test_a_host_needs_the_packages_that_are_listed(self):
        needed = set()
        for program in PROGRAMS:
            libraries = re.findall(r"NEEDED\D*\[(.*)\]", run("readelf", "-d", self.root / "bin" / program).stdout)
            found = dict(re.findall(r"(\S+) => (/\S+)", run("ldd", self.root / "bin" / program).stdout))
            needed |= {os.path.realpath(found[name]) for name in libraries if name in found}
        # Some packages name their files below /lib, which is /usr/lib since.
        needed |= {path.removeprefix("/usr") for path in needed}
        owners = subprocess.run(["dpkg", "-S", *sorted(needed)], capture_output=True, text=True, timeout=60).stdout
        every_host = {"libc6", "libgcc-s1"}
        self.assertEqual({line.split(":")[0] for line in owners.splitlines()} - every_host,
                         set((DEPLOY / "packages").read_text().split()) - every_host)

    def test_systemd_takes_the_units(self):
        if not shutil.which("systemd-analyze"):
            self.skipTest("systemd-analyze is not there")
        units = self.root / "lib/systemd/system"
        self.assertEqual({path.name for path in units.iterdir()}, set(UNITS))
        # The programs are looked for below --root, as are the units that ours refer to.
        shutil.copytree("/lib/systemd/system", self.folder / "lib/systemd/system", symlinks=True, dirs_exist_ok=True)
        for unit, most in UNITS.items():
            name = unit.replace("@", "@bay1")
            done = run("systemd-analyze", "verify", "--man=no", f"--root={self.folder}", name)
            lines = [line for line in done.stderr.splitlines() if "rushes" in line]
            self.assertEqual(lines, [], unit)
            done = run("systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=100", units / unit)
            found = re.search(r"exposure level for \S+: ([0-9.]+)", done.stdout)
            self.assertIsNotNone(found, done.stdout + done.stderr)
            self.assertLessEqual(float(found[1]), most, unit)

    def test_a_unit_waits_longer_than_its_worker_does(self):
        def seconds(text):
            value, unit = re.fullmatch(r"(\d+) ?(s|min)?", text).groups()
            return int(value) * (60 if unit == "min" else 1)

        unit = (DEPLOY / "systemd/rushes-worker@.service.in").read_text()
        grace = re.search(r"^stop_grace: (\d+ \w+)", (SOURCE / "config/worker.yaml").read_text(), re.M)
        grace = seconds(grace[1]) if grace else 60
        self.assertGreaterEqual(int(re.search(r"^TimeoutStopSec=(\d+)$", unit, re.M)[1]), grace + 15)

    def test_the_readme_makes_a_farm(self):
        """Its grey boxes in their order, with the folders below one of ours and ports that are free."""
        boxes = re.findall(r"^```(sh|yaml)\n(.*?)^```$", (DEPLOY / "README.md").read_text(), re.M | re.S)
        self.assertEqual([kind for kind, _ in boxes], ["sh", "yaml", "sh", "yaml", "sh", "yaml", "sh", "sh"])
        with Farm() as farm:
            moved = [(path, str(farm.root) + path) for path in ("/etc/rushes", "/var/lib/rushes", "/var/backups/rushes", "/srv/renders")]
            moved += [("/usr/local", str(self.root)), (":7401", f":{farm.control}"), (":7402", f":{farm.artifacts}"),
                      ("port: 7400", f"port: {farm.http}"), (":7400", f":{farm.http}"), ("0.0.0.0", "127.0.0.1")]
            texts = []
            for _, text in boxes:
                for there, here in moved:
                    text = text.replace(there, here)
                texts.append(text)
            setup, farm_yaml, first, worker_yaml, user, retention, backup, back = texts
            variables = dict(os.environ, PATH=f"{self.root}/bin:{os.environ['PATH']}")

            def sh(text, **more):
                done = run("bash", "-euc", text, env=dict(variables, **more))
                self.assertEqual(done.returncode, 0, text + done.stdout + done.stderr)
                return done.stdout

            etc, state = farm.root / "etc/rushes", farm.root / "var/lib/rushes"
            sh(setup)
            (etc / "farm.yaml").write_text(farm_yaml + retention)
            (etc / "worker.yaml").write_text(worker_yaml)
            farm.token = (etc / "keys/admin.token").read_text().strip()
            scheduler = [self.root / "bin/rushes-scheduler", "--config", etc / "farm.yaml"]

            def start():
                farm.start("scheduler", *scheduler)
                farm.until(lambda: farm.get("/v1/health"), 20, "the scheduler answers")

            start()
            sh(first)
            farm.start("bay1", self.root / "bin/rushes-worker", "--config", etc / "worker.yaml", "--name", "worker-bay1",
                       "--folder", state / "worker-bay1")
            admin = farm.token
            farm.token = sh(user).splitlines()[-1]
            farm.until(lambda: farm.get("/v1/health") and farm.submit(SMALL_SHOT, check=False).returncode == 0, 10, "ann submits")
            self.assertEqual(farm.until_at_rest(120)[0]["state"], "delivered")
            self.assertIn("role admin", farm.cli("backup", "x", check=False).stderr)
            farm.token = admin
            shown = json.loads(farm.cli("show", "test/sh010", "--json").stdout)
            self.assertTrue(shown["deliveries"][0]["path"].startswith("/studio/renders/test/sh010/"), shown["deliveries"])
            sh(backup, RUSHES_URL=f"http://127.0.0.1:{farm.http}", RUSHES_TOKEN=admin)
            farm.kill("scheduler")
            sh(back)
            start()
            self.assertEqual(farm.shots()[0]["state"], "delivered")


class Hardened(unittest.TestCase):
    """What programs ask the kernel for while a shot is rendered and backed up is what their units allow."""

    @staticmethod
    def unit(name):
        """Key to values, repeated ones in their order."""
        settings = {}
        for line in (DEPLOY / "systemd" / f"{name}.service.in").read_text().splitlines():
            if re.match(r"\w+=", line):
                settings.setdefault(line.split("=")[0], []).append(line.split("=", 1)[1])
        return settings

    @staticmethod
    def allowed(filters):
        sets, name = {}, ""
        for line in run("systemd-analyze", "syscall-filter", "--no-pager").stdout.splitlines():
            if line.startswith("@"):
                name = line.strip()
            elif line.startswith("    ") and not line.strip().startswith("#"):
                sets.setdefault(name, []).append(line.strip())

        def calls(word):
            return set().union(*map(calls, sets[word])) if word in sets else {word}

        result = set()
        for text in filters:
            listed = set().union(*map(calls, text.lstrip("~").split()))
            result = result - listed if text.startswith("~") else result | listed
        return result

    def check(self, name, trace):
        unit = self.unit(name)
        text = trace.read_text(errors="replace")
        calls = set(re.findall(r"^\d+ +(?:<\.\.\. )?(\w+)[( ]", text, re.M))
        self.assertGreater(len(calls), 40)
        self.assertEqual(calls - self.allowed(unit["SystemCallFilter"]), set(), name)
        families = set(re.findall(r"socket\((AF_\w+)", text))
        self.assertLessEqual(families, set(unit["RestrictAddressFamilies"][0].split()), name)
        if unit.get("MemoryDenyWriteExecute") == ["yes"]:
            self.assertNotIn("PROT_WRITE|PROT_EXEC", text, name)

    def test_a_render_and_a_backup(self):
        if not shutil.which("strace") or not shutil.which("systemd-analyze"):
            self.skipTest("strace or systemd-analyze is not there")
        with Farm() as farm:
            with open(farm.root / "farm.yaml", "a") as file:
                file.write("backups: backups\n")
            traced = ("strace", "-D", "-f", "-qq", "-e", "trace=!futex,read,write,poll,clock_gettime,sched_yield", "-o")
            farm.start("scheduler", *traced, farm.root / "scheduler.trace", BIN / "rushes-scheduler", "--config", farm.root / "farm.yaml")
            farm.until(lambda: farm.get("/v1/health"), 30, "the scheduler answers")
            (farm.root / "bay1.yaml").write_text(farm.worker_yaml("bay1", 1))
            farm.start("bay1", *traced, farm.root / "worker.trace", BIN / "rushes-worker", "--config", farm.root / "bay1.yaml")
            farm.submit(SMALL_SHOT.replace("[11, 12, 13]", "[11]"))
            self.assertEqual(farm.until_at_rest(120)[0]["state"], "delivered")
            farm.cli("backup", "monday")
            for name in ("bay1", "scheduler"):
                farm.kill(name, signal.SIGTERM)
            self.check("rushes-scheduler", farm.root / "scheduler.trace")
            self.check("rushes-worker@", farm.root / "worker.trace")


class Kubernetes(unittest.TestCase):
    def test_its_api_takes_the_objects(self):
        modules = BIN.parent / "test-tools" / "kubernetes"
        if not shutil.which("node") or not (modules / "node_modules").exists():
            self.skipTest("node or the API's schema is not there; tools/test fetches it")
        files = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
        done = run("node", SOURCE / "tests/system/kubernetes.mjs", modules, *files)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(done.stdout.strip(), "14 objects")
        with tempfile.TemporaryDirectory() as folder:  # what is wrong is seen: a key, a type
            for number, (right, wrong) in enumerate((("runAsNonRoot", "runAsNonroot"), ("replicas: 1", "replicas: one"))):
                file = pathlib.Path(folder) / f"{number}.yaml"
                file.write_text((DEPLOY / "kubernetes/scheduler.yaml").read_text().replace(right, wrong))
                self.assertEqual(run("node", SOURCE / "tests/system/kubernetes.mjs", modules, file).returncode, 1, wrong)

    def test_the_files_in_it_are_read(self):
        """farm.yaml and worker.yaml of the ConfigMaps, by the programs that will read them."""
        with tempfile.TemporaryDirectory() as folder:
            for name, program, missing in (("scheduler", "rushes-scheduler", "keys/tokens.yaml"), ("workers", "rushes-worker", "cuda")):
                text = (DEPLOY / f"kubernetes/{name}.yaml").read_text()
                inner = re.search(r"^  (farm|worker)\.yaml: \|\n((?:    .*\n)+)", text, re.M)[2]
                file = pathlib.Path(folder) / f"{name}.yaml"
                file.write_text(re.sub("^    ", "", inner, flags=re.M))
                done = run(BIN / program, "--config", file, env=dict(os.environ, RUSHES_WORKER_NAME="worker-a", RUSHES_WORKER_FOLDER="w"))
                # The file is right: what it complains of is what only a cluster has.
                self.assertIn(missing, done.stderr)
                self.assertNotIn(f"{name}.yaml:", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
