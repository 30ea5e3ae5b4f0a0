#!/usr/bin/env python3
"""A browser goes through the web page of the binary: `page_test.py FLEETARIUM [--only TEXT]
[--pictures FOLDER]`. It starts a run, a recording and a guarded broker on free ports of loopback,
and page_test.mjs, which opens their pages. Exit status: 0 all steps passed, 1 some failed, 77
something that it needs is not installed."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
TIME_LIMIT = 550.0  # seconds for all of it
TOKEN = "not for everybody, häagen"

# Something of each: three QoS, a fault that is over, messages that are dropped, retained ones,
# Sparkplug's JSON beside text. It lasts long enough to be looked at for minutes at any speed.
SCENARIO = {
    "name": "a page is looked at", "seed": 5, "duration": "30d",
    "brokers": [{"name": "cloud", "storage": {}}],
    "networks": [{"name": "radio", "latency": {"uniform": {"min": "20ms", "max": "80ms"}}}],
    "fleets": [
        {"name": "meters", "count": 150, "network": "radio", "ramp_up": "5s",
         "publications": [
             {"topic": "meters/{index}/kwh", "period": "2s", "qos": 1, "payload": {"kwh": "{walk:0.0..5.0:0.1}"}},
             {"topic": "meters/{index}/state", "period": "10s", "qos": 2, "retain": True, "payload": "on"},
             {"topic": "meters/{index}/hum", "period": "5s", "qos": 0, "payload": "{seq}"}]},
        {"name": "display", "count": 2, "network": "radio",
         "subscriptions": [{"filter": "meters/+/kwh", "qos": 1}, {"filter": "meters/+/state", "qos": 2},
                           {"filter": "by/#", "qos": 1}]}],
    "faults": [{"name": "short cut", "kind": "partition", "at": "20s", "for": "5s", "fleet": "meters",
                "share": 0.4}],
}


class Server:
    """A fleetarium that serves the page; where it does is the first line that says so."""

    running = []

    def __init__(self, arguments, log):
        self.arguments = [str(each) for each in arguments]
        self.log = open(log, "ab")
        self.child = None
        self.url = None

    def start(self):
        self.child = subprocess.Popen(self.arguments, stdout=subprocess.PIPE, stderr=self.log,
                                      stdin=subprocess.DEVNULL)
        Server.running.append(self)
        for line in self.child.stdout:
            self.log.write(line)
            found = line.decode("utf-8", "replace").strip()
            if found.startswith("listening on http://"):
                self.url = found.removeprefix("listening on ") + "/"
                threading.Thread(target=self.drain, daemon=True).start()
                return self.url
        raise SystemExit(f"{' '.join(self.arguments)} ended before it said where it listens; "
                         f"its log is {self.log.name}")

    def drain(self):
        for line in self.child.stdout:
            self.log.write(line)

    def stop(self):
        if self.child is not None and self.child.poll() is None:
            self.child.kill()
            self.child.wait()


def missing(packages):
    if shutil.which("node") is None:
        return "node is not installed (Debian: nodejs)"
    if shutil.which("chromium") is None:
        return "chromium is not installed (Debian: chromium)"
    if not os.path.isdir(os.path.join(packages, "node_modules", "playwright-core")):
        return (f"playwright-core is not in {packages}; ./fleetarium test installs it, or npm with "
                "tests/web/package.json")
    return None


def serve(arguments, scratch):
    """Starts all that is looked at; the addresses of the pages, and the run."""
    scenario = os.path.join(scratch, "scenario.json")
    with open(scenario, "w", encoding="utf-8") as file:
        json.dump(SCENARIO, file)
    recording = os.path.join(scratch, "short.flr")
    subprocess.run([arguments.fleetarium, "run", scenario, "--duration", "60s", "--quiet",
                    "--record", recording], check=True, timeout=120)
    with open(os.path.join(scratch, "token"), "w", encoding="utf-8") as file:
        file.write(TOKEN + "\n")
    run = Server([arguments.fleetarium, "run", scenario, "--time", "x20", "--quiet",
                  "--http", "127.0.0.1:0"], os.path.join(scratch, "run.log"))
    live = run.start()
    run.arguments[-1] = live.removeprefix("http://").rstrip("/")  # it is to come back there
    pages = {"live": live, "token": TOKEN}
    pages["guarded"] = Server(
        [arguments.fleetarium, "run", scenario, "--time", "x20", "--quiet", "--http", "127.0.0.1:0",
         "--http-token-file", os.path.join(scratch, "token")],
        os.path.join(scratch, "guarded.log")).start()
    if "dashboard" not in subprocess.run([arguments.fleetarium, "--help"], check=True,
                                         capture_output=True, text=True).stdout:
        print("this program serves no recordings: their steps are left out")
        return pages, run
    pages["recording"] = Server(
        [arguments.fleetarium, "dashboard", "--open", recording, "--http", "127.0.0.1:0"],
        os.path.join(scratch, "recording.log")).start()
    return pages, run


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("fleetarium", help="the program")
    parser.add_argument("--only", default="", help="steps whose name has this text")
    parser.add_argument("--pictures", default="", help="a folder for pictures of every view")
    arguments = parser.parse_args()
    packages = os.environ.get("FLEETARIUM_NPM_WEB", os.path.join(ROOT, "build", "npm_web"))
    lacking = missing(packages)
    if lacking:
        print(f"this test was skipped: {lacking}")
        return 77
    ended = threading.Event()
    with tempfile.TemporaryDirectory() as scratch:
        try:
            pages, run = serve(arguments, scratch)
            page = subprocess.Popen(
                ["node", os.path.join(HERE, "page_test.mjs"),
                 json.dumps({**pages, "packages": packages, "chromium": shutil.which("chromium"),
                             "only": arguments.only, "pictures": arguments.pictures})],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

            def watch():
                if not ended.wait(TIME_LIMIT):
                    page.kill()
            threading.Thread(target=watch, daemon=True).start()
            started = time.monotonic()
            finished = False
            steps = 0
            for line in page.stdout:
                line = line.rstrip("\n")
                if line.startswith("please "):
                    if line == "please stop":
                        run.stop()
                    else:
                        run.start()
                    page.stdin.write("done\n")
                    page.stdin.flush()
                elif line.startswith(("ok|", "failed|")):
                    steps += 1
                    verdict, name, *why = line.split("|", 2)
                    print(f"{verdict:6} {time.monotonic() - started:6.1f} s  {name}", flush=True)
                    for each in why:
                        print("    " + each.replace("\\n", "\n    "), flush=True)
                    started = time.monotonic()
                else:
                    finished = finished or line == "finished"
            status = page.wait()
            ended.set()
            if not finished or steps == 0:
                print(f"failed: the browser's test came to no end (status {status}, {steps} steps)")
                return 1
            return status
        finally:
            for each in Server.running:
                each.stop()


if __name__ == "__main__":
    sys.exit(main())
