"""Judges that are programs of their own: Paho C and C++, MQTT.js. They get KEY=VALUE words that say
where the broker is, print `ok|TRANSPORT|VERSION|CASE` or `failed|TRANSPORT|VERSION|CASE|WHY`, and
ask for what they cannot do themselves: `please cut TRANSPORT`, `please stop`; each is answered with
`done`. At the end they print `finished`."""

import os
import time

from judging.brokers import PASSWORD, USER, Broker
from judging.processes import Process, find_program
from judging.proxy import Proxy
from judging.verdicts import Wrong

TIME_LIMIT = 100.0  # seconds from one line of a program to the next


def judge(kit, verdicts, command, transports):
    """Runs the program against brokers of its own and takes over its verdicts."""
    broker = Broker(kit, transports)
    guarded = Broker(kit, ["tcp"], "guarded", guarded=True)
    mutual = Broker(kit, ["tls"], "mutual", mutual=True)
    relays = {each: Proxy(broker.ports[each]) for each in transports if each != "unix"}
    certificates = kit.certificates
    words = {"ca": certificates.authority, "cert": certificates.device,
             "key": certificates.device_key, "device": certificates.device_name,
             "user": USER, "password": PASSWORD, "only": verdicts.only,
             "guarded": guarded.urls["tcp"], "mutual": by_name(mutual.urls["tls"])}
    for transport in transports:
        url = broker.urls[transport]
        words[transport] = by_name(url) if transport in ("tls", "wss") else url
        if transport in relays:
            words[f"relay-{transport}"] = words[transport].replace(
                f":{broker.ports[transport]}", f":{relays[transport].port}")

    process = Process([*command, *(f"{key}={value}" for key, value in words.items())],
                      stdin=Process.OPEN)
    read = 0
    finished = False
    started = time.monotonic()
    while not finished:
        process.wait(command[0], "more lines, or its end",
                     lambda: len(process.lines) > read or process.ended, seconds=TIME_LIMIT)
        if len(process.lines) <= read:
            break
        line = process.lines[read]
        read += 1
        kind, *parts = line.split("|", 4)
        if kind == "ok" and len(parts) == 3:
            verdicts.ok(*parts, time.monotonic() - started)
            started = time.monotonic()
        elif kind == "failed" and len(parts) == 4:
            log = "\n".join(f"{each.name} broker's log, its end:\n{each.log_tail()}"
                            for each in (broker, guarded, mutual))
            verdicts.fail(*parts[:3], parts[3].replace("\\n", "\n") + "\n" + log)
        elif line.startswith("please cut "):
            relays[line.split()[2]].cut()
            process.tell("done")
        elif line == "please stop":
            broker.terminate()
            process.tell("done")
        elif line == "finished":
            finished = True
        else:
            print(f"        | {line}")

    def ended():
        """the judge comes to its end, and the brokers too after SIGTERM"""
        if not finished or process.end() != 0:
            raise Wrong(f"sent:     {command[0]}\nexpected: its end, with status 0\n"
                        f"got:      status {process.end()}; {process.state()}")
        for each in (broker, guarded, mutual):
            each.stop()
    verdicts.case("all", "both", broker, ended)
    for relay in relays.values():
        relay.close()


def by_name(url):
    """The URL with a name in the place of the address, as certificates are checked for it."""
    return url.replace("127.0.0.1", "localhost")


class Compiled:
    """A judge that CMake builds where its library is found."""

    def __init__(self, library, programs, transports=("tcp", "tls", "ws", "wss")):
        self.library, self.programs, self.transports = library, programs, transports

    def paths(self, kit):
        return [os.path.join(kit.build or "", each) for each in self.programs]

    def missing(self, kit):
        for path in self.paths(kit):
            if not os.access(path, os.X_OK):
                return f"{path} is not built; it needs the library of Debian's {self.library}"
        return None

    def judge(self, kit, verdicts):
        transports = [each for each in self.transports
                      if kit.against != "mosquitto" or each in ("tcp", "tls")]
        for path in self.paths(kit):
            judge(kit, verdicts, [path], transports)


PAHO_C = Compiled("libpaho-mqtt-dev", ["paho_c_peer", "paho_c_sync_peer"])
PAHO_CPP = Compiled("libpaho-mqttpp-dev", ["paho_cpp_peer"])


class MqttJs:
    """MQTT.js, which the launcher installs into build/npm."""

    def packages(self, kit):
        return os.environ.get("FLEETARIUM_NPM", os.path.join(kit.root, "build", "npm"))

    def missing(self, kit):
        if find_program("node") is None:
            return "node is not installed (Debian: nodejs)"
        if not os.path.isdir(os.path.join(self.packages(kit), "node_modules", "mqtt")):
            return (f"MQTT.js is not in {self.packages(kit)}; ./fleetarium test installs it, or "
                    "npm with tests/peers/mqttjs/package.json")
        return None

    def judge(self, kit, verdicts):
        transports = [each for each in ("tcp", "tls", "ws", "wss", "unix")
                      if kit.against != "mosquitto" or each[0] != "w"]
        judge(kit, verdicts, [find_program("node"),
                              os.path.join(kit.root, "tests/peers/mqttjs/judge.mjs"),
                              f"packages={self.packages(kit)}"], transports)


MQTT_JS = MqttJs()
