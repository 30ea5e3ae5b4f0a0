#!/usr/bin/env python3
"""What `fleetarium broker --persist` does as a command: what it keeps, what it says of a file that it
cannot use, and how it recovers one. `persist_command_test.py FLEETARIUM` runs all of it."""

import os
import resource
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

FLEETARIUM = ""
DEADLINE = 60  # seconds; far more than anything here takes


def command(*arguments, status=0):
    done = subprocess.run([FLEETARIUM, *arguments], capture_output=True, text=True,
                          timeout=DEADLINE)
    if done.returncode != status:
        raise AssertionError(f"{arguments}: exit status {done.returncode}\n{done.stderr}")
    return done.stdout + done.stderr


class Broker:
    """A broker in a process, with a session file and one listener on a free port."""

    def __init__(self, file, *arguments, limit=None, lines=1):
        def bound():
            if limit is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [FLEETARIUM, "broker", "--listen", "mqtt://127.0.0.1:0", "--persist", file,
             *arguments], stdout=subprocess.PIPE, stderr=self.log, text=True, preexec_fn=bound)
        said = [self.process.stdout.readline() for _ in range(lines)]
        if not said[0].startswith("listening on "):
            self.process.wait(DEADLINE)
            raise AssertionError(self.log_text())
        self.url = said[0].removeprefix("listening on ").strip()
        self.http = said[-1].removeprefix("listening on ").strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(DEADLINE)
        self.process.stdout.close()
        self.log.close()

    def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        return self.process.wait(DEADLINE)

    def connect(self, client_id):
        """A socket with MQTT 3.1.1 accepted on it, and a keep alive of one second."""
        host, port = self.url.removeprefix("mqtt://").rsplit(":", 1)
        made = socket.create_connection((host, int(port)), timeout=DEADLINE)
        name = client_id.encode()
        made.sendall(b"\x10" + bytes([12 + len(name)]) + b"\x00\x04MQTT\x04\x02\x00\x01\x00" +
                     bytes([len(name)]) + name)
        if made.recv(4, socket.MSG_WAITALL) != b"\x20\x02\x00\x00":
            made.close()
            raise AssertionError("CONNECT was not accepted")
        return made

    def log_text(self):
        self.log.seek(0)
        return self.log.read()

    def wait_for_log(self, text):
        end = time.monotonic() + DEADLINE
        while text not in self.log_text():
            if time.monotonic() > end:
                raise AssertionError(f"no {text!r} in the log: {self.log_text()}")
            time.sleep(0.02)

    def publish(self, topic, payload, *more):
        command("pub", self.url, "-t", topic, "-m", payload, "-q", "1", *more)

    def retained(self, topic):
        return command("sub", self.url, "-t", topic, "-C", "1").strip()


class Persist(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.file = os.path.join(self.folder.name, "sessions.db")

    def tearDown(self):
        self.folder.cleanup()

    def test_what_is_acknowledged_is_there_after_any_end(self):
        for how in (signal.SIGTERM, signal.SIGKILL):
            with Broker(self.file) as broker:
                broker.publish("a/b", f"before {how}", "-r")
                broker.end(how)
            with Broker(self.file) as broker:
                self.assertIn(f"before {how}", broker.retained("a/b"))
                self.assertIn("1 retained", broker.log_text())

    def test_each_sync_mode_works_and_another_is_refused(self):
        for mode in ("full", "normal", "off"):
            with Broker(self.file, "--sync", mode) as broker:
                broker.publish("a/b", mode, "-r")
                self.assertEqual(broker.end(), 0)
        self.assertIn('"nomal"', command("broker", "--persist", self.file, "--sync", "nomal",
                                         status=2))

    def test_a_file_that_is_in_use_damaged_or_foreign_is_refused(self):
        with Broker(self.file) as broker:
            broker.publish("a/b", "x", "-r")
            said = command("broker", "--listen", "mqtt://127.0.0.1:0", "--persist", self.file,
                           status=3)
            self.assertIn("another process uses it", said)
            broker.end()
        with sqlite3.connect(self.file) as database:
            database.execute("DELETE FROM messages")
        database.close()
        said = command("broker", "--listen", "mqtt://127.0.0.1:0", "--persist", self.file,
                       status=3)
        self.assertIn("message 1 is not there", said)
        self.assertIn("--recover", said)
        said = command("broker", "--persist", self.file, "--recover")
        self.assertIn("saved 0 sessions", said)
        self.assertIn("sessions.db.damaged", said)
        with Broker(self.file) as broker:
            broker.end()

    def test_a_full_disk_stops_acknowledgements_and_loses_nothing(self):
        with Broker(self.file, "--http", "127.0.0.1:0", limit=300_000, lines=2) as broker:
            broker.publish("kept", "before", "-r")
            large = os.path.join(self.folder.name, "large")
            with open(large, "w", encoding="utf-8") as file:
                file.write("x" * 400_000)
            slow = subprocess.Popen([FLEETARIUM, "pub", broker.url, "-t", "big", "-r",
                                     "-f", large, "-q", "1"],
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                broker.wait_for_log("nothing is acknowledged until it can be written")
                self.assertIsNone(slow.poll())
                with urllib.request.urlopen(broker.http + "/metrics", timeout=DEADLINE) as page:
                    self.assertRegex(page.read().decode(),
                                     r"fleetarium_persistence_failures_total [1-9]")
                # The file may grow again.
                resource.prlimit(broker.process.pid, resource.RLIMIT_FSIZE,
                                 (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
                self.assertEqual(slow.wait(DEADLINE), 0)
                broker.wait_for_log("can be written again")
            finally:
                if slow.poll() is None:
                    slow.kill()
                    slow.wait(DEADLINE)
            broker.end(signal.SIGKILL)
        with Broker(self.file) as broker:
            self.assertIn("2 retained", broker.log_text())
            self.assertIn("before", broker.retained("kept"))

    def test_a_full_disk_makes_those_wait_who_write_and_blames_nobody(self):
        with Broker(self.file, "--http", "127.0.0.1:0", "--set", "persist_backlog_max=100kB",
                    limit=300_000, lines=2) as broker:
            with broker.connect("reader") as reader, broker.connect("writer") as writer:
                rest = b"\x00\x03big\x00\x01" + b"x" * 400_000
                length = bytes([len(rest) % 128 | 128, len(rest) // 128 % 128 | 128,
                                len(rest) // 16384])
                writer.sendall(b"\x33" + length + rest)
                second = b"\x32\x07\x00\x03big\x00\x02"
                broker.wait_for_log("nothing is acknowledged until it can be written")
                writer.sendall(second)
                # Three times as long as the keep alive allows.
                end = time.monotonic() + 4.5
                writer.settimeout(0.1)
                while time.monotonic() < end:
                    reader.sendall(b"\xc0\x00")
                    self.assertEqual(reader.recv(2), b"\xd0\x00")
                    with urllib.request.urlopen(broker.http + "/health",
                                                timeout=DEADLINE) as page:
                        self.assertEqual(page.status, 200)
                    with self.assertRaises(TimeoutError):
                        writer.recv(1)
                with urllib.request.urlopen(broker.http + "/metrics", timeout=DEADLINE) as page:
                    self.assertIn('fleetarium_publish_received_total{qos="1"} 1\n',
                                  page.read().decode())  # the second was not read
                with self.assertRaisesRegex(AssertionError, "not accepted"):
                    broker.connect("newcomer")
                resource.prlimit(broker.process.pid, resource.RLIMIT_FSIZE,
                                 (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
                writer.settimeout(DEADLINE)
                self.assertEqual(writer.recv(4, socket.MSG_WAITALL), b"\x40\x02\x00\x01")
                self.assertEqual(writer.recv(4, socket.MSG_WAITALL), b"\x40\x02\x00\x02")
                broker.connect("newcomer").close()
            broker.end()


if __name__ == "__main__":
    FLEETARIUM = os.path.abspath(sys.argv.pop(1))
    unittest.main()
