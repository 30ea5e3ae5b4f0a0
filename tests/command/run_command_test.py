#!/usr/bin/env python3
"""What `fleetarium run` does with the real world: clients that come in by --listen, brokers outside
by --target, mosquitto and its clients among them. `run_command_test.py FLEETARIUM` runs all of it."""

import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import broker_command_test
from broker_command_test import DEADLINE, Broker, Client

FLEETARIUM = ""
MOSQUITTO = shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")


def scenario(**changes):
    """Twenty sensors with five messages each, and one display."""
    sensors = {"name": "sensors", "count": 20, "start": "100ms", "publications": [
        {"topic": "s/{index}", "period": "100ms", "start": "1s", "count": 5, "qos": 1,
         "payload": "{seq}"}]}
    display = {"name": "display", "subscriptions": [{"filter": "s/#", "qos": 1}]}
    made = {"name": "test", "duration": "2500ms", "brokers": [{"name": "cloud"}],
            "fleets": [sensors, display]}
    made.update(changes)
    return made


class Folder:
    """A folder with a scenario in it."""

    def __init__(self, described):
        self.folder = tempfile.TemporaryDirectory()
        self.scenario = self.path("scenario.json")
        self.report_file = self.path("report.json")
        with open(self.scenario, "w", encoding="utf-8") as file:
            json.dump(described, file)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.folder.cleanup()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def command(self, *arguments):
        return [FLEETARIUM, "run", self.scenario, "--report", self.report_file, *arguments]

    def run(self, *arguments, **options):
        return subprocess.run(self.command(*arguments), capture_output=True, text=True,
                              timeout=DEADLINE, check=False, **options)

    def report(self):
        with open(self.report_file, encoding="utf-8") as file:
            return json.load(file)


class Run:
    """A run in the background that real clients can reach."""

    def __init__(self, folder, *arguments, listeners=1):
        self.process = subprocess.Popen(folder.command(*arguments), stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.lines = [self.process.stdout.readline().strip() for _ in range(listeners)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(DEADLINE)
        self.process.stdout.close()
        self.process.stderr.close()

    def port(self, which=0):
        return int(self.lines[which].split("//")[1].split()[0].rsplit(":", 1)[1])

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(DEADLINE)


class Mosquitto:
    """Debian's broker on a free port of this machine."""

    def __init__(self, folder, *settings):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        path = folder.path("mosquitto.conf")
        with open(path, "w", encoding="utf-8") as file:
            user = "user root\n" if os.geteuid() == 0 else ""
            file.write(f"{user}listener {self.port} 127.0.0.1\nlog_type error\nlog_dest stderr\n")
            file.writelines(line + "\n" for line in settings)
        self.process = subprocess.Popen([MOSQUITTO, "-c", path], stderr=subprocess.PIPE, text=True)
        end = time.monotonic() + DEADLINE
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE).close()
                return
            except ConnectionRefusedError:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise AssertionError(self.process.stderr.read()) from None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(DEADLINE)
        self.process.stderr.close()


class Misuse(unittest.TestCase):
    def check(self, status, text, *arguments, described=None, **options):
        with Folder(described or scenario()) as folder:
            done = folder.run(*arguments, **options)
            self.assertEqual((done.returncode, text in done.stderr), (status, True),
                             f"{arguments}: {done.returncode}, {done.stderr}")

    def test_what_does_not_go_together_is_refused_with_the_reason(self):
        here = "mqtt://127.0.0.1:0"
        two = scenario(brokers=[{"name": "cloud"}, {"name": "edge"}])
        self.check(2, "--listen needs --time real", "--listen", here)
        self.check(2, "--listen needs --time real", "--listen", here, "--time", "virtual")
        self.check(2, "lives in real time", "--target", here, "--time", "virtual")
        self.check(2, "no broker \"clod\"; it has cloud", "--target", "clod=" + here)
        self.check(2, "several brokers, cloud, edge: say which", "--target", here, described=two)
        self.check(2, "the scheme is \"tcp\"", "--time", "real", "--listen", "tcp://127.0.0.1")
        self.check(2, "it cannot --listen here, too", "--target", here, "--listen", here)
        self.check(2, "--cert, --key, --ca and --insecure go with", "--ca", "file")
        self.check(2, "for TLS", "--target", here, "--ca", "file")
        self.check(2, "--insecure is for a --target with TLS", "--target", here, "--insecure")
        self.check(2, "needs a certificate", "--time", "real", "--listen", "mqtts://127.0.0.1:0")
        crash = scenario(faults=[{"kind": "cut"}, {"kind": "broker_crash", "for": "1s"}])
        self.check(2, '/faults/1: the fault "broker_crash" cannot be done to a broker of --target',
                   "--target", here, described=crash)
        self.check(2, "no_such_file", "--target", "mqtts://127.0.0.1:1", "--ca", "no_such_file")

    def test_an_audit_is_of_a_broker_outside(self):
        self.check(2, "go with --target", "--audit", "payload")
        self.check(2, "go with --target", "--time", "real", "--drain", "1s")
        self.check(2, "expected user_property, payload or none", "--audit", "all")

    def test_a_fault_that_a_broker_outside_would_not_feel_is_refused(self):
        def fault(**what):
            return scenario(faults=[dict(what, at="1s")])

        here = "mqtt://127.0.0.1:0"
        for text, described in {
                "/faults/0: the fault \"slow_reader\" cannot be done to a broker of --target":
                    fault(kind="slow_reader", fleet="display", **{"for": "1s"}),
                "only the device's side": fault(kind="half_open", knows="broker"),
                "\"direction\": \"up\"": fault(kind="cut_in_packet", **{"for": "1s"}),
                "stopped and started by whoever runs it":
                    fault(kind="broker_crash", **{"for": "1s"})}.items():
            self.check(2, text, "--target", here, described=described)
        # What happens on the device's side is fine: it fails later, for there is no such broker.
        self.check(3, "nobody to connect to", "--target", "mqtt://127.0.0.1:1",
                   described=fault(kind="half_open", knows="device"))

    def test_what_the_machine_refuses_is_said_before_the_run(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            url = f"mqtt://127.0.0.1:{taken.getsockname()[1]}"
            self.check(3, "in use", "--time", "real", "--listen", url)
        self.check(3, "nobody to connect to", "--target", url)
        # The limit can be lowered for good, and then not be raised again by the run.
        few = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60))
        self.check(3, "each of 21 devices needs a connection", "--target", url, preexec_fn=few)
        many = scenario(fleets=[{"name": "f", "count": 70000}])
        self.check(3, "ports to connect from", "--target", url, described=many)

    def test_a_broker_that_is_none_ends_the_run(self):
        with socket.socket() as mute:
            mute.bind(("127.0.0.1", 0))
            mute.listen()
            with Folder(scenario(duration="1h")) as folder:
                url = f"mqtt://127.0.0.1:{mute.getsockname()[1]}"
                process = subprocess.Popen(folder.command("--target", url), text=True,
                                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                mute.settimeout(DEADLINE)
                try:
                    while process.poll() is None:
                        mute.settimeout(0.2)
                        try:
                            mute.accept()[0].close()
                        except TimeoutError:
                            pass
                    output, errors = process.communicate(timeout=DEADLINE)
                finally:
                    process.kill()
                self.assertEqual(process.returncode, 3, errors)
                self.assertIn("no connection to " + url, errors)


class Listen(unittest.TestCase):
    def test_a_real_client_sees_the_fleet_and_ctrl_c_reports(self):
        forever = scenario(duration="24h")
        del forever["fleets"][0]["publications"][0]["count"]
        with Folder(forever) as folder, Run(folder, "--time", "real", "--listen",
                                            "mqtt://127.0.0.1:0") as run:
            self.assertTrue(run.lines[0].startswith("listening on mqtt://127.0.0.1:"))
            with Client(run.port()) as client:
                self.assertEqual(client.code, 0)
                self.assertEqual(client.subscribe("s/3"), 0)
                self.assertEqual(client.read(7)[:2], b"\x30\x06")
                self.assertEqual(run.stop(), 0)
            report = folder.report()
            self.assertTrue(report["interrupted"])
            self.assertEqual(report["wall"]["pace"], 1)
            self.assertEqual(report["wall"]["real_clients"], 1)
            self.assertIn("the real world took part", run.process.stdout.read())

    def test_each_broker_has_its_own_ports(self):
        two = scenario(duration="24h", brokers=[{"name": "cloud"}, {"name": "edge"}])
        with Folder(two) as folder, Run(
                folder, "--time", "x10", "--listen", "cloud=mqtt://127.0.0.1:0", "--listen",
                "edge=mqtt://127.0.0.1:0", listeners=2) as run:
            self.assertTrue(run.lines[0].endswith(" for broker cloud"))
            self.assertTrue(run.lines[1].endswith(" for broker edge"))
            with Client(run.port(1)) as client:
                self.assertEqual(client.code, 0)
            run.stop()
            brokers = {each["name"]: each for each in folder.report()["brokers"]}
            self.assertEqual(brokers["edge"]["connections_accepted"], 1)
            self.assertIn("a keep alive of 60 s is over after 6 s", run.process.stderr.read())

    @unittest.skipUnless(shutil.which("mosquitto_sub"), "mosquitto_sub is not installed")
    def test_mosquitto_sub_listens_in(self):
        for version in "311", "5":
            with Folder(scenario(duration="24h")) as folder, Run(
                    folder, "--time", "real", "--listen", "mqtt://127.0.0.1:0", "--set",
                    "fleets.sensors.publications.0.count=1000") as run:
                heard = subprocess.run(
                    ["mosquitto_sub", "-V", "mqttv" + version, "-h", "127.0.0.1", "-p",
                     str(run.port()), "-t", "s/7", "-q", "1", "-C", "3", "-W", "60"],
                    capture_output=True, text=True, timeout=DEADLINE, check=True)
                numbers = [int(line) for line in heard.stdout.split()]
                self.assertEqual(numbers, list(range(numbers[0], numbers[0] + 3)))
                self.assertEqual(run.stop(), 0)


class Target(unittest.TestCase):
    def check_delivered(self, folder, done, published=100):
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
        report = folder.report()
        self.assertEqual(report["messages"]["published"], published)
        self.assertEqual(report["messages"]["acknowledged"], published)
        self.assertEqual(report["deliveries"]["delivered"], published)
        self.assertEqual(report["deliveries"]["duplicates"], 0)
        self.assertEqual(report["deliveries"]["latency"]["count"], published)
        self.assertEqual(report["brokers"], [])
        self.assertEqual(report["remote_brokers"][0]["connections"], 21)
        self.assertEqual(report["remote_brokers"][0]["failures"], {})
        self.assertEqual(report["fleets"][0]["connected"], 20)
        return report

    def test_our_own_broker_in_another_process(self):
        expectations = [{"metric": "messages_delivered", "min": 100},
                        {"metric": "latency", "percentile": 50, "max": 30},
                        {"metric": "delivery_ratio", "min": 1}]
        with Folder(scenario(expectations=expectations)) as folder, Broker() as broker:
            url = broker.urls[0]
            report = self.check_delivered(folder, folder.run("--target", url))
            self.assertEqual(report["remote_brokers"][0]["url"], url)
            self.assertEqual([each["met"] for each in report["expectations"]],
                             [True, True, None])
            unmet = folder.run("--target", "cloud=" + url, "--set", "expectations.0.min=101")
            self.assertEqual(unmet.returncode, 1)
            self.assertEqual(broker.stop(), 0)

    def check_take_over(self, url):
        described = scenario(duration="4s", faults=[
            {"kind": "take_over", "at": "700ms", "for": "2s", "fleet": "sensors",
             "last_device": 4},
            {"kind": "clock_skew", "at": "900ms", "for": "2s", "fleet": "sensors", "rate": 2}])
        with Folder(described) as folder:
            done = folder.run("--target", url)
            self.assertEqual(done.returncode, 0, done.stderr)
            report = folder.report()
            self.assertEqual([each["devices"] for each in report["faults"]], [5, 20])
            # Each of the five had a rival, and came back.
            self.assertEqual(report["remote_brokers"][0]["connections"], 31)
            self.assertEqual(report["fleets"][0]["connected"], 20)
            self.assertEqual(report["deliveries"]["delivered"], 100)

    def test_client_ids_are_taken_over_for_real(self):
        with Broker() as broker:
            self.check_take_over(broker.urls[0])
            self.assertEqual(broker.stop(), 0)

    @unittest.skipUnless(MOSQUITTO, "mosquitto is not installed")
    def test_client_ids_are_taken_over_at_mosquitto(self):
        with Folder(scenario()) as folder, Mosquitto(folder, "allow_anonymous true") as broker:
            self.check_take_over(f"mqtt://127.0.0.1:{broker.port}")

    @unittest.skipUnless(MOSQUITTO, "mosquitto is not installed")
    def test_mosquitto(self):
        described = scenario()
        sensors, display = described["fleets"]
        first = sensors["publications"][0]
        sensors["publications"] = [dict(first, qos=qos, topic=f"s/{{index}}/{qos}")
                                   for qos in (0, 1, 2)]
        sensors["version"] = "3.1.1"
        display["subscriptions"][0]["qos"] = 2
        with Folder(described) as folder, Mosquitto(folder, "allow_anonymous true") as broker:
            done = folder.run("--target", f"mqtt://127.0.0.1:{broker.port}")
            self.assertEqual(done.returncode, 0, done.stderr)
            report = folder.report()
            for qos in 1, 2:
                self.assertEqual(report["deliveries_by_qos"][qos]["delivered"], 100)
                self.assertEqual(report["deliveries_by_qos"][qos]["duplicates"], 0)
            # A device that has not connected yet loses what is QoS 0.
            self.assertEqual(report["deliveries_by_qos"][0]["delivered"],
                             100 - report["messages"]["lost_offline"])
            self.assertIn("only that broker knows", done.stdout)

    def test_our_broker_knows_each_device_by_its_certificate_as_well(self):
        described = scenario()
        for fleet in described["fleets"]:
            fleet["certificates"] = {"seed": 7}
        described["fleets"][0]["publications"][0]["topic"] = "s/{client_id}"
        with Folder(described) as folder:
            at = folder.path("certs")
            subprocess.run([FLEETARIUM, "certs", "--seed", "7", "--out", at], check=True,
                           stdout=subprocess.DEVNULL, timeout=DEADLINE)
            with open(folder.path("access"), "w", encoding="utf-8") as file:
                file.write("pattern write s/%u\nuser display-0\ntopic read s/#\n")
            with Broker("--cert", at + "/server.pem", "--key", at + "/server.key", "--ca",
                        at + "/ca.pem", "--require-client-cert", "--subject-as-user-name",
                        "--access", folder.path("access"),
                        listen=("mqtts://127.0.0.1:0",)) as broker:
                self.check_delivered(folder, folder.run("--target", broker.urls[0]))
                # Certificates of another authority let nobody in, and both sides say why.
                seeds = [f"fleets.{name}.certificates.seed=8" for name in ("sensors", "display")]
                refused = folder.run("--target", broker.urls[0], "--ca", at + "/ca.pem",
                                     *(word for each in seeds for word in ("--set", each)))
                self.assertEqual(refused.returncode, 3, refused.stdout)
                self.assertIn('TLS alert "unknown CA"', refused.stderr)
                broker.stop()
                self.assertIn("closed before it said anything in MQTT", broker.log_text())

    @unittest.skipUnless(MOSQUITTO, "mosquitto is not installed")
    def test_mosquitto_knows_each_device_by_its_certificate(self):
        described = scenario()
        for fleet in described["fleets"]:
            fleet["certificates"] = {"seed": 7}
        with Folder(described) as folder:
            at = folder.path("certs")
            subprocess.run([FLEETARIUM, "certs", "--seed", "7", "--out", at], check=True,
                           stdout=subprocess.DEVNULL, timeout=DEADLINE)
            os.chmod(at + "/server.key", 0o644)  # mosquitto reads it as another user
            with open(folder.path("acl"), "w", encoding="utf-8") as file:
                # %u is the certificate's name: each sensor may publish under it alone.
                file.write("pattern write s/%u\nuser display-0\ntopic read s/#\n")
            publication = described["fleets"][0]["publications"][0]
            publication["topic"] = "s/{client_id}"
            with open(folder.scenario, "w", encoding="utf-8") as file:
                json.dump(described, file)
            with Mosquitto(folder, f"cafile {at}/ca.pem", f"certfile {at}/server.pem",
                           f"keyfile {at}/server.key", "require_certificate true",
                           "use_identity_as_username true",
                           "acl_file " + folder.path("acl")) as broker:
                url = f"mqtts://127.0.0.1:{broker.port}"
                self.check_delivered(folder, folder.run("--target", url))
                # Without certificates nobody gets in, and the run says why.
                for fleet in described["fleets"]:
                    del fleet["certificates"]
                with open(folder.scenario, "w", encoding="utf-8") as file:
                    json.dump(described, file)
                refused = folder.run("--target", url, "--ca", at + "/ca.pem")
                self.assertEqual(refused.returncode, 3, refused.stdout)
                self.assertIn("no connection to " + url, refused.stderr)


if __name__ == "__main__":
    FLEETARIUM = os.path.abspath(sys.argv.pop(1))
    broker_command_test.FLEETARIUM = FLEETARIUM
    unittest.main()
