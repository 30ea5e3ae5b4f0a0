#!/usr/bin/env python3
"""Attempts of broker/security.md on the program: what it lets others see of secrets, what it writes
and for whom, what it speaks with whom. `security_command_test.py FLEETARIUM` runs all of it."""

import json
import os
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request
import warnings

FLEETARIUM = ""
DEADLINE = 60  # seconds; far more than anything here takes
PASSWORD = "correct-horse-battery"
GUESS = "wrong-horse-battery"
TOKEN = "token-of-the-operator"


def text_field(text):
    data = text.encode()
    return len(data).to_bytes(2, "big") + data


def connect_packet(user, password):
    fields = ("c-" + user, user, password)
    body = text_field("MQTT") + bytes([4, 0xC2, 0, 60]) + b"".join(map(text_field, fields))
    return bytes([0x10, len(body)]) + body


def attempt(port, user, password):
    """The code of CONNACK."""
    with socket.create_connection(("127.0.0.1", port), DEADLINE) as client:
        client.sendall(connect_packet(user, password))
        return client.recv(4)[3]


class Program:
    """A `fleetarium broker` and what it says."""

    def __init__(self, folder, *arguments, program=None, listeners=1, **how):
        self.log = os.path.join(folder, "log")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([program or FLEETARIUM, "broker", *arguments],
                                            stdout=subprocess.PIPE, stderr=log, text=True,
                                            cwd=folder, **how)
        self.said = []
        for _ in range(listeners):
            line = self.process.stdout.readline()
            if not line.startswith("listening on "):
                self.process.kill()
                raise AssertionError(f"found {line!r}; {self.log_text()}")
            self.said.append(line.strip())

    def log_text(self):
        with open(self.log) as file:
            return file.read()

    def port(self, of=0):
        return int(self.said[of].rsplit(":", 1)[1].split("/")[0])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(DEADLINE)
        self.process.stdout.close()


class SecurityTest(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w") as out:
            out.write(text)
        return name

    def mode(self, name):
        return stat.S_IMODE(os.stat(self.path(name)).st_mode)

    def add_user(self):
        subprocess.run([FLEETARIUM, "passwd", "--stdin", "passwords", "ann"], cwd=self.folder,
                       input=PASSWORD + "\n", text=True, check=True, timeout=DEADLINE,
                       capture_output=True)

    def make_certificates(self):
        subprocess.run([FLEETARIUM, "certs", "--out", "pki"], cwd=self.folder, check=True,
                       timeout=DEADLINE, capture_output=True)

    def test_secrets_are_in_no_log_recording_metric_snapshot_or_list_of_processes(self):
        self.add_user()
        self.write("token", TOKEN + "\n")
        with Program(self.folder, "--listen", "mqtt://127.0.0.1:0", "--passwords", "passwords",
                     "--http", "127.0.0.1:0", "--http-token-file", "token", "--log-level", "debug",
                     "--record", "record.flr", listeners=2) as broker:
            self.assertEqual(attempt(broker.port(), "ann", PASSWORD), 0)
            self.assertEqual(attempt(broker.port(), "ann", GUESS), 4)
            answers = b""
            for path in ("/metrics", "/health", "/api/describe", "/api/totals", "/api/log",
                         "/api/devices", "/"):
                request = urllib.request.Request(
                    f"http://127.0.0.1:{broker.port(1)}{path}",
                    headers={"Authorization": "Bearer " + TOKEN})
                try:
                    answers += urllib.request.urlopen(request, timeout=DEADLINE).read()
                except urllib.error.HTTPError as error:
                    answers += error.read()
            wrong = urllib.request.Request(f"http://127.0.0.1:{broker.port(1)}/metrics",
                                           headers={"Authorization": "Bearer " + GUESS})
            with self.assertRaises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(wrong, timeout=DEADLINE)
            self.assertEqual(refused.exception.code, 401)
            answers += refused.exception.read()
            for name in ("cmdline", "environ"):
                with open(f"/proc/{broker.process.pid}/{name}", "rb") as file:
                    answers += file.read()
        seen = {"what others can ask or see": answers}
        for name in os.listdir(self.folder):
            if name not in ("passwords", "token"):
                with open(self.path(name), "rb") as file:
                    seen[name] = file.read()
        self.assertIn("log", seen)
        self.assertIn("record.flr", seen)
        for name, text in seen.items():
            for secret in (PASSWORD, GUESS, TOKEN):
                self.assertNotIn(secret.encode(), text, f"{secret} in {name}")
        with open(self.path("passwords")) as file:
            self.assertNotIn(PASSWORD, file.read())

    def test_a_token_on_the_command_line_is_refused_and_not_repeated(self):
        for assignment in ("http_token=", "/http_token="):
            done = subprocess.run([FLEETARIUM, "broker", "--set", assignment + TOKEN],
                                  capture_output=True, text=True, timeout=DEADLINE)
            self.assertEqual(done.returncode, 2)
            self.assertIn("--http-token-file", done.stderr)
            self.assertNotIn(TOKEN, done.stderr + done.stdout)

    def test_a_token_file_without_a_token_is_bad_input(self):
        self.write("token", "\n")
        for name in ("token", "nothing"):
            done = subprocess.run([FLEETARIUM, "broker", "--listen", "mqtt://127.0.0.1:0", "--http",
                                   "127.0.0.1:0", "--http-token-file", name], cwd=self.folder,
                                  capture_output=True, text=True, timeout=DEADLINE)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn("found no token", done.stderr)

    def test_a_token_file_opens_http_to_others(self):
        done = subprocess.run([FLEETARIUM, "broker", "--listen", "mqtt://127.0.0.1:0", "--http",
                               "0.0.0.0:0"], capture_output=True, text=True, timeout=DEADLINE)
        self.assertEqual(done.returncode, 2)
        self.write("token", TOKEN)
        with Program(self.folder, "--listen", "mqtt://127.0.0.1:0", "--http", "0.0.0.0:0",
                     "--http-token-file", "token", listeners=2) as broker:
            with self.assertRaises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(f"http://127.0.0.1:{broker.port(1)}/metrics",
                                       timeout=DEADLINE)
            self.assertEqual(refused.exception.code, 401)

    def test_files_with_secrets_are_for_their_owner_whatever_the_umask(self):
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        self.add_user()
        self.make_certificates()
        with Program(self.folder, "--listen", "mqtts://127.0.0.1:0", "--cert", "pki/server.pem",
                     "--key", "pki/server.key", "--key-log", "keys", "--record",
                     "record.flr"):
            for name in os.listdir(self.folder):
                if name.startswith("record.flr"):
                    self.assertEqual(self.mode(name), 0o600, name)
        subprocess.run([FLEETARIUM, "export", "record.flr", "--jsonl", "out.jsonl"],
                       cwd=self.folder, check=True, timeout=DEADLINE, capture_output=True)
        for name in ("passwords", "pki/server.key", "keys", "record.flr", "out.jsonl"):
            self.assertEqual(self.mode(name), 0o600, name)

    def test_no_privileges_are_needed(self):
        program = FLEETARIUM
        how = {}
        if os.geteuid() == 0:
            os.chmod(self.folder, 0o755)
            program = shutil.copy(FLEETARIUM, self.path("fleetarium"))
            os.chmod(program, 0o755)
            how = {"user": 65534, "group": 65534, "extra_groups": []}
        with Program(self.folder, "--listen", "mqtt://127.0.0.1:0", program=program,
                     **how) as broker:
            self.assertEqual(attempt(broker.port(), "any", "thing"), 0)
            with open(f"/proc/{broker.process.pid}/status") as file:
                facts = dict(line.split(":", 1) for line in file if ":" in line)
            self.assertNotIn("0", facts["Uid"].split())
            self.assertEqual(int(facts["CapEff"], 16), 0)

    def handshake(self, port, minimum, maximum, ciphers=None):
        """What was agreed on, or why nothing was. The client takes whatever it can."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_ciphers((ciphers or "ALL:COMPLEMENTOFALL") + ":@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of old versions: we ask for them
            context.minimum_version = minimum
            context.maximum_version = maximum
        context.options &= ~ssl.OP_NO_COMPRESSION
        with socket.create_connection(("127.0.0.1", port), DEADLINE) as raw:
            try:
                with context.wrap_socket(raw) as made:
                    return made.version(), made.cipher()[0], made.compression()
            except (ssl.SSLError, ConnectionError) as error:
                return str(error)

    def test_a_scanner_finds_no_old_tls_no_weak_cipher_and_no_compression(self):
        self.make_certificates()
        version = ssl.TLSVersion
        with Program(self.folder, "--listen", "mqtts://127.0.0.1:0", "--listen",
                     "wss://127.0.0.1:0", "--cert", "pki/server.pem", "--key", "pki/server.key",
                     listeners=2) as broker:
            for place in (0, 1):
                port = broker.port(place)
                new = self.handshake(port, version.TLSv1_2, version.MAXIMUM_SUPPORTED)
                self.assertEqual((new[0], new[2]), ("TLSv1.3", None), new)
                agreed = self.handshake(port, version.TLSv1_2, version.TLSv1_2)
                self.assertEqual((agreed[0], agreed[2]), ("TLSv1.2", None), agreed)
                for old in (version.TLSv1, version.TLSv1_1):
                    refused = self.handshake(port, old, old)
                    self.assertIsInstance(refused, str, (old, refused))
            port = broker.port()
            strong, weak = [], []
            known = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            known.set_ciphers("ALL:COMPLEMENTOFALL:@SECLEVEL=0")
            for cipher in known.get_ciphers():
                if cipher["protocol"] == "TLSv1.3":
                    continue
                got = self.handshake(port, version.TLSv1_2, version.TLSv1_2, cipher["name"])
                (weak if isinstance(got, str) else strong).append(cipher["name"])
            self.assertTrue(strong)
            for name in strong:  # forward secrecy, and authenticated encryption
                self.assertRegex(name, r"^ECDHE-(ECDSA|RSA)-(AES\d+-GCM|CHACHA20-POLY1305)")
            for name in ("AES128-SHA", "AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-SHA"):
                self.assertIn(name, weak)

    def test_a_handshake_that_does_not_end_is_closed_in_time(self):
        self.make_certificates()
        with Program(self.folder, "--listen", "mqtts://127.0.0.1:0", "--cert", "pki/server.pem",
                     "--key", "pki/server.key", "--set", "connect_timeout=300ms") as broker:
            for first in (b"", b"\x16\x03\x01\x02\x00"):  # nothing, and the begin of a ClientHello
                with socket.create_connection(("127.0.0.1", broker.port()), DEADLINE) as client:
                    client.sendall(first)
                    self.assertEqual(client.recv(100), b"")

    def test_bounds_are_options_and_refusals_are_counted_and_logged(self):
        self.write("broker.json", json.dumps({
            "listeners": [{"url": "mqtt://127.0.0.1:0", "address_connection_rate_max": 2,
                           "connection_rate_max": 1000, "address_connections_max": 100}],
            "http_address": "127.0.0.1:0", "memory_max": "64MB", "topic_levels_max": 5}))
        with Program(self.folder, "--config", "broker.json", listeners=2) as broker:
            codes = [attempt(broker.port(), "any", "thing") for _ in range(12)]
            self.assertEqual(codes[:2], [0, 0])
            self.assertIn(3, codes)  # of 3.1.1: server unavailable
            with urllib.request.urlopen(f"http://127.0.0.1:{broker.port(1)}/metrics",
                                        timeout=DEADLINE) as answer:
                metrics = answer.read().decode()
            self.assertRegex(metrics, r'fleetarium_connections_over_bounds_total'
                                      r'\{bound="address_connection_rate_max"\} [1-9]')
            self.assertRegex(metrics, r"fleetarium_memory_max_bytes 64000000\n")
            self.assertRegex(metrics, r"fleetarium_memory_used_bytes [1-9]")
            deadline = time.monotonic() + DEADLINE
            line = "connections refused: address_connection_rate_max"
            while line not in broker.log_text():
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.05)


if __name__ == "__main__":
    FLEETARIUM = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=1)
