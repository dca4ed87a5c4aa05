"""Workers stop in order, one process has a name, people drain and forget."""

import json
import signal
import time
import unittest

from farm import BIN, SMALL_SHOT, Farm


def workers(farm):
    answer = farm.get("/v1/workers") or {"workers": []}
    return {row["worker"]: row for row in answer["workers"]}


def state(farm, name):
    return workers(farm).get(name, {"state": "not listed"})["state"]


def start_as(farm, log, name, folder):
    """Another process from the configuration of worker-a."""
    return farm.start(log, BIN / "rushes-worker", "--config", farm.root / "a.yaml", "--name", name, "--folder",
                      farm.root / folder)


class Hosts(unittest.TestCase):
    def test_a_signal_lets_it_finish_and_nobody_is_to_blame(self):
        with Farm() as farm:
            farm.start_scheduler()
            first = farm.start_worker("a")
            farm.submit(SMALL_SHOT)
            farm.until(lambda: workers(farm).get("worker-a", {}).get("running"), 30, "worker-a works")
            first.send_signal(signal.SIGTERM)
            self.assertEqual(first.wait(20), 0)
            row = workers(farm)["worker-a"]
            self.assertEqual((row["state"], row["failed"], row["running"]), ("stopped", 0, []))
            self.assertRegex(row["since"], r"^20\d\d-")
            self.assertIn("stopped", farm.cli("workers").stdout)
            farm.start_worker("b")
            self.assertEqual([shot["state"] for shot in farm.until_at_rest()], ["delivered"])
            events = farm.get("/v1/events?since=0")["events"]
            bad = [e for e in events if e["type"] == "task.attempt_ended" and not e["words"].startswith("stopped")]
            self.assertEqual(bad, [])
            self.assertEqual([e["worker"] for e in events if e["type"] == "worker.stopped"], ["worker-a"])
            farm.start_worker("a")
            farm.until(lambda: state(farm, "worker-a") == "idle", 20, "worker-a is there again")
            self.assertIn("worker worker-a: stopped", farm.log("scheduler"))
            self.assertIn("test/sh010: state: delivered", farm.log("scheduler"))
            self.assertRegex(farm.log("b"), r"test/sh010 take \d denoise window 0 .*\(task \d+ attempt \d+\) starts")

    def test_the_second_process_of_a_name_is_refused_until_the_first_is_gone(self):
        with Farm() as farm:
            farm.start_scheduler()
            first = farm.start_worker("a")
            farm.until(lambda: state(farm, "worker-a") == "idle", 20, "worker-a is there")
            twin = start_as(farm, "twin", "worker-a", "elsewhere")
            both = lambda log: all(f"process {p.pid}" in log for p in (first, twin)) and "127.0.0.1" in log
            farm.until(lambda: both(farm.log("twin")) and both(farm.log("scheduler")), 10, "both logs name both")
            farm.submit(SMALL_SHOT)
            self.assertEqual([shot["state"] for shot in farm.until_at_rest()], ["delivered"])
            self.assertEqual(workers(farm)["worker-a"]["process"]["pid"], first.pid)
            self.assertEqual(twin.wait(20), 1, "it gives up, and its supervisor hears it")
            twin = start_as(farm, "twin2", "worker-a", "elsewhere")
            farm.until(lambda: "is taken" in farm.log("twin2"), 10, "the twin asks")
            farm.kill("a")
            begin = time.monotonic()
            has_name = lambda: (workers(farm)["worker-a"]["process"] or {}).get("pid")
            farm.until(lambda: has_name() == twin.pid, 12, "the name is free when the first is lost")
            self.assertLess(time.monotonic() - begin, 6 + 3, "the lease, and the time between two questions")

    def test_a_restart_after_a_kill_waits_for_nothing(self):
        with Farm() as farm:
            farm.start_scheduler()
            farm.start_worker("a")
            farm.until(lambda: state(farm, "worker-a") == "idle", 20, "worker-a is there")
            farm.kill("a")
            again = farm.start_worker("a")
            farm.until(lambda: workers(farm)["worker-a"]["process"]["pid"] == again.pid, 5, "it is there at once")
            self.assertNotIn("is taken", farm.log("a"))

    def test_people_drain_undrain_and_forget(self):
        with Farm() as farm:
            farm.start_scheduler()
            process = farm.start_worker("a")
            start_as(farm, "b", "worker-node7.studio.example", "b")
            farm.until(lambda: len(workers(farm)) == 2, 20, "both are there")
            refused = farm.cli("forget", "worker-a", check=False)
            self.assertEqual(refused.returncode, 1)
            self.assertIn("rushes drain worker-a", refused.stderr)
            self.assertIn("undrain", farm.cli("drain", "worker-a").stdout)
            self.assertEqual(state(farm, "worker-a"), "drained")
            process.send_signal(signal.SIGTERM)
            process.wait(10)
            farm.start_worker("a")
            farm.until(lambda: state(farm, "worker-a") == "drained", 20, "it stays drained")
            document = json.loads(farm.cli("undrain", "worker-a", "--json").stdout)
            self.assertEqual(document["state"], "idle")
            farm.kill("a", signal.SIGTERM)
            farm.cli("forget", "worker-a")
            farm.cli("drain", "worker-node7.studio.example")
            self.assertEqual(list(workers(farm)), ["worker-node7.studio.example"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
