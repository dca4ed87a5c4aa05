#!/usr/bin/env python3
"""bare.py ROOT FOLDER: builds tools/gpu_check/bare in FOLDER, looks for headers of the farm's libraries among what the
compiler read, and checks that the driver runs. Exit 1 where a bare machine could not have built it."""
import re
import subprocess
import sys

FORBIDDEN = re.compile(r"/(capnp|kj|gtest|gmock|yaml-cpp|sentencepiece|oneapi|hwy|rocksdb|fmt|spdlog|CLI|OpenEXR)/|sodium|dnnl"
                       r"|/usr/include/(nlohmann|tl)/|zmq|precompiled|cmake_pch")

root, folder = sys.argv[1:]
for command in (["cmake", "-S", root + "/tools/gpu_check/bare", "-B", folder, "-G", "Ninja"],
                ["ninja", "-C", folder, "rushes-gpu-check"]):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{command}:\n{done.stdout[-6000:]}{done.stderr[-6000:]}")
read = subprocess.run(["ninja", "-C", folder, "-t", "deps"], capture_output=True, text=True, check=True).stdout
headers = {line.strip() for line in read.splitlines() if line.startswith("    ")}
wrong = sorted(header for header in headers if FORBIDDEN.search(header))
used = sum("gpu_check/bare/" in header for header in headers)
print(f"{len(headers)} files read, {used} stand-ins, {len(wrong)} of libraries that a bare machine lacks")
if wrong or used != 2 or len(headers) < 100:
    sys.exit("\n".join(wrong) or "the stand-ins were not used, or ninja knows no dependencies")
answer = subprocess.run([folder + "/bin/rushes-gpu-check", "--emulate"], input="info\n", capture_output=True, text=True)
libraries = subprocess.run(["ldd", folder + "/bin/rushes-gpu-check"], capture_output=True, text=True, check=True).stdout
print(libraries)
foreign = [line for line in libraries.splitlines()
           if not re.search(r"vdso|ld-linux|lib(stdc\+\+|gcc_s|m|c|dl|rt|pthread)\.so", line)]
sys.exit(answer.stdout if answer.returncode or "Software device" not in answer.stdout else "\n".join(foreign) or 0)
