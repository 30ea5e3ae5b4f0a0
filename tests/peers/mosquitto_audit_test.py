#!/usr/bin/env python3
"""What the ledger says of mosquitto, from what clients see, while mosquitto is stopped, killed and
started again under a fleet. `mosquitto_audit_test.py FLEETARIUM` runs all of it; with --show and
the name of a manner (calm, stop, kill, kill_saving) behind it one run is shown as a user sees it."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

FLEETARIUM = ""
MOSQUITTO = shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")
DEADLINE = 60  # seconds, for anything that does not take as long

# Machines report, an archive keeps all of it, and a phone that comes and goes is to get it all as
# well: what waits for it is what a broker can lose.
PLANT = {
    "name": "plant", "duration": "8s", "seed": 1,
    "fleets": [
        {"name": "machines", "count": 20, "start": "500ms", "clean_start": False,
         "session_expiry": "1h", "reconnect_delay": "300ms",
         "publications": [
             {"topic": "plant/{index}/state", "period": "250ms", "qos": 1, "payload": {"n": "{seq}"}},
             {"topic": "plant/{index}/count", "period": "400ms", "qos": 2, "payload": "{seq}"}]},
        {"name": "archive", "clean_start": False, "session_expiry": "1h",
         "reconnect_delay": "300ms", "subscriptions": [{"filter": "plant/#", "qos": 2}]},
        {"name": "phone", "clean_start": False, "session_expiry": "1h", "reconnect_delay": "200ms",
         "online": {"up": "1500ms", "down": "2s", "manner": "disconnect"},
         "subscriptions": [{"filter": "plant/+/state", "qos": 1}]}]}

# What happens to mosquitto after three seconds, and whether it writes down each change at once.
MANNERS = {"calm": (None, False), "stop": (signal.SIGTERM, False),
           "kill": (signal.SIGKILL, False), "kill_saving": (signal.SIGKILL, True)}


class Mosquitto:
    """With persistence, on a free port of this machine, that can be stopped and started again."""

    def __init__(self, folder, saves_at_once):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.config = os.path.join(folder, "mosquitto.conf")
        with open(self.config, "w", encoding="utf-8") as file:
            if os.geteuid() == 0:
                file.write("user root\n")  # else it gives its rights away
            file.write(f"listener {self.port} 127.0.0.1\nallow_anonymous true\nlog_dest none\n"
                       f"persistence true\npersistence_location {folder}/\n")
            if saves_at_once:
                file.write("autosave_on_changes true\nautosave_interval 1\n")
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen([MOSQUITTO, "-c", self.config],
                                        stderr=subprocess.DEVNULL)
        end = time.monotonic() + DEADLINE
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE).close()
                return
            except ConnectionRefusedError:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise AssertionError("mosquitto does not listen") from None

    def end(self, how):
        self.process.send_signal(how)
        self.process.wait(DEADLINE)


def run(manner, *arguments, plant=None, after_another=False):
    """Returns the exit status, what was printed, and the report."""
    how, saves_at_once = MANNERS[manner]
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        broker = Mosquitto(folder, saves_at_once)
        scenario = os.path.join(folder, "plant.json")
        report = os.path.join(folder, "report.json")
        with open(scenario, "w", encoding="utf-8") as file:
            json.dump(plant or PLANT, file)
        command = [FLEETARIUM, "run", scenario, "--target", f"mqtt://127.0.0.1:{broker.port}",
                   "--report", report, *arguments]
        if after_another:
            subprocess.run([*command, "--duration", "2s", "--quiet"], check=True, timeout=DEADLINE)
        running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True)
        try:
            if how is not None:
                time.sleep(3)  # in the middle of the run, which goes by the wall clock
                broker.end(how)
                broker.start()
            out, errors = running.communicate(timeout=DEADLINE)
        finally:
            if running.poll() is None:
                running.kill()
                running.wait(DEADLINE)
            broker.end(signal.SIGTERM)
        with open(report, encoding="utf-8") as file:
            return running.returncode, out + errors, json.load(file)


@unittest.skipUnless(MOSQUITTO, "mosquitto is not installed")
class Audit(unittest.TestCase):
    def check_clean(self, manner, *arguments, **changes):
        status, text, report = run(manner, *arguments, **changes)
        ledger = report["ledger"]
        self.assertEqual((status, ledger["violations"]), (0, 0), text)
        audit = ledger["audits"][0]
        self.assertTrue(audit["complete"], text)
        self.assertGreater(audit["messages"], 500, text)
        # Each goes to the archive, and states to the phone, which may be away at the end.
        self.assertGreaterEqual(audit["receptions"] + audit["waiting"], audit["messages"], text)
        self.assertEqual((audit["lost"], audit["beyond_queue"]), (0, 0), text)
        return text, audit

    def test_nothing_is_said_against_it_while_all_is_well(self):
        text, audit = self.check_clean("calm")
        self.assertEqual(audit["identity"], "user property")
        self.assertIn("audited from outside", text)
        self.assertIn("not judged responsibility", text)
        self.assertIn("nothing that clients saw breaks a rule", text)

    def test_devices_of_3_1_1_are_audited_by_what_is_in_their_payloads(self):
        plant = json.loads(json.dumps(PLANT))
        for fleet in plant["fleets"]:
            fleet["version"] = "3.1.1"
            del fleet["session_expiry"]
        _, audit = self.check_clean("stop", "--audit", "payload", plant=plant)
        self.assertEqual((audit["identity"], audit["devices_not_seen"]), ("payload", 0))
        _, text, report = run("calm", plant=plant)
        self.assertEqual(report["ledger"]["audits"][0]["devices_not_seen"], 22, text)
        self.assertIn("22 devices speak 3.1.1", text)

    def test_what_it_keeps_of_an_earlier_run_is_not_held_against_it(self):
        status, text, report = run("calm", after_another=True)
        self.assertEqual((status, report["ledger"]["violations"]), (0, 0), text)
        self.assertIn("the client has no session", text)

    def test_it_passes_being_stopped_and_started_again(self):
        self.check_clean("stop")

    def test_it_is_convicted_of_what_it_loses_when_it_is_killed(self):
        status, text, report = run("kill")
        counts = report["ledger"]["violations_by_invariant"]
        self.assertEqual(status, 1, text)
        # It had saved nothing: 22 sessions, and what waited for the phone.
        self.assertEqual(counts["session_lifetime"], 22, text)
        self.assertGreater(counts["conservation"], 0, text)
        self.assertEqual(counts["conservation"], report["ledger"]["audits"][0]["lost"], text)
        self.assertIn("an invariant does not hold", text)

    def test_it_keeps_sessions_when_it_writes_each_change_down_before_it_is_killed(self):
        status, text, report = run("kill_saving")
        counts = report["ledger"]["violations_by_invariant"]
        self.assertEqual(counts["session_lifetime"], 0, text)
        self.assertEqual(status, 1 if report["ledger"]["violations"] else 0, text)

    def test_without_an_audit_nothing_is_judged(self):
        status, text, report = run("kill", "--audit", "none")
        self.assertEqual(status, 0, text)
        self.assertNotIn("audits", report["ledger"])


if __name__ == "__main__":
    FLEETARIUM = os.path.abspath(sys.argv.pop(1))
    if "--show" in sys.argv:
        done = run(sys.argv[sys.argv.index("--show") + 1])
        print(done[1], f"\nexit status {done[0]}", sep="")
    else:
        unittest.main()
