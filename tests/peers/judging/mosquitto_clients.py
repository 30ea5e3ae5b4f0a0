"""mosquitto_pub, mosquitto_sub and mosquitto_rr as judges. Each client is a process; losing one
without a farewell is killing it."""

import json
import math
import time

from judging.brokers import PASSWORD, USER, Broker
from judging.processes import Process, find_program
from judging.verdicts import Wrong, expect

VERSIONS = {"3.1.1": "mqttv311", "5.0": "mqttv5"}


def missing(kit):
    for name in ("mosquitto_pub", "mosquitto_sub", "mosquitto_rr"):
        if find_program(name) is None:
            return f"{name} is not installed (Debian: mosquitto-clients)"
    return None


class Place:
    """One way to the broker, in one version: the clients that go it."""

    def __init__(self, kit, broker, transport, version):
        self.kit, self.broker = kit, broker
        self.transport, self.version = transport, version
        self.v5 = version == "5.0"

    def arguments(self, certificate):
        certificates = self.kit.certificates
        made = ["-V", VERSIONS[self.version]]
        if self.transport == "unix":
            return made + ["--unix", self.broker.socket_path]
        made += ["-h", "localhost" if self.transport == "tls" else "127.0.0.1",
                 "-p", self.broker.ports[self.transport]]
        if self.transport == "tls":
            made += ["--cafile", certificates.authority]
            if certificate:
                made += ["--cert", certificates.device, "--key", certificates.device_key]
        return made

    def run(self, program, *arguments, stdin=None, certificate=False):
        return Process(["stdbuf", "-oL", program, *self.arguments(certificate), *arguments],
                       stdin=stdin)

    def subscriber(self, *arguments, **options):
        """A mosquitto_sub, subscribed; each message is a line of JSON."""
        process = self.run("mosquitto_sub", "-d", "-F", "%j", *arguments, **options)
        process.line("the SUBACK", lambda line: line.startswith("Subscribed (mid: "))
        return process

    def publish(self, *arguments, stdin=None, status=0):
        process = self.run("mosquitto_pub", *arguments, stdin=stdin)
        if process.end() != status:
            raise Wrong(f"sent:     {process.command()}\nexpected: exit status {status}\n"
                        f"got:      {process.child.returncode}; {process.state()}")
        return process


def messages(process, count):
    """The first `count` messages that a subscriber printed."""
    def look():
        found = [line for line in process.lines if line.startswith("{")]
        if len(found) < count and process.ended:
            raise Wrong(f"sent:     {process.command()}\nexpected: {count} messages\n"
                        f"got:      {len(found)}; {process.state()}")
        return found if len(found) >= count else None
    return [json.loads(line) for line in
            process.wait(process.command(), f"{count} messages", look)[:count]]


def brief(message):
    return (message["topic"], message["payload"], message["qos"], message["retain"])


def judge(kit, verdicts):
    broker = Broker(kit, ["tcp", "tls", "unix"])
    guarded = Broker(kit, ["tcp"], "guarded", guarded=True)
    mutual = Broker(kit, ["tls"], "mutual", mutual=True)
    for transport in ("tcp", "tls", "unix"):
        for version in VERSIONS:
            place = Place(kit, broker, transport, version)
            for story in STORIES + (STORIES_OF_5 if place.v5 else []):
                verdicts.case(transport, version, broker, story, place)
    for version in VERSIONS:
        verdicts.case("tcp", version, broker, ten_thousand, Place(kit, broker, "tcp", version))
        for story in (wrong_password, access_rules):
            verdicts.case("tcp", version, guarded, story, Place(kit, guarded, "tcp", version))
        verdicts.case("tls", version, mutual, known_by_certificate,
                      Place(kit, mutual, "tls", version))
    for story in (expiry, will_delay):  # these take their time
        verdicts.case("tcp", "5.0", broker, story, Place(kit, broker, "tcp", "5.0"))
    farewell(kit, verdicts, broker)
    guarded.stop()
    mutual.stop()


# ----------------------------------------------------------------------------- both versions


def every_qos(place):
    """publish and subscribe at QoS 0, 1, 2: topic, content, QoS"""
    sub = place.subscriber("-t", "judge/+/čas/#", "-q", "2", "-C", "3")
    for qos in range(3):
        place.publish("-t", f"judge/{qos}/čas", "-q", qos, "-m", f'h\u00e9 "{qos}"')
    expect("a message at each QoS to a subscriber at QoS 2",
           [(f"judge/{qos}/čas", f'h\u00e9 "{qos}"', qos, 0) for qos in range(3)],
           [brief(each) for each in messages(sub, 3)])
    expect("mosquitto_sub -C 3", 0, sub.end())


def lowered_qos(place):
    """a subscriber gets no more than the QoS it asked for"""
    sub = place.subscriber("-t", "lowered", "-q", "0", "-C", "1")
    place.publish("-t", "lowered", "-q", "2", "-m", "x")
    expect("QoS 2 to a subscriber at QoS 0", ("lowered", "x", 0, 0), brief(messages(sub, 1)[0]))


def retained(place):
    """a retained message is there for those who come later, until it is cleared"""
    place.publish("-t", "kept/a", "-q", "1", "-r", "-m", "old")
    place.publish("-t", "kept/a", "-q", "1", "-r", "-m", "new")
    sub = place.subscriber("-t", "kept/#", "-q", "1")
    expect("two retained messages, then a subscription", ("kept/a", "new", 1, 1),
           brief(messages(sub, 1)[0]))
    place.publish("-t", "kept/a", "-q", "1", "-m", "live")
    expect("a message while subscribed", ("kept/a", "live", 1, 0), brief(messages(sub, 2)[1]))
    sub.kill()
    place.publish("-t", "kept/a", "-r", "-n", "-q", "1")
    place.publish("-t", "kept/b", "-r", "-m", "b", "-q", "1")
    sub = place.subscriber("-t", "kept/#", "-q", "1", "-C", "1")
    expect("an empty retained message, then a subscription", ("kept/b", "b", 1, 1),
           brief(messages(sub, 1)[0]))
    place.publish("-t", "kept/b", "-r", "-n", "-q", "1")


def will(place):
    """a killed client's will is published, a disconnected client's is not"""
    sub = place.subscriber("-t", "wills/#", "-q", "2")
    for name in ("polite", "killed"):
        client = place.subscriber(
            "-i", f"{name}", "-t", f"to/{name}", "--will-topic", f"wills/{name}",
            "--will-payload", f"{name} is gone", "--will-qos", "1", "--will-retain",
            *(("-C", "1") if name == "polite" else ()))
        if name == "polite":
            place.publish("-t", "to/polite", "-m", "go")
            expect("mosquitto_sub -C 1", 0, client.end())
        else:
            client.kill()
    expect("one client that disconnected, one killed", ("wills/killed", "killed is gone", 1, 0),
           brief(messages(sub, 1)[0]))
    place.publish("-t", "wills/killed", "-r", "-n", "-q", "1")
    expect("the retained will cleared", 2, len(messages(sub, 2)))
    sub.kill()


def offline_queue(place):
    """a session that is kept gets what was published while its client was away"""
    name = f"away-{place.transport}-{place.version}"
    keep = ["-i", name, "-c", "-q", "2", *(("-x", "100") if place.v5 else ())]
    sub = place.run("mosquitto_sub", "-t", "away/#", "-E", *keep)
    expect("mosquitto_sub -E -c", 0, sub.end())
    place.publish("-t", "away/1", "-q", "1", "-l", stdin=b"a\nb\nc\n")
    place.publish("-t", "away/2", "-q", "2", "-m", "d")
    sub = place.run("mosquitto_sub", "-d", "-F", "%j", "-C", "4", "-t", "away/none", *keep)
    expect("four messages while away",
           [("away/1", "a", 1, 0), ("away/1", "b", 1, 0), ("away/1", "c", 1, 0),
            ("away/2", "d", 2, 0)], [brief(each) for each in messages(sub, 4)])
    expect("mosquitto_sub -C 4", 0, sub.end())
    # The session ends here, so that nothing is left for the next client of that name.
    sub = place.run("mosquitto_sub", "-t", "away/#", "-E", "-i", name)
    expect("mosquitto_sub -E", 0, sub.end())


def large(place):
    """a payload of one MiB"""
    text = ("0123456789abcdef" * 65536).encode()
    path = place.kit.write("large", text.decode())
    sub = place.subscriber("-t", "large", "-q", "1", "-C", "1")
    place.publish("-t", "large", "-q", "1", "-f", path)
    got = messages(sub, 1)[0]
    expect("one MiB", len(text), got["payloadlen"])
    if got["payload"].encode() != text:
        raise Wrong("sent:     one MiB\nexpected: the same\ngot:      other content")


def rr(place):
    """mosquitto_rr gets the answer to its request"""
    responder = place.subscriber("-t", "service/sum", "-q", "1", "-C", "1")
    request = place.run("mosquitto_rr", "-t", "service/sum", "-e", "answers/7", "-q", "1", "-m",
                        "2+3", "-W", "60",
                        *(("-D", "publish", "correlation-data", "nr-9") if place.v5 else ()))
    asked = messages(responder, 1)[0]
    expect("a request", ("service/sum", "2+3", 1, 0), brief(asked))
    answer = []
    if place.v5:
        expect("a request with response topic and correlation data", ("answers/7", "nr-9"),
               (asked["properties"].get("response-topic"),
                asked["properties"].get("correlation-data")))
        answer = ["-D", "publish", "correlation-data", "nr-9"]
    place.publish("-t", "answers/7", "-q", "1", "-m", "5", *answer)
    expect("mosquitto_rr", 0, request.end())
    expect("the answer \"5\"", ["5"], request.lines)


def unsubscribed(place):
    """nothing comes after UNSUBSCRIBE"""
    # mosquitto_sub sends SUBSCRIBE and then UNSUBSCRIBE for -U.
    sub = place.subscriber("-t", "gone", "-t", "stays", "-U", "gone", "-q", "1", "-C", "1")
    sub.line("the UNSUBACK", lambda line: "UNSUBACK" in line)
    place.publish("-t", "gone", "-q", "1", "-m", "x")
    place.publish("-t", "stays", "-q", "1", "-m", "y")
    expect("to \"gone\", then to \"stays\"", ("stays", "y", 1, 0), brief(messages(sub, 1)[0]))


def ten_thousand(place):
    """ten thousand messages at QoS 1, in order"""
    lines = [f"message {index}" for index in range(10000)]
    sub = place.run("mosquitto_sub", "-d", "-t", "many", "-q", "1", "-C", "10000")
    sub.line("the SUBACK", lambda line: line.startswith("Subscribed (mid: "))
    pub = place.run("mosquitto_pub", "-t", "many", "-q", "1", "-l",
                    stdin=("\n".join(lines) + "\n").encode())
    expect("mosquitto_pub -l of 10,000 lines", 0, pub.end(60))
    expect("mosquitto_sub -C 10000", 0, sub.end(60))
    got = [line for line in sub.lines if line.startswith("message ")]
    if got != lines:
        first = next((i for i, pair in enumerate(zip(got, lines)) if pair[0] != pair[1]), len(got))
        raise Wrong(f"sent:     10,000 numbered messages\nexpected: all, in order\n"
                    f"got:      {len(got)}; the first that differs is number {first}: "
                    f"{got[first:first + 3]}")


STORIES = [every_qos, lowered_qos, retained, will, offline_queue, large, rr, unsubscribed]

# ------------------------------------------------------------------------------ version 5 only


def properties(place):
    """properties of a message and a subscription identifier arrive"""
    sub = place.subscriber("-t", "props", "-q", "1", "-C", "1",
                           "-D", "subscribe", "subscription-identifier", "268435455")
    sent = {"content-type": "text/\u00fc", "response-topic": "r/1", "correlation-data": "cd",
            "payload-format-indicator": 1, "message-expiry-interval": 1000}
    flags = [word for key, value in sent.items() for word in ("-D", "publish", key, value)]
    place.publish("-t", "props", "-q", "1", "-m", "x", *flags,
                  "-D", "publish", "user-property", "k\u00e9y", "v\u00e4lue")
    got = messages(sub, 1)[0]["properties"]
    expiry_left = got.pop("message-expiry-interval", None)
    del sent["message-expiry-interval"]
    sent |= {"user-properties": {"k\u00e9y": "v\u00e4lue"}, "subscription-identifier": 268435455}
    expect("a message with properties", sent, got)
    if not 900 < (expiry_left or 0) <= 1000:
        expect("message expiry interval 1000", "1000 or a little less", expiry_left)


def alias(place):
    """topic aliases of a publisher"""
    sub = place.subscriber("-t", "aliased", "-q", "1", "-C", "3")
    pub = place.run("mosquitto_pub", "-d", "-t", "aliased", "-q", "1", "-l",
                    "-D", "publish", "topic-alias", "3", stdin=b"a\nb\nc\n")
    expect("mosquitto_pub -D publish topic-alias 3", 0, pub.end())
    expect("three messages of one alias", [("aliased", text, 1, 0) for text in "abc"],
           [brief(each) for each in messages(sub, 3)])
    sent = pub.lines_with(lambda line: "sending PUBLISH" in line)
    if len(sent) != 3 or "(null)" not in sent[2]:
        expect("topic-alias 3", "PUBLISH packets without a topic", sent)


def shared(place):
    """a shared subscription: each message to one member, and to each member some"""
    members = [place.subscriber("-t", "$share/crew/jobs/#", "-q", "1") for _ in range(3)]
    place.publish("-t", "jobs/1", "-q", "1", "-l",
                  stdin="".join(f"job {i}\n" for i in range(60)).encode())

    def jobs(member):
        return [json.loads(line)["payload"] for line in member.lines if line.startswith("{")]
    for member in members:
        member.line("some of 60 jobs", lambda line: line.startswith("{"))
    members[0].wait("60 jobs to a group of 3", "60 in all",
                    lambda: sum(len(jobs(each)) for each in members) >= 60 or None)
    got = sorted((job for each in members for job in jobs(each)), key=lambda job: int(job[4:]))
    expect("60 jobs to a group of 3", [f"job {i}" for i in range(60)], got)
    for member in members:
        member.kill()


def no_subscribers(place):
    """PUBACK says that nobody subscribed"""
    pub = place.publish("-d", "-t", "nobody/here", "-q", "1", "-m", "x")
    pub.line("PUBACK with 0x10", lambda line: "PUBACK" in line and "RC:16" in line)


def given_id(place):
    """a client without an id is told the one it got"""
    pub = place.publish("-d", "-t", "nobody/here", "-m", "x")
    pub.line("a name in the place of (null)", lambda line: "received CONNACK (0)" in line
             and "(null)" not in line)


def will_delay(place):
    """a will waits for its delay, and goes if the client comes back in time"""
    sub = place.subscriber("-t", "late/#", "-q", "1")
    keep = ["-i", f"late-{place.transport}", "-c", "-x", "100", "-t", "none",
            "--will-topic", "late/will", "--will-payload", "gone", "--will-qos", "1"]
    client = place.subscriber(*keep, "-D", "will", "will-delay-interval", "1000")
    client.kill()
    client = place.subscriber(*keep, "-D", "will", "will-delay-interval", "1")
    killed = time.monotonic()
    client.kill()
    expect("a will with a delay of 1 s", ("late/will", "gone", 1, 0), brief(messages(sub, 1)[0]))
    waited = time.monotonic() - killed
    if not 0.99 <= waited:
        expect("a will with a delay of 1 s", "it after 1 s", f"after {waited:.3f} s")
    sub.kill()
    ended = place.run("mosquitto_sub", "-i", f"late-{place.transport}", "-t", "none", "-E")
    expect("mosquitto_sub -E", 0, ended.end())


def expiry(place):
    """a message that expired while its receiver was away is not sent, another tells what is left"""
    keep = ["-i", "expiring", "-c", "-x", "100", "-q", "1"]
    sub = place.run("mosquitto_sub", "-t", "expiring", "-E", *keep)
    expect("mosquitto_sub -E -c", 0, sub.end())
    started = time.monotonic()
    place.publish("-t", "expiring", "-q", "1", "-m", "short",
                  "-D", "publish", "message-expiry-interval", "1")
    place.publish("-t", "expiring", "-q", "1", "-m", "long",
                  "-D", "publish", "message-expiry-interval", "100")
    time.sleep(2.1)  # the time that is under test, and one second for what mosquitto rounds
    sub = place.run("mosquitto_sub", "-d", "-F", "%j", "-C", "1", "-t", "expiring", *keep)
    got = messages(sub, 1)[0]
    expect("one message that expired, one that did not", "long", got["payload"])
    left = got["properties"].get("message-expiry-interval")
    least = 100 - math.ceil(time.monotonic() - started)
    if not least <= (left or 0) <= 98:
        expect("message expiry interval 100, and 2.1 s away", f"{least} to 98", left)


STORIES_OF_5 = [properties, alias, shared, no_subscribers, given_id]

# ------------------------------------------------------------------------------ who may do what


def wrong_password(place):
    """a wrong password, an unknown user and no user are refused with their codes"""
    bad, nobody = (134, 135) if place.v5 else (4, 5)
    for arguments, status in ((["-u", USER, "-P", "wrong"], bad),
                              (["-u", "stranger", "-P", PASSWORD], bad), ([], nobody)):
        place.publish("-t", "shared/x", "-m", "x", *arguments, status=status)
    place.publish("-t", "shared/x", "-m", "x", "-u", USER, "-P", PASSWORD)


def access_rules(place):
    """the access file lets through what it names and nothing else"""
    who = ["-u", USER, "-P", PASSWORD, "-i", "box-1", "-q", "1"]
    sub = place.subscriber(*who[:-2], "-q", "1", "-t", "by_id/box-1/#", "-t", f"by_name/{USER}/#",
                           "-t", "shared/#")
    other = who[:4] + ["-i", "box-2", "-q", "1"]
    for topic in ("by_id/box-1/x", "by_name/stranger/x", "only_read/x", "secret"):
        pub = place.publish("-d", "-t", topic, "-m", "no", *other)
        if place.v5:
            pub.line(f"PUBACK 0x87 for {topic}", lambda line: "PUBACK" in line and "RC:135" in line)
    place.publish("-t", f"by_name/{USER}/x", "-m", "yes", *other)
    place.publish("-t", "shared/x", "-m", "yes", *other)
    expect("what is forbidden, then what is allowed",
           [(f"by_name/{USER}/x", "yes"), ("shared/x", "yes")],
           [brief(each)[:2] for each in messages(sub, 2)])
    sub.kill()
    denied = place.run("mosquitto_sub", "-d", *other, "-t", "secret/#")
    denied.line("SUBACK 0x87 or 0x80", lambda line: line.startswith(
        f"Subscribed (mid: 1): {135 if place.v5 else 128}"))
    denied.kill()


def known_by_certificate(place):
    """a client is known by its certificate, and needs one"""
    name = place.kit.certificates.device_name
    sub = place.subscriber("-t", f"by_name/{name}/#", "-q", "1", "-C", "1", certificate=True)
    for topic in ("by_name/other/x", f"by_name/{name}/x"):
        pub = place.run("mosquitto_pub", "-t", topic, "-q", "1", "-m", topic, certificate=True)
        expect(pub.command(), 0, pub.end())
    expect("to another's topic, then to one's own", f"by_name/{name}/x",
           messages(sub, 1)[0]["topic"])
    stranger = place.run("mosquitto_pub", "-t", "x", "-m", "x")
    if stranger.end() == 0:
        expect("mosquitto_pub without a certificate", "a refusal", stranger.state())


# ------------------------------------------------------------------------------------- farewell


def farewell(kit, verdicts, broker):
    """After SIGTERM every client of version 5 is told 0x8B, and the broker ends."""
    clients = {transport: Place(kit, broker, transport, "5.0").subscriber(
        "-t", "none", "-i", f"until the end {transport}") for transport in ("tcp", "tls", "unix")}
    broker.terminate()

    def told(client):
        """SIGTERM sends DISCONNECT 0x8B"""
        client.line("DISCONNECT with 0x8B", lambda line: "eceived DISCONNECT (139)" in line)

    def ended():
        """after SIGTERM the broker ends with status 0"""
        broker.stop()
    for transport, client in clients.items():
        verdicts.case(transport, "5.0", broker, told, client)
        client.kill()
    verdicts.case("tcp", "5.0", broker, ended)
