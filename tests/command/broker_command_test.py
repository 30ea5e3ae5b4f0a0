#!/usr/bin/env python3
"""What `fleetarium broker` and `fleetarium passwd` do as commands: what they print, how they take
signals, and how they end. `broker_command_test.py FLEETARIUM` runs all of it."""

import json
import os
import pty
import select
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
import unittest

FLEETARIUM = ""
DEADLINE = 60  # seconds; far more than anything here takes


def text_field(text):
    data = text.encode()
    return len(data).to_bytes(2, "big") + data


def packet(kind, body):
    size, length = bytearray(), len(body)
    while True:
        size.append(length % 128 | (128 if length > 127 else 0))
        length //= 128
        if length == 0:
            return bytes([kind]) + bytes(size) + body


class Client:
    """As much of MQTT 3.1.1 as these tests need."""

    def __init__(self, port, name=None, password=None, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(DEADLINE)
        self.socket.connect(("127.0.0.1", port))
        flags = 0x02 | (0x80 if name is not None else 0) | (0x40 if password is not None else 0)
        body = text_field("MQTT") + bytes([4, flags, 0, 60]) + text_field("c")
        for field in (name, password):
            body += text_field(field) if field is not None else b""
        self.socket.sendall(packet(0x10, body))
        self.code = self.read(4)[3]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def read(self, size):
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                raise EOFError(data)
            data += more
        return data

    def subscribe(self, topic):
        self.socket.sendall(packet(0x82, b"\x00\x01" + text_field(topic) + b"\x00"))
        return self.read(5)[4]

    def publish(self, topic, payload=b""):
        self.socket.sendall(packet(0x30, text_field(topic) + payload))


class Broker:
    """A broker in a process, with one listener on a free port."""

    def __init__(self, *arguments, listen=("mqtt://127.0.0.1:0",)):
        urls = [word for url in listen for word in ("--listen", url)]
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([FLEETARIUM, "broker", *urls, *arguments],
                                        stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.urls = []
        for _ in listen:
            line = self.process.stdout.readline()
            if not line.startswith("listening on "):
                self.process.kill()
                raise AssertionError(f"found {line!r}, log: {self.log_text()}")
            self.urls.append(line.removeprefix("listening on ").strip())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(DEADLINE)
        self.process.stdout.close()
        self.log.close()

    @property
    def port(self):
        return int(self.urls[0].split("//")[1].split("/")[0].rsplit(":", 1)[1])

    def log_text(self):
        self.log.seek(0)
        return self.log.read()

    def wait_for_log(self, text):
        end = time.monotonic() + DEADLINE
        while text not in self.log_text():
            if time.monotonic() > end:
                raise AssertionError(f"no {text!r} in the log: {self.log_text()}")
            select.select([], [], [], 0.01)

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(DEADLINE)


class CommandTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name, text=None):
        path = os.path.join(self.folder, name)
        if text is not None:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        return path

    def run_command(self, *arguments, given=""):
        done = subprocess.run([FLEETARIUM, *arguments], input=given, capture_output=True, text=True,
                              timeout=DEADLINE, check=False)
        return done.returncode, done.stdout, done.stderr

    def passwd(self, path, user, password):
        self.assertEqual(self.run_command("passwd", path, user, "--stdin", given=password + "\n"),
                         (0, "", ""))

    # Signals

    def test_every_listener_is_told_and_a_signal_ends_it_with_success(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            socket_path = self.path("socket")
            with Broker("--http", "127.0.0.1:0",
                        listen=("mqtt://127.0.0.1:0", "ws://127.0.0.1:0/live",
                                "unix://" + socket_path)) as broker:
                self.assertRegex(broker.urls[0], r"^mqtt://127\.0\.0\.1:[1-9]\d*$")
                self.assertRegex(broker.urls[1], r"^ws://127\.0\.0\.1:[1-9]\d*/live$")
                self.assertEqual(broker.urls[2], "unix://" + socket_path)
                self.assertRegex(broker.process.stdout.readline(),
                                 r"^listening on http://127\.0\.0\.1:[1-9]\d*$")
                self.assertRegex(broker.log_text(), r"Z info \d+ files may be open: room for about "
                                                    r"\d+ connections")
                with Client(broker.port) as client:
                    self.assertEqual(client.code, 0)
                    self.assertEqual(broker.stop(number), 0)
                    self.assertEqual(client.socket.recv(10), b"")  # 3.1.1 knows no farewell
                self.assertFalse(os.path.exists(socket_path))

    def test_a_second_signal_ends_it_at_once(self):
        # A client that reads nothing has megabytes coming: the farewell cannot be written.
        with Broker("--set", "stop_timeout=1h") as broker:
            with Client(broker.port, receive_buffer=4096) as slow:
                self.assertEqual(slow.subscribe("t"), 0)
                for _ in range(16):
                    slow.publish("t", bytes(1 << 20))
                broker.process.send_signal(signal.SIGTERM)
                broker.wait_for_log("stopping")
                self.assertIsNone(broker.process.poll())
                self.assertEqual(broker.stop(), -signal.SIGTERM)

    def test_sighup_reads_passwords_and_rules_again_and_keeps_the_old_ones_if_they_are_bad(self):
        passwords, access = self.path("passwords"), self.path("access", "user ann\ntopic read a\n")
        self.passwd(passwords, "ann", "old")
        log = self.path("log")
        with Broker("--passwords", passwords, "--access", access, "--set",
                    "log_file=" + log) as broker:
            def codes():
                found = []
                for password in ("old", "new"):
                    with Client(broker.port, "ann", password) as client:
                        found.append(client.code)
                return found

            def subscribed(password):
                with Client(broker.port, "ann", password) as client:
                    return [client.subscribe(topic) for topic in ("a", "b")]

            def reload(text):
                os.rename(log, log + ".1")  # as logrotate does
                broker.process.send_signal(signal.SIGHUP)
                end = time.monotonic() + DEADLINE
                while True:
                    if os.path.exists(log):
                        with open(log, encoding="utf-8") as file:
                            found = file.read()
                        if text in found:
                            return found
                    self.assertLess(time.monotonic(), end)
                    select.select([], [], [], 0.01)

            self.assertEqual(codes(), [0, 4])
            self.assertEqual(subscribed("old"), [0, 0x80])
            self.passwd(passwords, "ann", "new")
            self.path("access", "user ann\ntopic read b\n")
            self.assertEqual(codes(), [0, 4])
            reload("are read again")
            self.assertEqual(codes(), [4, 0])
            self.assertEqual(subscribed("new"), [0x80, 0])

            self.path("passwords", "ann:plain\n")
            self.path("access", "user ann\ntpic read c\n")
            found = reload("passwords:1:5: found a password that is not hashed")
            self.assertIn('access:2:1: found "tpic"', found)
            self.assertEqual(codes(), [4, 0])
            self.assertEqual(subscribed("new"), [0x80, 0])
            self.assertEqual(broker.stop(), 0)

    def test_a_certificate_that_cannot_be_read_again_is_told_with_its_listener(self):
        certs = self.path("certs")
        self.assertEqual(self.run_command("certs", "--out", certs)[0], 0)
        with Broker("--cert", certs + "/server.pem", "--key", certs + "/server.key",
                    listen=("mqtts://127.0.0.1:0", "wss://127.0.0.1:0")) as broker:
            os.remove(certs + "/server.key")
            broker.process.send_signal(signal.SIGHUP)
            for url in "mqtts://127.0.0.1:0", "wss://127.0.0.1:0/mqtt":
                broker.wait_for_log(f'error {url}: private key file "{certs}/server.key" cannot be '
                                    "read: No such file or directory; what was read before stays")
            self.assertEqual(broker.stop(), 0)

    # Who gets in

    def test_a_password_file_keeps_out_who_has_no_name_or_the_wrong_password(self):
        passwords = self.path("passwords")
        self.passwd(passwords, "ann", "secret")
        with Broker("--passwords", passwords) as broker:
            for name, password, code in ((None, None, 5), ("ann", "secret", 0), ("ann", "no", 4),
                                         ("bob", "secret", 4), ("ann", None, 4)):
                with Client(broker.port, name, password) as client:
                    self.assertEqual((name, password, client.code), (name, password, code))
            broker.stop()
            log = broker.log_text()
            self.assertIn('"c" refused: Not authorized (it gave no user name)\n', log)
            self.assertIn('"c" refused: Bad User Name or Password (user "bob")\n', log)
        with Broker("--passwords", passwords, "--allow-anonymous") as broker:
            with Client(broker.port) as client:
                self.assertEqual(client.code, 0)

    # Configuration

    def test_the_configuration_printed_is_the_one_used_and_reads_back_as_the_same(self):
        config = self.path("broker.json", '{"queue_messages_max": 7, // few\n'
                                          ' "listeners": [{"url": "mqtt://127.0.0.1:1"}]}')
        status, printed, _ = self.run_command("broker", "--config", config, "--print-config",
                                              "--threads", "3", "--set", "queue_policy=drop_oldest")
        self.assertEqual(status, 0)
        tree = json.loads(printed)
        self.assertEqual([tree[name] for name in ("queue_messages_max", "queue_policy", "threads")],
                         [7, "drop_oldest", 3])
        self.assertEqual([each["url"] for each in tree["listeners"]], ["mqtt://127.0.0.1:1"])
        again = self.run_command("broker", "--print-config", "--config",
                                 self.path("printed.json", printed))
        self.assertEqual(again, (0, printed, ""))
        status, printed, _ = self.run_command("broker", "--print-config")
        self.assertEqual(json.loads(printed)["listeners"][0]["url"], "mqtt://127.0.0.1:1883")
        status, schema, _ = self.run_command("schema", "--broker")
        self.assertEqual(set(json.loads(printed)) -
                         set(json.loads(schema)["$defs"]["configuration"]["properties"]), set())

    def test_bad_input_ends_with_status_2_and_a_sentence(self):
        missing = self.path("missing")
        some_file = self.path("file", "text\n")
        for arguments, sentence in (
                (["--listen", "tcp://x"], 'found "tcp://x", expected a URL to listen on'),
                (["--listen"], "1 required URL missing"),
                (["--cert", "x"], "--cert x: found no listener with TLS"),
                (["--listen", "mqtts://127.0.0.1:0", "--cert", missing, "--key", missing], missing),
                (["--listen", "mqtts://127.0.0.1:0", "--cert", some_file, "--key", some_file],
                 some_file),
                (["--listen", "mqtts://127.0.0.1:0"], "without certificate and private_key"),
                (["--config", missing], "found no file that can be read"),
                (["--config", some_file], 'found "text", expected a value'),
                (["--passwords", missing], "expected a password file"),
                (["--passwords", some_file], 'file:1:1: found a line without ":"'),
                (["--access", missing], "expected an access file"),
                (["--access", some_file], 'file:1:1: found "text", expected "user NAME"'),
                (["--threads", "0"], "--threads 0: /threads: found 0"),
                (["--http", "0.0.0.0:0"], "which others can reach"),
                (["--no-anonymous"], "any user name would do"),
                (["--no-anonymous", "--allow-anonymous"], "excludes"),
                (["--log-level", "wraning"], 'did you mean "warning"?'),
                (["--set", "queue_mesages_max=1"], 'did you mean "queue_messages_max"?'),
                (["--set", "connect_packet_size_max=16"], "connect_packet_size_max: found 16"),
                (["--set", "nonsense"], "expected PATH=VALUE"),
                (["--nonsense"], "--nonsense"),
                (["--lisen", "mqtt://:0"], "Did you mean --listen instead of --lisen?")):
            with self.subTest(arguments=arguments):
                status, out, error = self.run_command("broker", *arguments)
                self.assertEqual((status, out), (2, ""))
                self.assertIn(sentence, error)

        status, out, error = self.run_command("brocker", "--listen", "mqtt://:0")
        self.assertEqual((status, out), (2, ""))
        self.assertIn("Did you mean broker instead of brocker?", error)

    def test_what_the_machine_refuses_ends_with_status_3(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            for arguments in (["--listen", f"mqtt://127.0.0.1:{port}"],
                              ["--listen", "mqtt://127.0.0.1:0", "--http", f"127.0.0.1:{port}"]):
                status, out, error = self.run_command("broker", *arguments)
                self.assertEqual((status, out), (3, ""))
                self.assertIn("the address is in use", error)
        status, _, error = self.run_command("broker", "--set",
                                            "log_file=" + self.path("missing/log"))
        self.assertEqual(status, 3)
        self.assertIn("cannot be written", error)

    # passwd

    def test_passwords_are_added_changed_and_taken_out(self):
        path = self.path("passwords", "# people\n")
        os.chmod(path, 0o644)
        self.passwd(path, "ann", "one")
        self.passwd(path, "bob", "two")
        with open(path, encoding="utf-8") as file:
            first = file.read()
        self.assertRegex(first, r"^# people\nann:\$7\$210000\$\S+\nbob:\$7\$210000\$\S+\n$")
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        self.passwd(path, "ann", "one")
        with open(path, encoding="utf-8") as file:
            second = file.read()
        self.assertNotEqual(first, second)
        self.assertEqual(first.split("\n")[2], second.split("\n")[2])
        self.assertEqual(self.run_command("passwd", path, "ann", "--delete"), (0, "", ""))
        with open(path, encoding="utf-8") as file:
            self.assertRegex(file.read(), r"^# people\nbob:\S+\n$")
        self.assertEqual(os.listdir(self.folder), ["passwords"])

    def test_the_rounds_of_a_password_are_chosen_by_who_sets_it(self):
        path = self.path("passwords")
        status = self.run_command("passwd", path, "ann", "--stdin", "--rounds", "1000", given="x\n")
        self.assertEqual(status, (0, "", ""))
        with open(path, encoding="utf-8") as file:
            self.assertTrue(file.read().startswith("ann:$7$1000$"))

    def test_a_link_to_the_file_stays_a_link(self):
        path, link = self.path("passwords", ""), self.path("link")
        os.symlink("passwords", link)
        self.passwd(link, "ann", "one")
        self.assertTrue(os.path.islink(link))
        with open(path, encoding="utf-8") as file:
            self.assertTrue(file.read().startswith("ann:"))

    def test_bad_input_of_passwd_changes_nothing(self):
        bad = self.path("bad", "ann:plain\n")
        for arguments, given, sentence in (
                ([bad, "bob", "--stdin"], "x\n", "bad:1:5: found a password that is not hashed"),
                ([self.path("new"), "a:b", "--stdin"], "x\n", 'found a user name with ":"'),
                ([self.path("new"), "ann", "--stdin"], "\n", "found a password of 0 bytes"),
                ([self.path("new"), "ann", "--stdin"], "", "found nothing on standard input"),
                ([self.path("new"), "ann"], "x\nx\n", "no terminal to ask for the password"),
                ([self.path("new"), "ann", "--delete"], "", "found no file that can be read"),
                ([self.path("no/new"), "ann", "--stdin"], "x\n", "its folder cannot be used"),
                ([self.path("new"), "ann", "--stdin", "--rounds", "0"], "x\n", "0 not in range"),
                ([self.path("new"), "ann", "--delete", "--stdin"], "", "excludes")):
            with self.subTest(arguments=arguments):
                status, _, error = self.run_command("passwd", *arguments, given=given)
                self.assertEqual(status, 2)
                self.assertIn(sentence, error)
                self.assertEqual(os.listdir(self.folder), ["bad"])
                with open(bad, encoding="utf-8") as file:
                    self.assertEqual(file.read(), "ann:plain\n")

    def typed(self, path, first, second):
        """Runs passwd on a terminal of its own; its status, and all that the terminal showed."""
        child, terminal = pty.fork()
        if child == 0:
            os.execv(FLEETARIUM, [FLEETARIUM, "passwd", path, "ann"])
        shown = b""

        def read_until(text):
            nonlocal shown
            while text not in shown:
                if not select.select([terminal], [], [], DEADLINE)[0]:
                    raise AssertionError(f"no {text!r} in {shown!r}")
                shown += os.read(terminal, 1000)

        read_until(b"Password: ")
        os.write(terminal, first.encode() + b"\n")
        read_until(b"Again: ")
        os.write(terminal, second.encode() + b"\n")
        try:
            while more := os.read(terminal, 1000):
                shown += more
        except OSError:
            pass  # the end of a terminal
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        os.close(terminal)
        return status, shown.decode()

    def test_a_terminal_is_asked_twice_and_shows_nothing_of_it(self):
        path = self.path("passwords")
        status, shown = self.typed(path, "secret", "secret")
        self.assertEqual(status, 0)
        self.assertNotIn("secret", shown)
        with Broker("--passwords", path) as broker:
            with Client(broker.port, "ann", "secret") as client:
                self.assertEqual(client.code, 0)
        status, shown = self.typed(path, "secret", "terces")
        self.assertEqual(status, 2)
        self.assertIn("the two are not the same", shown)


if __name__ == "__main__":
    FLEETARIUM = os.path.abspath(sys.argv.pop(1))
    unittest.main()
