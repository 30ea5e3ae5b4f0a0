#!/usr/bin/env python3
"""What `fleetarium record` does as a command: what it keeps of a broker's traffic, how it ends, and
what is left when it is killed. `record_command_test.py FLEETARIUM` runs all of it."""

import json
import os
import re
import resource
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

FLEETARIUM = ""
DEADLINE = 60  # seconds; far more than anything here takes


def run(*words, stdin=None):
    """Exit status, standard output and standard error."""
    done = subprocess.run([FLEETARIUM, *words], input=stdin, capture_output=True, timeout=DEADLINE)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def wait_for(what, look):
    end = time.monotonic() + DEADLINE
    while not look():
        if time.monotonic() > end:
            raise AssertionError(f"not within {DEADLINE} s: {what}")
        time.sleep(0.02)


class Broker:
    def __init__(self, *words, port=0, scheme="mqtt"):
        self.process = subprocess.Popen(
            [FLEETARIUM, "broker", "--listen", f"{scheme}://127.0.0.1:{port}", *words],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.url = self.process.stdout.readline().removeprefix("listening on ").strip()
        self.port = int(re.search(r":(\d+)", self.url).group(1))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=DEADLINE)


class Recorder:
    """A `fleetarium record` whose subscriptions are made."""

    def __init__(self, url, file, *words, limit=None):
        self.file = file
        self.said = ""
        self.process = subprocess.Popen(
            [FLEETARIUM, "record", "--from", url, *words, file], stderr=subprocess.PIPE, text=True,
            preexec_fn=None if limit is None else
            lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
        self.wait_to_say("recording ")

    def wait_to_say(self, text):
        while True:
            line = self.process.stderr.readline()
            self.said += line
            if text in line:
                return line
            if not line:
                raise AssertionError(f"no {text!r}: {self.said}")

    def end(self, number=signal.SIGINT):
        """Exit status, and all that it said."""
        if number is not None:
            self.process.send_signal(number)
        _, more = self.process.communicate(timeout=DEADLINE)
        return self.process.returncode, self.said + more

    def count(self):
        """Of messages that are committed."""
        return query(self.file, "SELECT count(*) FROM messages")[0][0]


def query(file, sql):
    connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=DEADLINE)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


MESSAGES = ("SELECT t.name, m.qos, m.retain, CAST(m.payload AS TEXT) FROM messages m "
            "JOIN topics t ON t.id = m.topic ORDER BY m.id")


class Record(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = Broker()
        cls.url = cls.broker.url

    @classmethod
    def tearDownClass(cls):
        cls.broker.stop()

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.file = os.path.join(self.folder.name, "site.flr")

    def publish(self, topic, text, *words, url=None):
        status, _, err = run("pub", url or self.url, "-t", topic, "-m", text, *words)
        self.assertEqual((status, err), (0, ""))

    def test_a_recording_has_what_was_published_and_what_was_retained_before(self):
        self.publish("kept/1", "before", "-r", "-q", "1")
        for version in ("3.1.1", "5"):
            with self.subTest(version):
                file = f"{self.file}{version}"
                recorder = Recorder(self.url, file, "--filter", "kept/#", "--filter", "a/+",
                                    "--mqtt", version)
                wait_for("the retained message", lambda r=recorder: r.count() == 1)
                for qos in ("0", "1", "2"):
                    self.publish("a/b", f"level {qos}", "-q", qos, "-r")
                self.publish("other", "not asked for")
                wait_for("four messages", lambda r=recorder: r.count() == 4)
                status, said = recorder.end()
                self.assertEqual(status, 0, said)
                self.assertIn(": 4 messages, ", said)
                as_published = 1 if version == "5" else 0  # 3.1.1 does not tell subscribers
                self.assertEqual(query(file, MESSAGES), [
                    ("kept/1", 1, 1, "before"), ("a/b", 0, as_published, "level 0"),
                    ("a/b", 1, as_published, "level 1"), ("a/b", 2, as_published, "level 2")])
                self.assertFalse(os.path.exists(file + "-wal"))
                run("pub", self.url, "-t", "a/b", "-n", "-r")
        run("pub", self.url, "-t", "kept/1", "-n", "-r")

    def test_properties_are_kept_and_times_are_those_of_the_wall_clock(self):
        before = time.time()
        recorder = Recorder(self.url, self.file, "--filter", "p", "--count", "1")
        self.publish("p", "x", "-q", "1", "--content-type", "text/plain", "--response-topic", "r",
                     "--correlation-data", "id", "--expiry", "90s", "--user-property", "a=b")
        self.assertEqual(recorder.end(None)[0], 0)
        properties, epoch, at = query(
            self.file, "SELECT properties, epoch, at FROM messages, runs")[0]
        self.assertEqual(json.loads(properties), {
            "message_expiry_interval": 90, "content_type": "text/plain", "response_topic": "r",
            "correlation_data": "6964", "user_properties": [["a", "b"]]})
        self.assertTrue(before <= (epoch + at) / 1e9 <= time.time())

    def test_without_filters_it_is_everything_but_what_the_broker_says_of_itself(self):
        broker = Broker("--set", "sys_interval=1s")
        self.addCleanup(broker.stop)
        system = Recorder(broker.url, self.file + "2", "--filter", "#", "--filter", "$SYS/#")
        plain = Recorder(broker.url, self.file)
        self.publish("a", "x", url=broker.url)
        wait_for("$SYS", lambda: any(row[0].startswith("$SYS") for row in
                                     query(system.file, MESSAGES)))
        wait_for("a", lambda: plain.count() == 1)
        self.assertEqual(plain.end()[0], 0)
        self.assertEqual(system.end()[0], 0)
        self.assertEqual(query(plain.file, MESSAGES), [("a", 0, 0, "x")])

    def test_info_says_what_it_is_and_no_more(self):
        recorder = Recorder(self.url, self.file, "--filter", "i/#", "--user", "ann", "--password",
                            "secret")
        self.publish("i/1", "x")
        wait_for("the message", lambda: recorder.count() == 1)
        self.assertEqual(recorder.end()[0], 0)
        status, out, err = run("info", self.file)
        self.assertEqual((status, err), (0, ""))
        self.assertRegex(out, rf"^what a subscriber got from {re.escape(self.url)}, recorded by "
                              r"fleetarium \S+, begun \S+\n  ran for .*\n  subscribed to i/#\n"
                              r"  1 topics, 1 messages\n$")
        facts = json.loads(run("info", self.file, "--json")[1])
        self.assertEqual((facts["kind"], facts["source"], facts["filters"], facts["messages"]),
                         ("subscriber", self.url, ["i/#"], 1))
        self.assertNotIn("deliveries", facts)
        journey = run("info", self.file, "--message", "1")[1]
        self.assertIn("message 1: i/1, QoS 0, 1 bytes\n", journey)
        self.assertRegex(journey, r"\d s  received from +" + re.escape(self.url))
        with open(self.file, "rb") as whole:
            self.assertNotIn(b"secret", whole.read())

    def test_a_broken_connection_is_a_gap_and_the_recording_goes_on(self):
        broker = Broker()
        recorder = Recorder(broker.url, self.file, "--filter", "g")
        self.publish("g", "1", url=broker.url)
        wait_for("the first", lambda: recorder.count() == 1)
        broker.stop()
        recorder.wait_to_say(broker.url + ": ")
        again = Broker(port=broker.port)
        self.addCleanup(again.stop)
        recorder.wait_to_say("connected again after ")
        # Its subscription is made again behind that; retained, so that it comes in either order.
        self.publish("g", "2", "-r", url=again.url)
        wait_for("the second", lambda: recorder.count() >= 2)
        status, said = recorder.end()
        self.assertEqual(status, 0, said)
        self.assertIn(", 1 gap, ", said)
        gaps = query(self.file, "SELECT at, ended, session_present FROM gaps")
        self.assertEqual(len(gaps), 1)
        (at, ended, present), = gaps
        self.assertEqual(present, 0)
        first, second = query(self.file, "SELECT at FROM messages ORDER BY id LIMIT 2")
        self.assertTrue(first[0] < at < ended < second[0])
        self.assertIn("  1 gap in which nothing was heard, together ", run("info", self.file)[1])

    def test_recorders_of_a_group_share_the_messages(self):
        first = Recorder(self.url, self.file + "1", "--filter", "s/#", "--share", "g")
        second = Recorder(self.url, self.file + "2", "--filter", "s/#", "--share", "g")
        run("pub", self.url, "-t", "s/1", "-l", "-q", "1",
            stdin="".join(f"{i}\n" for i in range(100)).encode())
        wait_for("all of it", lambda: first.count() + second.count() == 100)
        parts = []
        for each in first, second:
            self.assertEqual(each.end()[0], 0)
            parts.append([int(row[3]) for row in query(each.file, MESSAGES)])
        self.assertTrue(all(parts), parts)
        self.assertEqual(sorted(parts[0] + parts[1]), list(range(100)))
        self.assertEqual(query(first.file, "SELECT filter FROM subscriptions"), [("$share/g/s/#",)])

    def test_a_recording_survives_the_death_of_its_recorder_under_load(self):
        recorder = Recorder(self.url, self.file, "--filter", "k")
        load = subprocess.Popen([FLEETARIUM, "pub", self.url, "-t", "k", "-m", "x" * 200, "-q", "1",
                                 "--repeat", "1000000"], stderr=subprocess.DEVNULL)
        try:
            wait_for("some of it", lambda: recorder.count() > 1000)
            seen = recorder.count()
            recorder.process.kill()
            recorder.end(None)
        finally:
            load.kill()
            load.wait()
        self.assertIn("cut short", run("info", self.file, "--check")[1])
        self.assertGreaterEqual(recorder.count(), seen)
        self.assertEqual(query(self.file, "SELECT count(*), max(id) - min(id) + 1 FROM messages "
                                          "WHERE length(payload) = 200")[0].count(
                                              recorder.count()), 2)

    def test_a_disk_that_fills_up_ends_it_and_what_there_is_stays(self):
        recorder = Recorder(self.url, self.file, "--filter", "full", limit=2_000_000)
        self.publish("full", "first")
        wait_for("the first", lambda: recorder.count() == 1)
        load = subprocess.Popen([FLEETARIUM, "pub", self.url, "-t", "full", "-m", "x" * 5000,
                                 "--repeat", "5000"], stderr=subprocess.DEVNULL)
        status, said = recorder.end(None)
        load.wait(DEADLINE)
        self.assertEqual(status, 3, said)
        self.assertIn(f"{self.file}: cannot be written: ", said)
        self.assertIn(f"what was committed before is kept in {self.file}\n", said)
        self.assertEqual(run("info", self.file, "--check")[0], 0)
        self.assertEqual(query(self.file, MESSAGES)[0][3], "first")

    def test_a_flight_recorder_keeps_the_newest(self):
        recorder = Recorder(self.url, self.file, "--filter", "f", "--last", "1s")
        self.publish("f", "old")
        wait_for("the old one", lambda: recorder.count() == 1)
        time.sleep(1.2)
        self.publish("f", "new")
        wait_for("the new one", lambda: query(self.file, MESSAGES) == [("f", 0, 0, "new")])
        recorder.process.send_signal(signal.SIGUSR1)
        line = recorder.wait_to_say("a copy of what there is so far")
        copy = line.removeprefix("fleetarium record: ").split(": ")[0]
        self.assertRegex(copy, r"/site-\d{8}T\d{6}Z\.flr$")
        self.assertEqual(query(copy, MESSAGES), [("f", 0, 0, "new")])
        self.assertIn("  ran for ", run("info", copy)[1])
        self.publish("f", "newest")
        wait_for("the newest", lambda: query(self.file, MESSAGES)[-1][3] == "newest")
        self.assertEqual(recorder.end(signal.SIGTERM)[0], 0)

    def test_duration_ends_it(self):
        status, _, err = run("record", "--from", self.url, "--duration", "300ms", self.file)
        self.assertEqual(status, 0, err)
        ran, = query(self.file, "SELECT ended_at / 1e9 FROM runs")[0]
        self.assertTrue(0.3 <= ran < 10, ran)

    def test_websocket_tls_and_passwords(self):
        pki, users = os.path.join(self.folder.name, "pki"), os.path.join(self.folder.name, "users")
        self.assertEqual(run("certs", "--out", pki)[0], 0)
        self.assertEqual(run("passwd", users, "ann", "--stdin",
                             stdin=b"secret\n")[0], 0)
        broker = Broker("--cert", f"{pki}/server.pem", "--key", f"{pki}/server.key", "--passwords",
                        users, scheme="wss")
        self.addCleanup(broker.stop)
        who = ("--ca", f"{pki}/ca.pem", "--user", "ann", "--password", "secret")
        recorder = Recorder(broker.url, self.file, "--count", "1", *who)
        self.publish("t", "x", *who, url=broker.url)
        self.assertEqual(recorder.end(None)[0], 0)
        self.assertEqual(query(self.file, MESSAGES), [("t", 0, 0, "x")])
        status, _, err = run("record", "--from", broker.url, "--ca", f"{pki}/ca.pem", "--user",
                             "ann", "--password", "wrong", self.file + "2")
        self.assertEqual(status, 3)
        self.assertIn("bad user name or password", err.lower())
        self.assertFalse(os.path.exists(self.file + "2"))

    def test_a_target_that_is_none_is_told_and_leaves_no_file(self):
        with socket.create_server(("127.0.0.1", 0)) as nobody:
            port = nobody.getsockname()[1]
        status, _, err = run("record", "--from", f"mqtt://127.0.0.1:{port}", self.file)
        self.assertEqual(status, 3)
        self.assertEqual(err, f"fleetarium record: mqtt://127.0.0.1:{port}: Connection refused\n")
        broker = Broker("--http", "127.0.0.1:0")
        self.addCleanup(broker.stop)
        http = broker.process.stdout.readline().split("//")[1].strip()
        status, _, err = run("record", "--from", f"mqtt://{http}", "--connect-timeout", "5s",
                             self.file)
        self.assertEqual(status, 3)
        self.assertRegex(err, rf"^fleetarium record: mqtt://{http}: \S.*\n$")
        waiting = subprocess.Popen([FLEETARIUM, "record", "--retry", "--verbose", "--from",
                                    f"mqtt://127.0.0.1:{port}", self.file], stderr=subprocess.PIPE,
                                   text=True)
        while "onnection refused" not in waiting.stderr.readline():
            self.assertIsNone(waiting.poll())
        waiting.send_signal(signal.SIGINT)
        _, err = waiting.communicate(timeout=DEADLINE)
        self.assertEqual(waiting.returncode, 3)
        self.assertIn("nothing was recorded: there was no connection", err)
        self.assertFalse(os.path.exists(self.file))

    def test_a_file_that_cannot_be_made_ends_it(self):
        status, _, said = run("record", "--from", self.broker.url,
                              os.path.join(self.folder.name, "no_folder", "x.flr"))
        self.assertEqual(status, 3, said)
        self.assertIn("no_folder", said)

    def test_a_refused_subscription_is_told(self):
        rules = os.path.join(self.folder.name, "rules")
        with open(rules, "w", encoding="utf-8") as out:
            out.write("topic read open/#\n")
        broker = Broker("--access", rules)
        self.addCleanup(broker.stop)
        status, _, err = run("record", "--from", broker.url, "--filter", "open/#", "--filter",
                             "secret/#", self.file)
        self.assertEqual(status, 3)
        self.assertIn("the subscription to \"secret/#\" was refused: ", err)

    def test_wrong_use_is_told_before_anything_is_done(self):
        for words, told in (
                (["--filter", "a/#/b"], "found the filter \"a/#/b\", expected "),
                (["--filter", "$share/g/a"], "expected --share GROUP"),
                (["--filter", "a/+", "--filter", "+/b"], "have no topic in common"),
                (["--filter", "a/#", "--filter", "a"], "have no topic in common"),
                (["--filter", "#", "--filter", "a"], "have no topic in common"),
                (["--share", "a/b"], "found --share \"a/b\", expected "),
                (["--max-size", "1KiB"], "--max-size: found \"1KiB\", expected "),
                (["--last", "0s"], "--last: found \"0s\", expected "),
                (["--mqtt", "3.1.1", "--no-retained"], "part of MQTT 5"),
                (["--ca", "x.pem"], "are for mqtts://")):
            with self.subTest(words):
                status, _, err = run("record", "--from", self.url, *words, self.file)
                self.assertEqual(status, 2, err)
                self.assertIn(told, err)
        status, _, err = run("record", "--from", "tcp://x", self.file)
        self.assertEqual(status, 2)
        self.assertIn("here it is called \"mqtt\"", err)
        with open(self.file, "w", encoding="utf-8") as there:
            there.write("mine")
        status, _, err = run("record", "--from", self.url, self.file)
        self.assertEqual(status, 2)
        self.assertIn("there is a file already", err)
        self.assertEqual(run("record", self.file)[0], 2)


class RecordingBroker(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.file = os.path.join(self.folder.name, "site.flr")

    def test_all_that_the_broker_does_is_recorded(self):
        broker = Broker("--record", self.file)
        for version in ("3.1.1", "5"):
            reader = subprocess.Popen([FLEETARIUM, "sub", broker.url, "-t", "b/#", "-q", "2",
                                       "--id", f"reader {version}", "--mqtt", version],
                                      stdout=subprocess.PIPE)
            wait_for("its subscription", lambda v=version: query(
                self.file, f"SELECT count(*) FROM subscriptions s JOIN clients c ON s.client = c.id "
                           f"WHERE client_id = 'reader {v}' AND filter = 'b/#'") == [(1,)])
            for qos in ("0", "1", "2"):
                run("pub", broker.url, "-t", "b/1", "-m", qos, "-q", qos, "--id", "writer",
                    "--mqtt", version)
            wait_for("the end of its deliveries", lambda v=version: query(
                self.file, f"SELECT count(*) FROM delivery_log WHERE receiver = 'reader {v}'")
                == [(3,)])
            reader.send_signal(signal.SIGINT)
            reader.communicate(timeout=DEADLINE)
        run("pub", broker.url, "-t", "nobody/hears", "-m", "x", "-r", "--id", "writer")
        broker.process.send_signal(signal.SIGTERM)
        broker.process.communicate(timeout=DEADLINE)
        self.assertEqual(broker.process.returncode, 0)
        self.assertEqual(query(self.file, "SELECT c.client_id, t.name, m.qos, m.retain, "
                                          "CAST(m.payload AS TEXT), m.deliveries, r.name "
                                          "FROM messages m JOIN topics t ON t.id = m.topic "
                                          "JOIN clients c ON c.id = m.publisher "
                                          "JOIN drop_reasons r ON r.id = m.reason ORDER BY m.id"),
                         2 * [("writer", "b/1", qos, 0, str(qos), 1, "none") for qos in range(3)] +
                         [("writer", "nobody/hears", 0, 1, "x", 0, "no_subscriber")])
        self.assertEqual(query(self.file, "SELECT receiver, qos, state FROM delivery_log "
                                          "ORDER BY message"),
                         [(f"reader {version}", qos, "delivered" if qos else "sent")
                          for version in ("3.1.1", "5") for qos in range(3)])
        self.assertEqual(query(self.file, "SELECT client_id, count(*) FROM connections n JOIN "
                                          "clients c ON c.id = n.client WHERE accepted AND ended "
                                          "GROUP BY 1 ORDER BY 1"),
                         [("reader 3.1.1", 1), ("reader 5", 1), ("writer", 7)])
        status, out, _ = run("info", self.file, "--check")
        self.assertEqual(status, 0)
        self.assertRegex(out, "^broker run of fleetarium .*\n  ran for .*\n  3 clients, 9 "
                              "connections, ")
        first = query(self.file, "SELECT min(id) FROM messages WHERE qos = 1")[0][0]
        self.assertRegex(run("info", self.file, "--message", str(first))[1],
                         "at the broker +broker\n(.*\n)*.*delivered +reader 3.1.1\n")

    def test_versions_and_qos_2_messages_that_come_twice_are_recorded(self):
        broker = Broker("--record", self.file)

        def connect(level, more):
            link = socket.create_connection(("127.0.0.1", broker.port), timeout=DEADLINE)
            name = f"twice {level}".encode()
            body = b"\0\4MQTT" + bytes([level, 2, 0, 0]) + more + b"\0\7" + name
            link.sendall(bytes([0x10, len(body)]) + body)
            self.assertEqual(link.recv(4)[:1], b"\x20")
            return link

        def publish(link, packet_id, dup, more):
            body = b"\0\1t" + bytes([0, packet_id]) + more + b"x"
            link.sendall(bytes([0x3C if dup else 0x34, len(body)]) + body)

        links = [connect(4, b""), connect(5, b"\0")]
        for link, more in zip(links, (b"", b"\0")):
            publish(link, 7, False, more)
            publish(link, 8, False, more)
            publish(link, 7, True, more)
            publish(link, 7, True, more)
        wait_for("messages", lambda: query(self.file, "SELECT count(*) FROM resends") == [(4,)])
        for link in links:
            link.close()
        broker.stop()
        self.assertEqual(query(self.file, "SELECT client_id, version FROM connections n JOIN "
                                          "clients c ON c.id = n.client ORDER BY 1"),
                         [("twice 4", 4), ("twice 5", 5)])
        self.assertEqual(query(self.file, "SELECT c.client_id, m.qos, count(r.id), "
                                          "count(r.delivery) FROM messages m JOIN clients c "
                                          "ON c.id = m.publisher LEFT JOIN resends r "
                                          "ON r.message = m.id GROUP BY m.id ORDER BY 1, m.id"),
                         [("twice 4", 2, 2, 0), ("twice 4", 2, 0, 0),
                          ("twice 5", 2, 2, 0), ("twice 5", 2, 0, 0)])

    def test_a_full_disk_does_not_stop_the_broker(self):
        with tempfile.TemporaryFile("w+") as log:
            process = subprocess.Popen(
                [FLEETARIUM, "broker", "--listen", "mqtt://127.0.0.1:0", "--record", self.file],
                stdout=subprocess.PIPE, stderr=log, text=True, preexec_fn=lambda:
                resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000)))
            url = process.stdout.readline().removeprefix("listening on ").strip()
            run("pub", url, "-t", "t", "-m", "x" * 5000, "--repeat", "3000")

            def said():
                log.seek(0)
                return log.read()
            wait_for("the error", lambda: "nothing more is recorded: " in said())
            self.assertEqual(run("pub", url, "-t", "t", "-m", "still there", "-q", "1")[0], 0)
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=DEADLINE)
            self.assertEqual(process.returncode, 3)
            self.assertIn(f"{self.file}: cannot be written: ", said())
        self.assertEqual(run("info", self.file, "--check")[0], 0)

    def test_a_file_that_is_there_is_not_written_over(self):
        with open(self.file, "w", encoding="utf-8") as there:
            there.write("mine")
        status, _, err = run("broker", "--listen", "mqtt://127.0.0.1:0", "--record", self.file)
        self.assertEqual(status, 3)
        self.assertIn("there is a file already", err)
        status, _, err = run("broker", "--last", "10m")
        self.assertEqual((status, err), (2, "fleetarium: --max-size and --last go with --record\n"))


if __name__ == "__main__":
    FLEETARIUM = sys.argv.pop(1)
    unittest.main()
