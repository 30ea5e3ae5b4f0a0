#!/usr/bin/env python3
"""What `fleetarium run` says when something does not hold, and `check --plan` before anything runs.
`failure_command_test.py FLEETARIUM` runs all of it."""

import json
import os
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

FLEETARIUM = ""
DEADLINE = 60

SCENARIO = {
    "name": "a <b> & \"c\"", "seed": 7, "duration": "5m",
    "networks": [{"name": "mesh", "latency": "10ms"}],
    "fleets": [
        {"name": "meters", "count": 10, "clean_start": False, "session_expiry": "1h",
         "publications": [{"topic": "meters/{index}", "period": "10s", "phase": "5s", "qos": 1,
                           "payload": "{filler:10}"}]},
        {"name": "head_end", "subscriptions": [{"filter": "meters/#", "qos": 1}]}],
    "faults": [{"name": "outage", "kind": "power_loss", "fleet": "meters", "at": "1m",
                "for": "20s"}],
    "expectations": [
        {"name": "always there", "metric": "connected_ratio", "fleet": "meters", "min": 1,
         "always": {"from": "10s", "every": "1s"}},
        {"name": "drained & done", "metric": "backlog", "max": 0,
         "eventually": {"after": "last_fault", "within": "1m"}}]}


class Failures(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.scenario = self.path("it's.json")
        self.write(SCENARIO)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def write(self, described):
        with open(self.scenario, "w", encoding="utf-8") as file:
            json.dump(described, file)

    def run_it(self, command, *arguments):
        return subprocess.run([FLEETARIUM, command, self.scenario, *arguments],
                              capture_output=True, text=True, timeout=DEADLINE, check=False)

    def test_a_broken_expectation_says_when_and_how_to_see_it_again(self):
        done = self.run_it("run", "--seed", "8", "--set", "fleets.meters.count=4")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("an expectation is not met: always there: 0 % at 1m, at least 100 %",
                      done.stderr)
        again = done.stderr.split("to see it again: ")[1].strip()
        self.assertTrue(again.startswith("fleetarium run '"), again)
        shell = again.replace("fleetarium", "'" + FLEETARIUM + "'", 1)
        repeated = subprocess.run(shell, shell=True, capture_output=True, text=True,
                                  timeout=DEADLINE, check=False)
        self.assertEqual(repeated.stderr, done.stderr)

    def test_a_run_stops_at_the_first_failure(self):
        report = self.path("report.json")
        done = self.run_it("run", "--fail-fast", "--report", report)
        self.assertEqual(done.returncode, 1)
        self.assertIn("stopped at a failure", done.stdout)
        with open(report, encoding="utf-8") as file:
            said = json.load(file)
        self.assertEqual((said["simulated"], said["stopped_at_failure"]), (60, True))
        first, second = said["expectations"]
        self.assertEqual((first["met"], first["at"], first["measured"]), (False, 60, 0))
        self.assertTrue(second["too_short"])

    def test_junit_is_xml_that_names_what_failed(self):
        junit = self.path("junit.xml")
        self.assertEqual(self.run_it("run", "--quiet", "--junit", junit).returncode, 1)
        root = xml.etree.ElementTree.parse(junit).getroot()
        self.assertEqual(root.get("name"), "a <b> & \"c\", seed 7")
        self.assertEqual(root.get("failures"), "1")
        suites = root.findall("testsuite")
        self.assertEqual([len(each.findall("testcase")) == int(each.get("tests"))
                          for each in suites], [True, True])
        cases = {each.get("name"): each for each in root.iter("testcase")}
        failure = cases["always there"].find("failure")
        self.assertIn("0 % at 1m", failure.get("message"))
        self.assertIn("--seed 7", failure.text)
        self.assertIsNone(cases["drained & done"].find("failure"))
        self.assertIsNone(cases["exactly_once"].find("failure"))
        nowhere = self.run_it("run", "--junit", self.path("no/such/folder.xml"))
        self.assertEqual(nowhere.returncode, 3)

    def test_the_way_of_a_message_is_told(self):
        done = self.run_it("run", "--message", "meters[3]:2")
        told = done.stdout[done.stdout.index("message 2 of meters[3]"):]
        self.assertIn("\"meters/3\": published at 15s, at a broker at 15s10ms", told)
        self.assertIn("15s20ms  broker -> head_end[0]: PUBLISH id ", told)
        self.assertIn("to head_end[0], QoS 1: acknowledged at 15s30ms", told)
        for wrong, text in [("meters:2", "expected FLEET[INDEX]:NUMBER"),
                            ("meters[10]:1", "\"meters\" has 10 devices"),
                            ("metres[1]:1", "did you mean \"meters\"?")]:
            refused = self.run_it("run", "--message", wrong)
            self.assertEqual((refused.returncode, text in refused.stderr), (2, True),
                             refused.stderr)

    def test_a_fault_that_never_heals_is_bad_input(self):
        described = json.loads(json.dumps(SCENARIO))
        described["faults"][0]["for"] = "1h"
        self.write(described)
        done = self.run_it("check")
        self.assertEqual(done.returncode, 2)
        self.assertIn("/expectations/1/eventually", done.stderr)
        self.assertIn("\"outage\", is never over", done.stderr)

    def test_a_plan_tells_the_traffic(self):
        plan = json.loads(self.run_it("check", "--plan", "--json").stdout)
        self.assertEqual((plan["messages"], plan["deliveries"], plan["packets"]),
                         (300, 300, 1200))
        self.assertEqual(plan["rows"][0]["payload_bytes"], 10)
        text = self.run_it("check", "--plan", "--set", "fleets.meters.count=20").stdout
        self.assertIn("in all 600 messages and 600 deliveries in 2,400 packets", text)
        self.assertEqual(self.run_it("check", "--json").returncode, 2)


if __name__ == "__main__":
    FLEETARIUM = os.path.abspath(sys.argv.pop(1))
    unittest.main()
