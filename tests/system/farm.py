"""A whole farm of real processes on loopback, for the system tests.

Every process is started here, in a session of its own, and stopped here; Farm is a context manager. Nothing is
shared between two farms: keys, ports and folders are fresh.
"""

import hashlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("RUSHES_BIN", SOURCE / "build" / "bin"))
MODELS = pathlib.Path(os.environ.get("RUSHES_MODELS", SOURCE / "config" / "models"))
AT_REST = {"delivered", "review", "cancelled", "attention"}


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


class Farm:
    """One scheduler and any number of workers under `root`."""

    def __init__(self, models=MODELS):
        self.models = models
        self.keep = False  # leave the folder behind, for a look at what happened
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="rushes-system-"))
        self.deliveries = self.root / "renders"
        self.deliveries.mkdir()
        self.control, self.artifacts, self.http = free_ports(3)
        self.processes = {}
        self.cli("keygen", self.root / "keys", farm=False)
        self.token = (self.root / "keys" / "admin.token").read_text().strip()
        (self.root / "farm.yaml").write_text(self.farm_yaml())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for name in reversed(list(self.processes)):
            self.kill(name, signal.SIGTERM)
        if not self.keep:
            shutil.rmtree(self.root)

    # ---- configuration --------------------------------------------------------------------------------------------
    def farm_yaml(self):
        return (
            "version: 1\nname: test\n"
            f"listen:\n  control: tcp://127.0.0.1:{self.control}\n  artifacts: tcp://127.0.0.1:{self.artifacts}\n"
            f"  http: {{host: 127.0.0.1, port: {self.http}}}\n"
            "keys: {secret: keys/scheduler.key, workers: keys/workers, tokens: keys/tokens.yaml}\n"
            f"data: data\ndeliveries: {self.deliveries}\nmodel_roots: [{self.models}]\n"
            "times: {lease: 6 s}\nlimits: {disk_reserve: 64 MiB}\n"
        )

    def worker_yaml(self, name, slots, keys="keys", secret="worker"):
        return (
            f"version: 1\nname: worker-{name}\n"
            f'scheduler: {{control: "tcp://127.0.0.1:{self.control}", artifacts: "tcp://127.0.0.1:{self.artifacts}", '
            f"public_key: keys/scheduler.pub}}\n"
            f"keys: {{secret: {keys}/{secret}.key, public: {keys}/{secret}.pub}}\n"
            f"model_roots: [{self.models}]\nslots: {slots}\nfolder: worker-{name}\ndeliveries: {self.deliveries}\n"
            f"colour: {SOURCE}/config/colour/farm.ocio\nstop_grace: 8 s\n"
        )

    # ---- processes ------------------------------------------------------------------------------------------------
    def start(self, name, *command, environment=None):
        log = open(self.root / f"{name}.log", "ab")
        self.processes[name] = subprocess.Popen(
            [str(word) for word in command], stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
            env=dict(os.environ, **(environment or {}))
        )
        log.close()
        return self.processes[name]

    def start_scheduler(self):
        self.start("scheduler", BIN / "rushes-scheduler", "--config", self.root / "farm.yaml")
        self.until(lambda: self.get("/v1/health") is not None, 20, "the scheduler answers")

    def start_worker(self, name, slots=1, **keys):
        config = self.root / f"{name}.yaml"
        config.write_text(self.worker_yaml(name, slots, **keys))
        return self.start(name, BIN / "rushes-worker", "--config", config)

    def kill(self, name, how=signal.SIGKILL):
        """Ends a process and, with SIGKILL, everything in its session."""
        process = self.processes.pop(name, None)
        if process is None or process.poll() is not None:
            return
        if how == signal.SIGKILL:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.send_signal(how)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(5)
            raise AssertionError(f"{name} did not stop within 20 s of signal {how}")

    def log(self, name):
        path = self.root / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    # ---- the API --------------------------------------------------------------------------------------------------
    def get(self, path):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.http}{path}", headers={"Authorization": f"Bearer {self.token}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.load(answer)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return None

    def shots(self):
        answer = self.get("/v1/shots")
        return answer["shots"] if answer else []

    def cli(self, *words, farm=True, check=True, environment=None):
        variables = dict(os.environ, **(environment or {}))
        if farm:
            variables.setdefault("RUSHES_URL", f"http://127.0.0.1:{self.http}")
            variables.setdefault("RUSHES_TOKEN", self.token)
        done = subprocess.run(
            [str(BIN / "rushes"), *map(str, words)], env=variables, capture_output=True, text=True, timeout=300
        )
        if check and done.returncode != 0:
            raise AssertionError(f"rushes {' '.join(map(str, words))} ended with {done.returncode}: {done.stderr}")
        return done

    def submit(self, text, name="shots.yaml", **options):
        batch = self.root / name
        batch.write_text(text)
        return self.cli("submit", batch, **options)

    # ---- waiting --------------------------------------------------------------------------------------------------
    def until(self, condition, seconds, what):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if condition():
                return
            time.sleep(0.05)
        logs = "".join(f"\n--- {name}\n{self.log(name)[-1500:]}" for name in list(self.processes))
        raise AssertionError(f"not within {seconds} s: {what}; shots: {json.dumps(self.shots())[:1500]}{logs}")

    def until_at_rest(self, seconds=240):
        def rest():
            shots = self.shots()
            return shots and all(shot["state"] in AT_REST for shot in shots)

        self.until(rest, seconds, "all shots rest")
        return self.shots()

    # ---- results --------------------------------------------------------------------------------------------------
    def pixels(self):
        """Digest of every delivered EXR file, by its path below the deliveries folder."""
        return {
            str(path.relative_to(self.deliveries)): hashlib.blake2b(path.read_bytes(), digest_size=32).hexdigest()
            for path in sorted(self.deliveries.rglob("*.exr"))
        }


SMALL_SHOT = """version: 1
show: test
shots:
  - name: sh010
    prompt: a red matte sphere moves right across a table by day
    model: tabletop
    frames: 9
    seeds: [11, 12, 13]
    sampling: {steps: 4}
    approve: best
"""

LONG_SHOT = """version: 1
show: test
shots:
  - name: sh020
    prompt: a blue metal cube stands still on a table at dusk
    model: tabletop
    frames: 49
    seeds: [21]
    sampling: {steps: 3}
    approve: best
"""
