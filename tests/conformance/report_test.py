#!/usr/bin/env python3
"""Plants tests and tables, and sees what report.py makes of them."""

import contextlib
import io
import os
import tempfile
import unittest

import report

TABLE = "id\tsection\twho\tkind\trequirement\thow_to_test\n"
ROWS = "".join(f"MQTT-1.0.0-{n}\t1.0\tboth\tqos\tRule {n}, \"so\".\thow\n" for n in range(1, 5))


class ReportTest(unittest.TestCase):
    def run_report(self, source, not_testable="", covered="v3 0\nv5 0\n", arguments=()):
        """Exit status and output; `self.ratchet` is what covered.txt says afterwards."""
        with tempfile.TemporaryDirectory() as root:
            files = {"mqtt311.tsv": TABLE + ROWS, "mqtt5.tsv": TABLE + ROWS, "covered.txt": covered,
                     "not_testable.tsv": "id\tversion\treason\n" + not_testable,
                     "tests/x_test.cpp": source}
            os.mkdir(os.path.join(root, "tests"))
            for name, text in files.items():
                with open(os.path.join(root, name), "w", encoding="utf-8") as file:
                    file.write(text)
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                status = report.main(["--tables", root, "--tests", os.path.join(root, "tests"),
                                      *arguments])
            with open(os.path.join(root, "covered.txt"), encoding="utf-8") as file:
                self.ratchet = report.read_ratchet(os.path.join(root, "covered.txt"))
            return status, out.getvalue()

    def test_counts_and_lists(self):
        status, text = self.run_report(
            'TEST_CASE("a, (b) [c]", "[qos][v5/MQTT-1.0.0-1]"\n    "[v3/MQTT-1.0.0-2]") {}\n'
            '// TEST_CASE("x", "[v5/MQTT-1.0.0-2]")\n'
            'TEST_CASE_METHOD(fixture, "d", "[v5/MQTT-1.0.0-3]") { f("[v5/MQTT-1.0.0-4]"); }\n',
            "MQTT-1.0.0-4\tv5\tno way\n", arguments=["--open"])
        self.assertEqual(status, 0)
        self.assertRegex(text, r"MQTT 3.1.1 +4 +1 \( 25.0%\) +3 \( 75.0%\) +0 ")
        self.assertRegex(text, r"MQTT 5.0 +4 +2 \( 50.0%\) +1 \( 25.0%\) +1 \( 25.0%\)")
        self.assertIn("open: v5/MQTT-1.0.0-2 (both): Rule 2", text)
        self.assertNotIn("open: v5/MQTT-1.0.0-1 ", text)
        self.assertIn("not testable: no way: v5/MQTT-1.0.0-4", text)

    def test_an_unknown_id_is_an_error(self):
        for tag in ("v5/MQTT-9.9.9-9", "v4/MQTT-1.0.0-1", "MQTT-1.0.0-1"):
            status, text = self.run_report(f'TEST_CASE("a", "[{tag}]") {{}}\n')
            self.assertEqual(status, 1)
            self.assertIn(f"x_test.cpp:1: no statement [{tag}]", text)

    def test_a_test_that_need_not_pass_proves_nothing(self):
        for tag in ("[.]", "[.slow]", "[!mayfail]", "[!shouldfail]"):
            status, text = self.run_report(f'TEST_CASE("a", "{tag}[v5/MQTT-1.0.0-1]") {{}}\n')
            self.assertEqual(status, 1)
            self.assertIn("need not run or pass", text)

    def test_a_stale_or_empty_excuse_is_an_error(self):
        test = 'TEST_CASE("a", "[v5/MQTT-1.0.0-1]") {}\n'
        self.assertEqual(self.run_report(test, "MQTT-1.0.0-1\tv5\twhy\n")[0], 1)
        self.assertEqual(self.run_report(test, "MQTT-1.0.0-2\tv5\t\n")[0], 1)
        self.assertEqual(self.run_report(test, "MQTT-1.0.0-9\tv5\twhy\n")[0], 1)

    def test_the_number_covered_only_rises(self):
        test = 'TEST_CASE("a", "[v5/MQTT-1.0.0-1]") {}\n'
        status, text = self.run_report(test, covered="v3 0\nv5 2\n", arguments=["--update"])
        self.assertEqual((status, self.ratchet), (1, {"v3": 0, "v5": 2}))
        self.assertIn("1 covered, 2 before", text)
        status, text = self.run_report(test)
        self.assertEqual((status, self.ratchet), (0, {"v3": 0, "v5": 0}))
        self.assertIn("1 more", text)
        status, _ = self.run_report(test, arguments=["--update"])
        self.assertEqual((status, self.ratchet), (0, {"v3": 0, "v5": 1}))


if __name__ == "__main__":
    unittest.main()
