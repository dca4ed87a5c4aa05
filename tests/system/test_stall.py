"""A scheduler that stands still for several leases (SIGSTOP, a machine that swaps) does not take them away.

Its workers beat on; their words wait in its sockets. Behind the pause it has to listen before it counts.
"""

import signal
import time
import unittest

from account import Account
from crash_farm import LEASE, WORKERS, CrashFarm
from submitter import batch_text


class Stall(unittest.TestCase):
    def test_no_lease_expires_behind_a_pause(self):
        with CrashFarm() as farm:
            farm.start_scheduler()
            for name in WORKERS:
                farm.start_worker(name)
            for number in range(3):
                farm.submit(batch_text(f"b{number}", 30, 3))
                farm.until(lambda: "task.succeeded" in farm.news(), 30, "a result is accepted")
                farm.processes["scheduler"].send_signal(signal.SIGSTOP)
                time.sleep(2.5 * LEASE)
                farm.processes["scheduler"].send_signal(signal.SIGCONT)
            farm.until(lambda: farm.get("/v1/health")["open_shots"] == 0, 120, "every shot is delivered")
            farm.kill("scheduler", signal.SIGTERM)
            account = Account()
            account.read(farm.root / "data" / "ledger")
            account.check_end()
            self.assertEqual(account.complaints, [])
            self.assertEqual(account.expired, 0)
            self.assertGreater(len(account.leases), account.accepted, "the pauses met no work")


if __name__ == "__main__":
    unittest.main(verbosity=2)
