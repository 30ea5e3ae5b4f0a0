#!/usr/bin/env python3
"""What `fleetarium replay FILE` and `fleetarium diff A B` say of recordings.
`execution_replay_command_test.py FLEETARIUM` runs all of it."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

FLEETARIUM = ""
DEADLINE = 120

SCENARIO = {
    "name": "rooms", "seed": 7, "duration": "1m",
    "networks": [{"name": "radio", "up": {"latency": {"uniform": {"min": "20ms", "max": "80ms"}}}}],
    "fleets": [
        {"name": "rooms", "count": 5,
         "generators": [{"name": "t", "csv": {"file": "t.csv", "column": "t", "period": "1s"}}],
         "publications": [{"topic": "rooms/{index}", "period": "1s", "qos": 1, "payload": "{t}"}]},
        {"name": "display", "subscriptions": [{"filter": "rooms/#", "qos": 1}]}],
    "expectations": [{"name": "busy", "metric": "messages_published", "min": 10}]}


class Recordings(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.scenario = self.path("rooms.json")
        with open(self.scenario, "w", encoding="utf-8") as file:
            json.dump(SCENARIO, file)
        with open(self.path("t.csv"), "w", encoding="utf-8") as file:
            file.write("t\n18.5\n19.5\n21\n")

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def fleetarium(self, *arguments, status=0):
        environment = dict(os.environ, TMPDIR=self.folder.name)
        done = subprocess.run([FLEETARIUM, *arguments], capture_output=True, text=True,
                              timeout=DEADLINE, check=False, env=environment)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        self.assertFalse([each for each in os.listdir(self.folder.name)
                          if each.startswith("fleetarium-replay")])
        return done

    def record(self, name, *arguments, status=0):
        file = self.path(name)
        self.fleetarium("run", self.scenario, "--quiet", "--record", file, *arguments,
                        status=status)
        return file

    def change(self, file, sql):
        with sqlite3.connect(file) as database:
            database.executescript(sql)
        database.close()


class Replay(Recordings):
    def test_a_run_repeats_itself_whatever_became_of_its_files(self):
        file = self.record("run.flr", "--seed", "9", "--duration", "40s", "--set",
                           "fleets.rooms.count=8")
        os.remove(self.scenario)
        os.remove(self.path("t.csv"))
        said = self.fleetarium("replay", file).stdout
        self.assertIn("equal:", said)
        self.assertIn("in 40 s, trace hash ", said)
        self.assertIn("the same rows in all tables", said)
        self.assertNotIn("rows", self.fleetarium("replay", file, "--hash-only").stdout)
        kept = self.path("now.flr")
        self.fleetarium("replay", file, "--record", kept, "--report", self.path("report.json"))
        self.fleetarium("info", kept)
        self.assertIn("equal", self.fleetarium("diff", file, kept).stdout)
        self.assertIn("equal:", self.fleetarium("replay", kept).stdout)
        with open(self.path("report.json"), encoding="utf-8") as report:
            read = json.load(report)
        self.assertEqual((read["result"], read["seed"], read["until_seconds"]), ("equal", 9, 40))
        self.assertEqual(read["trace_hash"]["recorded"], read["trace_hash"]["now"])
        self.assertIsNone(read["first_difference"])

    def test_the_first_difference_of_a_forged_recording_is_shown(self):
        file = self.record("run.flr")
        self.change(file, "UPDATE messages SET payload = 'forged' WHERE id = 100")
        said = self.fleetarium("replay", file, status=1).stdout
        self.assertIn("differs", said)
        self.assertIn("messages, row 100", said)
        self.assertRegex(said, r'\* payload +"forged" +"\d')
        self.assertIn("the file was changed after it was recorded", said)
        read = json.loads(self.fleetarium("replay", file, "--json", status=1).stdout)
        self.assertEqual(read["first_difference"]["columns"], ["payload"])
        self.assertEqual(read["first_difference"]["recorded"]["payload"], '"forged"')
        self.fleetarium("replay", file, "--hash-only")  # sees events only

    def test_another_scenario_parts_at_its_first_other_event(self):
        file = self.record("run.flr")
        self.change(file, "UPDATE runs SET fleetarium = '0.0.1', scenario = "
                          "json_set(scenario, '$.fleets[0].publications[0].qos', 2)")
        said = self.fleetarium("replay", file, status=1).stdout
        self.assertRegex(said, r"recorded  trace hash [0-9a-f]{16}, [0-9,]+ events")
        self.assertRegex(said, r"\* qos +1 +2")
        self.assertIn("fleetarium 0.0.1 recorded it", said)
        bounded = self.fleetarium("replay", file, "--hash-only", status=1).stdout
        self.assertIn("the trace hash parts ", bounded)

    def test_a_run_that_stopped_at_a_failure_repeats_itself(self):
        file = self.record("run.flr", "--fail-fast", "--set",
                           'expectations.busy={"metric":"delivery_rate","min":1000,'
                           '"always":{"from":"10s","every":"1s"}}', status=1)
        self.assertIn("equal:", self.fleetarium("replay", file).stdout)

    def test_a_recording_whose_run_was_killed_is_compared_as_far_as_it_goes(self):
        file = self.path("killed.flr")
        process = subprocess.Popen([FLEETARIUM, "run", self.scenario, "--quiet", "--duration",
                                    "10000h", "--record", file], stderr=subprocess.DEVNULL)
        end = time.monotonic() + DEADLINE
        try:
            while time.monotonic() < end:
                time.sleep(0.05)
                if os.path.exists(file + "-wal") and os.path.getsize(file + "-wal") > 1_000_000:
                    break
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait(DEADLINE)
        said = self.fleetarium("replay", file).stdout
        self.assertIn("equal as far as it goes: it was cut short at ", said)

    def test_what_cannot_be_run_again_is_refused_with_the_reason(self):
        file = self.record("run.flr", "--time", "x1000", "--duration", "20s")
        self.assertIn("in real time", self.fleetarium("replay", file, status=2).stderr)
        self.assertIn("replay FILE --to URL", self.fleetarium("replay", file, status=2).stderr)
        letter = self.path("letter")
        with open(letter, "w", encoding="utf-8") as out:
            out.write("Dear Sir, " * 20)
        self.assertIn("is not a recording",
                      self.fleetarium("replay", letter, status=2).stderr)
        virtual = self.record("virtual.flr")
        self.change(virtual, "PRAGMA user_version = 99")
        self.assertIn("has version 99", self.fleetarium("replay", virtual, status=2).stderr)
        self.change(virtual, "PRAGMA user_version = 1")
        os.truncate(virtual, os.path.getsize(virtual) // 2)
        self.assertIn("is cut short", self.fleetarium("replay", virtual, status=2).stderr)
        self.assertIn("No such file", self.fleetarium("replay", "nowhere", status=2).stderr)

    def test_a_recording_is_not_written_over(self):
        file = self.record("run.flr")
        self.assertIn("there is a file already",
                      self.fleetarium("replay", file, "--record", file, status=3).stderr)


class Diff(Recordings):
    def test_recordings_of_the_same_run_are_equal(self):
        a = self.record("a.flr")
        b = self.record("b.flr", "--last", "30s", "--set", "expectations.busy.min=1000000",
                        status=1)
        c = self.record("c.flr")
        self.assertIn("equal in all that both have", self.fleetarium("diff", a, c).stdout)
        told = json.loads(self.fleetarium("diff", a, b, "--json", status=1).stdout)
        self.assertIsNone(told["first_difference"])
        self.assertIn({"what": "scenario /expectations/0/min", "A": "10", "B": "1000000"},
                      told["runs"])

    def test_where_two_runs_part_is_shown(self):
        a = self.record("a.flr")
        b = self.record("b.flr", "--seed", "8")
        said = self.fleetarium("diff", a, b, status=1).stdout
        self.assertIn("  seed: 7 | 8\n", said)
        self.assertIn("  scenario /seed: 7 | 8\n", said)
        self.assertIn("  trace_hash: ", said)
        self.assertIn("first difference at 0.", said)
        told = json.loads(self.fleetarium("diff", a, b, "--json", status=1).stdout)
        self.assertEqual(told["result"], "differs")
        self.assertLess(told["first_difference"]["at_seconds"], 1)

    def test_other_bytes_of_an_input_are_a_difference(self):
        a = self.record("a.flr")
        with open(self.path("t.csv"), "a", encoding="utf-8") as file:
            file.write("22\n")
        b = self.record("b.flr")
        said = self.fleetarium("diff", a, b, status=1).stdout
        self.assertIn("input t.csv: ", said)
        self.assertIn("payload", said)

    def test_a_bad_file_is_refused(self):
        a = self.record("a.flr")
        self.assertIn("No such file", self.fleetarium("diff", a, "nowhere", status=2).stderr)
        self.assertIn("is not a recording",
                      self.fleetarium("diff", self.scenario, a, status=2).stderr)


if __name__ == "__main__":
    FLEETARIUM = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
