"""`fleetarium record` at work on mosquitto and on our broker, while clients of other hands publish:
the recording has what they published, no more and no less."""

import copy
import json
import signal
import sqlite3
import subprocess

from judging import mosquitto_clients, paho_python
from judging.brokers import Broker
from judging.paho_python import Way, properties
from judging.processes import Process, find_program
from judging.verdicts import expect

try:
    from paho.mqtt.packettypes import PacketTypes
except ImportError:
    PacketTypes = None

VERSIONS = ("3.1.1", "5.0")


def missing(kit):
    if find_program("mosquitto") is None:
        return "mosquitto is not installed (Debian: mosquitto)"
    return mosquitto_clients.missing(kit) or paho_python.missing(kit)


class Recorder:
    def __init__(self, way, name, *words):
        self.file = way.kit.path(f"{name}-{way.transport}-{way.version}-{way.kit.against}.flr")
        url = way.broker.urls[way.transport]
        if way.secure:
            words += ("--ca", way.kit.certificates.authority)
        self.process = Process([way.kit.program, "record", "--from", url, "--mqtt",
                                "5" if way.v5 else "3.1.1", *words, self.file])
        self.process.line("\"recording URL in FILE\"", lambda line: "recording " in line)

    def rows(self, sql):
        connection = sqlite3.connect(f"file:{self.file}?mode=ro", uri=True, timeout=30)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def messages(self, count):
        """All of them, once there are so many: topic, payload, QoS, RETAIN, properties."""
        self.process.wait("a recording", f"{count} messages",
                          lambda: self.rows("SELECT count(*) FROM messages")[0][0] >= count,
                          got=lambda: self.rows("SELECT count(*) FROM messages"))
        self.process.child.send_signal(signal.SIGINT)
        expect("SIGINT to the recorder", 0, self.process.end())
        return self.rows("SELECT t.name, m.payload, m.qos, m.retain, m.properties FROM messages m "
                         "JOIN topics t ON t.id = m.topic ORDER BY m.id")


def from_paho(way):
    """what python3-paho-mqtt publishes, at each QoS, with properties"""
    root = f"{way.transport}/{way.version}"
    sender = way.peer().open()
    sender.publish(f"{root}/kept", b"before", 1, True)
    recorder = Recorder(way, "paho", "--filter", f"{root}/#")
    expected = [(f"{root}/kept", b"before", 1, 1, None)]
    for number in range(300):
        topic, qos = f"{root}/{number % 7}/\u043c\u0438\u0440", number % 3
        payload = bytes(range(number % 256)) + number.to_bytes(2, "big")
        given, told = None, None
        if way.v5 and number % 2:
            given = properties(PacketTypes.PUBLISH, ContentType="text/plain",
                               CorrelationData=bytes([0, number % 256]),
                               UserProperty=[("a", str(number)), ("a", "\u00e9")])
            told = {"content_type": "text/plain", "correlation_data": f"00{number % 256:02x}",
                    "user_properties": [["a", str(number)], ["a", "\u00e9"]]}
        # 3.1.1 does not tell subscribers of RETAIN on what is published meanwhile.
        retain = number % 50 == 0
        sender.publish(topic, payload, qos, retain, given)
        expected.append((topic, payload, qos, int(retain and way.v5), told))
    got = [(*row[:4], json.loads(row[4]) if row[4] else None)
           for row in recorder.messages(len(expected))]
    # Order is promised within a topic and QoS.
    expect("300 messages", sorted(map(repr, expected)), sorted(map(repr, got)))
    for topic, qos in {(each[0], each[2]) for each in expected}:
        expect(f"messages of {topic} at QoS {qos}",
               *([each[1] for each in what if (each[0], each[2]) == (topic, qos)]
                 for what in (expected, got)))


def from_mosquitto_pub(way):
    """what mosquitto_pub publishes, ten thousand lines"""
    root = f"{way.transport}/{way.version}/lines"
    recorder = Recorder(way, "lines", "--filter", root)
    lines = [f"line {number}" for number in range(10000)]
    subprocess.run(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(way.broker.ports["tcp"]), "-V",
                    "5" if way.v5 else "311", "-t", root, "-q", "1", "-l"],
                   input="\n".join(lines).encode(), check=True, timeout=120)
    got = recorder.messages(len(lines))
    expect("ten thousand lines", [(root, line.encode(), 1, 0, None) for line in lines], got)


def there_and_back(way, other):
    """what is replayed from one broker to the other and back is what was recorded at first"""
    root, count = f"travels/{way.version}", 120
    recorders = [Recorder(way, "there", "--filter", f"{root}/#")]
    sender = way.peer().open()
    for number in range(count):
        given = properties(PacketTypes.PUBLISH, ContentType="text/plain",
                           UserProperty=[("n", str(number))]) if way.v5 else None
        sender.publish(f"{root}/{number % 5}", number.to_bytes(2, "big"), number % 3, False, given)
    told = [sorted(map(repr, recorders[0].messages(count)))]
    for stage, target in (("arrived", other), ("back", way)):
        recorder = Recorder(target, stage, "--filter", f"{root}/#")
        subprocess.run([way.kit.program, "replay", recorders[-1].file, "--to",
                        target.broker.urls[target.transport], "--mqtt",
                        "5" if way.v5 else "3.1.1"],
                       check=True, timeout=120, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL)
        recorders.append(recorder)
        told.append(sorted(map(repr, recorder.messages(count))))
    expect("120 messages to the other broker", told[0], told[1])
    expect("120 messages back again", told[0], told[2])


def judge_travels(kit, verdicts):
    brokers = {}
    for against in ("mosquitto", "fleetarium"):
        beside = copy.copy(kit)
        beside.against = against
        brokers[against] = (beside, Broker(beside, ["tcp"], f"travels-{against}"))
    for version in VERSIONS:
        way, other = (Way(*brokers[against], "tcp", version)
                      for against in ("mosquitto", "fleetarium"))
        verdicts.case("tcp", version, way.broker, there_and_back, way, other)
        way.close()
        other.close()
    for _, broker in brokers.values():
        broker.stop()


def judge(kit, verdicts):
    judge_travels(kit, verdicts)
    for against in ("mosquitto", "fleetarium"):
        beside = copy.copy(kit)
        beside.against = against
        broker = Broker(beside, ["tcp", "tls"], f"recorded-{against}")
        for version in VERSIONS:
            for transport, stories in (("tcp", [from_paho, from_mosquitto_pub]),
                                       ("tls", [from_paho])):
                for story in stories:
                    way = Way(beside, broker, transport, version)
                    verdicts.case(transport, version, broker, story, way)
                    way.close()
        broker.stop()
