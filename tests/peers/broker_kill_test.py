#!/usr/bin/env python3
"""A broker with --persist is killed by SIGKILL at random moments under an audited fleet, and started
again at once: nothing acknowledged may be lost, nothing of QoS 2 doubled, no order broken.
`broker_kill_test.py FLEETARIUM [KILLS]`; each run draws its moments anew and prints its seed, which
FLEETARIUM_SEED repeats."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

FLEETARIUM = ""
KILLS = 200
DEADLINE = 60  # seconds, for anything that does not take as long
SEED = int(os.environ.get("FLEETARIUM_SEED", random.SystemRandom().randrange(1 << 32)))

# All of it goes to an archive that is always there, states to phones that come and go, and each
# kind of promise is made all the time.
PLANT = {
    "name": "plant", "seed": 1,
    "fleets": [
        {"name": "machines", "count": 30, "start": "300ms", "clean_start": False,
         "session_expiry": "1h", "reconnect_delay": "20ms",
         "publications": [
             {"topic": "plant/{index}/state", "period": "50ms", "qos": 1, "payload": {"n": "{seq}"}},
             {"topic": "plant/{index}/mode", "period": "150ms", "qos": 1, "retain": True,
              "payload": "{seq}"},
             {"topic": "plant/{index}/count", "period": "70ms", "qos": 2, "payload": "{seq}"}]},
        {"name": "archive", "clean_start": False, "session_expiry": "1h",
         "reconnect_delay": "10ms", "subscriptions": [{"filter": "plant/#", "qos": 2}]},
        {"name": "phones", "count": 3, "clean_start": False, "session_expiry": "1h",
         "reconnect_delay": "15ms",
         "online": {"up": "700ms", "down": "300ms", "manner": "disconnect"},
         "subscriptions": [{"filter": "plant/+/state", "qos": 1},
                           {"filter": "plant/+/count", "qos": 2}]}]}


class Broker:
    """On a free port of this machine, with a session file."""

    def __init__(self, folder, kept):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.log = os.path.join(folder, "broker.log")
        self.command = [FLEETARIUM, "broker", "--listen", f"mqtt://127.0.0.1:{self.port}",
                        "--set", "queue_messages_max=100000"]
        if kept:
            self.command += ["--persist", os.path.join(folder, "sessions.db")]
        self.process = None

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=log)
        if b"listening" not in self.process.stdout.readline():
            raise AssertionError("the broker does not start: " + self.said())

    def said(self):
        with open(self.log, encoding="utf-8") as log:
            return log.read()[-2000:]

    def end(self, how):
        self.process.send_signal(how)
        self.process.wait(DEADLINE)
        self.process.stdout.close()


def run(kept=True, kills=None):
    """Returns the exit status of the fleet, what it printed, its report, and how many kills."""
    wanted = KILLS if kills is None else kills
    moments = random.Random(SEED)
    plant = dict(PLANT, duration=f"{5 + wanted * 0.22:.0f}s")
    with tempfile.TemporaryDirectory() as folder:
        scenario = os.path.join(folder, "plant.json")
        report = os.path.join(folder, "report.json")
        with open(scenario, "w", encoding="utf-8") as file:
            json.dump(plant, file)
        broker = Broker(folder, kept)
        broker.start()
        fleet = subprocess.Popen(
            [FLEETARIUM, "run", scenario, "--target", f"mqtt://127.0.0.1:{broker.port}",
             "--report", report, "--audit-queue", "100000"], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)
        done = 0
        try:
            time.sleep(1.5)  # all are connected
            while done < wanted and fleet.poll() is None:
                time.sleep(moments.uniform(0, 0.3))  # the moment is what is tried
                broker.end(signal.SIGKILL)
                done += 1
                broker.start()
            out, errors = fleet.communicate(timeout=wanted + DEADLINE)
        finally:
            if fleet.poll() is None:
                fleet.kill()
                fleet.wait(DEADLINE)
            broker.end(signal.SIGTERM)
        with open(report, encoding="utf-8") as file:
            return fleet.returncode, out + errors + broker.said(), json.load(file), done


class Kill(unittest.TestCase):
    def test_nothing_acknowledged_is_lost_or_doubled(self):
        status, text, report, kills = run()
        text = f"seed {SEED}, {kills} kills\n{text}"
        ledger = report["ledger"]
        self.assertEqual((status, ledger["violations"]), (0, 0), text)
        audit = ledger["audits"][0]
        self.assertTrue(audit["complete"], text)
        self.assertEqual((audit["lost"], audit["beyond_queue"]), (0, 0), text)
        self.assertGreaterEqual(audit["receptions"] + audit["waiting"], audit["messages"], text)
        self.assertEqual(kills, KILLS, text)
        print(f"seed {SEED}: {kills} kills, {audit['messages']} messages, "
              f"{audit['receptions']} receptions, nothing lost or doubled")

    def test_a_broker_that_keeps_nothing_is_convicted(self):
        # Else the judge would be asleep.
        status, text, report, _ = run(kept=False, kills=3)
        self.assertEqual(status, 1, text)
        counts = report["ledger"]["violations_by_invariant"]
        self.assertGreater(counts["session_lifetime"], 0, text)
        self.assertGreater(counts["conservation"], 0, text)


if __name__ == "__main__":
    FLEETARIUM = os.path.abspath(sys.argv.pop(1))
    if len(sys.argv) > 1 and sys.argv[1].isdigit():
        KILLS = int(sys.argv.pop(1))
    unittest.main()
