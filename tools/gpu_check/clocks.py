"""Clock, power and temperature of GPU 0 while something is measured, from nvidia-smi where it is installed."""
import shutil
import statistics
import subprocess
import threading
import time

FIELDS = ("clocks.sm", "power.draw", "temperature.gpu")


class Clocks:
    def __init__(self, wanted):
        self.samples = []  # (time, MHz, W, C)
        self.process = None
        if wanted and shutil.which("nvidia-smi"):
            self.process = subprocess.Popen(
                ["nvidia-smi", "-i", "0", "-lms", "100", "--format=csv,noheader,nounits", "--query-gpu=" + ",".join(FIELDS)],
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            try:
                self.samples.append((time.monotonic(), *(float(part) for part in line.split(","))))
            except ValueError:
                pass  # "[N/A]" of a device that does not say

    def since(self, begin):
        """Medians since a time; None where nobody says."""
        taken = [sample for sample in self.samples if sample[0] >= begin]
        if not taken:
            return {"sm_mhz": None, "watts": None, "celsius": None}
        mhz, watts, celsius = (statistics.median(sample[i] for sample in taken) for i in (1, 2, 3))
        return {"sm_mhz": mhz, "watts": watts, "celsius": celsius}

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
