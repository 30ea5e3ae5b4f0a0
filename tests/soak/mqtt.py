"""As much of MQTT as the soak needs: packets as bytes, and clients that do with them what the soak
wants, badly behaved ones among them."""

import socket
import struct

CONNECT_FLAGS_CLEAN = 0x02


def text_field(text):
    data = text.encode()
    return len(data).to_bytes(2, "big") + data


def packet(first, body):
    size, length = bytearray(), len(body)
    while True:
        size.append(length % 128 | (128 if length > 127 else 0))
        length //= 128
        if length == 0:
            return bytes([first]) + bytes(size) + body


def connect_packet(client_id, version=4, clean=True, expiry=0, will=None, keep_alive=60):
    """`will` is (topic, payload, qos, retain)."""
    flags = CONNECT_FLAGS_CLEAN if clean else 0
    if will:
        flags |= 0x04 | will[2] << 3 | (0x20 if will[3] else 0)
    body = text_field("MQTT") + bytes([version, flags]) + keep_alive.to_bytes(2, "big")
    if version == 5:
        properties = b"\x11" + expiry.to_bytes(4, "big") if expiry else b""
        body += bytes([len(properties)]) + properties
    body += text_field(client_id)
    if will:
        body += (b"\0" if version == 5 else b"") + text_field(will[0])
        body += len(will[1]).to_bytes(2, "big") + will[1]
    return packet(0x10, body)


def subscribe_packet(filters, version=4, packet_id=1):
    """`filters` are (filter, qos)."""
    body = packet_id.to_bytes(2, "big") + (b"\0" if version == 5 else b"")
    for name, qos in filters:
        body += text_field(name) + bytes([qos])
    return packet(0x82, body)


def publish_packet(topic, payload, qos=0, packet_id=1, retain=False, version=4, dup=False):
    body = text_field(topic) + (packet_id.to_bytes(2, "big") if qos else b"")
    body += (b"\0" if version == 5 else b"") + payload
    return packet(0x30 | (8 if dup else 0) | qos << 1 | (1 if retain else 0), body)


def split(data):
    """Whole packets of `data` as (first byte, body), and what is left."""
    packets, at = [], 0
    while len(data) - at >= 2:
        size, shift, place = 0, 0, at + 1
        while place < len(data):
            size |= (data[place] & 127) << shift
            shift += 7
            place += 1
            if data[place - 1] < 128:
                break
        else:
            break
        if len(data) - place < size:
            break
        packets.append((data[at], data[place:place + size]))
        at = place + size
    return packets, data[at:]


class Connection:
    """A socket with MQTT on it."""

    def __init__(self, port, deadline=30, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(deadline)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = b""

    def send(self, data):
        self.socket.sendall(data)

    def receive(self):
        """At least one packet; EOFError when the broker has ended the connection."""
        while True:
            more = self.socket.recv(1 << 18)
            if not more:
                raise EOFError("the broker has ended the connection")
            packets, self.rest = split(self.rest + more)
            if packets:
                return packets

    def open(self, client_id, **how):
        """CONNECT, and CONNACK of success."""
        self.send(connect_packet(client_id, **how))
        answer = self.receive()[0]
        if answer[0] != 0x20 or answer[1][1] != 0:
            raise AssertionError(f"CONNECT of {client_id} was answered with {answer}")
        return self

    def subscribe(self, *filters, version=4):
        self.send(subscribe_packet(filters, version))
        while all(first != 0x90 for first, _ in self.receive()):
            pass
        return self

    def close(self, abruptly=False):
        if abruptly:
            # RST instead of FIN: what was under way is lost.
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()
