#!/usr/bin/env python3
"""Which room may include which: nothing includes upward, and the farm's core is pure. Prints every include that
breaks a rule; exit 1 if there is one. The longest path that begins a file's name is its room."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
RECORDS = ["storage/records"]
MAY_INCLUDE = {
    "config/": ["config/"],
    "kernels/": ["kernels/", "config/result.h", "config/backend.h"],
    "storage/": ["storage/", "config/"],
    "scheduler/plan/": ["scheduler/plan/", *RECORDS, "config/"],
    "scheduler/protocol/": ["scheduler/protocol/", "scheduler/rate_limit.h", "storage/", "config/"],
    "scheduler/core/": ["scheduler/core/", "scheduler/plan/", "scheduler/protocol/", *RECORDS, "storage/limits.h", "config/"],
    "scheduler/": ["scheduler/", "storage/", "config/"],
    "worker/": ["worker/", "scheduler/protocol/", "kernels/", *RECORDS, "config/"],
    "tools/gpu_check/": ["tools/gpu_check/", "tests/kernels/", "worker/model/", "kernels/", "config/"],
    "tools/": ["tools/", "worker/", "scheduler/", "storage/", "kernels/", "config/"],
}
PURE = ("scheduler/plan/", "scheduler/core/")
IMPURE = re.compile(r"<(zmq|rocksdb/|ctime|time\.h|sys/|thread|mutex|fstream)[^>]*>|\w+_clock::now|clock_gettime")

texts = {str(path.relative_to(ROOT)): path.read_text() for room in ("config", "kernels", "storage", "scheduler", "worker", "tools")
         for path in (ROOT / room).rglob("*") if path.suffix in (".h", ".cpp", ".cu")}
includes = {name: re.findall(r'^#include "([^"]+)"', text, re.M) for name, text in texts.items()}
wrong = [f"{name}: includes {other}" for name, others in sorted(includes.items()) for other in others
         if not other.startswith(tuple(MAY_INCLUDE[max((r for r in MAY_INCLUDE if name.startswith(r)), key=len)]))]

for name in sorted(texts):
    seen, left = {name}, [name] if name.startswith(PURE) else []
    while left:  # everything that the file sees
        here = left.pop()
        if found := IMPURE.search(texts[here]):
            wrong.append(f"{name}: {here} has {found.group()}")
        new = set(includes[here]) & texts.keys() - seen
        seen |= new
        left += new

print("\n".join(wrong), end="\n" if wrong else "")
sys.exit(1 if wrong else 0)
