"""python3-paho-mqtt as a judge, as Debian has it. Its clients live in this process; losing one
without a farewell is cutting its connection in a relay."""

import collections
import math
import ssl
import threading
import time

from judging.brokers import PASSWORD, USER, Broker
from judging.proxy import Proxy
from judging.verdicts import DEADLINE, Watch, Wrong, expect

try:
    from paho.mqtt import client as paho
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties
    from paho.mqtt.subscribeoptions import SubscribeOptions
except ImportError:
    paho = None

VERSIONS = ("3.1.1", "5.0")
TRANSPORTS = ("tcp", "tls", "ws", "wss")

Message = collections.namedtuple("Message", "topic payload qos retain")


def missing(kit):
    del kit
    return None if paho else "no module paho.mqtt (Debian: python3-paho-mqtt)"


def properties(packet, **values):
    made = Properties(packet)
    for name, value in values.items():
        setattr(made, name, value)
    return made


class Peer(Watch):
    """A client of paho, with what it was told."""

    def __init__(self, way, client_id="", keep=False, will=None, will_properties=None, port=None,
                 user=None, password=None, certificate=False, alias_maximum=None):
        super().__init__()
        self.way, self.keep = way, keep
        self.port = port or way.broker.ports[way.transport]
        self.alias_maximum = alias_maximum
        self.connacks, self.messages, self.raw = [], [], []
        self.subacks, self.unsubacks, self.published, self.ends = {}, set(), set(), []
        self.client = client = paho.Client(
            client_id, clean_session=None if way.v5 else not keep,
            protocol=paho.MQTTv5 if way.v5 else paho.MQTTv311,
            transport="websockets" if way.transport in ("ws", "wss") else "tcp")
        client.reconnect_delay_set(1, 1)
        if way.transport in ("tls", "wss"):
            certificates = way.kit.certificates
            client.tls_set(certificates.authority,
                           certificates.device if certificate else None,
                           certificates.device_key if certificate else None,
                           tls_version=ssl.PROTOCOL_TLS_CLIENT)
        if way.transport in ("ws", "wss"):
            client.ws_set_options("/mqtt")
        if user is not None:
            client.username_pw_set(user, password)
        if will is not None:
            extra = {"properties": will_properties} if will_properties else {}
            client.will_set(will.topic, will.payload, will.qos, will.retain, **extra)
        client.on_connect = self._on_connect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_unsubscribe = self._on_unsubscribe
        client.on_disconnect = self._on_disconnect

    def _on_publish(self, _client, _userdata, mid):
        with self.changing():
            self.published.add(mid)

    def _on_subscribe(self, _client, _userdata, mid, codes, _given=None):
        with self.changing():
            self.subacks[mid] = codes

    def _on_unsubscribe(self, _client, _userdata, mid, *_given):
        with self.changing():
            self.unsubacks.add(mid)

    def _on_connect(self, _client, _userdata, flags, code, given=None):
        with self.changing():
            self.connacks.append((getattr(code, "value", code), flags["session present"], given))

    def _on_message(self, _client, _userdata, message):
        with self.changing():
            self.raw.append(message)
            self.messages.append(Message(message.topic, bytes(message.payload), message.qos,
                                         message.retain))

    def _on_disconnect(self, _client, _userdata, code, given=None):
        del given
        with self.changing():
            self.ends.append(getattr(code, "value", code))

    def state(self):
        return (f"CONNACKs {[each[:2] for each in self.connacks]}, {len(self.messages)} messages, "
                f"the last {self.messages[-5:]}, ends {self.ends}")

    # verbs

    def open(self, code=0):
        """Connects; Wrong if CONNACK has another code."""
        extra = {}
        if self.way.v5:
            asked = {"SessionExpiryInterval": 1000} if self.keep else {}
            if self.alias_maximum:
                asked["TopicAliasMaximum"] = self.alias_maximum
            extra = {"clean_start": not self.keep,
                     "properties": properties(PacketTypes.CONNECT, **asked)}
        self.client.connect("localhost" if self.way.secure else "127.0.0.1", self.port,
                            keepalive=30, **extra)
        self.client.loop_start()
        self.wait("CONNECT", "CONNACK", lambda: self.connacks)
        expect("CONNECT", code, self.connacks[0][0])
        if code:
            self.client.loop_stop()
        return self

    def subscribe(self, *filters, qos=2, options=None, given=None):
        """Subscribes; the codes of SUBACK."""
        if self.way.v5:
            asked = [(each, options or SubscribeOptions(qos=qos)) for each in filters]
            _, mid = self.client.subscribe(asked, properties=given)
        else:
            _, mid = self.client.subscribe([(each, qos) for each in filters])
        self.wait(f"SUBSCRIBE {filters}", "SUBACK", lambda: mid in self.subacks)
        return [getattr(code, "value", code) for code in self.subacks[mid]]

    def unsubscribe(self, *filters):
        _, mid = self.client.unsubscribe(list(filters))
        self.wait(f"UNSUBSCRIBE {filters}", "UNSUBACK", lambda: mid in self.unsubacks)

    def send(self, topic, payload, qos=1, retain=False, given=None):
        extra = {"properties": given} if given else {}
        return self.client.publish(topic, payload, qos, retain, **extra).mid

    def publish(self, topic, payload, qos=1, retain=False, given=None):
        mid = self.send(topic, payload, qos, retain, given)
        self.wait(f"PUBLISH {topic}", "its acknowledgement", lambda: mid in self.published)

    def received(self, count, sent, seconds=DEADLINE):
        """The first `count` messages."""
        self.wait(sent, f"{count} messages", lambda: len(self.messages) >= count,
                  seconds=seconds)
        return self.messages[:count]

    def close(self):
        self.client.disconnect()
        self.wait("DISCONNECT", "the end", lambda: self.ends)
        self.client.loop_stop()

    def give_up(self):
        """Ends whatever is left of it."""
        try:
            self.client.disconnect()
        except (OSError, ValueError):
            pass  # the connection broke in its handshake
        # It ends when its wait before the next attempt to connect does.
        threading.Thread(target=self.client.loop_stop, daemon=True).start()


class Way:
    def __init__(self, kit, broker, transport, version):
        self.kit, self.broker, self.transport, self.version = kit, broker, transport, version
        self.v5 = version == "5.0"
        self.secure = transport in ("tls", "wss")
        self.peers, self.proxies = [], []

    def peer(self, *arguments, **options):
        made = Peer(self, *arguments, **options)
        self.peers.append(made)
        return made

    def proxy(self):
        self.proxies.append(Proxy(self.broker.ports[self.transport]))
        return self.proxies[-1]

    def close(self):
        for proxy in self.proxies:
            proxy.close()
        for peer in self.peers:
            peer.give_up()


def tell(verdicts, kit, broker, transport, version, stories):
    for story in stories:
        way = Way(kit, broker, transport, version)
        verdicts.case(transport, version, broker, story, way)
        way.close()


def judge(kit, verdicts):
    transports = [each for each in TRANSPORTS if kit.against != "mosquitto" or each[0] == "t"]
    broker = Broker(kit, transports)
    guarded = Broker(kit, ["tcp"], "guarded", guarded=True)
    mutual = Broker(kit, ["tls"], "mutual", mutual=True)
    for transport in transports:
        for version in VERSIONS:
            stories = STORIES + (STORIES_OF_5 if version == "5.0" else [])
            tell(verdicts, kit, broker, transport, version, stories)
    for version in VERSIONS:
        tell(verdicts, kit, broker, "tcp", version, [cut_often, ten_thousand])
        tell(verdicts, kit, guarded, "tcp", version, [refused, access_rules])
        tell(verdicts, kit, mutual, "tls", version, [known_by_certificate])
    tell(verdicts, kit, broker, "tcp", "5.0", [expiry])
    farewell(kit, verdicts, broker, transports)
    guarded.stop()
    mutual.stop()


# ----------------------------------------------------------------------------- both versions


def every_qos(way):
    """publish and subscribe at QoS 0, 1, 2: topic, content, QoS"""
    peer, sender = way.peer().open(), way.peer().open()
    expect("SUBSCRIBE at QoS 2, 1, 0", [[2], [1], [0]],
           [peer.subscribe(f"q/{qos}/#", qos=qos) for qos in (2, 1, 0)])
    expected = []
    for allowed in (2, 1, 0):
        for qos in (0, 1, 2):
            payload = bytes(range(256)) + bytes([allowed, qos])
            sender.publish(f"q/{allowed}/\u043c\u0438\u0440", payload, qos)
            expected.append(Message(f"q/{allowed}/\u043c\u0438\u0440", payload, min(qos, allowed),
                                    False))
            # One after the other: order across QoS levels is not promised.
            expect("a message at each QoS to each subscription", expected,
                   peer.received(len(expected), "a message"))


def empty_payload(way):
    """an empty payload, and one of one MiB at each QoS"""
    peer = way.peer().open()
    peer.subscribe("size", qos=2)
    sizes = []
    for qos in (0, 1, 2):
        for size in (0, 1 << 20):
            peer.publish("size", b"x" * size, qos)
            sizes.append((qos, size))
            expect("an empty message, one MiB", sizes,
                   [(each.qos, len(each.payload)) for each in peer.received(len(sizes), "both")])


def retained(way):
    """a retained message is there for those who come later, until it is cleared"""
    sender = way.peer().open()
    sender.publish("kept/p", b"old", 1, True)
    sender.publish("kept/p", b"new", 2, True)
    peer = way.peer().open()
    peer.subscribe("kept/+")
    expect("retained twice, then SUBSCRIBE", Message("kept/p", b"new", 2, True),
           peer.received(1, "SUBSCRIBE")[0])
    sender.publish("kept/p", b"", 1, True)
    expect("cleared while subscribed", Message("kept/p", b"", 1, False),
           peer.received(2, "cleared")[1])
    late = way.peer().open()
    late.subscribe("kept/+", "now")
    sender.publish("now", b"x")
    expect("cleared, then SUBSCRIBE", [Message("now", b"x", 1, False)],
           late.received(1, "a message"))


def will(way):
    """a lost client's will is published, a disconnected client's is not"""
    peer = way.peer().open()
    peer.subscribe("wills/#")
    polite = way.peer(will=Message("wills/polite", b"no", 1, False)).open()
    polite.close()
    proxy = way.proxy()
    way.peer(will=Message("wills/lost", b"\x00gone", 2, False), port=proxy.port).open()
    proxy.close()
    expect("one client that disconnected, one cut off",
           Message("wills/lost", b"\x00gone", 2, False), peer.received(1, "cut")[0])


def offline_queue(way):
    """a session that is kept gets what was published while its client was away"""
    name = f"away-{way.transport}-{way.version}"
    peer = way.peer(name, keep=True).open()
    expect("CONNECT of a new session", False, bool(peer.connacks[0][1]))
    peer.subscribe("away/#")
    peer.close()
    sender = way.peer().open()
    expected = [Message("away/x", str(number).encode(), 1 + number % 2, False)
                for number in range(100)]
    for each in expected:
        sender.publish(each.topic, each.payload, each.qos)
    peer = way.peer(name, keep=True).open()
    expect("CONNECT of a kept session", True, bool(peer.connacks[0][1]))
    got = peer.received(100, "CONNECT")
    for qos in (1, 2):  # paho hands out QoS 2 later, at PUBREL
        expect(f"100 messages while away, those of QoS {qos}",
               [each for each in expected if each.qos == qos],
               [each for each in got if each.qos == qos])
    peer.close()
    peer = way.peer(name, keep=False).open()
    expect("CONNECT with clean start", False, bool(peer.connacks[0][1]))


def cut_often(way):
    """QoS 1 over a connection that is cut again and again: nothing is lost"""
    name = f"cut-{way.version}"  # QoS 2 is for other judges: this one forgets messages then
    peer = way.peer().open()
    peer.subscribe("cut")
    proxy = way.proxy()
    sender = way.peer(name, keep=True, port=proxy.port).open()
    for batch in range(3):
        seen = len(peer.messages)
        for number in range(100):
            sender.send("cut", f"{batch}-{number}")
        peer.wait("100 messages", "some of them", lambda: len(peer.messages) > seen)
        opened = len(sender.connacks)
        proxy.cut()
        sender.wait("a cut", "another CONNACK", lambda: len(sender.connacks) > opened)
        expect("a cut, and CONNECT", True, bool(sender.connacks[-1][1]))
    expected = {f"{batch}-{number}".encode() for batch in range(3) for number in range(100)}

    def arrived():
        return {each.payload for each in peer.messages}
    peer.wait("300 messages over four connections", "all of them", lambda: arrived() >= expected,
              lambda: f"{len(arrived())}; missing {sorted(expected - arrived())}; the sender "
              f"{sender.state()}")
    sender.close()
    way.peer(name, keep=False).open()


def takeover(way):
    """a second client of the same id takes over from the first"""
    name = f"twin-{way.transport}-{way.version}"
    proxy = way.proxy()
    first = way.peer(name, port=proxy.port).open()
    # No way back for the first, or the two would throw each other out for ever.
    proxy.listener.close()
    second = way.peer(name).open()
    first.wait("CONNECT with the id of another", "the end of the first", lambda: first.ends)
    second.subscribe("twin")
    second.publish("twin", b"x")
    second.received(1, "a message to itself")


def unsubscribed(way):
    """nothing comes after UNSUBSCRIBE"""
    peer = way.peer().open()
    peer.subscribe("there", "stays")
    peer.unsubscribe("there", "never")
    peer.publish("there", b"x")
    peer.publish("stays", b"y")
    expect("to \"there\", then to \"stays\"", [("stays", b"y")],
           [each[:2] for each in peer.received(1, "to both topics")])


def ten_thousand(way):
    """ten thousand messages at QoS 1, in order"""
    peer, sender = way.peer().open(), way.peer().open()
    peer.subscribe("many", qos=1)
    sender.client.max_inflight_messages_set(1000)
    for number in range(10000):
        sender.send("many", str(number))
    got = [int(each.payload) for each in peer.received(10000, "10,000 messages", 60)]
    if got != list(range(10000)):
        first = next(i for i, number in enumerate(got) if i != number)
        raise Wrong(f"sent:     0 ... 9999\nexpected: the same\n"
                    f"got:      {got[first:first + 5]} in the place of {first}")


STORIES = [every_qos, empty_payload, retained, will, offline_queue, unsubscribed,
           takeover]

# ------------------------------------------------------------------------------ version 5 only


def message_properties(way):
    """properties of a message and subscription identifiers arrive, user properties in order"""
    peer = way.peer().open()
    peer.subscribe("props/+", given=properties(PacketTypes.SUBSCRIBE, SubscriptionIdentifier=7))
    pairs = [("b", "1"), ("a", "2"), ("b", "\u00fc")]
    sent = {"PayloadFormatIndicator": 1, "ContentType": "text/plain", "ResponseTopic": "r",
            "CorrelationData": bytes(range(16)), "UserProperty": pairs}
    given = properties(PacketTypes.PUBLISH, **sent)
    given.MessageExpiryInterval = 1000
    peer.publish("props/x", "\u00fc", 2, False, given)
    peer.received(1, "a message with properties")
    got = peer.raw[0].properties
    sent["SubscriptionIdentifier"] = [7]
    expect("a message with properties", sent, {name: getattr(got, name, None) for name in sent})


def subscription_options(way):
    """no local, retain as published and retain handling are kept"""
    sender, peer = way.peer().open(), way.peer().open()
    sender.publish("options/x", b"kept", 1, True)
    peer.subscribe("options/#", options=SubscribeOptions(
        qos=1, noLocal=True, retainAsPublished=True, retainHandling=2))
    peer.publish("options/x", b"mine", 1)
    sender.publish("options/x", b"", 1, True)
    expect("retain handling 2, no local, retain as published",
           [Message("options/x", b"", 1, True)], peer.received(1, "a retained message"))


def topic_alias(way):
    """a publisher's topic aliases"""
    peer, sender = way.peer().open(), way.peer().open()
    peer.subscribe("alias/#")
    limit = getattr(sender.connacks[0][2], "TopicAliasMaximum", 0)
    if not limit:
        expect("CONNECT", "a topic alias maximum in CONNACK", limit)
    for topic, payload, alias in (("alias/a", b"1", 1), ("", b"2", 1), ("alias/b", b"3", limit),
                                  ("", b"4", limit), ("alias/c", b"5", 1), ("", b"6", 1)):
        if topic:
            sender.publish(topic, payload, 1, False,
                           properties(PacketTypes.PUBLISH, TopicAlias=alias))
        else:
            # Its publish() wants a topic, what is below it does not.
            mid = sender.client._mid_generate()
            sender.client._send_publish(mid, b"", payload, 0, False, False,
                                        paho.MQTTMessageInfo(mid),
                                        properties(PacketTypes.PUBLISH, TopicAlias=alias))
    expect("aliases given, used, given anew",
           [("alias/a", b"1"), ("alias/a", b"2"), ("alias/b", b"3"), ("alias/b", b"4"),
            ("alias/c", b"5"), ("alias/c", b"6")],
           [each[:2] for each in peer.received(6, "six messages")])


def shared(way):
    """a shared subscription: each message to one member, and to each member some"""
    members = [way.peer().open() for _ in range(3)]
    for member in members:
        member.subscribe("$share/crew/jobs", qos=1)
    for number in range(90):
        members[0].send("jobs", str(number))

    def got():
        return sorted(int(each.payload) for member in members for each in list(member.messages))
    for member in members:
        member.received(1, "90 jobs to three")
    members[0].wait("90 jobs to three", "all of them", lambda: len(got()) >= 90)
    expect("90 jobs to three", list(range(90)), got())


def request_response(way):
    """a request with response topic and correlation data gets its answer"""
    server, client = way.peer().open(), way.peer().open()
    server.subscribe("service")
    client.subscribe("answers/1")
    client.publish("service", b"2+3", 1, False, properties(
        PacketTypes.PUBLISH, ResponseTopic="answers/1", CorrelationData=b"\x00nr"))
    server.received(1, "a request")
    asked = server.raw[0].properties
    server.publish(asked.ResponseTopic, b"5", 1, False, properties(
        PacketTypes.PUBLISH, CorrelationData=asked.CorrelationData))
    client.received(1, "an answer")
    expect("an answer", (b"5", b"\x00nr"),
           (client.raw[0].payload, client.raw[0].properties.CorrelationData))


def given_id(way):
    """a client without an id is told the one it got"""
    peer = way.peer().open()
    name = getattr(peer.connacks[0][2], "AssignedClientIdentifier", "")
    if not name:
        expect("CONNECT without an id", "an assigned client identifier", name)


def expiry(way):
    """a message that expired while its receiver was away is not sent, another tells what is left"""
    peer = way.peer("expiring", keep=True).open()
    peer.subscribe("expiring")
    peer.close()
    sender = way.peer().open()
    started = time.monotonic()
    for payload, seconds in ((b"short", 1), (b"long", 100)):
        sender.publish("expiring", payload, 1, False,
                       properties(PacketTypes.PUBLISH, MessageExpiryInterval=seconds))
    time.sleep(2.1)  # the time that is under test
    peer = way.peer("expiring", keep=True).open()
    peer.received(1, "one message that expired, one that did not")
    left = peer.raw[0].properties.MessageExpiryInterval
    expect("one message that expired, one that did not", b"long", peer.raw[0].payload)
    least = 100 - math.ceil(time.monotonic() - started)
    if not least <= left <= 98:
        expect("message expiry interval 100, and 2.1 s away", f"{least} to 98", left)


STORIES_OF_5 = [message_properties, subscription_options, topic_alias, shared, request_response,
                given_id]

# ------------------------------------------------------------------------------ who may do what


def refused(way):
    """a wrong password, an unknown user and no user are refused with their codes"""
    bad, nobody = (0x86, 0x87) if way.v5 else (4, 5)
    way.peer(user=USER, password="wrong").open(bad)
    way.peer(user="stranger", password=PASSWORD).open(bad)
    way.peer().open(nobody)
    way.peer(user=USER, password=PASSWORD).open()


def access_rules(way):
    """the access file lets through what it names and nothing else"""
    peer = way.peer("box-1", user=USER, password=PASSWORD).open()
    denied = 0x87 if way.v5 else 0x80
    expect("SUBSCRIBE to own topics, to others, to what only may be read", [2, 2, denied, 2],
           peer.subscribe("by_id/box-1/#", f"by_name/{USER}/+", "by_id/box-2/#", "only_read/x"))
    for topic in ("by_id/box-2/x", "only_read/x", f"by_name/{USER}/x", "by_id/box-1/x"):
        peer.publish(topic, b"x")
    expect("to others' topics, then to own", [f"by_name/{USER}/x", "by_id/box-1/x"],
           [each.topic for each in peer.received(2, "four messages")])


def known_by_certificate(way):
    """a client is known by its certificate, and needs one"""
    name = way.kit.certificates.device_name
    peer = way.peer(certificate=True).open()
    peer.subscribe(f"by_name/{name}/#")
    peer.publish("by_name/other/x", b"x")
    peer.publish(f"by_name/{name}/x", b"x")
    expect("to another's topic, then to its own", [f"by_name/{name}/x"],
           [each.topic for each in peer.received(1, "both")])
    # Not in a thread of paho's: what is refused may come as an exception.
    stranger = way.peer().client
    connected = []
    stranger.on_connect = lambda *told: connected.append(told)
    deadline = time.monotonic() + DEADLINE
    try:
        stranger.connect("localhost", way.broker.ports["tls"])
        while not connected and stranger.loop(0.1) == paho.MQTT_ERR_SUCCESS:
            if time.monotonic() > deadline:
                raise Wrong("sent:     CONNECT without a certificate\nexpected: the end of the "
                            f"connection within {DEADLINE:g} s\ngot:      nothing")
    except ssl.SSLError:
        pass
    expect("CONNECT without a certificate", [], connected)


# ------------------------------------------------------------------------------------- farewell


def farewell(kit, verdicts, broker, transports):
    """SIGTERM ends every connection. This paho reads no reason in a DISCONNECT without properties;
    others tell whether it is 0x8B."""
    peers = {}
    for transport in transports:
        for version in VERSIONS:
            peers[transport, version] = Way(kit, broker, transport, version).peer().open()
    broker.terminate()

    def ended_well(peer):
        """SIGTERM ends the connection as it should"""
        peer.wait("SIGTERM", "the end of the connection", lambda: peer.ends)

    def ended():
        """after SIGTERM the broker ends with status 0"""
        broker.stop()
    for (transport, version), peer in peers.items():
        verdicts.case(transport, version, broker, ended_well, peer)
        peer.give_up()
    verdicts.case("tcp", "5.0", broker, ended)
