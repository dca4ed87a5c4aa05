"""README.md: its shot file is accepted and its supervisor's session works, line by line."""

import os
import pathlib
import re
import subprocess
import tempfile
import unittest

from farm import BIN, SOURCE, Farm

README = (SOURCE / "README.md").read_text()


def block(heading, kind=""):
    """The first block of code under a heading."""
    text = README[README.index(f"\n{heading}\n") :]
    return re.search(rf"\n```{kind}\n(.*?)\n```\n", text, re.S).group(1)


class Readme(unittest.TestCase):
    def test_the_supervisors_session_works_line_by_line(self):
        lines = block("### A supervisor's session").splitlines()
        self.assertGreater(len(lines), 10)
        with Farm() as farm, tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "shots.yaml").write_text(block("## A first shot file", "yaml"))
            farm.start_scheduler()
            farm.start_worker("one", slots=2)
            said = {}
            for line in lines:
                done = subprocess.run(
                    line,
                    shell=True,
                    cwd=folder,
                    capture_output=True,
                    text=True,
                    timeout=300,
                    env=dict(
                        os.environ,
                        PATH=f"{BIN}:{os.environ['PATH']}",
                        RUSHES_URL=f"http://127.0.0.1:{farm.http}",
                        RUSHES_TOKEN=farm.token,
                    ),
                )
                self.assertEqual(done.returncode, 0, f"{line}\n{done.stdout}{done.stderr}")
                said[line.split("#")[0].strip()] = done.stdout
            self.check(said, pathlib.Path(folder))

    def check(self, said, folder):
        planned = said['rushes retry fl010 --take 1 --windows 0 --note "flat light" --dry-run']
        self.assertIn("frames 1001 to 1033 change", planned)
        before, after = (sorted((folder / f"look/first-light/fl010_draft_take1_v{v}").glob("*.exr")) for v in (0, 1))
        self.assertEqual((len(before), len(after)), (33, 33))
        self.assertNotEqual(before[0].read_bytes(), after[0].read_bytes())
        self.assertTrue(list((folder / "look/first-light/fl010_proxy_take1_v0").glob("*.mp4")))
        self.assertIn("conforms", said["rushes verify final/first-light/fl010_draft_v002"])


if __name__ == "__main__":
    unittest.main()
