"""The driver process (rushes-gpu-check): one request a line, one JSON object a line back."""
import json
import os
import queue
import subprocess
import sys
import threading


class Failed(Exception):
    """A request that was answered with an error, or not at all."""


class Driver:
    """Starts the driver when it is first asked and again after it ended: a fault of the device ends its process."""

    def __init__(self, command):
        self.command = command
        self.process = None
        self.lines = None

    def start(self):
        # kernels/cuda/library.cpp looks for CUDA's libraries among the packages of this Python, where torch has them.
        environment = {"VIRTUAL_ENV": sys.prefix, **os.environ}
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        self.lines = queue.Queue()
        threading.Thread(target=self.read, args=(self.process, self.lines), daemon=True).start()

    @staticmethod
    def read(process, lines):
        for line in process.stdout:
            lines.put(line)
        lines.put(None)

    def ask(self, verb, timeout=120.0, **fields):
        if self.process is None:
            self.start()
        words = [verb] + [f"{name}={value}" for name, value in fields.items()]
        request = " ".join(words)
        try:
            self.process.stdin.write(request + "\n")
            self.process.stdin.flush()
            line = self.lines.get(timeout=timeout)
        except queue.Empty:
            self.stop()
            raise Failed(f"{request}: no answer within {timeout:.0f} s") from None
        except OSError:
            line = None
        if line is None:
            code = self.process.wait()
            self.process = None
            raise Failed(f"{request}: the driver ended with {code}")
        answer = json.loads(line)
        if answer.get("ends"):
            self.process.wait()
            self.process = None
        if "error" in answer:
            raise Failed(f"{request}: {answer['error']}")
        return answer

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
