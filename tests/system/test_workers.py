"""The same pixels for 1, 2 and 4 workers, and in one process without a farm."""

import hashlib
import pathlib
import subprocess
import tempfile
import unittest

from farm import BIN, LONG_SHOT, MODELS, SMALL_SHOT, SOURCE, Farm


def render_on(workers, batch):
    with Farm() as farm:
        farm.start_scheduler()
        for i in range(workers):
            farm.start_worker(f"bay{i}")
        farm.submit(batch)
        shots = farm.until_at_rest()
        assert [shot["state"] for shot in shots] == ["delivered"], shots
        # Nobody disturbed this farm, so every attempt must have ended with a result, and every result was welcome.
        ended = [event for event in farm.get("/v1/events?since=0")["events"] if event["type"] == "task.attempt_ended"]
        assert not ended, ended
        for i in range(workers):
            log = farm.log(f"bay{i}")
            assert "refused" not in log and " failed (" not in log, log
        return farm.pixels()


class SamePixels(unittest.TestCase):
    def test_one_two_and_four_workers(self):
        for batch in (SMALL_SHOT, LONG_SHOT):
            one, two, four = (render_on(count, batch) for count in (1, 2, 4))
            self.assertGreater(len(one), 0)
            self.assertEqual(one, two)
            self.assertEqual(one, four)

    def test_one_process_without_a_farm(self):
        farm = render_on(2, SMALL_SHOT)
        with tempfile.TemporaryDirectory() as folder:
            shot = pathlib.Path(folder) / "shot.yaml"
            shot.write_text(SMALL_SHOT)
            done = subprocess.run(
                [str(BIN / "rushes-render"), str(shot), "--out", folder, "--models", str(MODELS)],
                capture_output=True, text=True, timeout=300, cwd=SOURCE,
            )
            self.assertEqual(done.returncode, 0, done.stderr)
            alone = {
                str(path.relative_to(folder)): hashlib.blake2b(path.read_bytes(), digest_size=32).hexdigest()
                for path in sorted(pathlib.Path(folder).rglob("*.exr"))
            }
        self.assertEqual(farm, alone)


if __name__ == "__main__":
    unittest.main(verbosity=2)
