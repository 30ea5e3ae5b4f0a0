"""tshark judges what goes over our ports: it captures the loopback device while clients of other
hands talk to the broker over TCP, TLS, WebSocket and WSS, reads all of it, TLS by the broker's key
log, and finds nothing malformed, and an answer to every packet that wants one."""

import collections
import os
import signal
import socket
import subprocess
import time

from judging import mosquitto_clients, paho_python
from judging.brokers import Broker
from judging.processes import Process, find_program
from judging.verdicts import Wrong, expect, shown

TRANSPORTS = ("tcp", "tls", "ws", "wss")
VERSIONS = {"4": "3.1.1", "5": "5.0"}
NAMES = ("", "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP", "SUBSCRIBE",
         "SUBACK", "UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "AUTH")
# Groups of Wireshark's remarks that are about the content of packets.
MALFORMED, PROTOCOL, UNDECODED = 0x07000000, 0x09000000, 0x05000000


def missing(kit):
    if find_program("tshark") is None:
        return "tshark is not installed (Debian: tshark)"
    lacking = mosquitto_clients.missing(kit) or paho_python.missing(kit)
    if lacking:
        return f"{lacking}, which is to be captured"
    if os.geteuid() != 0:
        probe = subprocess.run(["tshark", "-D"], capture_output=True, text=True, check=False)
        if not any(line.split()[1:2] == ["lo"] for line in probe.stdout.splitlines()):
            return "capturing needs the right to it: root, or the group wireshark"
    return None


class Capture:
    """tshark at work on the ports of a broker."""

    def __init__(self, kit, broker):
        self.kit, self.broker = kit, broker
        self.path = kit.path("capture.pcapng")
        ports = " or ".join(f"tcp port {port}" for port in broker.ports.values())
        # -P: a line for each packet, by which to know that it has come that far.
        self.process = Process(["tshark", "-i", "lo", "-B", "64", "-f", ports, "-w", self.path,
                                "-P", "-l", "-n", *self.decoding()])
        self.process.line("\"Capturing on\"", lambda line: line.startswith("Capturing on"))
        while not self.process.lines_with(lambda line: "→" in line or "->" in line):
            if self.process.ended:
                raise Wrong(f"sent:     {self.process.command()}\nexpected: a capture\n"
                            f"got:      {self.process.state()}")
            # It says so a little before it does so.
            with socket.create_connection(("127.0.0.1", broker.ports["tcp"])):
                pass
            time.sleep(0.05)

    def decoding(self):
        ports = self.broker.ports
        made = []
        for transport, layers in (("tcp", ["tcp:mqtt"]), ("ws", ["tcp:http"]),
                                  ("tls", ["tcp:tls", "tls:mqtt"]),
                                  ("wss", ["tcp:tls", "tls:http"])):
            for layer in layers if transport in ports else []:
                below, above = layer.split(":")
                made += ["-d", f"{below}.port=={ports[transport]},{above}"]
        return made

    def end(self):
        """Ends it when all that was sent is in the file."""
        place = mosquitto_clients.Place(self.kit, self.broker, "tcp", "3.1.1")
        place.publish("-t", "the/end/of/it", "-m", "x")
        self.process.line("the last PUBLISH", lambda line: "the/end/of/it" in line)
        self.process.child.send_signal(signal.SIGINT)
        self.process.end()
        lost = self.process.lines_with(lambda line: "dropped" in line)
        if lost:
            raise Wrong(f"sent:     {self.process.command()}\nexpected: every packet captured\n"
                        f"got:      {lost}; what was captured proves nothing")

    def rows(self, display_filter, *fields):
        """A row of strings for each frame that the filter selects."""
        # It knows MQTT and WebSocket, and has to be told that one is in the other.
        script = self.kit.write("mqtt_in_websocket.lua", 'DissectorTable.get("ws.protocol")'
                                ':add("mqtt", Dissector.get("mqtt"))\n')
        command = ["tshark", "-r", self.path, "-n", *self.decoding(), "-X", f"lua_script:{script}",
                   "-o", f"tls.keylog_file:{self.kit.path('keys.log')}", "-Y", display_filter,
                   "-T", "fields", "-E", "separator=/t", "-E", "aggregator=,"]
        for field in fields:
            command += ["-e", field]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode != 0:
            raise Wrong(f"sent:     {' '.join(command)}\nexpected: exit status 0\n"
                        f"got:      {made.returncode}; {made.stderr}")
        return [line.split("\t") for line in made.stdout.splitlines()]


def drive(kit, verdicts, broker):
    """Every client and version over every transport, in the stories that they judge by."""
    judges = [(mosquitto_clients.Place, "tcp", mosquitto_clients),
              (mosquitto_clients.Place, "tls", mosquitto_clients),
              (paho_python.Way, "ws", paho_python), (paho_python.Way, "wss", paho_python)]
    for make, transport, module in judges:
        for version in VERSIONS.values():
            for story in module.STORIES + (module.STORIES_OF_5 if version == "5.0" else []):
                place = make(kit, broker, transport, version)
                verdicts.case(transport, version, broker, story, place)
                if module is paho_python:
                    place.close()
            verdicts.case(transport, version, broker, idle, kit, broker, transport, version)


def idle(kit, broker, transport, version):
    """PINGREQ is answered"""
    way = paho_python.Way(kit, broker, transport, version)
    peer = way.peer().open()
    said = []
    peer.client.on_log = lambda _client, _userdata, _level, text: said.append(text)
    peer.client._send_pingreq()  # by itself it waits for the keep alive, of seconds
    peer.wait("PINGREQ", "PINGRESP", lambda: "Received PINGRESP" in said)
    way.close()


class Traffic:
    """What tshark read: MQTT packets by transport and version."""

    def __init__(self, capture, ports):
        self.counts = collections.Counter()  # (transport, version, name)
        self.qos = collections.Counter()     # (transport, version, QoS of PUBLISH, to the broker?)
        by_port = {str(port): transport for transport, port in ports.items()}
        versions = {}                        # of each TCP connection
        rows = capture.rows("mqtt", "tcp.stream", "tcp.srcport", "tcp.dstport", "mqtt.msgtype",
                            "mqtt.ver", "mqtt.qos")
        for stream, source, target, types, version, qos in rows:
            if version:
                versions[stream] = VERSIONS[version.split(",")[0]]
            transport = by_port.get(source) or by_port[target]
            levels = iter(qos.split(","))
            for each in types.split(","):
                name = NAMES[int(each)]
                self.counts[transport, versions.get(stream, "?"), name] += 1
                if name == "PUBLISH":
                    self.qos[transport, versions.get(stream, "?"), next(levels)] += 1

    def count(self, transport, version, name):
        return self.counts[transport, version, name]


def judge(kit, verdicts):
    keys = kit.path("keys.log")
    broker = Broker(kit, TRANSPORTS, flags=["--key-log", keys])
    capture = Capture(kit, broker)
    drive(kit, verdicts, broker)
    capture.end()
    traffic = Traffic(capture, broker.ports)

    def nothing_malformed():
        """tshark finds nothing malformed"""
        rows = capture.rows("_ws.malformed || (mqtt && _ws.expert) || (websocket && _ws.expert)",
                            "frame.number", "tcp.stream", "_ws.expert.group", "_ws.expert.message",
                            "_ws.malformed")
        # It takes correlation data for text, and remarks on what follows a zero byte in it.
        bad = [row for row in rows if row[4] or row[3] != "Trailing stray characters" and
               {MALFORMED, PROTOCOL, UNDECODED} & {int(each) for each in row[2].split(",") if each}]
        expect(f"{sum(traffic.counts.values())} packets in {capture.path}", [], bad[:5])

    def every_type(transport, version):
        """every type of packet was there"""
        wanted = [name for name in NAMES[1:] if name != "AUTH"]
        expect("all stories", [], [name for name in wanted
                                   if not traffic.count(transport, version, name)])

    def all_answered(transport, version):
        """every packet that wants an answer got it"""
        count = lambda name: traffic.count(transport, version, name)
        at = lambda qos: traffic.qos[transport, version, qos]
        answered = [("CONNECT", "CONNACK"), ("SUBSCRIBE", "SUBACK"), ("UNSUBSCRIBE", "UNSUBACK"),
                    ("PINGREQ", "PINGRESP"), ("PUBREC", "PUBREL"), ("PUBREL", "PUBCOMP")]
        expect(f"packets: {shown(dict(traffic.counts))}",
               [(name, count(name)) for name, _ in answered],
               [(name, count(answer)) for name, answer in answered])
        # Clients that end after their last message may leave it without its acknowledgement; and
        # tshark may not read a PUBLISH whose segments two processors handed to it in another order.
        for qos, answer in (("1", "PUBACK"), ("2", "PUBREC")):
            if not at(qos) * 0.98 - 4 <= count(answer) <= at(qos) + 2:
                expect(f"{at(qos)} PUBLISH of QoS {qos}", f"as many {answer}", count(answer))

    verdicts.case("all", "both", broker, nothing_malformed)
    for transport in TRANSPORTS:
        for version in VERSIONS.values():
            verdicts.case(transport, version, broker, every_type, transport, version)
            verdicts.case(transport, version, broker, all_answered, transport, version)
    print("        | packets that tshark read: " + ", ".join(
        f"{transport} {sum(n for key, n in traffic.counts.items() if key[0] == transport)}"
        for transport in TRANSPORTS))
    broker.stop()
