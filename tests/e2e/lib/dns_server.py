"""A small DNS server for tests: answers from a dictionary, over UDP and TCP, on one loopback port.

    zone = {
        "good.test":  {"MX": [(10, "mx1.good.test")]},
        "mx1.good.test": {"A": ["127.0.0.11"]},
        "null.test":  {"MX": [(0, ".")]},
        "broken.test": "SERVFAIL",      # also REFUSED, TIMEOUT, GARBAGE
    }
    with DnsServer(zone) as dns:
        dns.port

A name that is not in the zone is NXDOMAIN; a name without the type asked for is NODATA. The zone may be changed
while the server runs. `authentic` sets the AD bit, as a validating resolver on the same machine does. `queries` counts questions by (name, type).
"""
import collections
import ipaddress
import socket
import struct
import threading

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "MX": 15, "TXT": 16, "AAAA": 28, "TLSA": 52}
NAMES = {number: name for name, number in TYPES.items()}
RCODES = {"NOERROR": 0, "SERVFAIL": 2, "NXDOMAIN": 3, "REFUSED": 5}


def encode_name(name):
    out = b""
    for label in name.rstrip(".").split("."):
        if label:
            out += bytes([len(label)]) + label.encode("ascii")
    return out + b"\0"


def decode_question(packet):
    labels, at = [], 12
    while packet[at]:
        length = packet[at]
        labels.append(packet[at + 1:at + 1 + length].decode("ascii", "replace"))
        at += 1 + length
    kind, _ = struct.unpack("!HH", packet[at + 1:at + 5])
    return ".".join(labels).lower(), kind, packet[12:at + 5]


def encode_record(owner, kind, value, ttl):
    if kind == "A":
        data = ipaddress.IPv4Address(value).packed
    elif kind == "AAAA":
        data = ipaddress.IPv6Address(value).packed
    elif kind == "TLSA":
        data = bytes(value[:3]) + bytes.fromhex(value[3])
    elif kind == "MX":
        data = struct.pack("!H", value[0]) + encode_name(value[1])
    elif kind == "TXT":
        raw = value.encode()
        data = b"".join(bytes([len(raw[i:i + 255])]) + raw[i:i + 255] for i in range(0, max(len(raw), 1), 255))
    else:
        data = encode_name(value)
    return encode_name(owner) + struct.pack("!HHIH", TYPES[kind], 1, ttl, len(data)) + data


class DnsServer:
    def __init__(self, zone, address="127.0.0.1", port=0, ttl=60, authentic=False):
        self.zone, self.ttl, self.authentic = zone, ttl, authentic
        self.queries = collections.Counter()
        # A port that is free for UDP may be taken for TCP; then another one is.
        for _ in range(50 if port == 0 else 1):
            self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.udp.bind((address, port))
            self.address, self.port = self.udp.getsockname()
            self.tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                self.tcp.bind((address, self.port))
                break
            except OSError as e:
                self.udp.close()
                self.tcp.close()
                taken = e
        else:
            raise taken
        self.tcp.listen(64)
        self.stopped = False
        for target in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=target, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.stopped = True
        self.udp.close()
        self.tcp.close()

    def _serve_udp(self):
        while not self.stopped:
            try:
                packet, peer = self.udp.recvfrom(4096)
                reply = self.answer(packet)
                if reply is not None:
                    self.udp.sendto(reply, peer)
            except OSError:
                return

    def _serve_tcp(self):
        while not self.stopped:
            try:
                connection, _ = self.tcp.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                try:
                    size = struct.unpack("!H", connection.recv(2))[0]
                    packet = b""
                    while len(packet) < size:
                        packet += connection.recv(size - len(packet)) or b"\0" * size
                    reply = self.answer(packet[:size])
                    if reply is not None:
                        connection.sendall(struct.pack("!H", len(reply)) + reply)
                except (OSError, struct.error):
                    pass

    def answer(self, packet):
        if len(packet) < 17:
            return None
        name, number, question = decode_question(packet)
        kind = NAMES.get(number, str(number))
        self.queries[(name, kind)] += 1
        entry = self.zone.get(name)
        if entry == "TIMEOUT":
            return None
        if entry == "GARBAGE":
            return packet[:2] + b"\xff" * 40
        answers, rcode = [], "NXDOMAIN" if entry is None else "NOERROR"
        if entry is None and any(other.endswith("." + name) for other in self.zone):
            rcode = "NOERROR"  # an empty non-terminal
        if isinstance(entry, str):
            rcode = entry
        elif entry is not None:
            owner, hops = name, 0
            while isinstance(entry, dict) and "CNAME" in entry and kind != "CNAME" and hops < 8:
                answers.append(encode_record(owner, "CNAME", entry["CNAME"], self.ttl))
                owner, hops = entry["CNAME"].rstrip("."), hops + 1
                entry = self.zone.get(owner)
            if isinstance(entry, dict):
                answers += [encode_record(owner, kind, value, self.ttl) for value in entry.get(kind, [])]
        authority = b""
        if not answers and rcode in ("NOERROR", "NXDOMAIN"):
            soa = encode_name("ns.test") + encode_name("root.test") + struct.pack("!IIIII", 1, 60, 60, 60, self.ttl)
            authority = encode_name(name.split(".")[-1]) + struct.pack("!HHIH", 6, 1, self.ttl, len(soa)) + soa
        flags = 0x8580 | (0x20 if self.authentic else 0) | RCODES[rcode]
        header = packet[:2] + struct.pack("!HHHHH", flags, 1, len(answers), 1 if authority else 0, 0)
        return header + question + b"".join(answers) + authority
