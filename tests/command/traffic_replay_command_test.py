#!/usr/bin/env python3
"""What `fleetarium replay FILE --to URL` does as a command: what arrives at brokers, how it is
steered, and how it ends. `traffic_replay_command_test.py FLEETARIUM` runs all of it."""

import fcntl
import json
import os
import pty
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import termios
import time
import unittest
import urllib.error
import urllib.request

FLEETARIUM = ""
DEADLINE = 60  # seconds; far more than anything here takes

SCENARIO = {
    "name": "replayed", "seed": 3, "duration": "10s",
    "fleets": [
        {"name": "sensor", "count": 3, "publications": [
            {"topic": "plant/{index}/a", "period": "1s", "qos": 0, "payload": "{seq}"},
            {"topic": "plant/{index}/b", "period": "1s", "qos": 1, "payload": "b{seq}"},
            {"topic": "plant/{index}/c", "period": "1s", "qos": 2, "payload": {"n": "{seq}"}}]},
        {"name": "panel", "count": 1, "subscriptions": [{"filter": "plant/#", "qos": 2}]}]}


def run(*words):
    """Exit status, standard output and standard error."""
    done = subprocess.run([FLEETARIUM, *words], capture_output=True, timeout=DEADLINE, text=True,
                          stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout, done.stderr


class Broker:
    def __init__(self, *words):
        self.process = subprocess.Popen(
            [FLEETARIUM, "broker", "--listen", "mqtt://127.0.0.1:0", *words],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.url = self.process.stdout.readline().removeprefix("listening on ").strip()

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=DEADLINE)


class Sub:
    """A `fleetarium sub --json` that has subscribed: a retained message has told so."""

    def __init__(self, url, count, topic="plant/#"):
        run("pub", url, "-t", "ready", "-m", "yes", "-r", "-q", "1")
        self.process = subprocess.Popen(
            [FLEETARIUM, "sub", url, "-t", topic, "-t", "ready", "-q", "2", "--json", "-C",
             str(count + 1)], stdout=subprocess.PIPE, text=True)
        self.process.stdout.readline()

    def messages(self):
        out, _ = self.process.communicate(timeout=DEADLINE)
        return [json.loads(line) for line in out.splitlines()]


class Control:
    """The HTTP side of a replay."""

    def __init__(self, process):
        self.url = process.stdout.readline().removeprefix("listening on ").strip()

    def ask(self, method, path, body=None):
        request = urllib.request.Request(self.url + path, method=method, data=body)
        try:
            with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()

    def wait(self, test):
        """The first status that passes the test."""
        until = time.monotonic() + DEADLINE
        while not test(status := self.ask("GET", "/status")[1]):
            assert time.monotonic() < until, status
            time.sleep(0.02)
        return status


def key(message):
    return (message["topic"], message["qos"], message["payload"])


class Replay(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        scenario = os.path.join(cls.folder.name, "scenario.json")
        with open(scenario, "w", encoding="utf-8") as file:
            json.dump(SCENARIO, file)
        cls.file = os.path.join(cls.folder.name, "recording.flr")
        status, _, err = run("run", scenario, "--record", cls.file)
        assert status == 0, err
        with sqlite3.connect(cls.file) as tables:
            cls.recorded = [
                {"topic": topic, "qos": qos, "payload": payload.decode()}
                for topic, qos, payload in tables.execute(
                    "SELECT t.name, m.qos, m.payload FROM messages m JOIN topics t "
                    "ON t.id = m.topic WHERE m.publisher IS NOT NULL ORDER BY m.id")]
        assert len(cls.recorded) >= 81
        cls.broker = Broker()

    @classmethod
    def tearDownClass(cls):
        cls.broker.end()
        cls.folder.cleanup()

    def report_file(self):
        return os.path.join(self.folder.name, self.id() + ".json")

    def replay(self, *words, to=None):
        """Exit status, output, errors and report."""
        report = self.report_file()
        done = run("replay", self.file, "--to", to or self.broker.url, "--report", report, *words)
        made = {}
        if os.path.exists(report):
            with open(report, encoding="utf-8") as file:
                made = json.load(file)
        return *done, made

    def test_all_that_was_recorded_arrives_by_one_connection_or_one_for_each_client(self):
        for words, connections in ((), 1), (("--as-clients",), 3), (("--mqtt", "3.1.1"), 1):
            sub = Sub(self.broker.url, len(self.recorded))
            status, out, err, report = self.replay("--speed", "max", *words)
            self.assertEqual((status, err), (0, ""), out)
            self.assertIn("replayed: ", out)
            got = sub.messages()
            self.assertEqual(sorted(map(key, got)), sorted(map(key, self.recorded)))
            for topic in {each["topic"] for each in self.recorded}:
                self.assertEqual([each["payload"] for each in got if each["topic"] == topic],
                                 [each["payload"] for each in self.recorded
                                  if each["topic"] == topic])
            self.assertEqual(report["connections"], connections)
            self.assertEqual(report["ended"], "complete")
            self.assertEqual(report["messages"]["published"], len(self.recorded))
            self.assertEqual(report["messages"]["acknowledged"],
                             sum(each["qos"] > 0 for each in self.recorded))
            self.assertEqual(report["speed"], "max")
            self.assertEqual(report["timing_error"]["messages"], 0)

    def test_messages_come_at_the_recorded_intervals_without_drift(self):
        begin = time.monotonic()
        status, _, _, report = self.replay("--speed", "5")
        took = time.monotonic() - begin
        self.assertEqual(status, 0)
        with sqlite3.connect(self.file) as tables:
            first, last = tables.execute("SELECT min(at), max(at) FROM messages WHERE publisher "
                                         "IS NOT NULL").fetchone()
        self.assertGreaterEqual(took, (last - first) / 5e9)
        timing = report["timing_error"]
        self.assertEqual(timing["messages"], len(self.recorded))
        # Slack for a machine that does other things; drift would be seconds.
        self.assertLess(timing["p50_seconds"], 0.5)
        self.assertLessEqual(timing["p50_seconds"], timing["p99_seconds"])
        self.assertLessEqual(timing["p99_seconds"], timing["max_seconds"])

    def test_a_part_is_replayed_under_other_names_several_times(self):
        expected = [each for each in self.recorded if each["topic"] == "plant/1/b"]
        sub = Sub(self.broker.url, 2 * len(expected), "again/#")
        status, out, err, report = self.replay(
            "--speed", "max", "--filter", "plant/1/b", "--topic-rewrite", "plant/+/b=again/+",
            "--loop", "2", "--as-clients", "--client-rewrite", "*=replayed-*")
        self.assertEqual((status, err), (0, ""), out)
        self.assertEqual([key(each) for each in sub.messages()],
                         [("again/1", 1, each["payload"]) for each in expected] * 2)
        self.assertEqual((report["connections"], report["passes"]), (1, 2))

    def test_a_time_is_replayed(self):
        status, _, err, report = self.replay("--speed", "max", "--from", "2s", "--until", "4s")
        with sqlite3.connect(self.file) as tables:
            count, = tables.execute("SELECT count(*) FROM messages WHERE publisher IS NOT NULL "
                                    "AND at >= 2000000000 AND at < 4000000000").fetchone()
        self.assertEqual((status, err, report["messages"]["published"]), (0, "", count))

    def test_properties_go_with_a_message(self):
        with tempfile.TemporaryDirectory() as folder:
            copy = os.path.join(folder, "copy.flr")
            with sqlite3.connect(self.file) as source, sqlite3.connect(copy) as target:
                source.backup(target)
                target.execute("UPDATE messages SET retain = 1, properties = ? WHERE qos = 1",
                               (json.dumps({"payload_format_indicator": 1,
                                            "message_expiry_interval": 90,
                                            "content_type": "text/plain",
                                            "response_topic": "answers",
                                            "correlation_data": "6964",
                                            "user_properties": [["a", "b"], ["a", "c"]]}),))
                target.commit()
            sub = Sub(self.broker.url, 1, "plant/0/b")
            status, _, err = run("replay", copy, "--to", self.broker.url, "--speed", "max",
                                 "--filter", "plant/0/b", "--until", "2s")
            self.assertEqual((status, err), (0, ""))
            got = sub.messages()[0]
            self.assertEqual({name: got[name] for name in (
                "qos", "message_expiry_interval", "content_type", "response_topic",
                "correlation_data", "user_properties")},
                {"qos": 1, "message_expiry_interval": 90, "content_type": "text/plain",
                 "response_topic": "answers", "correlation_data": "id",
                 "user_properties": [["a", "b"], ["a", "c"]]})
            kept = run("sub", self.broker.url, "-t", "plant/0/b", "-C", "1", "--json")[1]
            self.assertTrue(json.loads(kept)["retain"])
            run("pub", self.broker.url, "-t", "plant/0/b", "-n", "-r", "-q", "1")
            report = os.path.join(folder, "report.json")
            run("replay", copy, "--to", self.broker.url, "--speed", "max", "--filter", "plant/0/b",
                "--mqtt", "3.1.1", "--report", report)
            run("pub", self.broker.url, "-t", "plant/0/b", "-n", "-r", "-q", "1")
            with open(report, encoding="utf-8") as file:
                messages = json.load(file)["messages"]
            self.assertEqual(messages["without_properties"], messages["published"])

    def begin(self, *words, **how):
        return subprocess.Popen([FLEETARIUM, "replay", self.file, "--to", self.broker.url,
                                 "--report", self.report_file(), *words], text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, **how)

    def end(self, process):
        out, err = process.communicate(timeout=DEADLINE)
        with open(self.report_file(), encoding="utf-8") as file:
            return process.returncode, out, err, json.load(file)

    def test_programs_steer_it_over_http(self):
        process = self.begin("--pause", "--http", "127.0.0.1:0", stdin=subprocess.DEVNULL)
        at = Control(process)
        ask, wait_for = at.ask, lambda count: at.wait(lambda now: now["published"] == count)
        at.wait(lambda now: now["state"] == "paused")
        self.assertEqual(ask("POST", "/step", b"")[0], 200)
        wait_for(1)
        ask("POST", "/step", b"4")
        self.assertEqual(wait_for(5)["state"], "paused")
        self.assertEqual(ask("POST", "/step", b"many")[0], 400)
        status, text = ask("POST", "/speed", b"5000")
        self.assertEqual(status, 400)
        self.assertIn("expected a number from 0.1 to 1000, or max", text)
        self.assertEqual(ask("POST", "/speed", b"0.1")[1]["speed"], 0.1)
        self.assertEqual(ask("POST", "/resume", b"")[1]["state"], "playing")
        self.assertEqual(ask("POST", "/step", b"")[0], 409)
        self.assertEqual(ask("POST", "/pause", b"")[1]["state"], "paused")
        self.assertEqual(ask("POST", "/speed", b"max")[1]["speed"], "max")
        ask("POST", "/resume", b"")
        status, _, err, report = self.end(process)
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(report["messages"]["published"], len(self.recorded))

    def test_an_address_that_others_reach_needs_a_token(self):
        status, _, err, _ = self.replay("--http", "0.0.0.0:0")
        self.assertEqual(status, 2)
        self.assertIn("needs a token", err)

    def test_keys_steer_it_and_the_terminal_is_as_before(self):
        ours, its = pty.openpty()
        before = termios.tcgetattr(its)
        process = self.begin("--pause", "--http", "127.0.0.1:0", stdin=its, preexec_fn=lambda: (
            os.setsid(), fcntl.ioctl(its, termios.TIOCSCTTY, 0)))
        control = Control(process)
        self.assertIn("space: pause", process.stderr.readline())
        self.assertEqual(termios.tcgetattr(its)[3] & (termios.ICANON | termios.ECHO), 0)
        os.write(ours, b"nn\x1b[C")
        control.wait(lambda now: now["published"] == 3)
        os.write(ours, b"q")
        status, out, _, report = self.end(process)
        self.assertEqual((status, report["messages"]["published"]), (0, 3))
        self.assertIn("interrupted", out)
        self.assertEqual(termios.tcgetattr(its), before)
        os.close(ours)
        os.close(its)

    def test_an_interrupt_ends_it_with_a_report(self):
        process = self.begin("--speed", "0.1", "--http", "127.0.0.1:0", stdin=subprocess.DEVNULL)
        Control(process).wait(lambda now: now["published"] > 0)
        process.send_signal(signal.SIGINT)
        status, out, err, report = self.end(process)
        self.assertEqual((status, err, report["ended"]), (0, "", "interrupted"))
        self.assertIn("interrupted: ", out)

    def test_a_target_that_is_not_there_or_refuses(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        status, out, err, report = self.replay(to=f"mqtt://127.0.0.1:{port}")
        self.assertEqual(status, 3)
        self.assertIn("Connection refused", err)
        self.assertEqual(report["ended"], "failed")
        passwords = os.path.join(self.folder.name, "passwords")
        subprocess.run([FLEETARIUM, "passwd", passwords, "ann", "--stdin"], input=b"right\n",
                       timeout=DEADLINE, check=True)
        guarded = Broker("--passwords", passwords)
        try:
            status, _, err, _ = self.replay("--as-clients", to=guarded.url)
            self.assertEqual(status, 3)
            self.assertRegex(err, r'client "sensor.*": (Not authorized|Bad user)')
        finally:
            guarded.end()

    def test_a_target_that_dies(self):
        broker = Broker()
        report = self.report_file()
        process = subprocess.Popen([FLEETARIUM, "replay", self.file, "--to", broker.url,
                                    "--report", report, "--http", "127.0.0.1:0"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   stdin=subprocess.DEVNULL)
        control = Control(process)
        control.wait(lambda now: now["acknowledged"] > 0)
        broker.process.kill()
        broker.process.communicate(timeout=DEADLINE)
        control.wait(lambda now: now["lost"] > 0 and now["under_way"] > 0)
        process.send_signal(signal.SIGINT)  # instead of waiting for its patience to end
        out, _ = process.communicate(timeout=DEADLINE)
        with open(report, encoding="utf-8") as file:
            made = json.load(file)
        self.assertEqual(process.returncode, 3, out)
        self.assertGreater(made["messages"]["lost"] + made["messages"]["unconfirmed"], 0)
        self.assertGreater(made["messages"]["unacknowledged"], 0)
        self.assertEqual(made["connections_lost"], 1)

    def test_bad_input_is_told_with_what_was_expected(self):
        for words, expected in (
                (("--speed", "0"), "expected a number from 0.1 to 1000, or max"),
                (("--from", "soon"), "expected a duration"),
                (("--from", "4s", "--until", "4s"), "expected the second to be later"),
                (("--filter", "a/#/b"), "expected a topic filter"),
                (("--topic-rewrite", "a"), "expected FROM=TO"),
                (("--client-rewrite", "a=b"), "--as-clients"),
                (("--loop", "0"), "expected a number of times from 1"),
                (("--ca", "x.pem"), "are for mqtts:// and wss://"),
                (("--http-token-file", "x"), "--http")):
            status, _, err, _ = self.replay(*words)
            self.assertEqual(status, 2, words)
            self.assertIn(expected, err)
        status, _, err = run("replay", self.file, "--speed", "2")
        self.assertEqual(status, 2)
        self.assertIn("--to", err)
        status, _, err = run("replay", self.file, "--to", self.broker.url, "--hash-only")
        self.assertEqual(status, 2)
        self.assertIn("--hash-only", err)
        status, _, err = run("replay", __file__, "--to", self.broker.url)
        self.assertEqual(status, 2)
        self.assertIn("is not a recording", err)
        status, _, err, _ = self.replay(to="http://127.0.0.1")
        self.assertEqual(status, 2)


if __name__ == "__main__":
    FLEETARIUM = sys.argv.pop(1)
    unittest.main()
