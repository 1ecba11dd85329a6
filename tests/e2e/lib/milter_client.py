"""The MTA's side of the milter protocol (version 6), spoken byte by byte: for what no MTA would do."""
import socket
import struct

ACTIONS = 0x1FF
PROTOCOL = 0x1FFFFF
NR_CONN = 0x1000


class MilterClient:
    def __init__(self, address, timeout=30, version="Postfix 3.7.11"):
        """address: a path, or (host, port). Negotiates at once."""
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.socket = socket.socket(family)
        self.socket.settimeout(timeout)
        self.socket.connect(address)
        self.version = version
        self.send(b"O", struct.pack("!III", 6, ACTIONS, PROTOCOL))
        _, payload = self.receive()
        _, self.actions, self.protocol = struct.unpack("!III", payload[:12])

    def send(self, command, payload=b""):
        self.socket.sendall(struct.pack("!I", len(payload) + 1) + command + payload)

    def receive(self):
        size = struct.unpack("!I", self._exactly(4))[0]
        body = self._exactly(size)
        return body[:1], body[1:]

    def macros(self, command, **values):
        payload = command
        for name, value in values.items():
            name = name if len(name) == 1 else "{" + name + "}"
            payload += name.encode() + b"\0" + value.encode() + b"\0"
        self.send(b"D", payload)

    def connect(self, client="127.0.0.1"):
        """None when the milter will not reply here, else its reply."""
        self.macros(b"C", v=self.version, client_addr=client)
        self.send(b"C", b"client.example\0" + b"4" + struct.pack("!H", 4711) + client.encode() + b"\0")
        return None if self.protocol & NR_CONN else self.receive()

    def mail(self, sender="<a@example.com>", *parameters, login=""):
        self.macros(b"M", auth_authen=login) if login else None
        self.send(b"M", b"\0".join(p.encode() for p in (sender, *parameters)) + b"\0")

    def recipient(self, recipient="<b@example.net>"):
        self.send(b"R", recipient.encode() + b"\0")

    def header(self, name, value):
        self.send(b"L", name + b"\0" + value + b"\0")

    def abort(self):
        self.send(b"A")

    def end(self, queue_id="Q1"):
        """The changes and the reply, in order."""
        self.macros(b"E", i=queue_id)
        self.send(b"E")
        answers = []
        while True:
            command, payload = self.receive()
            answers.append((command, payload))
            if command in b"acdrty":
                return answers

    def message(self, fields, sender="<a@example.com>", queue_id="Q1"):
        self.mail(sender)
        self.recipient()
        for name, value in fields:
            self.header(name, value)
        return self.end(queue_id)

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _exactly(self, size):
        data = b""
        while len(data) < size:
            part = self.socket.recv(size - len(data))
            if not part:
                raise ConnectionError("the milter closed the connection")
            data += part
        return data
