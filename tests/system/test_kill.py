"""SIGKILL in the middle of a batch: the scheduler, then a worker with its engine.

Both batches end with the pixels of an undisturbed run, and no task's result is accepted twice.
"""

import time
import unittest

from farm import Farm, LONG_SHOT, SMALL_SHOT


def finished_tasks(farm):
    return sum(shot["tasks"].get("succeeded", 0) for shot in farm.shots())


def accepted_events(farm):
    """Task numbers of every accepted result that the farm has announced."""
    tasks, since = [], 0
    while True:
        answer = farm.get(f"/v1/events?since={since}")
        if not answer or not answer["events"]:
            return tasks
        tasks += [event["task"] for event in answer["events"] if event["type"] == "task.succeeded"]
        since = answer["next"]


def undisturbed(batch):
    with Farm() as farm:
        farm.start_scheduler()
        farm.start_worker("bay1")
        farm.start_worker("bay2")
        farm.submit(batch)
        farm.until_at_rest()
        return farm.pixels()


class Killed(unittest.TestCase):
    def test_scheduler(self):
        expected = undisturbed(SMALL_SHOT)
        self.assertGreater(len(expected), 0)
        with Farm() as farm:
            farm.start_scheduler()
            farm.start_worker("bay1")
            farm.start_worker("bay2")
            farm.submit(SMALL_SHOT)
            for kill_after in (2, 5):  # accepted results
                farm.until(lambda: finished_tasks(farm) >= kill_after, 120, f"{kill_after} results")
                farm.kill("scheduler")
                farm.start_scheduler()
                self.assertEqual(len(farm.shots()), 1, "the acknowledged submit is still there")
                self.assertGreaterEqual(finished_tasks(farm), kill_after, "accepted results are still there")
            shots = farm.until_at_rest()
            self.assertEqual(shots[0]["state"], "delivered")
            self.assertEqual(farm.pixels(), expected)
            accepted = accepted_events(farm)
            self.assertEqual(len(accepted), len(set(accepted)), "a result was accepted twice")

    def test_worker_with_its_engine(self):
        expected = undisturbed(LONG_SHOT)
        with Farm() as farm:
            farm.start_scheduler()
            farm.start_worker("bay1")
            farm.start_worker("bay2")
            farm.submit(LONG_SHOT)

            def busy():
                workers = (farm.get("/v1/workers") or {"workers": []})["workers"]
                return any(worker["worker"] == "worker-bay1" and worker["running"] for worker in workers)

            farm.until(busy, 120, "worker bay1 runs something")
            farm.kill("bay1")
            shots = farm.until_at_rest()
            self.assertEqual(shots[0]["state"], "delivered")
            self.assertEqual(farm.pixels(), expected)
            accepted = accepted_events(farm)
            self.assertEqual(len(accepted), len(set(accepted)), "a result was accepted twice")

    def test_worker_survives_a_scheduler_that_stays_away(self):
        with Farm() as farm:
            farm.start_scheduler()
            farm.start_worker("bay1")
            farm.until(lambda: (farm.get("/v1/workers") or {}).get("workers"), 30, "the worker says hello")
            farm.kill("scheduler")
            time.sleep(3)
            farm.start_scheduler()
            farm.submit(SMALL_SHOT)
            self.assertEqual(farm.until_at_rest()[0]["state"], "delivered")


if __name__ == "__main__":
    unittest.main(verbosity=2)
