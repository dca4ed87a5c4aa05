"""What deploy/monitoring asks for is what a farm says: alerts and dashboard against the metrics of a real run."""

import json
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest
import urllib.request

from farm import BIN, SMALL_SHOT, SOURCE, Farm

MONITORING = SOURCE / "deploy" / "monitoring"
PROMTOOL = shutil.which("promtool") or str(BIN.parent / "test-tools" / "usr" / "bin" / "promtool")
SERIES = re.compile(r"\b(rushes_[a-z_]+)(?:\{([^}]*)\})?")


class BackedUpFarm(Farm):
    def farm_yaml(self):
        return super().farm_yaml() + "backups: backups\n"

    def scrape(self):
        request = urllib.request.Request(f"http://127.0.0.1:{self.http}/metrics",
                                         headers={"Authorization": f"Bearer {self.token}"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read().decode()


def promtool(*words, **options):
    return subprocess.run([PROMTOOL, *map(str, words)], capture_output=True, text=True, timeout=60, **options)


def labels_of(text):
    """The values of every label of every metric: {"rushes_shots": {"state": {"queued", ...}}}. A metric may have no
    value yet, such as the time until a disk is full."""
    known = {name: {} for name in re.findall(r"^# TYPE (\w+) ", text, re.M)}
    for name, labels in re.findall(r"^(\w+)(?:\{(.*)\})? \S+$", text, re.M):
        values = known.setdefault(name, {})
        for label, value in re.findall(r'(\w+)="([^"]*)"', labels):
            values.setdefault(label, set()).add(value)
    return known


class Monitoring(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with BackedUpFarm() as farm:
            farm.start_scheduler()
            farm.start_worker("bay1")
            farm.submit(SMALL_SHOT)
            farm.until_at_rest()
            farm.cli("backup", "monday")
            cls.text = farm.scrape()
        cls.known = labels_of(cls.text)

    def check_expression(self, expression):
        for name, selector in SERIES.findall(expression):
            self.assertIn(name, self.known, expression)
            for label, _, pattern in re.findall(r'(\w+)(=~|=)"([^"]*)"', selector):
                values = self.known[name].get(label, set())
                for value in pattern.split("|"):
                    self.assertIn(value, values, f"{expression}: {name} has no {label}=\"{value}\"")

    def test_the_run_is_in_it(self):
        for line in ('rushes_shots{state="delivered"} 1', 'rushes_workers{state="connected"} 1', "rushes_slots 1"):
            self.assertIn(line + "\n", self.text)
        self.assertRegex(self.text, r"rushes_last_backup_timestamp_seconds 1\.?[0-9]+e?")
        self.assertRegex(self.text, r'rushes_stored_bytes\{part="vault"\} [1-9]')
        self.assertRegex(self.text, r'rushes_stored_bytes\{part="deliveries"\} [0-9]')
        self.assertIn("rushes_collectable_bytes 0\n", self.text, "without retention nothing leaves")
        self.assertNotRegex(self.text, r"(?m)^rushes_disk_full_seconds", "nobody knows it after a minute")
        self.assertEqual(self.known["rushes_disk_free_bytes"]["folder"], {"data", "deliveries", "backups"})

    def test_alerts_ask_for_what_there_is(self):
        expressions = re.findall(r"^ +expr: (.*)$", (MONITORING / "rushes.rules.yml").read_text(), re.M)
        self.assertGreater(len(expressions), 8)
        for expression in expressions:
            self.check_expression(expression)

    def test_the_dashboard_asks_for_what_there_is(self):
        dashboard = json.loads((MONITORING / "rushes.dashboard.json").read_text())
        places = set()
        for panel in dashboard["panels"]:
            place = panel["gridPos"]
            cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
            self.assertFalse(cells & places or place["x"] + place["w"] > 24, f"{panel['title']} covers another panel")
            places |= cells
            self.assertTrue(panel["targets"])
            for target in panel["targets"]:
                self.check_expression(target["expr"])

    def test_promtool_takes_all_of_it(self):
        if not pathlib.Path(PROMTOOL).exists():
            self.skipTest("promtool is not there; tools/test fetches it")
        done = promtool("check", "metrics", input=self.text)
        self.assertEqual((done.returncode, done.stderr), (0, ""), "names and help texts as Prometheus wants them")
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            for file in (MONITORING / "prometheus.yml", MONITORING / "rushes.rules.yml", SOURCE / "tests/data/alerts.yml"):
                shutil.copy(file, folder)
            (folder / "rushes.token").write_text("secret")
            for words in (("check", "config", "prometheus.yml"), ("check", "rules", "--lint-fatal", "rushes.rules.yml"),
                          ("test", "rules", "alerts.yml")):
                done = promtool(*words, cwd=folder)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            # The dashboard's expressions as rules: promtool has no other way to parse them.
            dashboard = json.loads((MONITORING / "rushes.dashboard.json").read_text())
            expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
            rules = [{"record": f"panel:{number}", "expr": expression} for number, expression in enumerate(expressions)]
            (folder / "panels.yml").write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
            done = promtool("check", "rules", "panels.yml", cwd=folder)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
