#!/usr/bin/env python3
"""Holds a real broker process under full load for a long time, and judges what becomes of it.

    soak.py FLEETARIUM [--seconds N] [--sample S] [--short] [--seed N] [--record FILE] [--json FILE]

All over loopback TCP, at once: pairs of clients at full load who count every message (QoS 0, 1 and
2), clients that come and go (take-overs, wills, retained messages, shared subscriptions, sessions
that expire), slow readers, hostile bytes at both ports, and fleets of devices that are started
again and again and audited.

Every S seconds: resident memory, descriptors, threads and processor time of the broker, its
/metrics, the latency of a probe. At the end, over the last two thirds of the time:

    memory       a regression line over the time judged rises by no more than 5 %, or 6 MiB
    descriptors  those beside the clients' (fleets come and go) by no more than 10; none is left
                 when all clients have gone
    threads      as many as in the beginning
    cost         the processor time of a message in the last third is at most 1.5 times that of the
                 middle one (time on the clock would tell what else the machine does)
    latency      the median of the last third is at most 3 times that of the middle one, and 5 ms,
                 if it is not the machine that got slower: by the time of a byte to another process
    load         no sample (--short: no three) in which one of the counted pairs stands still
    messages     none lost, doubled or out of order, by the pairs' count and the fleets' audit

--short has wider bounds: what fills in the first minutes grows, and ten samples tell little of what
comes and goes.

Exit status: 0 all of it holds; 1 something does not; 3 the soak could not be carried out."""

import argparse
import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from judge import LONG, SHORT, judge, table  # noqa: E402  pylint: disable=wrong-import-position
from load import Churn, Fleets, Hostile, Pair, Probe, SlowReaders  # noqa: E402  pylint: disable=wrong-import-position
from mqtt import Connection  # noqa: E402  pylint: disable=wrong-import-position

START_SECONDS = 60  # to begin to listen, and to stop


class Broker:
    """The process under test, and what can be seen of it from outside."""

    def __init__(self, binary, record):
        self.log = tempfile.TemporaryFile("w+")
        recording = ["--record", record] if record else []
        self.process = subprocess.Popen(
            [binary, "broker", "--listen", "mqtt://127.0.0.1:0", "--http", "127.0.0.1:0",
             "--log-level", "warning",
             # Bounds that are reached within the soak, so that all that may grow has grown.
             "--set", "queue_messages_max=500", "--set", "inflight_messages_max=500",
             "--set", "connect_timeout=2s", *recording],
            stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.port, self.http_port = self.read_port("listening on"), self.read_port("http")

    def read_port(self, wanted):
        for _ in range(10):
            line = self.process.stdout.readline()
            if wanted in line:
                return int(line.strip().rstrip("/").rsplit(":", 1)[1].split("/")[0])
        self.log.seek(0)
        raise RuntimeError(f"the broker does not say {wanted!r}; its log: {self.log.read()}")

    def sample(self):
        at = f"/proc/{self.process.pid}/"
        with open(at + "status", encoding="utf-8") as file:
            status = dict(line.split(":", 1) for line in file if ":" in line)
        with open(at + "stat", encoding="utf-8") as file:
            times = file.read().rsplit(")", 1)[1].split()
        for _ in range(10):  # until nobody came or went while it was counted
            before = self.metrics()["connections"]
            descriptors, metrics = len(os.listdir(at + "fd")), self.metrics()
            if metrics["connections"] == before:
                break
        return {"rss_kib": int(status["VmRSS"].split()[0]), "threads": int(status["Threads"]),
                "descriptors": descriptors,
                "descriptors_beside": descriptors - metrics["connections"],
                "cpu_s": (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK"), **metrics}

    def metrics(self):
        asked = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=60)
        asked.request("GET", "/metrics")
        text = asked.getresponse().read().decode()
        asked.close()
        sums = {}
        for line in text.splitlines():
            if not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                name = name.split("{")[0].removeprefix("fleetarium_")
                sums[name] = sums.get(name, 0) + float(value)
        return {key: sums[key] for key in (
            "connections", "sessions", "subscriptions", "publish_received_total",
            "publish_sent_total", "messages_dropped_total", "connections_opened_total",
            "retained_messages", "deliveries_waiting", "protocol_violations_total")}

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(START_SECONDS)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(START_SECONDS)
        self.process.stdout.close()
        self.log.close()


def warm_up(broker):
    """Each thread of the broker takes the descriptors that it keeps."""
    clients = [Connection(port) for port in (broker.port, broker.http_port) for _ in range(20)]
    for number, each in enumerate(clients[:20]):
        each.open(f"warm-{number}")
    for each in clients[20:]:
        each.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        each.socket.recv(1000)
    for each in clients:
        each.close()
    end = time.monotonic() + START_SECONDS
    while broker.metrics()["connections"] != 0 and time.monotonic() < end:
        time.sleep(0.1)


def soak(options, broker):
    """Returns the samples under load, what is wrong with the load, and the samples around it."""
    stop, begun = threading.Event(), time.monotonic()
    warm_up(broker)
    idle = broker.sample()
    pairs = [Pair(stop, broker.port, qos, f"q{qos}") for qos in (0, 1, 2)]
    probe = Probe(stop, broker.port)
    fleet_seconds = max(6, min(60, options.seconds // 4))
    others = [Churn(stop, broker.port, options.seed), SlowReaders(stop, broker.port, options.seed),
              Hostile(stop, broker.port, broker.http_port, options.seed),
              Fleets(stop, options.binary, broker.port, fleet_seconds, options.seed)]
    workers = [*pairs, probe, *others]
    for each in workers:
        each.start()
    samples = []
    while time.monotonic() - begun < options.seconds:
        time.sleep(options.sample)
        if broker.process.poll() is not None:
            return samples, [f"the broker ended with {broker.process.returncode}"], idle, idle, {}
        problems = [each.problem for each in workers if each.problem]
        if problems:
            break
        latency, machine = probe.take()
        sample = {"at_s": time.monotonic() - begun, **broker.sample(),
                  "counted": [pair.got for pair in pairs], "fleet_runs": others[3].runs,
                  "latency_ms": latency, "machine_ms": machine}
        samples.append(sample)
        if options.verbose:
            print(json.dumps(sample), file=sys.stderr, flush=True)
    stop.set()
    for each in workers:
        each.join(300)
    problems = [each.problem for each in workers if each.problem]
    problems += [f"{type(each).__name__} does not end" for each in workers if each.is_alive()]
    # Everybody has gone: the broker notices within its CONNECT deadline.
    end = time.monotonic() + 30
    after = broker.sample()
    while after["descriptors"] > idle["descriptors"] and time.monotonic() < end:
        time.sleep(0.2)
        after = broker.sample()
    done = {"pairs": {f"QoS {pair.qos}": pair.got for pair in pairs}, "clients": others[0].connected,
            "slow_readers": others[1].slow, "attacks": others[2].attacks,
            "fleet_runs": others[3].runs, "fleet_messages_audited": others[3].messages,
            "for_which_queues_were_full": others[3].beyond_queue}
    return samples, problems, idle, after, done


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", metavar="FLEETARIUM")
    parser.add_argument("--seconds", type=int, default=1200, help="how long; 1200")
    parser.add_argument("--sample", type=float, default=5, help="seconds between samples; 5")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--short", action="store_true",
                        help="wider bounds, for a soak that ends while queues and pools still fill")
    parser.add_argument("--record", help="let the broker record everything into this file")
    parser.add_argument("--json", help="write all samples here")
    parser.add_argument("--verbose", action="store_true", help="print each sample")
    options = parser.parse_args()
    if options.seconds < 6 * options.sample:
        parser.error("--seconds must be six times --sample at least: there is nothing to judge")
    try:
        broker = Broker(options.binary, options.record)
    except (OSError, RuntimeError) as thrown:
        print(f"soak: {thrown}", file=sys.stderr)
        return 3
    try:
        samples, problems, idle, after, done = soak(options, broker)
        if broker.process.poll() is None:
            status = broker.stop()
            if status != 0:
                problems.append(f"on SIGTERM the broker ended with {status}")
        if options.json:
            with open(options.json, "w", encoding="utf-8") as file:
                json.dump({"idle": idle, "after": after, "done": done, "samples": samples}, file,
                          indent=1)
        problems += judge(samples, idle, after, SHORT if options.short else LONG)
        print(table(samples, idle, after, done))
        for each in problems:
            print(f"FAILED {each}")
        print("soak: " + ("failed" if problems else "all of it holds"))
        return 1 if problems else 0
    finally:
        broker.kill()


if __name__ == "__main__":
    sys.exit(main())
