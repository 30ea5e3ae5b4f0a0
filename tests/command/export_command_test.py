#!/usr/bin/env python3
"""What `fleetarium export` writes, as read by tshark, csv and json, and the queries that
sim/recording.md names, asked by the sqlite3 shell. `export_command_test.py FLEETARIUM SOURCES`."""

import base64
import collections
import csv
import io
import json
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import unittest

FLEETARIUM = ""
SOURCES = ""
DEADLINE = 120

# Both versions, each QoS, retained messages, wills, properties, and links that break.
SCENARIO = {
    "name": "export", "seed": 3, "duration": "2m",
    "networks": [{"name": "mesh", "latency": "10ms"}],
    "fleets": [
        {"name": "meters", "count": 20, "network": "mesh", "clean_start": False,
         "session_expiry": "1h",
         "will": {"topic": "meters/{index}/gone", "payload": "gone", "qos": 1},
         "publications": [
             {"topic": "meters/{index}/a", "period": "2s", "qos": 0, "payload": "{seq}"},
             {"topic": "meters/{index}/b", "period": "3s", "qos": 1, "retain": True,
              "payload": {"n": "{seq}", "said": "a, \"b\""}, "message_expiry": "1h"},
             {"topic": "meters/{index}/c", "period": "5s", "qos": 2, "payload": "{filler:3000}"}]},
        {"name": "head_end", "network": "mesh", "version": "3.1.1", "clean_start": False,
         "subscriptions": [{"filter": "meters/#", "qos": 2}]},
        {"name": "display", "network": "mesh", "start": "40s",
         "subscriptions": [{"filter": "meters/+/b", "qos": 1}]}],
    "faults": [{"name": "storm", "kind": "cut", "at": "30s"},
               {"name": "outage", "kind": "power_loss", "fleet": "meters", "at": "1m",
                "for": "20s"}]}

TYPES = {"CONNECT": 1, "CONNACK": 2, "PUBLISH": 3, "PUBACK": 4, "PUBREC": 5, "PUBREL": 6,
         "PUBCOMP": 7, "SUBSCRIBE": 8, "SUBACK": 9, "DISCONNECT": 14}


def run(*arguments, **more):
    return subprocess.run([FLEETARIUM, *arguments], capture_output=True, timeout=DEADLINE,
                          check=False, **more)


class Exports(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        scenario = os.path.join(cls.folder.name, "export.json")
        with open(scenario, "w", encoding="utf-8") as file:
            json.dump(SCENARIO, file)
        cls.recording = os.path.join(cls.folder.name, "run.flr")
        done = run("run", scenario, "--quiet", "--record", cls.recording)
        assert done.returncode == 0, done.stderr
        cls.tables = sqlite3.connect(cls.recording)
        cls.addClassCleanup(cls.tables.close)

    def path(self, name):
        return os.path.join(self.folder.name, self.id().rsplit(".", 1)[-1] + name)

    def number(self, sql):
        return self.tables.execute(sql).fetchone()[0]

    def export(self, *arguments):
        done = run("export", self.recording, *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def refused(self, status, *arguments, recording=None):
        done = run("export", recording or self.recording, *arguments)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stderr.decode()

    def tshark(self, file, *arguments):
        done = subprocess.run(["tshark", "-r", file, "-n", *arguments], capture_output=True,
                              text=True, timeout=DEADLINE, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    @unittest.skipUnless(shutil.which("tshark"), "tshark is not installed")
    def test_tshark_finds_the_packets_of_the_recording_and_nothing_malformed(self):
        file = self.path(".pcapng")
        self.export("--pcapng", file)
        counts = collections.Counter()
        rows = self.tshark(file, "-Y", "mqtt", "-T", "fields", "-E", "separator=/t", "-e",
                           "tcp.dstport", "-e", "mqtt.msgtype", "-E", "aggregator=,")
        for row in rows.splitlines():
            port, types = row.split("\t")
            for each in types.split(","):
                counts[int(each), port == "1883"] += 1
        count = lambda name, up: counts[TYPES[name], up]
        connections = self.number("SELECT count(*) FROM connections")
        self.assertGreater(connections, 22)
        self.assertEqual(count("CONNECT", True), connections)
        self.assertEqual(count("CONNACK", False), connections)
        self.assertEqual(count("SUBSCRIBE", True),
                         self.number("SELECT count(*) FROM subscriptions"))
        self.assertGreater(self.number("SELECT count(*) FROM resends"), 0)
        self.assertGreater(self.number("SELECT count(*) FROM messages WHERE will"), 0)
        self.assertEqual(
            count("PUBLISH", True),
            self.number("SELECT count(*) FROM messages WHERE publisher NOT NULL AND NOT will") +
            self.number("SELECT count(*) FROM resends WHERE delivery IS NULL"))
        self.assertEqual(
            count("PUBLISH", False),
            self.number("SELECT count(*) FROM deliveries WHERE sent NOT NULL") +
            self.number("SELECT count(*) FROM resends WHERE delivery NOT NULL"))
        for qos, answer in ((1, "PUBACK"), (2, "PUBCOMP")):
            self.assertEqual(count(answer, True), self.number(
                f"SELECT count(*) FROM deliveries WHERE state = 2 AND qos = {qos}"))
        self.assertEqual(self.tshark(
            file, "-Y", "_ws.malformed || tcp.analysis.lost_segment || "
            "tcp.analysis.retransmission || tcp.analysis.out_of_order || "
            "tcp.checksum.status == 0 || ip.checksum.status == 0",
            "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"), "")
        # It remarks on text behind a zero byte only, of which there is none here.
        self.assertEqual(self.tshark(file, "-Y", "mqtt && _ws.expert"), "")

    @unittest.skipUnless(shutil.which("tshark"), "tshark is not installed")
    def test_tshark_reads_contents_names_and_times(self):
        file = self.path(".pcapng")
        self.export("--pcapng", file, "--filter", "meters/7/b")
        rows = [line.split("\t") for line in self.tshark(
            file, "-Y", "mqtt.msgtype == 3 && tcp.dstport == 1883", "-T", "fields", "-E",
            "separator=/t", "-e", "mqtt.topic", "-e", "mqtt.msg", "-e", "mqtt.prop_number", "-e",
            "frame.time_epoch", "-e", "mqtt.retain").splitlines()]
        expected = self.tables.execute(
            "SELECT m.payload, m.at FROM messages m JOIN topics t ON t.id = m.topic "
            "WHERE t.name = 'meters/7/b' AND NOT m.will ORDER BY m.id").fetchall()
        self.assertEqual([bytes.fromhex(row[1]) for row in rows], [row[0] for row in expected])
        self.assertEqual({(row[0], row[2], row[4]) for row in rows},
                         {("meters/7/b", "3600", "1")})
        for row, (_, at) in zip(rows, expected):
            self.assertAlmostEqual(float(row[3]), 946684800 + at / 1e9, places=6)
        named = subprocess.run(["tshark", "-r", file, "-N", "n", "-Y", "mqtt.msgtype == 1"],
                               capture_output=True, text=True, timeout=DEADLINE, check=True).stdout
        self.assertIn("meters-7", named)

    @unittest.skipUnless(shutil.which("sqlite3"), "sqlite3 is not installed")
    def test_the_sqlite3_shell_answers_the_queries_that_are_documented(self):
        with open(os.path.join(SOURCES, "sim", "recording.md"), encoding="utf-8") as file:
            queries = re.findall(r"^(sqlite3 .*)$", file.read(), re.MULTILINE)
        self.assertGreaterEqual(len(queries), 5)
        with tempfile.TemporaryDirectory() as place:
            shutil.copy(self.recording, os.path.join(place, "power_cut.flr"))
            for query in queries:
                with self.subTest(query=query):
                    done = subprocess.run(query, shell=True, cwd=place, capture_output=True,
                                          text=True, timeout=DEADLINE, check=False)
                    self.assertEqual((done.returncode, done.stderr), (0, ""))
                    told = done.stdout
                    if ">" in shlex.split(query):
                        with open(os.path.join(place, shlex.split(query)[-1]),
                                  encoding="utf-8") as file:
                            told = file.read()
                    self.assertGreaterEqual(len(told.splitlines()), 2, told)

    def test_csv_has_each_delivery_with_its_message(self):
        file = self.path(".csv")
        self.export("--csv", file)
        with open(file, encoding="utf-8", newline="") as text:
            rows = list(csv.DictReader(text))
        delivered = [row for row in rows if row["state"] not in ("no_delivery", "refused")]
        expected = self.tables.execute(
            "SELECT l.message, l.receiver, l.topic, l.state, l.reason, l.resent, m.payload, "
            "m.published / 1e9 FROM deliveries d JOIN messages m ON m.id = d.message "
            "JOIN (SELECT *, row_number() OVER () AS n FROM delivery_log) l "
            "JOIN (SELECT id, row_number() OVER () AS n FROM deliveries) k "
            "ON k.n = l.n AND k.id = d.id ORDER BY d.id LIMIT 300").fetchall()
        self.assertEqual(len(delivered), self.number("SELECT count(*) FROM deliveries"))
        for row, (message, receiver, topic, state, reason, resent, payload, at) in zip(
                delivered, expected):
            self.assertEqual((int(row["message"]), row["receiver"], row["topic"], row["state"],
                              row["reason"], int(row["resent"])),
                             (message, receiver, topic, state, reason, resent))
            self.assertEqual(row["payload_encoding"], "text")
            self.assertEqual(row["payload"].encode(), payload)
            self.assertAlmostEqual(float(row["published_s"]), at)

    def test_several_formats_at_once_and_standard_output(self):
        file = self.path(".jsonl")
        done = self.export("--csv", "-", "--jsonl", file, "--from", "30s", "--until", "50s",
                           "--client", "display[0]")
        rows = list(csv.DictReader(io.StringIO(done.stdout.decode(), newline="")))
        self.assertTrue(rows)
        self.assertEqual({row["receiver"] for row in rows}, {"display[0]"})
        with open(file, encoding="utf-8") as text:
            events = [json.loads(line) for line in text]
        self.assertEqual([event["at_s"] for event in events],
                         sorted(event["at_s"] for event in events))
        self.assertEqual(sum(event["event"] == "delivery" for event in events), self.number(
            "SELECT count(*) FROM deliveries d JOIN clients c ON c.id = d.receiver "
            "WHERE c.name = 'display[0]' AND d.made >= 30e9 AND d.made < 50e9"))
        self.assertTrue(all(30 <= event["at_s"] < 50 for event in events))

    def test_binary_payloads_come_back(self):
        # Payloads of a scenario are text: this one is changed in a copy of the recording.
        changed = self.path(".flr")
        shutil.copy(self.recording, changed)
        payload = bytes(range(256))
        with sqlite3.connect(changed) as tables:
            tables.execute("UPDATE messages SET payload = ? WHERE id = 5", (payload,))
        tables.close()
        done = run("export", changed, "--csv", "-")
        row = [each for each in csv.DictReader(io.StringIO(done.stdout.decode(), newline=""))
               if each["message"] == "5"][0]
        self.assertEqual(row["payload_encoding"], "base64")
        self.assertEqual(base64.b64decode(row["payload"]), payload)

    def test_bad_use_is_told(self):
        self.assertIn("expected at least one of --pcapng OUT, --csv OUT and --jsonl OUT",
                      self.refused(2))
        self.assertIn("for two formats", self.refused(2, "--csv", "-", "--jsonl", "-"))
        self.assertIn("--from: found \"noon\", expected an instant",
                      self.refused(2, "--csv", "-", "--from", "noon"))
        self.assertIn("expected an instant after --from",
                      self.refused(2, "--csv", "-", "--from", "1m", "--until", "30s"))
        self.assertIn("did you mean meters[3]?",
                      self.refused(2, "--csv", "-", "--client", "meter[3]"))
        self.assertIn("found the topic filter \"a/#/b\"",
                      self.refused(2, "--csv", "-", "--filter", "a/#/b"))
        self.assertIn("is not a recording", self.refused(2, "--csv", "-", recording=FLEETARIUM))
        self.assertIn("No such file", self.refused(2, "--csv", "-", recording="/nowhere.flr"))

    def test_a_file_is_not_written_over(self):
        file = self.path(".csv")
        with open(file, "w", encoding="utf-8") as there:
            there.write("a letter")
        self.assertIn("there is a file already", self.refused(2, "--csv", file))
        with open(file, encoding="utf-8") as there:
            self.assertEqual(there.read(), "a letter")

    def test_a_full_disk_is_told_and_leaves_no_half_file(self):
        for form in ("--pcapng", "--csv", "--jsonl"):
            self.assertIn("/dev/full: cannot be written: No space left on device",
                          self.refused(3, form, "/dev/full"))
        file = self.path(".csv")
        done = subprocess.run(["bash", "-c", "ulimit -f 8; trap '' XFSZ; exec \"$@\"", "-",
                               FLEETARIUM, "export", self.recording, "--csv", file],
                              capture_output=True, text=True, timeout=DEADLINE, check=False)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("cannot be written: File too large", done.stderr)
        self.assertFalse(os.path.exists(file))

    def test_no_room_for_temporary_files_is_told(self):
        # More deliveries to be sent later than are kept in memory.
        busy = self.path(".flr")
        shutil.copy(self.recording, busy)
        with sqlite3.connect(busy) as tables:
            for at in (10, 11):
                tables.execute(
                    "WITH RECURSIVE c(x) AS (SELECT 5000 UNION ALL SELECT x + 1 FROM c "
                    "LIMIT 1000000) INSERT INTO deliveries "
                    "SELECT m.id << 20 | x, r.id, 0, 3, 0, m.at, 110000000000 + x, NULL, "
                    "110000000000 + x, 0, 0, 0 FROM c, (SELECT id, at FROM messages WHERE qos = 1 "
                    "AND at > ? LIMIT 1) m, (SELECT id FROM clients WHERE name LIKE 'head_end%') r",
                    (at * 10**9,))
        tables.close()
        done = subprocess.run(["bash", "-c", "ulimit -f 8; trap '' XFSZ; exec \"$@\"", "-",
                               FLEETARIUM, "export", busy, "--pcapng", "/dev/null"],
                              capture_output=True, text=True, timeout=DEADLINE, check=False,
                              env={**os.environ, "TMPDIR": self.folder.name})
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn(f"{self.folder.name}: a temporary file cannot be written: File too large",
                      done.stderr)

    def test_a_damaged_recording_is_refused(self):
        for change, told in (("UPDATE messages SET qos = 7 WHERE id = 9", "qos in messages"),
                             ("UPDATE messages SET topic = 999999 WHERE id = 9", "no topic"),
                             ("UPDATE deliveries SET state = 77", "state in deliveries"),
                             ("UPDATE clients SET id = 1 << 40 WHERE id = 3", "rows of clients")):
            changed = self.path(".flr")
            shutil.copy(self.recording, changed)
            with sqlite3.connect(changed) as tables:
                tables.execute(change)
            tables.close()
            for form in ("--pcapng", "--csv", "--jsonl"):
                said = self.refused(2, form, "/dev/null", recording=changed)
                self.assertIn("is damaged", said)
                self.assertIn(told, said)


if __name__ == "__main__":
    FLEETARIUM = sys.argv.pop(1)
    SOURCES = sys.argv.pop(1)
    unittest.main()
