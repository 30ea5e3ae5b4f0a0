#!/usr/bin/env python3
"""What `fleetarium dashboard` does without a display. `dashboard_command_test.py FLEETARIUM`."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import unittest

FLEETARIUM = ""
DEADLINE = 120

SCENARIO = {
    "name": "pictures", "seed": 3, "duration": "2m",
    "fleets": [
        {"name": "meters", "count": 20,
         "publications": [{"topic": "meters/{index}/a", "period": "2s", "qos": 1}]},
        {"name": "head_end", "subscriptions": [{"filter": "meters/#", "qos": 1}]}],
}


def png_size(path):
    with open(path, "rb") as file:
        head = file.read(24)
    return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")


class Dashboard(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        with open(self.path("run.json"), "w", encoding="utf-8") as file:
            json.dump(SCENARIO, file)
        self.environment = {name: value for name, value in os.environ.items()
                            if name not in ("DISPLAY", "WAYLAND_DISPLAY")}

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def call(self, *arguments):
        return subprocess.run([FLEETARIUM, *arguments], capture_output=True, text=True,
                              timeout=DEADLINE, env=self.environment, check=False)

    def record(self):
        self.assertEqual(self.call("run", self.path("run.json"), "--quiet", "--record",
                                   self.path("run.flt")).returncode, 0)
        return self.path("run.flt")

    def test_pictures_of_a_recording(self):
        done = self.call("dashboard", "--open", self.record(), "--screenshot", self.path("a.png"),
                         "--size", "800x600", "--theme", "light", "--at", "1m")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        files = done.stdout.split()
        self.assertIn(self.path("a-overview.png"), files)
        self.assertIn(self.path("a-log.png"), files)
        for each in files:
            self.assertEqual(png_size(each), (800, 600))

    def test_pictures_of_a_run_under_way(self):
        with subprocess.Popen(
                [FLEETARIUM, "run", self.path("run.json"), "--http", "127.0.0.1:0", "--stay",
                 "--quiet"],
                stdout=subprocess.PIPE, text=True, env=self.environment) as run:
            try:
                url = run.stdout.readline().removeprefix("listening on ").strip()
                done = self.call("dashboard", "--connect", url, "--view", "overview",
                                 "--screenshot", self.path("live.png"))
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertEqual(done.stdout, self.path("live.png") + "\n")
                self.assertEqual(png_size(self.path("live.png")), (1280, 800))
            finally:
                run.send_signal(signal.SIGINT)
                run.wait(DEADLINE)

    def test_frames_of_a_window_are_measured(self):
        display = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "dashboard",
                               "with_display.sh")
        done = subprocess.run(
            ["bash", display, FLEETARIUM, "dashboard", "--open", self.record(), "--view", "fleet",
             "--frames", "10"],
            capture_output=True, text=True, timeout=DEADLINE, check=False,
            env={**self.environment, "LIBGL_ALWAYS_SOFTWARE": "1"})
        self.assertEqual(done.stderr, "")
        self.assertRegex(done.stdout, r"(?m)^1280x800, drawn by .*; milliseconds a frame$")
        self.assertRegex(done.stdout, r"(?m)^view +frames .* limit 33\.3 ms$")
        row = re.search(r"(?m)^fleet +10 .* (reached|NOT REACHED)$", done.stdout)
        self.assertIsNotNone(row, done.stdout)
        self.assertEqual(done.returncode, 0 if row[1] == "reached" else 1)

    def test_without_a_display_there_is_a_word_and_another_way(self):
        for arguments in (["dashboard", "--open", self.record()],
                          ["run", self.path("run.json"), "--dashboard"]):
            done = self.call(*arguments)
            self.assertEqual(done.returncode, 3)
            self.assertIn("no display", done.stderr)
            self.assertIn("--http", done.stderr)

    def test_bad_input(self):
        recording = self.record()
        for status, words, arguments in (
                (2, "expected one of --connect URL and --open FILE", []),
                (2, "expected one of", ["--open", recording, "--connect", "http://127.0.0.1:1"]),
                (2, "did you mean overview?", ["--open", recording, "--screenshot", "x.png",
                                               "--view", "overvew"]),
                (2, "WIDTHxHEIGHT", ["--open", recording, "--size", "big"]),
                (2, "expected dark or light", ["--open", recording, "--theme", "blue"]),
                (2, "expected 0.5 to 3", ["--open", recording, "--scale", "9"]),
                (2, "--at: found", ["--open", recording, "--at", "soon"]),
                (2, "No such file", ["--open", self.path("none.flt"), "--screenshot", "x.png"]),
                (2, "expected http://HOST:PORT", ["--connect", "mqtt://broker:1883"]),
                (3, "cannot connect to 127.0.0.1:1", ["--connect", "http://127.0.0.1:1",
                                                      "--screenshot", "x.png"]),
                (3, "cannot write", ["--open", recording, "--view", "log",
                                             "--screenshot", self.path("no/folder/x.png")])):
            done = self.call("dashboard", *arguments)
            self.assertEqual(done.returncode, status, arguments)
            self.assertIn(words, done.stderr)


if __name__ == "__main__":
    FLEETARIUM = sys.argv.pop(1)
    unittest.main()
