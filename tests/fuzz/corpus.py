#!/usr/bin/env python3
"""corpus.py TARGET FOLDER: writes what the libFuzzer target starts from, a file for each seed."""

import csv
import os
import sys
import zlib

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def vectors():
    """The packets of the table of byte vectors."""
    path = os.path.join(ROOT, "tests", "vectors", "vectors.tsv")
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            yield row["when_or_dir"], bytes.fromhex(row["hex"])


def pattern(size, seed):
    """Bytes that look like nothing, the same each time."""
    out = b""
    at = seed
    while len(out) < size:
        at = zlib.crc32(at.to_bytes(8, "big"), at & 0xFFFFFFFF)
        out += at.to_bytes(4, "big")
    return out[:size]


def decisions():
    """For targets whose bytes are decisions: few and many, and of each action in turn."""
    for seed in range(1, 33):
        yield pattern(seed * 24, seed)
    for action in range(0, 32):
        yield bytes(16) + bytes([action, 0, 1, 2, 3]) * 12


def broker():
    """Without a journal and with one; with it, the disk takes and has what there is, or not."""
    for journal in (0, 1):
        for seed in decisions():
            yield bytes([journal]) + seed
    for action in range(0, 20):
        yield bytes([1, 0, 0]) + b"".join(
            bytes([action + 20 * turn, 0, turn, 2, 3]) for turn in (0, 3, 1, 2, 4) * 3)
    # A subscriber of QoS 2 that publishes to itself, and a process that dies under it.
    connect, subscribe, publish = [0, 0], [3, 0, 0, 0, 2, 2, 0], [6, 0, 2, 1, 25, 0]
    receive, complete, die = [9, 0, 0, 0], [9, 0, 0], [13, 6, 0]
    for turn in range(0, 4):
        steps = [connect, subscribe, publish, receive, die, connect, complete, publish, die]
        yield bytes([1, 0, 0]) + b"".join(
            bytes([step[0] + 20 * (turn if number % 2 else 0)] + step[1:])
            for number, step in enumerate(steps))


def codec():
    for _, packet in vectors():
        yield packet


def frame_reader():
    whole = b"".join(packet for _, packet in vectors())
    for sizes in (b"\0\0", b"\0\x03\0\x01\x07", b"\x04\x01\x40", b"\x06\x02\xff\x01"):
        yield sizes + whole
        yield sizes + whole[:300]


def scenarios():
    """The scenarios that ship, and the parts that they are made of."""
    folder = os.path.join(ROOT, "scenarios")
    for name in sorted(os.listdir(folder)):
        if name.endswith(".json"):
            with open(os.path.join(folder, name), "rb") as file:
                yield file.read()


SMALL_SCENARIO = b"""{"name": "x", "seed": 7, "duration": "6h", "brokers": [{"name": "b"}],
 "networks": [{"name": "n", "up": {"latency": {"uniform": {"min": "20ms", "max": "80ms"}}}}],
 "fleets": [{"name": "f", "count": 5, "network": "n", "ramp_up": "1m", "publications": [
  {"topic": "r/{index/10}", "period": "1m", "qos": 1, "payload": {"c": "{walk:-22.0..-16.0:0.1}"}}],
  "subscriptions": [{"filter": "r/+/#", "qos": 1}]}],
 "expectations": [{"metric": "delivery_ratio", "receiver": "f", "min": 1}]}"""

FAULTS = [
    b'{"kind": "power_loss", "fleet": "f", "at": "1m", "for": "5s", "share": 0.5}',
    b'{"kind": "partition", "network": "n", "at": "1m", "for": "10s"}',
    b'{"kind": "broker_restart", "broker": "b", "at": "1m", "for": "1s"}',
]


def scenario():
    yield SMALL_SCENARIO
    yield b"fleets.f.count=7\nseed=2\n\0" + SMALL_SCENARIO
    yield from FAULTS
    for text in scenarios():
        yield text[:4096]


def json_texts():
    yield from scenario()
    yield b'[1, -2.5e3, "\\u00e4\\ud83d\\ude00", true, null, {"a": {"a": []}}] // end'
    yield b"/* c */ {'a': 1, b: 2,}"
    yield b"[" * 70 + b"]" * 70


SERVER_CONFIG = b"""{"listeners": [{"url": "mqtt://127.0.0.1:1883"}, {"url": "ws://:8080/mqtt",
 "maximum_packet_size": "64kB"}], "queue_messages_max": 100, "log_level": "debug",
 "session_expiry_maximum": "1d", "connect_timeout": "5s"}"""

ACCESS = b"""# all
topic read news/#
pattern write c/%c/state
pattern deny +/secret
user ann
topic readwrite a/#
topic deny a/b
topic write c/%u
"""


def config():
    yield b"\0" + SERVER_CONFIG
    yield b'\0{"listeners": [{"url": "mqtts://:8883", "tls": {"certificate": "c", "private_key": "k"}}]}'
    yield b"\x01" + ACCESS
    yield b"\x02# users\nann:$7$210000$C2Vz2mp0yYQNwNhB$" + b"Q8W0" * 21 + b"Q8==\nbob:$7$1$QQ==$QQ==\n"
    for url in (b"mqtt://h", b"mqtts://[::1]:1", b"ws://h:80/p", b"wss://:0", b"unix:///tmp/s"):
        yield b"\x03" + url
    yield b"\x04a%20b/c?x=1&y=%41+z&&x"
    yield b"\x05a line\x1b[0m \xc3\xa4\n\xff"


REQUESTS = [
    b"GET /ask/me?color=red HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"HEAD /large HTTP/1.1\r\nHost: 127.0.0.1:80\r\n\r\nGET /fail HTTP/1.0\r\nHost: localhost\r\n\r\n",
    b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
    b"POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
    b"GET /ask/a%2Fb HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer let-me-in\r\nOrigin: http://h\r\n\r\n",
    b"GET /feed HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Protocol: fleetarium.feed.v1, bearer.let-me-in\r\n\r\nrest",
    b"GET /mqtt HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Protocol: mqtt\r\n\r\nrest",
]


def http():
    for kind in (0, 1, 3):
        for piece in (0, 7):
            for request in REQUESTS:
                yield bytes([kind, piece]) + request
            yield bytes([kind, piece]) + b"".join(REQUESTS[:4])


def frame(opcode, payload, fin=True):
    """A frame of a client, masked with zeros."""
    size = bytes([0x80 | len(payload)]) if len(payload) < 126 else \
        bytes([0x80 | 126]) + len(payload).to_bytes(2, "big")
    return bytes([(0x80 if fin else 0) | opcode]) + size + bytes(4) + payload


def websocket():
    frames = [
        frame(1, b"hello"),
        frame(1, b"caf\xc3", False) + frame(9, b"ping") + frame(0, b"\xa9"),
        frame(2, bytes(200)) + frame(10, b"pong"),
        frame(8, (1000).to_bytes(2, "big") + b"bye"),
        frame(2, bytes(400)),
        frame(8, b""),
    ]
    for piece in (0, 5):
        for each in frames:
            yield bytes([piece]) + each
        yield bytes([piece]) + b"".join(frames[:4])


def recording():
    yield bytes([0])
    yield bytes([2]) + b"SQLite format 3\0" + bytes(84)
    for seed in range(1, 25):
        yield bytes([0]) + pattern(seed * 8, seed)
    for seed in range(1, 49):
        yield bytes([1]) + pattern(seed * 4, seed)


def session_file():
    """A sound file, values in it, its log, the file that the log belongs to; any bytes."""
    for kind in range(0, 4):
        yield bytes([kind])
        for seed in range(1, 17):
            yield bytes([kind]) + pattern(seed * (4 if kind == 1 else 8), seed)
    yield bytes([4])
    yield bytes([4]) + b"SQLite format 3\0" + bytes(84)


QUESTIONS = [
    "describe", "totals", "history", "timeline", "log", "topics", "fleet", "cell", "devices",
    "device", "messages", "message", "report", "pause", "step", "speed", "end", "fault", "heal",
    "publish", "disconnect", "annotate",
]
PARAMETERS = [
    "", '"parent": "s"', '"name": "sensors[1]"', '"filter": "s/#", "limit": 5', '"id": 3',
    '"topic": "s/1", "payload": "x", "qos": 1', '"fault": {"kind": "power_loss", "fleet": "sensors"}',
    '"from": 0, "until": 3, "points": 10', '"text": "a note"', '"client": "panel[0]"',
    '"by": "fleet", "sort": "name"', '"factor": 2',
]


def feed():
    def said(action, text):
        return bytes([action]) + len(text).to_bytes(2, "big") + text
    for question in QUESTIONS:
        yield b"\0" + b"".join(
            said(0, f'{{"id": {i}, "ask": "{question}", "with": {{{with_}}}, "every": 1}}'.encode())
            for i, with_ in enumerate(PARAMETERS[:4])) + said(5, b"") * 3
        yield b"\0" + said(3, question.encode() + b"?limit=3&name=panel[0]&parent=s")
        yield b"\0" + said(4, question.encode() + b'\n{"name": "panel[0]"}')
        # {"id": 1, "ask": question} as CBOR
        yield b"\0" + said(2, b"\xa2\x62id\x01\x63ask" + bytes([0x60 + len(question)]) +
                           question.encode())
    for with_ in PARAMETERS:
        yield b"\0" + b"".join(
            said(0, f'{{"id": 1, "ask": "{question}", "with": {{{with_}}}}}'.encode())
            for question in QUESTIONS)
    yield b"\0" + said(0, b'{"id": 1, "cancel": true}')
    for payload in (b"caf\xc3\xa9" * 10, b"\xff" * 20, b'{"a": 1}',
                    b"\x08\x80\x08\x12\x16\x0a\x14Node Control/Rebirth\x20\x0b\x70\x01"):
        yield b"\x07\x14" + payload


SEEDS = {
    "broker": broker,
    "codec": codec,
    "config": config,
    "feed": feed,
    "frame_reader": frame_reader,
    "http": http,
    "json": json_texts,
    "recording": recording,
    "scenario": scenario,
    "session_file": session_file,
    "websocket": websocket,
}


def main():
    target, folder = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    for number, seed in enumerate(SEEDS.get(target, decisions)()):
        with open(os.path.join(folder, f"{number:03}"), "wb") as out:
            out.write(seed)


main()
