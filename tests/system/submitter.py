"""A person's script that submits batches without end, sees connections break, and asks again with the same key.

It remembers what the farm acknowledged; whether that is kept is for the journal to say (account.py).
"""

import http.client
import json
import random
import threading
import time

MOST_OPEN = 24  # shots; enough for every slot, few enough to finish soon


def batch_text(prefix, shots, takes):
    rows = "".join(f"- {{name: {prefix}-{i}, prompt: a red matte sphere}}\n" for i in range(shots))
    defaults = f"model: tabletop, frames: 9, takes: {takes}, sampling: {{steps: 2}}, approve: best"
    return f"version: 1\nshow: crash\ndefaults: {{{defaults}}}\nshots:\n{rows}"


class Submitter(threading.Thread):
    def __init__(self, port, token, seed):
        super().__init__(daemon=True)
        self.port, self.token = port, token
        self.dice = random.Random(seed)
        self.texts = {}  # key -> what was sent
        self.acknowledged = {}  # key -> the first answer
        self.unknown = set()  # keys without an answer, asked again until there is one
        self.abandoned = set()  # keys without an answer, never asked again: there or not, but once
        self.repeated = 0
        self.complaints = []
        self.leaving = threading.Event()

    def ask(self, method, path, body=None, key=None):
        """Status and JSON, or None when nobody answered."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        headers = {"Authorization": f"Bearer {self.token}"}
        if key:
            headers["Idempotency-Key"] = key
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError):
            return None
        finally:
            connection.close()

    def run(self):
        while not self.leaving.is_set() or self.unknown:
            self.turn()
            time.sleep(self.dice.uniform(0.02, 0.1))

    def turn(self):
        if self.unknown and (self.leaving.is_set() or self.dice.random() < 0.5):
            return self.submit(self.dice.choice(sorted(self.unknown)))
        if self.acknowledged and self.dice.random() < 0.1:
            return self.submit(self.dice.choice(sorted(self.acknowledged)))
        if self.leaving.is_set():
            return None
        health = self.ask("GET", "/v1/health")
        if not health or health[0] != 200 or health[1]["open_shots"] >= MOST_OPEN:
            return None
        key = f"k{len(self.texts)}"
        self.texts[key] = batch_text(key, self.dice.randint(1, 4), self.dice.randint(1, 3))
        return self.submit(key)

    def submit(self, key):
        answer = self.ask("POST", "/v1/batches", self.texts[key], key)
        if answer is None or answer[0] >= 500 or answer[0] == 429:
            if key in self.acknowledged or key in self.unknown:
                return
            lost = self.dice.random() < 0.15 and not self.leaving.is_set()
            (self.abandoned if lost else self.unknown).add(key)
            return
        status, body = answer
        self.unknown.discard(key)
        if status not in (200, 201):
            self.complaints.append(f"the submit with key {key} was refused: {status} {body}")
        elif key in self.acknowledged:
            self.repeated += 1
            if body["batch"] != self.acknowledged[key]["batch"] or not body["repeated"]:
                self.complaints.append(f"the submit with key {key} was taken again: {body}")
        else:
            self.acknowledged[key] = body

    def finish(self):
        self.leaving.set()
        self.join(60)
        if self.unknown:
            self.complaints.append(f"{len(self.unknown)} submits were never answered")
