#!/usr/bin/env python3
"""A soak of seconds, and what the judge of a long one says to samples that drift.
`soak_test.py FLEETARIUM` runs all of it."""

import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from judge import LONG, SHORT, judge  # noqa: E402  pylint: disable=wrong-import-position

FLEETARIUM = ""
IDLE = {"rss_kib": 20_000, "threads": 3, "descriptors": 12, "connections": 0}


def flat(count=60):
    """Samples of a broker that does the same all the time, with some noise."""
    return [{"at_s": 5.0 * i, "rss_kib": 100_000 + i * 7919 % 900, "threads": 3,
             "descriptors": 300, "descriptors_beside": 20 + i % 3, "cpu_s": 1.5 * i,
             "publish_received_total": 40_000 * i, "publish_sent_total": 90_000 * i,
             "counted": [1000 * (i + 1)] * 3, "latency_ms": 0.8 + i % 5 / 10,
             "machine_ms": 0.1}
            for i in range(count)]


class Judge(unittest.TestCase):
    def problems(self, change=None, after=None, bounds=LONG):
        samples = flat()
        for i, each in enumerate(samples):
            if change:
                change(i, each)
        return judge(samples, IDLE, after or IDLE, bounds)

    def check(self, words, change=None, after=None):
        problems = self.problems(change, after)
        self.assertEqual(len(problems), 1, problems)
        self.assertIn(words, problems[0])

    def test_who_does_the_same_all_the_time_passes(self):
        self.assertEqual(self.problems(), [])

    def test_memory_that_rises_in_the_beginning_only_passes(self):
        self.assertEqual(self.problems(lambda i, s: s.update(rss_kib=min(i, 19) * 5000)), [])

    def test_memory_that_goes_on_rising_is_named(self):
        # 40 KiB a second.
        self.check("memory: it rises by", lambda i, s: s.update(rss_kib=100_000 + i * 200))
        self.assertEqual(self.problems(lambda i, s: s.update(rss_kib=100_000 + i * 200),
                                       bounds=SHORT), [])

    def test_descriptors_that_rise_or_are_left_are_named(self):
        self.check("rise by 13", lambda i, s: s.update(descriptors_beside=20 + i // 3))
        self.check("4 are left", after={**IDLE, "descriptors": 16})
        self.check("connections: 1", after={**IDLE, "connections": 1})

    def test_a_thread_more_is_named(self):
        self.check("threads", lambda i, s: s.update(threads=3 + i // 59))

    def test_messages_that_cost_more_and_more_are_named(self):
        self.check("cost", lambda i, s: s.update(cpu_s=0.05 * i * i))

    def test_a_latency_that_grows_is_named(self):
        self.check("latency", lambda i, s: s.update(latency_ms=1.0 if i < 40 else 9.0))
        self.assertEqual(self.problems(lambda i, s: s.update(
            latency_ms=1.0 if i < 40 else 9.0, machine_ms=0.1 if i < 40 else 0.4)), [])
        self.check("the probe stands still",
                   lambda i, s: s.update(latency_ms=None if i >= 40 else 1.0))

    def test_a_pair_that_stands_still_is_named(self):
        def still(samples):
            return lambda i, s: s.update(counted=[i, i, min(i, 29) + max(0, i - 29 - samples)])
        self.check("the pair of QoS 2 stood still 145 to 150 s", still(1))
        self.assertEqual(self.problems(still(2), bounds=SHORT), [])
        self.assertEqual(len(self.problems(still(3), bounds=SHORT)), 1)


class Soak(unittest.TestCase):
    def test_twenty_seconds_at_full_load_leave_nothing_behind(self):
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "soak.py")
        done = subprocess.run(
            [sys.executable, "-B", script, FLEETARIUM, "--seconds", "20", "--sample", "2",
             "--short"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=280, check=False)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("soak: all of it holds", done.stdout)

    def test_what_cannot_be_carried_out_is_said(self):
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "soak.py")
        for arguments, status in (("no_such_program",), 3), ((FLEETARIUM, "--seconds", "10"), 2):
            done = subprocess.run([sys.executable, "-B", script, *arguments],
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                  timeout=60, check=False)
            self.assertEqual(done.returncode, status, done.stdout)


if __name__ == "__main__":
    FLEETARIUM = sys.argv.pop(1)
    unittest.main()
