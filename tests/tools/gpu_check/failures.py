#!/usr/bin/env python3
"""failures.py ROOT DRIVER FOLDER: a step that fails does not stop the others, and the script says so with its exit code.

This file is also the driver of that run: it passes requests on to DRIVER, but answers some wrongly, ends after a fault at one and
dies without an answer at another one."""
import json
import os
import pathlib
import subprocess
import sys


def stand_between(driver, *arguments):
    process = subprocess.Popen([driver, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    for request in sys.stdin:
        if request.startswith("product"):
            os._exit(7)
        process.stdin.write(request)
        process.stdin.flush()
        answer = json.loads(process.stdout.readline())
        if request.startswith("operation") and "seed=3 name=resample precision=f32" in request:
            answer["ok"] = False
        if request.startswith("attention_case") and "form=hopper_cluster" in request:
            answer["ok"] = False
        if request.startswith("fragments"):
            answer["ok"] = answer["probes"][1]["equal"] = False
        if request.startswith("rows") and "name=clamp" in request:
            print(json.dumps({"error": "cudaErrorMisalignedAddress", "ends": True}), flush=True)
            os._exit(1)
        print(json.dumps(answer), flush=True)


def main(root, driver, folder):
    out = pathlib.Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    between = out / "driver"
    between.write_text(f"#!/bin/sh\nexec {sys.executable} {__file__} --driver {driver} \"$@\"\n")
    between.chmod(0o755)
    command = [sys.executable, root + "/tools/gpu-check", "--emulate", "--driver", str(between), "--out", folder, "--only"]

    done = subprocess.run([*command, "operations,fragments,ceiling,rows,attention,transformers"], capture_output=True, text=True)
    assert done.returncode == 1, (done.returncode, done.stdout[-2000:], done.stderr)
    results = json.loads((out / "software-device.json").read_text())
    outcomes = {name: step["outcome"] for name, step in results["steps"].items()}
    assert "resample f32 seed 3" in outcomes["operations"], outcomes
    assert "layouts" in outcomes["fragments"], outcomes
    assert "ended with 7" in outcomes["ceiling"], outcomes
    assert "cudaErrorMisalignedAddress" in outcomes["rows"], outcomes
    assert outcomes["attention"] == outcomes["transformers"] == "done", outcomes
    assert {row["table"] for row in results["rows"]} == {"attention", "rows", "transformer pass"}, results["rows"]
    forms = {row["contender"] for row in results["rows"] if row["table"] == "attention"}
    assert forms == {"ours portable", "ours hopper", "ours int8", "ours int8_hopper"}, forms  # what computes wrongly is not timed
    kernels = {part["kernel"] for part in results["rows"][-1]["split"]}
    assert "attention_64" in kernels and not any("hopper" in kernel for kernel in kernels), kernels

    done = subprocess.run([*command, "sparse,operations", "--budget", "0"], capture_output=True, text=True)
    results = json.loads((out / "software-device.json").read_text())
    assert done.returncode == 1 and not results["rows"] and not results["correctness"], done.stdout
    assert all("budget" in step["outcome"] for step in results["steps"].values()), results["steps"]

    done = subprocess.run([*command, "nothing"], capture_output=True, text=True)
    assert done.returncode == 2 and "no step nothing" in done.stderr, done.stderr


if sys.argv[1] == "--driver":
    stand_between(*sys.argv[2:])
else:
    main(*sys.argv[1:])
