"""What the soak does to a broker, each in a thread of its own until it is told to stop: pairs of
clients at full load who count every message, clients that come and go, slow readers, hostile bytes,
fleets that are audited, and a probe of the latency."""

import json
import os
import random
import socket
import statistics
import subprocess
import tempfile
import threading
import time

from mqtt import Connection, connect_packet, packet, publish_packet, subscribe_packet


class Worker(threading.Thread):
    """A thread that works until told to stop; what it finds wrong is in `problem`."""

    def __init__(self, stop):
        super().__init__(daemon=True)
        self.stopping = stop
        self.problem = None

    def run(self):
        try:
            self.work()
        except Exception as thrown:  # pylint: disable=broad-except
            self.problem = self.problem or f"{type(self).__name__}: {type(thrown).__name__}: {thrown}"


class Pair(Worker):
    """A publisher and a subscriber at full load. Every message has its number: each arrives once
    and in order, at every QoS, for both are connected all the time and keep to their windows."""

    WINDOW = {0: 400, 1: 400, 2: 200}  # less than the broker's queue for a slow receiver

    def __init__(self, stop, port, qos, name):
        super().__init__(stop)
        self.qos, self.name_ = qos, name
        self.topic = f"load/{name}"
        self.sent = self.got = self.answered = 0
        self.done = False
        self.lock = threading.Condition()
        self.subscriber = Connection(port).open(f"{name}-sub", keep_alive=0)
        self.subscriber.subscribe((self.topic, qos))
        self.publisher = Connection(port).open(f"{name}-pub", keep_alive=0)
        reads = [self.read_messages] + ([self.read_answers] if qos else [])
        self.receivers = [threading.Thread(target=self.guard, args=(each,), daemon=True)
                          for each in reads]

    def guard(self, what):
        try:
            what()
        except Exception as thrown:  # pylint: disable=broad-except
            if self.problem is None and not self.done:
                self.problem = (f"pair {self.name_}, {what.__name__}: {type(thrown).__name__}: "
                                f"{thrown}")
            with self.lock:
                self.lock.notify_all()

    def work(self):
        for each in self.receivers:
            each.start()
        padding = b"x" * 56
        while not self.stopping.is_set() and self.problem is None:
            with self.lock:
                self.lock.wait_for(lambda: self.problem or self.under_way() <= self.window() // 2,
                                   timeout=30)
                room = self.window() - self.under_way()
            if self.problem:
                break
            if room <= 0:
                raise AssertionError(f"of {self.sent} messages of {self.topic} {self.got} have "
                                     f"come and {self.answered} are acknowledged; for 30 s none")
            batch = bytearray()
            for number in range(self.sent, self.sent + room):
                batch += publish_packet(self.topic, number.to_bytes(8, "big") + padding, self.qos,
                                        1 + number % 65_535)
            self.sent += room
            self.publisher.send(batch)
        with self.lock:
            self.lock.wait_for(lambda: self.problem or self.under_way() == 0, timeout=30)
        if self.problem is None and self.under_way() != 0:
            self.problem = (f"of {self.sent} messages of {self.topic} {self.got} have come, and "
                            f"{self.answered} are acknowledged")
        self.done = True
        for each in (self.publisher, self.subscriber):
            each.socket.shutdown(socket.SHUT_RDWR)  # somebody reads it: close alone would wait
            each.close()

    def window(self):
        return self.WINDOW[self.qos]

    def under_way(self):
        return self.sent - min(self.got, self.answered if self.qos else self.got)

    def read_messages(self):
        skipped = 2 + len(self.topic) + (2 if self.qos else 0)
        while True:
            answers, came = bytearray(), 0
            for first, body in self.subscriber.receive():
                kind = first >> 4
                if kind == 3:
                    number = int.from_bytes(body[skipped:skipped + 8], "big")
                    if number != self.got + came or first & 8:
                        raise AssertionError(f"message {number} came, not {self.got + came}"
                                             + (", with DUP" if first & 8 else ""))
                    came += 1
                    if self.qos:
                        answers += (b"\x40\x02" if self.qos == 1 else b"\x50\x02") + \
                            body[skipped - 2:skipped]
                elif kind == 6:
                    answers += b"\x70\x02" + body[:2]
            if answers:
                self.subscriber.send(answers)
            with self.lock:
                self.got += came
                self.lock.notify_all()

    def read_answers(self):
        while True:
            releases, done = bytearray(), 0
            for first, body in self.publisher.receive():
                if first >> 4 == 5:
                    releases += b"\x62\x02" + body[:2]
                elif first >> 4 in (4, 7):
                    done += 1
            if releases:
                self.publisher.send(releases)
            with self.lock:
                self.answered += done
                self.lock.notify_all()


class Churn(Worker):
    """Clients of both versions that connect, are taken over, subscribe to plain, wildcard and
    shared filters, leave wills and retained messages, and end in every way that there is."""

    def __init__(self, stop, port, seed):
        super().__init__(stop)
        self.port, self.random = port, random.Random(seed)
        self.connected = 0
        self.open = []

    def work(self):
        draw = self.random
        while not self.stopping.is_set():
            self.one_client(draw)
            while len(self.open) > 30:
                self.end(draw, self.open.pop(draw.randrange(len(self.open))))
            time.sleep(0.002)
        for each in self.open:
            each.close()

    def one_client(self, draw):
        version, name = draw.choice((4, 5)), f"churn-{draw.randrange(100)}"
        will = None
        if draw.random() < 0.3:
            will = (f"will/{draw.randrange(50)}", b"gone", draw.randrange(3), draw.random() < 0.3)
        try:
            client = Connection(self.port)
            client.open(name, version=version, clean=draw.random() < 0.5,
                        expiry=draw.choice((0, 1, 5)), will=will)
            self.connected += 1
            filters = [(draw.choice((f"churn/{draw.randrange(20)}", "churn/+", "will/#",
                                     "$share/crowd/churn/+", "$share/crew/#", "retained/+/x")),
                        draw.randrange(3)) for _ in range(draw.randrange(4))]
            if filters:
                client.send(subscribe_packet(filters, version))
            for _ in range(draw.randrange(4)):
                client.send(publish_packet(
                    f"churn/{draw.randrange(20)}", os.urandom(draw.randrange(200)),
                    draw.randrange(3), 1 + draw.randrange(100), version=version))
            if draw.random() < 0.3:
                payload = b"" if draw.random() < 0.4 else os.urandom(draw.randrange(1, 2000))
                client.send(publish_packet(f"retained/{draw.randrange(300)}/x", payload,
                                           draw.randrange(2), 200, True, version))
            self.open.append(client)
        except (OSError, EOFError):
            pass  # taken over before it had begun: that is the point

    @staticmethod
    def end(draw, client):
        try:
            manner = draw.randrange(4)
            if manner == 0:
                client.send(b"\xe0\x00")
            elif manner == 1:  # in the midst of a packet
                client.send(publish_packet("churn/1", b"x" * 100)[:draw.randrange(1, 100)])
            elif manner == 2:
                client.send(os.urandom(draw.randrange(1, 500)))
            client.close(abruptly=manner == 3)
        except OSError:
            client.close()


class Hostile(Worker):
    """Bytes from strangers at both ports, and connections on which nothing is said."""

    def __init__(self, stop, port, http_port, seed):
        super().__init__(stop)
        self.ports, self.random = (port, http_port), random.Random(seed)
        self.attacks = 0

    def work(self):
        draw = self.random
        silent = []
        while not self.stopping.is_set():
            attack = draw.choice((
                os.urandom(draw.randrange(1, 3000)),
                packet(0x10, os.urandom(draw.randrange(1, 300))),
                connect_packet("x" * draw.randrange(100)) + os.urandom(200),
                connect_packet("greedy") + b"\x30\xff\xff\xff\x7f" + os.urandom(5000),
                connect_packet("qos3") + b"\x36\x05\x00\x01a\x00\x01",
                b"GET / HTTP/1.1\r\n" + b"X: " + b"y" * draw.randrange(20_000),
                b"GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n",
                b""))
            try:
                stranger = Connection(draw.choice(self.ports), deadline=5)
                if attack:
                    stranger.send(attack)
                silent.append(stranger)
                self.attacks += 1
            except OSError:
                pass
            while len(silent) > 20:
                silent.pop(0).close(abruptly=draw.random() < 0.5)
            time.sleep(0.02)
        for each in silent:
            each.close()


class SlowReaders(Worker):
    """Subscribers to everything under load who read little, then nothing, then are gone."""

    def __init__(self, stop, port, seed):
        super().__init__(stop)
        self.port, self.random = port, random.Random(seed)
        self.slow = 0

    def work(self):
        readers = []
        while not self.stopping.is_set():
            try:
                reader = Connection(self.port, receive_buffer=4096)
                reader.open(f"slow-{self.slow % 5}", clean=self.slow % 2 == 0)
                reader.send(subscribe_packet([("load/#", self.random.randrange(2))]))
                self.slow += 1
                readers.append(reader)
                for each in readers:
                    each.socket.settimeout(0.05)
                    each.socket.recv(self.random.randrange(1, 2000))
            except (OSError, EOFError):
                pass
            while len(readers) > 3:
                readers.pop(0).close(abruptly=self.random.random() < 0.5)
            self.stopping.wait(1.5)
        for each in readers:
            each.close()


class Probe(Worker):
    """Publishes to itself with QoS 1 and takes the time (s); and that of a byte to another process
    and back, which says how busy the machine is."""

    def __init__(self, stop, port):
        super().__init__(stop)
        self.client = Connection(port).open("probe", keep_alive=0).subscribe(("probe", 1))
        self.latencies, self.machine = [], []

    def work(self):
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              bufsize=0) as other:
            self.measure(other)
            other.stdin.close()
        self.client.close()

    def measure(self, other):
        number = 0
        while not self.stopping.is_set():
            number += 1
            begun = time.monotonic()
            self.client.send(publish_packet("probe", b"?", 1, 1 + number % 60_000))
            waiting = {3, 4}
            while waiting:
                for first, body in self.client.receive():
                    waiting.discard(first >> 4)
                    if first >> 4 == 3:
                        self.client.send(b"\x40\x02" + body[7:9])
            self.latencies.append(time.monotonic() - begun)
            begun = time.monotonic()
            other.stdin.write(b"?")
            other.stdout.read(1)
            self.machine.append(time.monotonic() - begun)
            time.sleep(0.01)

    def take(self):
        """Medians since the last call, in ms; None where there was nothing."""
        taken, self.latencies, self.machine = (self.latencies, self.machine), [], []
        return [1000 * statistics.median(each) if each else None for each in taken]


class Fleets(Worker):
    """Fleets of devices, one run after the other, each audited: nothing lost, nothing doubled."""

    def __init__(self, stop, binary, port, seconds, seed):
        super().__init__(stop)
        self.binary, self.port, self.seconds, self.seed = binary, port, seconds, seed
        self.runs = self.messages = self.beyond_queue = 0

    def work(self):
        scenario = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fleet.json")
        while not self.stopping.is_set():
            with tempfile.TemporaryDirectory() as folder:
                report = os.path.join(folder, "report.json")
                done = subprocess.run(
                    [self.binary, "run", scenario, "--target", f"mqtt://127.0.0.1:{self.port}",
                     "--duration", f"{self.seconds}s", "--seed", str(self.seed + self.runs),
                     "--quiet", "--report", report],
                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                    timeout=self.seconds * 3 + 120)
                if done.returncode != 0:
                    raise AssertionError(f"the fleet's run ended with {done.returncode}: "
                                         f"{done.stdout[-2000:]}")
                with open(report, encoding="utf-8") as file:
                    self.note(json.load(file))
            self.runs += 1

    def note(self, report):
        audit = report["ledger"]["audits"][0]
        # What a full queue of the broker may have dropped, as it may, is no loss.
        if report["ledger"]["violations"] or audit["lost"]:
            raise AssertionError(f"the fleet's audit: {audit['lost']} lost, "
                                 f"{report['ledger']['first_violations'][:3]}")
        if audit["messages"] == 0 or audit["receptions"] == 0:
            raise AssertionError("the fleet's audit has seen no message")
        self.messages += audit["messages"]
        self.beyond_queue += audit["beyond_queue"]
