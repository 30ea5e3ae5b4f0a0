#!/usr/bin/env python3
"""What `fleetarium learn RECORDING SCENARIO.json` does. `learn_command_test.py FLEETARIUM` runs all."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

FLEETARIUM = ""
DEADLINE = 60

SCENARIO = {
    "name": "halls", "seed": 5, "duration": "30m",
    "fleets": [
        {"name": "meters", "count": 40, "client_id": "meter-{index:02}",
         "publications": [{"topic": "halls/{index%4}/meter-{index/4}/kw", "period": "30s", "qos": 1,
                           "payload": {"kw": "{walk:1.0..9.0:0.3}", "n": "{seq}"}}]},
        {"name": "panel", "subscriptions": [{"filter": "halls/#", "qos": 1}]}]}


class Learn(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        with open(self.path("halls.json"), "w", encoding="utf-8") as file:
            json.dump(SCENARIO, file)
        self.fleetarium("run", self.path("halls.json"), "--quiet", "--record", self.path("r.flr"))

    def path(self, name):
        return os.path.join(self.folder, name)

    def fleetarium(self, *arguments, status=0):
        done = subprocess.run([FLEETARIUM, *arguments], capture_output=True, text=True,
                              timeout=DEADLINE, check=False,
                              env=dict(os.environ, TMPDIR=self.folder))
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def test_the_twin_runs_and_its_traffic_is_like_the_recordings(self):
        shown = self.fleetarium("learn", self.path("r.flr"), self.path("twin.json"),
                                "--report", self.path("report.json"))
        self.assertIn("halls/{}/meter-{}/kw", shown)
        with open(self.path("report.json"), encoding="utf-8") as file:
            row = json.load(file)["messages"][0]
        self.assertEqual(row["recorded"]["topics"], row["twin"]["topics"])
        self.assertAlmostEqual(row["recorded"]["messages"], row["twin"]["messages"], delta=80)
        self.fleetarium("run", self.path("twin.json"), "--quiet")
        self.assertFalse([each for each in os.listdir(self.folder) if "learn" in each],
                         "what was made to compare is gone")

    def test_nothing_is_written_over(self):
        out = self.path("twin.json")
        with open(out, "w", encoding="utf-8") as file:
            file.write("mine")
        self.assertIn("is not written over",
                      self.fleetarium("learn", self.path("r.flr"), out, status=2))
        with open(out, encoding="utf-8") as file:
            self.assertEqual(file.read(), "mine")

    def test_what_is_no_recording_teaches_nothing(self):
        self.fleetarium("learn", self.path("halls.json"), self.path("twin.json"), status=2)
        self.assertFalse(os.path.exists(self.path("twin.json")))


if __name__ == "__main__":
    FLEETARIUM = sys.argv.pop(1)
    unittest.main()
