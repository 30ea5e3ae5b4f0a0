#!/usr/bin/env python3
"""What `fleetarium certs` makes, judged by Python's TLS with OpenSSL's strict checks, and used with
`fleetarium broker`. `certs_command_test.py FLEETARIUM` runs all of it."""

import os
import re
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
import unittest

FLEETARIUM = ""
DEADLINE = 60  # seconds; far more than anything here takes
CONNECT = bytes.fromhex("100d 0004 4d515454 04 02 003c 0001 63")  # MQTT 3.1.1, client id "c"


def run(*arguments):
    return subprocess.run([FLEETARIUM, "certs", *arguments], capture_output=True, text=True,
                          timeout=DEADLINE, check=False)


def read(path):
    with open(path, "rb") as file:
        return file.read()


class Folder(unittest.TestCase):
    def setUp(self):
        kept = tempfile.TemporaryDirectory()
        self.addCleanup(kept.cleanup)
        self.at = os.path.join(kept.name, "certs")

    def path(self, name):
        return os.path.join(self.at, name)

    def make(self, *arguments):
        done = run("--out", self.at, *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout


class Files(Folder):
    def test_files_and_their_rights(self):
        said = self.make("--devices", "3", "--device", "lamp")
        names = ["ca.pem"] + [f"{stem}.{end}" for stem in
                              ("server", "lamp", "device-1", "device-2", "device-3")
                              for end in ("pem", "key")]
        self.assertEqual(sorted(os.listdir(self.at)), sorted(names))
        for name in names:
            mode = stat.S_IMODE(os.stat(self.path(name)).st_mode)
            self.assertEqual(mode & 0o077 if name.endswith(".key") else 0, 0, name)
        self.assertIn(f"--cert {self.path('server.pem')} --key {self.path('server.key')}", said)
        self.assertIn("mosquitto_pub -h localhost -p 8883", said)

    def test_the_same_seed_gives_the_same_files(self):
        self.make("--seed", "7", "--devices", "2")
        before = {name: read(self.path(name)) for name in os.listdir(self.at)}
        self.make("--seed", "7", "--devices", "3")
        for name, content in before.items():
            self.assertEqual(read(self.path(name)), content, name)

    def test_another_authority_is_not_overwritten(self):
        self.make("--seed", "7", "--devices", "1")
        before = {name: read(self.path(name)) for name in os.listdir(self.at)}
        done = run("--out", self.at, "--seed", "8", "--devices", "1")
        self.assertEqual(done.returncode, 2)
        self.assertIn("is another authority, from another --seed perhaps", done.stderr)
        self.assertEqual({name: read(self.path(name)) for name in os.listdir(self.at)}, before)

    def test_bad_use(self):
        for arguments, words in [
                (["--device", "a/b"], "expected none with \"/\""),
                (["--device", "server"], "is another certificate"),
                (["--device", "x" * 65], "has 65 bytes; expected 1 to 64"),
                (["--server", "not a host"], "is no name of a server"),
                (["--devices", "0"], "not in range"),
                (["--seed", "many"], "--seed")]:
            done = run("--out", self.at, *arguments)
            self.assertEqual(done.returncode, 2, arguments)
            self.assertIn(words, done.stderr)
            self.assertFalse(os.path.exists(self.at), arguments)
        done = run("--out", "/dev/null/certs")
        self.assertEqual(done.returncode, 2)
        self.assertIn("cannot be made: Not a directory", done.stderr)


class Broker(Folder):
    """The broker with the line that `certs` prints, but for the port."""

    def start(self, *flags):
        broker = subprocess.Popen(
            [FLEETARIUM, "broker", "--listen", "mqtts://localhost:0", "--cert",
             self.path("server.pem"), "--key", self.path("server.key"), *flags],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(broker.stdout.close)
        self.addCleanup(broker.wait, DEADLINE)
        self.addCleanup(broker.terminate)
        for line in broker.stdout:
            found = re.search(r"listening on mqtts://.*:(\d+)", line)
            if found:
                return int(found.group(1))
        self.fail("the broker does not listen")
        return 0

    def connect(self, port, device=None):
        """What the broker answers to CONNECT."""
        context = ssl.create_default_context(cafile=self.path("ca.pem"))
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        if device is not None:
            context.load_cert_chain(self.path(device + ".pem"), self.path(device + ".key"))
        with socket.create_connection(("localhost", port), timeout=DEADLINE) as plain:
            with context.wrap_socket(plain, server_hostname="localhost") as stream:
                stream.sendall(CONNECT)
                return stream.recv(4)

    def test_a_device_connects(self):
        self.make("--devices", "1")
        port = self.start("--ca", self.path("ca.pem"))
        self.assertEqual(self.connect(port, "device-1"), bytes.fromhex("20020000"))
        self.assertEqual(self.connect(port), bytes.fromhex("20020000"))

    def test_a_server_that_has_expired_is_refused(self):
        self.make("--expired")
        port = self.start()
        with self.assertRaisesRegex(ssl.SSLCertVerificationError, "certificate has expired"):
            self.connect(port)


if __name__ == "__main__":
    FLEETARIUM = os.path.abspath(sys.argv.pop(1))
    unittest.main()
