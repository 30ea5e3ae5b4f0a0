"""mosquitto_sub judges what `fleetarium replay --to` publishes to mosquitto and to our broker: each
message as it was recorded, with topic, payload, QoS and properties, over each transport."""

import copy
import json
import sqlite3
import subprocess

from judging.brokers import Broker
from judging.mosquitto_clients import VERSIONS, Place, messages
from judging.processes import find_program
from judging.verdicts import Wrong, expect

SCENARIO = {
    "name": "judged", "seed": 5, "duration": "20s",
    "fleets": [{"name": "sensor", "count": 4, "publications": [
        {"topic": "judge/{index}/%d" % qos, "period": "500ms", "qos": qos,
         "payload": "%d {seq} h\u00e9" % qos} for qos in range(3)]}]}
PROPERTIES = {"payload_format_indicator": 1, "message_expiry_interval": 3600,
              "content_type": "text/plain", "response_topic": "judge/answers",
              "correlation_data": "6964", "user_properties": [["a", "b"], ["c", "d"]]}


def missing(_kit):
    for name in ("mosquitto", "mosquitto_sub"):
        if find_program(name) is None:
            return f"{name} is not installed (Debian: mosquitto, mosquitto-clients)"
    return None


def run(kit, *words):
    made = subprocess.run([kit.program, *words], capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL)
    if made.returncode != 0:
        raise Wrong(f"sent:     {' '.join(words)}\nexpected: exit status 0\n"
                    f"got:      {made.returncode}; {made.stderr}{made.stdout}")


def judge(kit, verdicts):
    recording = kit.path("judged.flr")
    run(kit, "run", kit.write("judged.json", json.dumps(SCENARIO)), "--record", recording)
    with sqlite3.connect(recording) as tables:
        tables.execute("UPDATE messages SET properties = ? WHERE qos = 1 AND publisher IS NOT NULL",
                       (json.dumps(PROPERTIES),))
        recorded = [
            (topic, payload.decode(), qos) for topic, payload, qos in tables.execute(
                "SELECT t.name, m.payload, m.qos FROM messages m JOIN topics t ON t.id = m.topic "
                "WHERE m.publisher IS NOT NULL ORDER BY m.id")]
    for against in ("mosquitto", "fleetarium"):
        of_target = copy.copy(kit)
        of_target.against = against
        broker = Broker(of_target, ["tcp", "tls"], against)
        for transport in ("tcp", "tls"):
            for version in VERSIONS:
                for words in ((), ("--as-clients",)):
                    place = Place(kit, broker, transport, version)
                    verdicts.case(transport, version, broker, equal_content, place, recording,
                                  recorded, words)
        broker.stop()


def equal_content(place, recording, recorded, words):
    """what was recorded arrives, each topic in its order, with properties in MQTT 5"""
    port, kit = place.broker.ports[place.transport], place.kit
    sub = place.subscriber("-t", "judge/#", "-q", "2", "-C", len(recorded))
    to = (["--to", f"mqtts://localhost:{port}", "--ca", kit.certificates.authority]
          if place.transport == "tls" else ["--to", f"mqtt://127.0.0.1:{port}"])
    # At full speed mosquitto sends its subscriber more QoS 2 than that takes.
    run(kit, "replay", recording, *to, "--speed", "20",
        "--mqtt", "5" if place.v5 else "3.1.1", *words)
    got = messages(sub, len(recorded))
    for topic in sorted({each[0] for each in recorded}):
        expect(f"replayed messages of {topic}", [each for each in recorded if each[0] == topic],
               [(each["topic"], each["payload"], each["qos"]) for each in got
                if each["topic"] == topic])
    if place.v5:
        for each in got:
            properties = dict(each.get("properties", {}))
            interval = properties.pop("message-expiry-interval", 3600)
            if not 3500 < interval <= 3600:
                raise Wrong(f"sent:     an expiry of 3600 s\nexpected: nearly that\n"
                            f"got:      {interval}")
            expect(f"the properties of a message of {each['topic']}",
                   {"payload-format-indicator": 1, "content-type": "text/plain",
                    "response-topic": "judge/answers", "correlation-data": "id",
                    "user-properties": {"a": "b", "c": "d"}} if each["qos"] == 1 else {},
                   properties)
