"""tools/gpu-check: builds the driver, runs the steps within a budget of seconds, writes what was found. Exit code 1 where a
step failed or was cut short, 4 where there is no usable GPU."""
import argparse
import datetime
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import time

from . import goals, models, report, sizes, steps
from .clocks import Clocks
from .contenders import torch_versions
from .driver import Driver, Failed

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
ALL_STEPS = steps.STEPS + models.STEPS


GRACE = 15.0  # seconds


class OutOfTime(Exception):
    pass


class Check:
    """One run: where it stands, what it found."""

    def __init__(self, arguments):
        self.begin = self.ready = time.monotonic()  # of the run; after the build
        self.emulated, self.budget = arguments.emulate, arguments.budget
        self.out = arguments.out
        self.work = arguments.out if self.emulated else arguments.build  # files that are no results
        self.sizes = sizes.EMULATED if self.emulated else sizes.GPU
        self.root = ROOT
        self.results = {"schema": 1, "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
                        "commit": commit(), "host": platform.platform(), "python": platform.python_version(), "device": {},
                        "versions": {}, "steps": {}, "correctness": [], "fragments": [], "sanitizer": {}, "rows": [], "goals": []}
        self.driver = self.info = self.clocks = None
        self.broken = set()  # forms of attention that compute wrongly

    def say(self, text):
        print(f"[{time.monotonic() - self.begin:6.1f} s] {text}", flush=True)

    def progress_rows(self, contenders_of_one_case):
        case = self.results["rows"][-contenders_of_one_case]["case"] if self.results["rows"] else ""
        for found in self.results["rows"]:
            if found["case"] == case:
                self.say("  " + report.line(found))

    def spare_broken_attention(self):
        """Whole models go on with the portable kernel where Hopper's fails."""
        if any(form.startswith("hopper") for form in self.broken) and "--portable" not in self.driver.command:
            self.say("from here on with the portable attention kernel: a form of Hopper's computes wrongly")
            self.driver.stop()
            self.driver.command.append("--portable")
            self.results["portable_attention_from"] = len(self.results["rows"])

    def left(self):
        return self.budget - (time.monotonic() - self.ready)

    def must_go_on(self):
        if self.left() < 0:
            raise OutOfTime()

    def ask(self, verb, timeout=120.0, **fields):
        """Of the driver. What is under way when the budget ends has a little longer."""
        try:
            return self.driver.ask(verb, timeout=min(timeout, max(1.0, self.left()) + GRACE), **fields)
        except Failed:
            self.must_go_on()
            raise


def commit():
    found = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], capture_output=True, text=True)
    return found.stdout.strip() if found.returncode == 0 else ""


def build(check, folder):
    """The driver: of the farm's build where there is one, otherwise from tools/gpu_check/bare, without the farm's libraries."""
    farm = ROOT / os.environ.get("RUSHES_BUILD", "build")
    if (farm / "build.ninja").exists():
        folder, commands = farm, []
    else:
        commands = [["cmake", "-S", ROOT / "tools/gpu_check/bare", "-B", folder, "-G", "Ninja"]]
    check.say(f"building in {folder}")
    for command in commands + [["ninja", "-C", folder, "rushes-gpu-check"]]:
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
    return folder / "bin/rushes-gpu-check"


def run_step(check, name, step):
    begin = time.monotonic()
    check.say(f"{name}: {step.__doc__.splitlines()[0]}")
    try:
        check.must_go_on()
        step(check)
        outcome = "done"
    except OutOfTime:
        outcome = f"stopped: the budget of {check.budget:.0f} s is spent"
    except Failed as failure:
        outcome = f"failed: {failure}"
    except Exception as failure:  # one step's mistake does not cost the others their figures
        outcome = f"failed: {type(failure).__name__}: {failure}"
    if outcome != "done":
        check.say(f"{name} {outcome}")
    check.results["steps"][name] = {"outcome": outcome, "seconds": round(time.monotonic() - begin, 1)}


def read_arguments(arguments):
    parser = argparse.ArgumentParser(prog="tools/gpu-check", description=__doc__)
    parser.add_argument("--emulate", action="store_true", help="on the software device, with tiny sizes")
    parser.add_argument("--driver", type=pathlib.Path, help="a driver that is built already")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build-gpu-check", help="folder to build it in")
    parser.add_argument("--budget", type=float, default=420.0, help="seconds after the build in which new cases begin")
    parser.add_argument("--out", type=pathlib.Path, help="folder of the results")
    parser.add_argument("--only", help="names of steps, separated by commas")
    chosen = parser.parse_args(arguments)
    if chosen.out is None:  # figures of the software device are no results
        chosen.out = chosen.build / "emulated" if chosen.emulate else ROOT / "tools/bench/results"
    known = [name for name, _ in ALL_STEPS]
    if chosen.only and (unknown := set(chosen.only.split(",")) - set(known)):
        parser.error(f"no step {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    return chosen


def main(arguments=None):
    chosen = read_arguments(arguments)
    check = Check(chosen)
    chosen.out.mkdir(parents=True, exist_ok=True)
    program = chosen.driver or build(check, chosen.build)
    check.ready = time.monotonic()
    check.driver = Driver([str(program)] + (["--emulate"] if chosen.emulate else []))
    try:
        check.info = check.driver.ask("info")
    except Failed as failure:
        print(failure, file=sys.stderr)
        return 4
    check.results["device"] = {name: value for name, value in check.info.items() if name not in ("operations", "row_kernels")}
    check.results["versions"] = {"nvcc": nvcc(), **({} if chosen.emulate else torch_versions())}
    check.say(f"{check.info['device']}, compute capability {check.info['capability']}, driver {check.info['driver'] or 'none'}")
    check.clocks = Clocks(not chosen.emulate)
    for name, step in ALL_STEPS:
        if not chosen.only or name in chosen.only.split(","):
            if (name, step) in models.STEPS:
                check.spare_broken_attention()
            run_step(check, name, step)
            report.write(check.results, chosen.out)
    check.clocks.stop()
    check.driver.stop()
    check.results["seconds"] = round(time.monotonic() - check.begin, 1)
    check.results["goals"] = goals.judged(check.results)
    file = report.write(check.results, chosen.out)
    print(report.table(check.results))
    print(report.split_table(check.results))
    print(report.goal_table(check.results))
    if not chosen.emulate:
        check.say(report.picture(check.results, file.with_suffix(".png")))
    outcomes = {name: step["outcome"] for name, step in check.results["steps"].items()}
    print()
    for name, outcome in outcomes.items():
        print(f"{name:14} {outcome}")
    check.say(f"results: {file}")
    return 1 if any(outcome != "done" for outcome in outcomes.values()) else 0


def nvcc():
    program = shutil.which("nvcc") or shutil.which("/usr/local/cuda/bin/nvcc")
    if not program:
        return ""
    return subprocess.run([program, "--version"], capture_output=True, text=True).stdout.strip().splitlines()[-1]
