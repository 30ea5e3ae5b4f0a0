#!/usr/bin/env python3
"""The feed of `fleetarium run --http` and `fleetarium broker --http`: what viewers ask, what they
get, and what they do by hand. `feed_command_test.py FLEETARIUM` runs all of it. Answers are judged
by python3-jsonschema, which knows nothing of us, where it is there."""

import base64
import http.client
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
import unittest
import urllib.parse

import broker_command_test
import run_command_test
from broker_command_test import DEADLINE, Broker, Client
from run_command_test import Folder

try:
    import jsonschema
except ImportError:
    jsonschema = None

FLEETARIUM = ""


def scenario(**changes):
    """Sensors of each QoS, and a panel with a session that stays."""
    sensors = {"name": "sensors", "count": 20, "start": "100ms", "publications": [
        {"topic": f"s/{{index}}/{qos}", "period": "1s", "start": "1s", "qos": qos,
         "payload": {"n": "{seq}"}} for qos in (0, 1, 2)]}
    panel = {"name": "panel", "clean_start": False, "session_expiry": "1h",
             "subscriptions": [{"filter": "s/#", "qos": 2}]}
    made = {"name": "test", "duration": "30s", "brokers": [{"name": "cloud"}],
            "networks": [{"name": "lan", "latency": {"uniform": {"min": "1ms", "max": "9ms"}}}],
            "fleets": [sensors, panel]}
    made.update(changes)
    return made


def port_of(line):
    """Of "listening on http://HOST:PORT"."""
    return int(line.strip().rsplit(":", 1)[1])


class Api:
    """Questions and commands over REST."""

    def __init__(self, port, token=None):
        self.port = port
        self.headers = {} if token is None else {"Authorization": "Bearer " + token}

    def request(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        try:
            connection.request(method, path, body, self.headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def get(self, question, **parameters):
        query = "?" + urllib.parse.urlencode(parameters) if parameters else ""
        status, text = self.request("GET", f"/api/{question}{query}")
        return status, json.loads(text)

    def ask(self, question, **parameters):
        status, answer = self.get(question, **parameters)
        if status != 200:
            raise AssertionError(f"{question} {parameters}: {status}, {answer}")
        return answer

    def post(self, name, **parameters):
        status, text = self.request("POST", f"/api/{name}", json.dumps(parameters))
        return status, json.loads(text)

    def do(self, name, **parameters):
        status, answer = self.post(name, **parameters)
        if status != 200:
            raise AssertionError(f"{name} {parameters}: {status}, {answer}")
        return answer

    def wait_for(self, name, is_so):
        """The first answer for which it is so."""
        end = time.monotonic() + DEADLINE
        while True:
            found = self.ask(name)
            if is_so(found):
                return found
            if time.monotonic() > end:
                raise AssertionError(f"{name}: {found}")
            time.sleep(0.02)


class Feed:
    """A viewer's WebSocket: as much of RFC 6455 as these tests need."""

    def __init__(self, port, *subprotocols):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE)
        offered = ("Sec-WebSocket-Protocol: " + ", ".join(subprotocols) + "\r\n"
                   if subprotocols else "")
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(f"GET /feed HTTP/1.1\r\nHost: localhost:{port}\r\n"
                            "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n{offered}"
                            "\r\n".encode())
        self.head = b""
        while not self.head.endswith(b"\r\n\r\n"):
            self.head += self.read(1)

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

    def send_frame(self, kind, payload):
        mask = os.urandom(4)
        size = len(payload)
        head = (bytes([0x80 | kind, 0x80 | size]) if size < 126
                else bytes([0x80 | kind, 0xFE]) + struct.pack(">H", size))
        self.socket.sendall(head + mask + bytes(byte ^ mask[i % 4]
                                                for i, byte in enumerate(payload)))

    def send(self, **message):
        self.send_frame(1, json.dumps(message).encode())

    def receive_bytes(self):
        whole = b""
        while True:
            first, size = self.read(2)
            if size == 126:
                size = struct.unpack(">H", self.read(2))[0]
            elif size == 127:
                size = struct.unpack(">Q", self.read(8))[0]
            payload = self.read(size)
            if first & 15 == 9:
                self.send_frame(10, payload)
            elif first & 15 in (0, 1, 2):
                whole += payload
                if first & 0x80:
                    return whole

    def receive(self):
        return json.loads(self.receive_bytes())

    def ask(self, name, parameters, number=1):
        self.send(id=number, ask=name, **{"with": parameters})
        while True:
            found = self.receive()
            if found["id"] == number:
                return found


class Run:
    """A run with viewers in the background."""

    def __init__(self, folder, *arguments):
        self.process = subprocess.Popen(
            folder.command("--http", "127.0.0.1:0", "--quiet", *arguments),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("listening on http://"):
            self.process.kill()
            raise AssertionError(line + self.process.stderr.read())
        self.port = port_of(line)
        self.api = Api(self.port)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(DEADLINE)
        self.process.stdout.close()
        self.process.stderr.close()

    def end(self):
        self.process.wait(DEADLINE)
        return self.process.returncode, self.process.stderr.read()


class RunTest(unittest.TestCase):
    def test_a_run_that_stays_shows_what_its_report_says(self):
        with Folder(scenario()) as folder, Run(folder, "--stay") as run:
            totals = run.api.wait_for("totals", lambda found: found["ended"])
            self.assertEqual(totals["at"], 30)
            report = run.api.ask("report")
            self.assertEqual(totals["events"], report["events"])
            self.assertEqual([each["published"] for each in totals["qos"]],
                             report["brokers"][0]["publish_received"])
            self.assertEqual([each["delivered"] for each in totals["qos"]],
                             [each["delivered"] for each in report["deliveries_by_qos"]])
            self.assertEqual(totals["published_by_devices"], report["messages"]["published"])
            self.assertGreater(totals["qos"][2]["completed"], 500)
            self.assertEqual(sum(each["completed"] for each in totals["qos"]),
                             report["messages"]["acknowledged"])
            self.assertEqual(run.api.ask("description")["kind"], "run")
            # What is over is looked at, and takes no more commands.
            status, answer = run.api.post("publish", topic="late")
            self.assertEqual((status, "over" in answer["error"]), (409, True), answer)
            run.api.do("end")
            self.assertEqual(run.end()[0], 0)

    def test_a_paused_run_takes_steps_goes_on_and_ends(self):
        with Folder(scenario(duration="1h")) as folder, Run(folder, "--paused") as run:
            self.assertEqual(run.api.ask("totals")["events"], 0)
            run.api.do("step", events=7)
            self.assertEqual(run.api.ask("totals")["events"], 7)
            run.api.do("step", by=2.5)
            found = run.api.ask("totals")
            self.assertGreaterEqual(found["at"], 2.5)
            self.assertLess(found["at"], 2.6)
            run.api.do("speed", speed=20)
            run.api.do("pause", paused=False)
            found = run.api.wait_for("totals", lambda found: found["at"] > 5)
            self.assertFalse(found["paused"])
            run.api.do("pause")
            stands = run.api.wait_for("totals", lambda found: found["paused"])["at"]
            time.sleep(0.2)
            self.assertEqual(run.api.ask("totals")["at"], stands)
            run.api.do("end")
            status, wrong = run.end()
            self.assertEqual((status, wrong), (0, ""))

    def test_a_fault_by_hand_shows_in_the_timeline_and_heals(self):
        with Folder(scenario(duration="1h")) as folder, Run(folder, "--paused") as run:
            run.api.do("step", by=5)
            begun = run.api.do("fault", fault=json.dumps(
                {"kind": "power_loss", "fleet": "sensors", "share": 0.5}))
            run.api.do("step", by=1)
            rows = run.api.ask("timeline")["faults"]
            self.assertEqual(len(rows), 1)
            self.assertEqual((rows[0]["fault"], rows[0]["by_hand"], "until" in rows[0]),
                             (begun["fault"], True, False))
            down = run.api.ask("devices", state="faulted")["all"]
            self.assertTrue(0 < down < 20, down)
            run.api.do("heal", fault=begun["fault"])
            run.api.do("step", by=30)
            self.assertEqual(run.api.ask("totals")["connected"], 21)
            self.assertIn("until", run.api.ask("timeline")["faults"][0])
            run.api.do("end")
            self.assertEqual(run.end()[0], 0)

    def test_what_is_done_by_hand_is_recorded_and_replayed_to_the_bit(self):
        with Folder(scenario()) as folder:
            file = folder.path("run.flr")
            with Run(folder, "--paused", "--record", file) as run:
                run.api.do("step", by=4)
                run.api.do("publish", topic="s/by-hand", payload="x", qos=2)
                # In the middle of an instant, and twice in the same one.
                run.api.do("step", events=3)
                begun = run.api.do("fault", fault='{"kind": "partition", "fleet": "sensors"}')
                run.api.do("disconnect", client="panel[0]")
                run.api.do("annotate", text="look here")
                run.api.post("publish", topic="not/#/possible")
                run.api.do("step", by=3.21)
                run.api.do("heal", fault=begun["fault"])
                run.api.do("pause", paused=False)
                self.assertEqual(run.end()[0], 0)
            done = subprocess.run([FLEETARIUM, "replay", file], capture_output=True, text=True,
                                  timeout=DEADLINE, check=False)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_viewers_change_nothing(self):
        def trace(*arguments):
            with Folder(scenario()) as folder:
                done = folder.run(*arguments)
                self.assertEqual(done.returncode, 0, done.stderr)
                return folder.report()["trace_hash"]
        self.assertEqual(trace(), trace("--http", "127.0.0.1:0"))

    def test_a_token_is_asked_for(self):
        with Folder(scenario(duration="1h")) as folder:
            token = folder.path("token")
            with open(token, "w", encoding="utf-8") as file:
                file.write("secret-enough\n")
            with Run(folder, "--paused", "--http-token-file", token) as run:
                self.assertEqual(run.api.request("GET", "/api/totals")[0], 401)
                self.assertEqual(run.api.request("POST", "/api/end", "{}")[0], 401)
                known = Api(run.port, "secret-enough")
                self.assertEqual(known.ask("totals")["at"], 0)
                with Feed(run.port) as feed:
                    self.assertIn(b" 401 ", feed.head)
                with Feed(run.port, "fleetarium.feed.v1", "bearer.secret-enough") as feed:
                    self.assertEqual(feed.ask("totals", {})["answer"]["at"], 0)
                known.do("end")
                self.assertEqual(run.end()[0], 0)

    def test_bad_input_is_told_in_words(self):
        def check(status, text, *arguments):
            with Folder(scenario()) as folder:
                done = folder.run(*arguments)
                self.assertEqual((done.returncode, text in done.stderr), (status, True),
                                 f"{arguments}: {done.returncode}, {done.stderr}")
        check(2, "go with --http", "--stay")
        check(2, "goes with --http", "--paused")
        check(2, "nowhere", "--http", "nowhere")
        check(2, "70000", "--http", "127.0.0.1:70000")
        check(2, "token", "--http", "0.0.0.0:0")
        check(2, "no token", "--http", "127.0.0.1:0", "--http-token-file", "/dev/null")
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            with Folder(scenario()) as folder:
                file = folder.path("run.flr")
                done = folder.run("--http", f"127.0.0.1:{taken.getsockname()[1]}",
                                  "--record", file)
                self.assertEqual((done.returncode, "in use" in done.stderr.lower()), (3, True),
                                 done.stderr)
                self.assertFalse(os.path.exists(file))  # nothing has happened

    def test_a_signal_ends_a_run_that_is_paused_or_stays(self):
        for arguments in (["--paused"], ["--stay"]):
            with Folder(scenario()) as folder, Run(folder, *arguments) as run:
                if "--stay" in arguments:
                    run.api.wait_for("totals", lambda found: found["ended"])
                run.process.send_signal(signal.SIGINT)
                self.assertEqual(run.end()[0], 0)


class RestTest(unittest.TestCase):
    def test_questions_that_are_wrong_are_answered_with_what_is_right(self):
        with Folder(scenario(duration="1h")) as folder, Run(folder, "--paused") as run:
            run.api.do("step", by=5)

            def refused(status, text, question, **parameters):
                found, answer = run.api.get(question, **parameters)
                self.assertEqual((found, text in answer["error"]), (status, True), answer)
            refused(400, 'found "ten", expected a whole number from 0 to 4294967295',
                    "topics", limit="ten")
            refused(400, 'did you mean "limit"?', "topics", limt="10")
            refused(400, 'did you mean "messages"?', "topics", order="mesages")
            refused(400, "1 to 2,000", "topics", limit=0)
            refused(400, "no device", "device", name="sensors[99]")
            refused(400, "no topic", "topics", parent="no/where")
            refused(409, "--record", "topics", at=1)
            self.assertEqual(run.api.request("POST", "/api/totals")[0], 405)
            self.assertEqual(run.api.request("GET", "/api/pause")[0], 405)
            self.assertEqual(run.api.request("GET", "/api/nothing")[0], 404)
            self.assertEqual(run.api.request("POST", "/api/pause", "{")[0], 400)
            self.assertEqual(run.api.request("POST", "/api/pause", "[]")[0], 400)
            status, answer = run.api.post("step")
            self.assertEqual((status, answer["error"]), (400, "expected one of events and by"))
            # Names that have to be written in percent, and booleans.
            self.assertEqual(run.api.ask("device", name="sensors[3]")["device"]["name"],
                             "sensors[3]")
            self.assertEqual(run.api.ask("topics", parent="s/3")["all"], 3)
            self.assertEqual(run.api.get("topics", parent="", parent_is_root="false")[0], 400)


class FeedTest(unittest.TestCase):
    def test_a_question_is_answered_again_when_its_answer_has_changed(self):
        with Folder(scenario(duration="1h")) as folder, Run(folder, "--paused") as run, \
                Feed(run.port, "fleetarium.feed.v1") as feed:
            self.assertIn(b"Sec-WebSocket-Protocol: fleetarium.feed.v1\r\n", feed.head)
            feed.send(id=5, ask="description", every=0.05)
            self.assertEqual(feed.receive()["answer"]["kind"], "run")
            feed.send(id=6, ask="log", every=0.05)
            self.assertEqual(feed.receive()["id"], 6)
            run.api.do("annotate", text="something")
            # The description is as it was: not sent again.
            found = feed.receive()
            self.assertEqual((found["id"], found["answer"]["rows"][-1]["text"]), (6, "something"))
            # Replaced under the same id, then cancelled.
            feed.send(id=6, ask="timeline", every=0.05)
            self.assertIn("faults", feed.receive()["answer"])
            feed.send(id=6, cancel=True)
            run.api.do("annotate", text="more")
            self.assertEqual(feed.ask("topics", {}, 7)["answer"]["rows"], [])

    def test_what_was_done_is_seen_by_who_asks_next(self):
        with Folder(scenario(duration="1h")) as folder, Run(folder, "--paused") as run, \
                Feed(run.port) as feed:
            for events in range(1, 20):
                feed.send(id=1, ask="step", **{"with": {"events": 1}})
                feed.send(id=2, ask="totals")
                self.assertIn("answer", feed.receive())
                self.assertEqual(feed.receive()["answer"]["events"], events)

    def test_errors_name_the_nearest(self):
        with Folder(scenario(duration="1h")) as folder, Run(folder, "--paused") as run, \
                Feed(run.port) as feed:
            def error(**message):
                feed.send(**message)
                return feed.receive()["error"]
            self.assertIn('did you mean "totals"?', error(id=1, ask="total"))
            self.assertIn('did you mean "limit"?',
                          error(id=1, ask="topics", **{"with": {"limt": 3}}))
            self.assertIn("0.05 to 60", error(id=1, ask="totals", every=0.001))
            self.assertIn("carried out once", error(id=1, ask="pause", every=1))
            self.assertIn("there is no member", error(id=1, ask="totals", parameters={}))
            self.assertIn("expected an object with an \"id\"", error(ask="totals"))
            feed.send_frame(1, b"{")
            self.assertIn("expected an object", feed.receive()["error"])
            for number in range(64):
                feed.send(id=number, ask="description", every=60)
                self.assertIn("answer", feed.receive())
            self.assertIn("64 questions", error(id=64, ask="totals"))
            feed.send(id=3, cancel=True)
            self.assertIn("answer", feed.ask("totals", {}, 64))

    def test_a_viewer_that_reads_nothing_is_no_burden(self):
        with Folder(scenario(duration="1h")) as folder, \
                Run(folder, "--time", "x100") as run, Feed(run.port) as slow:
            for number in range(40):
                slow.send(id=number, ask="history", every=0.05, **{"with": {"points": 600}})
            api = run.api
            api.wait_for("totals", lambda found: found["at"] > 300)
            with open(f"/proc/{run.process.pid}/status", encoding="utf-8") as file:
                resident = [line for line in file if line.startswith("VmRSS")][0]
            self.assertLess(int(resident.split()[1]), 400 * 1024, resident)
            begun = time.monotonic()
            api.ask("totals")
            self.assertLess(time.monotonic() - begun, 5)
            api.do("end")
            self.assertEqual(run.end()[0], 0)


@unittest.skipIf(jsonschema is None, "python3-jsonschema is not installed")
class SchemaTest(unittest.TestCase):
    """Each real message is what the documents say it is."""

    QUESTIONS = [
        ("description", {}), ("totals", {}), ("totals", {"at": 2.0}), ("history", {"points": 50}),
        ("timeline", {}), ("log", {}), ("topics", {}), ("topics", {"search": "s/+/2"}),
        ("topics", {"parent": "s/3", "order": "recent"}),
        ("fleet", {"show": "messages"}), ("fleet", {"by": "none", "at": 3.0}),
        ("cell", {"group": "sensors", "place": 4}), ("devices", {"order": "published"}),
        ("device", {"name": "sensors[3]"}), ("device", {"name": "panel[0]", "events": 2000}),
        ("messages", {"limit": 1000}), ("messages", {"qos": 2, "state": "complete"}),
        ("report", {}), ("speed", {"speed": 5}), ("pause", {}), ("step", {"events": 5}),
        ("fault", {"fault": '{"kind": "power_loss", "fleet": "sensors", "for": "2s"}'}),
        ("publish", {"topic": "s/x", "payload": "y", "retain": True}),
        ("disconnect", {"client": "sensors[1]"}), ("annotate", {"text": "x"}), ("step", {"by": 4}),
        ("timeline", {}), ("log", {}), ("topics", {}), ("totals", {}), ("device", {
            "name": "sensors[1]"})]

    def check_all(self, api, port, questions):
        openapi = json.loads(api.request("GET", "/api/openapi.json")[1])
        asyncapi = json.loads(api.request("GET", "/api/asyncapi.json")[1])
        channel = asyncapi["channels"]["/feed"]
        sent = {each["name"]: each["payload"] for each in channel["publish"]["message"]["oneOf"]}
        came = {each["name"]: each["payload"] for each in channel["subscribe"]["message"]["oneOf"]}
        judge = jsonschema.Draft202012Validator
        for schema in [*sent.values(), *came.values()]:
            judge.check_schema(schema)
        self.assertEqual(openapi["openapi"], "3.1.0")
        with Feed(port, "fleetarium.feed.v1") as feed:
            for name, parameters in questions:
                with self.subTest(name=name, parameters=parameters):
                    jsonschema.validate({"id": 1, "ask": name, "with": parameters},
                                        sent["ask " + name], judge)
                    found = feed.ask(name, parameters)
                    self.assertIn("answer", found)
                    jsonschema.validate(found, came["answer to " + name], judge)
                    path = openapi["paths"]["/api/" + name]
                    told = path.get("get") or path["post"]
                    jsonschema.validate(
                        found["answer"], told["responses"]["200"]["content"]["application/json"]
                        ["schema"], judge)
                    if name == "messages":
                        for row in found["answer"]["rows"][:20]:
                            jsonschema.validate(feed.ask("message", {"message": row["message"]}),
                                                came["answer to message"], judge)
            wrong = feed.ask("topics", {"limit": "ten"})
            jsonschema.validate(wrong, came["error"], judge)
            with self.assertRaises(jsonschema.ValidationError):  # the judge does judge
                jsonschema.validate({"id": 1, "ask": "topics", "with": {"limit": "ten"}},
                                    sent["ask topics"], judge)
        return sent

    def test_messages_of_a_run(self):
        with Folder(scenario(duration="1h")) as folder, Run(folder, "--paused") as run:
            run.api.do("step", by=6)
            sent = self.check_all(run.api, run.port, self.QUESTIONS)
            self.assertEqual({name for name in sent if name.startswith("ask ")},
                             {"ask " + name for name, _ in self.QUESTIONS}
                             | {"ask message", "ask heal", "ask end"})
            run.api.do("end")
            self.assertEqual(run.end()[0], 0)

    def test_messages_of_a_broker(self):
        with Broker("--http", "127.0.0.1:0") as broker:
            port = port_of(broker.process.stdout.readline())
            with Client(broker.port) as client:
                client.subscribe("#")
                client.publish("a/b", b"\xff\x00")
                client.read(7)
                self.check_all(Api(port), port, [
                    ("description", {}), ("totals", {}), ("history", {}), ("timeline", {}),
                    ("log", {}), ("topics", {"parent": "a"}), ("fleet", {}), ("devices", {}),
                    ("device", {"name": "c"}), ("messages", {}),
                    ("publish", {"topic": "a/c", "payload": "x", "qos": 1}),
                    ("disconnect", {"client": "c"})])
            self.assertEqual(broker.stop(), 0)


class BrokerTest(unittest.TestCase):
    def test_a_brokers_clients_and_topics_are_seen(self):
        with Broker("--http", "127.0.0.1:0", "--set", "sys_interval=1h") as broker:
            api = Api(port_of(broker.process.stdout.readline()))
            with Client(broker.port) as client:
                self.assertEqual(client.subscribe("home/#"), 0)
                client.publish("home/kitchen", b"21.5")
                self.assertEqual(client.read(2 + 2 + 12 + 4)[4:], b"home/kitchen21.5")
                api.do("publish", topic="home/hall", payload="by hand", qos=0, retain=True)
                self.assertTrue(client.read(2 + 2 + 9 + 7).endswith(b"by hand"))
                totals = api.ask("totals")
                self.assertEqual((totals["connected"], totals["connects"]), (1, 1))
                devices = api.ask("devices")["rows"]
                self.assertEqual([(each["name"], each["state"], each["published"],
                                   each["received"]) for each in devices],
                                 [("c", "connected", 1, 2)])
                page = api.ask("device", name="c")
                self.assertEqual(page["subscriptions"], [{"filter": "home/#", "qos": 0}])
                rows = api.ask("topics", parent="home")["rows"]
                self.assertEqual([(each["name"], each["payload"], each["retained"])
                                  for each in rows],
                                 [("home/hall", "by hand", True), ("home/kitchen", "21.5", False)])
                self.assertEqual(len(api.ask("messages", filter="home/#")["rows"]), 2)
                status, answer = api.post("fault", fault='{"kind": "cut"}')
                self.assertEqual(status, 409, answer)
                api.do("disconnect", client="c")
                self.assertEqual(client.socket.recv(10), b"")
            self.assertEqual(api.wait_for(
                "devices", lambda found: found["rows"][0]["state"] == "offline")["all"], 1)
            self.assertEqual(api.post("disconnect", client="c")[0], 400)
            self.assertEqual(broker.stop(), 0)


if __name__ == "__main__":
    FLEETARIUM = os.path.abspath(sys.argv.pop(1))
    broker_command_test.FLEETARIUM = FLEETARIUM
    run_command_test.FLEETARIUM = FLEETARIUM
    unittest.main()
