#!/usr/bin/env python3
"""What `fleetarium pub` and `fleetarium sub` do as commands: what they send and print, and how they
end. `pub_sub_command_test.py FLEETARIUM` runs all of it."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import unittest

FLEETARIUM = ""
DEADLINE = 60  # seconds; far more than anything here takes


def run(*words, stdin=None):
    """Exit status, standard output and standard error."""
    done = subprocess.run([FLEETARIUM, *words], input=stdin, capture_output=True, timeout=DEADLINE)
    return done.returncode, done.stdout, done.stderr.decode()


class Sub:
    """A `fleetarium sub` that has subscribed: a retained message has told so."""

    def __init__(self, url, *words):
        self.process = subprocess.Popen([FLEETARIUM, "sub", url, *words, "-t", "ready"],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.first = self.process.stdout.readline()

    def end(self):
        out, err = self.process.communicate(timeout=DEADLINE)
        return self.process.returncode, out, err.decode()


class PubSub(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = subprocess.Popen([FLEETARIUM, "broker", "--listen", "mqtt://127.0.0.1:0"],
                                      stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        cls.url = cls.broker.stdout.readline().removeprefix("listening on ").strip()
        status, _, err = run("pub", cls.url, "-t", "ready", "-m", "yes", "-r", "-q", "1")
        assert status == 0, err

    @classmethod
    def tearDownClass(cls):
        cls.broker.send_signal(signal.SIGTERM)
        cls.broker.communicate(timeout=DEADLINE)

    def test_a_message_goes_from_one_to_the_other_in_both_versions_and_every_qos(self):
        for version in ("3.1.1", "5"):
            for qos in ("0", "1", "2"):
                sub = Sub(self.url, "-t", "a/+", "-q", qos, "-v", "-C", "2", "--mqtt", version)
                status, out, err = run("pub", self.url, "-t", "a/b", "-m", "hello", "-q", qos,
                                       "--mqtt", version)
                self.assertEqual((status, out, err), (0, b"", ""))
                self.assertEqual(sub.end(), (0, b"a/b hello\n", ""))

    def test_lines_of_standard_input_are_messages(self):
        for source in (b"one\ntwo\n\nlast without end", b"x\n" * 5000):
            count = source.count(b"\n") + (0 if source.endswith(b"\n") else 1)
            sub = Sub(self.url, "-t", "lines", "-q", "1", "-C", str(count + 1))
            status, _, err = run("pub", self.url, "-t", "lines", "-l", "-q", "1", stdin=source)
            self.assertEqual((status, err), (0, ""))
            self.assertEqual(sub.end(), (0, source + (b"" if source.endswith(b"\n") else b"\n"), ""))
            with tempfile.TemporaryFile() as file:  # which epoll does not wait for
                file.write(source)
                file.seek(0)
                sub = Sub(self.url, "-t", "lines", "-q", "1", "-C", str(count + 1))
                done = subprocess.run([FLEETARIUM, "pub", self.url, "-t", "lines", "-l", "-q", "1"],
                                      stdin=file, timeout=DEADLINE, check=False)
                self.assertEqual(done.returncode, 0)
                self.assertEqual(sub.end()[1].count(b"\n"), count)

    def test_payloads_come_from_files_and_standard_input_to_the_byte(self):
        payload = bytes(range(256)) * 4000
        with tempfile.NamedTemporaryFile() as file:
            file.write(payload)
            file.flush()
            for words, stdin in (["-f", file.name], None), (["-s"], payload):
                sub = Sub(self.url, "-t", "bytes", "-q", "2", "-C", "2")
                status, _, err = run("pub", self.url, "-t", "bytes", "-q", "2", *words, stdin=stdin)
                self.assertEqual((status, err), (0, ""))
                self.assertEqual(sub.end(), (0, payload + b"\n", ""))

    def test_json_has_all_that_a_message_has(self):
        sub = Sub(self.url, "-t", "j", "-q", "1", "--json", "-C", "3")
        self.assertEqual(json.loads(sub.first),
                         {"topic": "ready", "payload": "yes", "qos": 1, "retain": True})
        run("pub", self.url, "-t", "j", "-m", "text", "-q", "1", "--content-type", "text/plain",
            "--response-topic", "r", "--correlation-data", "id", "--expiry", "90s",
            "--user-property", "a=b=c", "--user-property", "a=d")
        run("pub", self.url, "-t", "j", "-s", stdin=b"\xff\x00")
        status, out, err = sub.end()
        self.assertEqual((status, err), (0, ""))
        first, second = (json.loads(line) for line in out.splitlines())
        self.assertEqual(first, {
            "topic": "j", "payload": "text", "qos": 1, "retain": False,
            "message_expiry_interval": 90, "content_type": "text/plain", "response_topic": "r",
            "correlation_data": "id", "user_properties": [["a", "b=c"], ["a", "d"]]})
        self.assertEqual(second, {"topic": "j", "payload_base64": "/wA=", "qos": 0,
                                  "retain": False})

    def test_repeat_interval_and_empty(self):
        sub = Sub(self.url, "-t", "again", "-C", "4")
        run("pub", self.url, "-t", "again", "-m", "x", "--repeat", "3", "--interval", "10ms")
        self.assertEqual(sub.end()[1], b"x\nx\nx\n")
        run("pub", self.url, "-t", "kept", "-m", "x", "-r", "-q", "1")
        self.assertEqual(run("sub", self.url, "-t", "kept", "-C", "1")[1], b"x\n")
        run("pub", self.url, "-t", "kept", "-n", "-r", "-q", "1")
        self.assertEqual(run("sub", self.url, "-t", "kept", "-C", "1", "-W", "300ms"), (1, b"", ""))

    def test_a_kept_session_collects_messages(self):
        words = ("sub", self.url, "--id", "collector", "--keep-session", "-t", "later", "-q", "1")
        self.assertEqual(run(*words, "-W", "300ms")[0], 0)
        run("pub", self.url, "-t", "later", "-m", "meanwhile", "-q", "1")
        self.assertEqual(run(*words, "-C", "1"), (0, b"meanwhile\n", ""))

    def test_an_interrupt_ends_sub_in_order(self):
        sub = Sub(self.url, "-t", "never")
        sub.process.send_signal(signal.SIGINT)
        self.assertEqual(sub.end(), (0, b"", ""))
        sub = Sub(self.url, "-t", "never", "-C", "2")
        sub.process.send_signal(signal.SIGTERM)
        self.assertEqual(sub.end(), (1, b"", ""))

    def test_bad_use_is_2_and_says_what_to_do(self):
        for words, part in (
                (["pub", "broker", "-t", "a", "-m", "b"], "expected mqtt://HOST:PORT"),
                (["pub", self.url, "-t", "a/#", "-m", "b"], "expected a name without wildcards"),
                (["pub", self.url, "-t", "a"], "--message"),
                (["pub", self.url, "-t", "a", "-m", "b", "-n"], "--message"),
                (["pub", self.url, "-t", "a", "-f", "/no/such/file"], "cannot be read"),
                (["pub", self.url, "-t", "a", "-m", "b", "--user-property", "x"], "NAME=VALUE"),
                (["pub", self.url, "-t", "a", "-m", "b", "--expiry", "5s", "--mqtt", "3.1.1"],
                 "part of MQTT 5"),
                (["pub", self.url, "-t", "a", "-m", "b", "--ca", "x.pem"], "mqtts://"),
                (["pub", "mqtts://localhost", "-t", "a", "-m", "b", "--ca", "/no/such.pem"],
                 "/no/such.pem"),
                (["sub", self.url, "-t", "a/#/b"], "a/#/b"),
                (["sub", self.url, "-t", "$share/+/b"], "$share/NAME/FILTER"),
                (["sub", self.url, "-t", "a", "-W", "3x"], "expected a duration"),
                (["sub", self.url, "-t", "a", "--keep-session"], "--id"),
                (["sub", self.url, "-t", "a", "--no-local", "--mqtt", "3.1.1"], "part of MQTT 5"),
                (["sub", self.url], "--topic")):
            with self.subTest(words=words):
                status, out, err = run(*words)
                self.assertEqual((status, out), (2, b""))
                self.assertIn(part, err)

    def test_what_cannot_be_carried_out_is_3(self):
        for words in (["pub", "mqtt://127.0.0.1:1", "-t", "a", "-m", "b"],
                      ["sub", "mqtt://127.0.0.1:1", "-t", "a"]):
            status, out, err = run(*words)
            self.assertEqual((status, out), (3, b""))
            self.assertIn("mqtt://127.0.0.1:1: Connection refused", err)

    def test_a_refused_password_is_3_in_the_words_of_the_broker(self):
        with tempfile.TemporaryDirectory() as folder:
            passwords = os.path.join(folder, "passwords")
            subprocess.run([FLEETARIUM, "passwd", passwords, "ann", "--stdin", "--rounds", "1000"],
                           input=b"secret\n", check=True, timeout=DEADLINE, capture_output=True)
            broker = subprocess.Popen(
                [FLEETARIUM, "broker", "--listen", "mqtt://127.0.0.1:0", "--passwords", passwords,
                 "--no-anonymous"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            try:
                url = broker.stdout.readline().removeprefix("listening on ").strip()
                good = os.path.join(folder, "good")
                with open(good, "w", encoding="utf-8") as file:
                    file.write("secret\n")
                words = ["pub", url, "-t", "a", "-m", "b", "-q", "1", "--user", "ann"]
                self.assertEqual(run(*words, "--password-file", good)[0], 0)
                status, _, err = run(*words, "--password", "wrong")
                self.assertEqual(status, 3)
                self.assertIn("(0x8", err)
            finally:
                broker.send_signal(signal.SIGTERM)
                broker.communicate(timeout=DEADLINE)


if __name__ == "__main__":
    FLEETARIUM = sys.argv.pop(1)
    unittest.main()
