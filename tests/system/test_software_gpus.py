"""`rushes-worker --backend cuda` renders a shot, on GPUs in software: near the CPU's pixels, the same bits whatever the
order of threads and whatever fell off the bus."""

import pathlib
import subprocess
import tempfile
import unittest

from farm import BIN, Farm

# Critics look for faults of pictures; those of random weights mean nothing.
SHOT = """  - name: {name}
    prompt: a red ball
    model: tiny
    frames: 9
    seeds: [{seed}]
    sampling: {{steps: 2}}
    approve: best
    budget: {{windows: 0}}
    critics: {{light: {{revise: 0}}, freeze: {{revise: 0}}, exposure: {{revise: 0}}, flicker: {{revise: 0}}, seam: {{revise: 0}}}}
"""
SHOTS = "version: 1\nshow: test\nshots:\n" + SHOT.format(name="sh010", seed=5) + SHOT.format(name="sh020", seed=6)
NEAR = 6e-2  # bf16 operands, rounded in another order, guidance, and a scene-linear picture from a logarithmic one


def distance(a, b):
    """||a - b|| / ||b|| of two delivered sequences."""
    done = subprocess.run([BIN / "sequence-distance", a, b], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


class SoftwareGpus(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.scratch.name)
        subprocess.run([BIN / "write-tiny-model", cls.folder / "models" / "tiny"], check=True, timeout=60)

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def host(self, name, gpus, seed):
        """A folder that plays a host: how each of its GPUs is, the seed of all orders."""
        folder = self.folder / name
        folder.mkdir()
        for number, text in enumerate(gpus):
            (folder / str(number)).write_text(text + "\n")
        (folder / "seed").write_text(f"{seed}\n")
        return folder

    def start_worker(self, farm, host=None, slots=1):
        config = farm.root / "bay.yaml"
        config.write_text(farm.worker_yaml("bay", slots))
        if host is None:
            return farm.start("bay", BIN / "rushes-worker", "--config", config)
        return farm.start("bay", BIN / "worker-on-software-device", "--config", config, "--backend", "cuda",
                          environment={"RUSHES_SOFTWARE_GPUS": str(host)})

    def render(self, farm):
        farm.submit(SHOTS)
        shots = farm.until_at_rest(60)
        self.assertEqual([shot["state"] for shot in shots], ["delivered", "delivered"], shots)
        kept = pathlib.Path(tempfile.mkdtemp(dir=self.folder)) / "renders"
        farm.deliveries.rename(kept)
        farm.deliveries.mkdir()
        return kept

    @staticmethod
    def sequence(renders, shot):
        return renders / "test" / shot / "draft" / "v001"

    def bits(self, renders):
        files = sorted(renders.rglob("*.exr"))
        self.assertEqual(len(files), 2 * 9)
        return {str(file.relative_to(renders)): file.read_bytes() for file in files}

    def test_a_shot_on_one_gpu_on_a_cpu_and_on_a_gpu_that_falls_off_the_bus(self):
        with Farm(self.folder / "models") as farm:
            farm.start_scheduler()
            self.start_worker(farm, self.host("one", ["well"], 1))
            on_gpu = self.render(farm)
            worker = farm.get("/v1/workers")["workers"][0]
            self.assertIn("cuda-sm90-bf16+cuda-sm90-f32", str(worker), worker)
            self.assertIn("Software device", str(worker), worker)
            ended = [e for e in farm.get("/v1/events?since=0")["events"] if e["type"] == "task.attempt_ended"]
            self.assertEqual(ended, [])

        with Farm(self.folder / "models") as farm:
            farm.start_scheduler()
            self.start_worker(farm)
            on_cpu = self.render(farm)
        for shot in ("sh010", "sh020"):
            apart = distance(self.sequence(on_gpu, shot), self.sequence(on_cpu, shot))
            print(f"{shot}: GPU and CPU are {apart:.2e} apart")
            self.assertLess(apart, NEAR)
        self.assertGreater(distance(self.sequence(on_gpu, "sh010"), self.sequence(on_gpu, "sh020")), 10 * NEAR)

        host = self.host("two", ["vanish 300", "well"], 2)
        with Farm(self.folder / "models") as farm:
            farm.start_scheduler()
            self.start_worker(farm, host, slots=2)
            again = self.render(farm)
            events = farm.get("/v1/events?since=0")["events"]
            log = farm.log("bay")
            worker = farm.get("/v1/workers")["workers"][0]
        self.assertEqual(self.bits(again), self.bits(on_gpu))
        self.assertEqual((host / "0").read_text().strip(), "lost")
        ended = [e for e in events if e["type"] == "task.attempt_ended"]
        self.assertEqual(len(ended), 1, ended)
        self.assertIn("cudaErrorNoDevice", ended[0]["words"])
        self.assertIn("slot 0 is withdrawn", log)
        self.assertIn("GPU is lost", str(worker), worker)


if __name__ == "__main__":
    unittest.main(verbosity=2)
