"""A worker as a Slurm job, with Debian's slurmctld, slurmd and munged on loopback: it renders, it is told before its time
limit, and the next job goes on with what it gave back. Needs root and the packages that tools/test installs."""

import os
import re
import shutil
import socket
import subprocess
import unittest

from farm import BIN, SMALL_SHOT, SOURCE, Farm, free_ports

JOB = SOURCE / "deploy" / "slurm" / "rushes-worker.sbatch"
NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol")

OVER = ("COMPLETED", "FAILED", "TIMEOUT", "CANCELLED", "NODE_FAIL")


class Cluster(Farm):
    """A farm and, below its folder, a Slurm cluster of this host."""

    def start_cluster(self):
        self.slurm = self.root / "slurm"
        for folder in (self.slurm, self.slurm / "state", self.slurm / "spool"):
            folder.mkdir()
        self.root.chmod(0o755)  # munged refuses a folder that others may not enter
        key = self.slurm / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        self.start("munged", "munged", "--foreground", f"--key-file={key}", f"--socket={self.slurm}/munge",
                   f"--pid-file={self.slurm}/munged.pid", f"--seed-file={self.slurm}/seed", f"--log-file={self.slurm}/munged.log")
        ports = free_ports(2)
        name = socket.gethostname().split(".")[0]
        (self.slurm / "slurm.conf").write_text(f"""ClusterName=rushes
SlurmctldHost={name}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={self.slurm}/munge
CredType=cred/munge
StateSaveLocation={self.slurm}/state
SlurmdSpoolDir={self.slurm}/spool
SlurmctldPidFile={self.slurm}/slurmctld.pid
SlurmdPidFile={self.slurm}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/linear
SwitchType=switch/none
MpiDefault=none
NodeName={name} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=farm Nodes=ALL Default=YES MaxTime=INFINITE State=UP
""")
        os.environ["SLURM_CONF"] = str(self.slurm / "slurm.conf")
        self.until(lambda: (self.slurm / "munge").exists(), 10, "munged listens")
        self.start("slurmctld", "slurmctld", "-D")
        self.start("slurmd", "slurmd", "-D")
        self.until(lambda: "idle" in self.slurm_says("sinfo", "-h", "-o", "%T"), 30, "the node is idle")

    def slurm_says(self, *words):
        return subprocess.run(words, capture_output=True, text=True, timeout=30).stdout

    def sbatch(self, *options):
        config = self.root / "worker.yaml"
        config.write_text(self.worker_yaml("unused", 1))
        exported = {"RUSHES_CONFIG": config, "RUSHES_BIN": BIN, "RUSHES_WORKER_NAME": "worker-slurm"}
        variables = dict(os.environ, **{key: str(value) for key, value in exported.items()})
        variables["RUSHES_WORKER_FOLDER"] = str(self.root / "worker-slurm")
        done = subprocess.run(["sbatch", "--parsable", f"--output={self.root}/job.log", *options, str(JOB)],
                              env=variables, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def job(self, number):
        """What Slurm says of a job: {"JobState": "RUNNING", ...}."""
        return dict(re.findall(r"(\w+)=(\S*)", self.slurm_says("scontrol", "show", "job", number)))

    def worker(self):
        workers = (self.get("/v1/workers") or {"workers": []})["workers"]
        return next((worker for worker in workers if worker["worker"] == "worker-slurm"), {"state": "", "running": []})


@unittest.skipUnless(all(map(shutil.which, NEEDED)), "Slurm is not there; tools/test installs it")
@unittest.skipUnless(os.geteuid() == 0, "Slurm's daemons want to be root")
class Slurm(unittest.TestCase):
    def test_a_worker_leaves_before_its_time_limit(self):
        with Cluster() as farm:
            farm.start_scheduler()
            farm.start_cluster()
            # Slurm counts in minutes and looks every 30 s: told as soon as it looks, long before the two minutes are over.
            job = farm.sbatch("--time=2", "--signal=B:TERM@115")
            farm.until(lambda: farm.worker()["state"] == "idle", 30, "the job's worker says Hello")
            shots = "".join(SMALL_SHOT.replace("sh010", f"sh{number:03}") if number == 10 else
                            re.search(r"  - name.*", SMALL_SHOT, re.S)[0].replace("sh010", f"sh{number:03}")
                            for number in range(10, 90, 10))
            farm.submit(shots.replace("steps: 4", "steps: 40"))
            farm.until(lambda: farm.worker()["running"], 20, "it renders")
            farm.until(lambda: farm.job(job)["JobState"] in OVER, 90, "the job is over")
            over = farm.job(job)
            self.assertEqual((over["JobState"], over["ExitCode"]), ("COMPLETED", "0:0"), self.log_of(farm))
            self.assertNotIn(farm.worker()["state"], ("idle", "busy"))
            self.assertNotIn("lease ran out", farm.cli("events").stdout, "the farm waited for a worker that had left")
            delivered = self.delivered(farm)
            self.assertLess(delivered, 8, "it left in the middle of its work")
            following = farm.sbatch("--time=5")
            farm.until(lambda: self.delivered(farm) > delivered, 60, "the next job goes on")
            subprocess.run(["scancel", "--batch", "--signal=TERM", following], check=True)
            farm.until(lambda: farm.job(following)["JobState"] == "COMPLETED", 30, "it was asked to leave, and left")

    @staticmethod
    def delivered(farm):
        return sum(shot["state"] == "delivered" for shot in farm.shots())

    @staticmethod
    def log_of(farm):
        return (farm.root / "job.log").read_text()[-2000:]


if __name__ == "__main__":
    unittest.main(verbosity=2)
