"""Brokers to judge: ours, and mosquitto, which proves that a judge asks for what can be had."""

import os
import re
import signal
import socket
import subprocess
import tempfile

from judging.processes import Process, find_program
from judging.verdicts import Wrong

USER, PASSWORD = "lamp", "right"
SCHEMES = {"tcp": "mqtt", "tls": "mqtts", "ws": "ws", "wss": "wss", "unix": "unix"}


class Kit:
    """What every judge needs: the broker's program, certificates, a folder for files."""

    def __init__(self, broker, against, build, root):
        self.program = os.path.abspath(broker)
        self.against = against  # "fleetarium" or "mosquitto"
        self.build = build
        self.root = root
        self.folder = tempfile.TemporaryDirectory(prefix="fleetarium_judges_")
        self.certificates = Certificates(self)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)


class Certificates:
    """A test authority with a server's and a device's certificate."""

    def __init__(self, kit):
        at = kit.path("certificates")
        made = subprocess.run([kit.program, "certs", "--out", at, "--device", USER],
                              capture_output=True, text=True, check=False)
        if made.returncode != 0:
            raise Wrong(f"sent:     {kit.program} certs --out {at} --device {USER}\n"
                        f"expected: exit status 0\ngot:      {made.returncode}; {made.stderr}")
        self.authority = f"{at}/ca.pem"
        self.server, self.server_key = f"{at}/server.pem", f"{at}/server.key"
        self.device, self.device_key = f"{at}/{USER}.pem", f"{at}/{USER}.key"
        self.device_name = USER


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


class Broker:
    """A running broker. `ports` and `urls` are by transport: tcp, tls, ws, wss, unix.

    guarded: users need a password; %c and %u rules of the access file hold.
    mutual: clients need a certificate, whose name is the user name.
    """

    def __init__(self, kit, transports, name="open", guarded=False, mutual=False, flags=()):
        self.kit = kit
        self.name = name
        self.transports = list(transports)
        self.guarded, self.mutual = guarded, mutual
        self.ports, self.urls = {}, {}
        self.terminated = False
        self.socket_path = kit.path(f"{name}.sock")
        self.log_path = kit.path(f"{name}.log")
        self.output = open(self.log_path, "ab")
        if kit.against == "mosquitto":
            self._start_mosquitto()
        else:
            self._start_ours(flags)

    # ours

    def _start_ours(self, flags):
        certificates = self.kit.certificates
        arguments = [self.kit.program, "broker"]
        for transport in self.transports:
            place = f"/{self.socket_path}" if transport == "unix" else "127.0.0.1:0"
            arguments += ["--listen", f"{SCHEMES[transport]}://{place}"]
        if {"tls", "wss"} & set(self.transports):
            arguments += ["--cert", certificates.server, "--key", certificates.server_key]
        if self.mutual:
            arguments += ["--ca", certificates.authority, "--require-client-cert",
                          "--subject-as-user-name"]
        if self.guarded:
            arguments += ["--passwords", self._password_file()]
        if self.guarded or self.mutual:
            arguments += ["--access", self._access_file()]
        # Judges send faster than some of them read; and the log is shown with what fails.
        arguments += ["--set", "queue_messages_max=20000", "--log-level", "debug", *flags]
        # Its standard output is read line by line; its log goes to a file.
        self.process = Process(arguments, stderr=self.output)
        for transport in self.transports:
            try:
                line = self.process.line(
                    "a line \"listening on URL\" for each --listen",
                    lambda text: text.startswith(f"listening on {SCHEMES[transport]}://"))
            except Wrong as problem:
                raise Wrong(f"{problem}\nits log: {self.log_tail()}") from None
            self.urls[transport] = re.search(r"listening on (\S+)", line).group(1)
            found = re.search(r":(\d+)(/|$)", self.urls[transport])
            if transport != "unix":
                self.ports[transport] = int(found.group(1))

    # mosquitto

    def _start_mosquitto(self):
        certificates = self.kit.certificates
        lines = ["per_listener_settings false", "max_queued_messages 20000", "log_type all"]
        if os.geteuid() == 0:
            lines.append("user root")
        for transport in self.transports:
            if transport == "unix":
                lines.append(f"listener 0 {self.socket_path}")
                self.urls["unix"] = f"unix://{self.socket_path}"
                continue
            port = free_port()
            self.ports[transport] = port
            path = "/mqtt" if transport in ("ws", "wss") else ""
            self.urls[transport] = f"{SCHEMES[transport]}://127.0.0.1:{port}{path}"
            lines.append(f"listener {port} 127.0.0.1")
            if transport in ("ws", "wss"):
                lines.append("protocol websockets")
            if transport in ("tls", "wss"):
                lines += [f"certfile {certificates.server}", f"keyfile {certificates.server_key}"]
                if self.mutual:
                    lines += [f"cafile {certificates.authority}", "require_certificate true",
                              "use_identity_as_username true"]
        lines.append(f"allow_anonymous {'false' if self.guarded or self.mutual else 'true'}")
        if self.guarded:
            lines.append(f"password_file {self._password_file()}")
        if self.guarded or self.mutual:
            lines.append(f"acl_file {self._access_file()}")
        configuration = self.kit.write(f"{self.name}.conf", "\n".join(lines) + "\n")
        self.process = Process([find_program("mosquitto"), "-c", configuration])
        self.process.line("a line \"running\"", lambda text: text.endswith(" running"))

    # both

    def _password_file(self):
        """A file with one user, written by mosquitto's program where it is installed."""
        path = self.kit.path(f"{self.name}.passwords")
        program = find_program("mosquitto_passwd")
        command = ([program, "-b", "-c", path, USER, PASSWORD] if program else
                   [self.kit.program, "passwd", path, USER, "--password", PASSWORD])
        subprocess.run(command, check=True, capture_output=True)
        return path

    def _access_file(self):
        """Everyone: own topics by client id. The user: own topics by name, and shared/#."""
        return self.kit.write(
            f"{self.name}.access",
            "pattern readwrite by_id/%c/#\npattern readwrite by_name/%u/#\n"
            f"user {USER}\ntopic readwrite shared/#\ntopic read only_read/#\n")

    def log_tail(self, lines=25):
        """The end of what it wrote."""
        self.output.flush()
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            text = file.read().split("\n")
        return "\n".join((text + self.process.lines)[-lines:])

    def terminate(self):
        """Sends SIGTERM, once: a second one would not wait for farewells."""
        if not self.terminated:
            self.terminated = True
            self.process.child.send_signal(signal.SIGTERM)

    def stop(self):
        """Ends it by SIGTERM; Wrong if that is not clean."""
        self.terminate()
        status = self.process.end()
        if status != 0:
            raise Wrong(f"sent:     SIGTERM to the broker\nexpected: exit status 0\n"
                        f"got:      {status}; {self.process.state()}")
        return status
