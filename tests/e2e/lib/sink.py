"""A receiving SMTP server that records every message, byte for byte. One thread per connection."""
import dataclasses
import re
import socket
import ssl
import threading
import time

from wait import wait_until


@dataclasses.dataclass
class Received:
    helo: str
    sender: str  # without brackets
    sender_parameters: str
    recipients: list
    data: bytes  # dot-unstuffed, CRLF
    at: float
    peer: str = ""  # the address it came from

    def header_lines(self):
        """The header fields in order, as (name, value); folds stay in the value as LF + blank."""
        head = self.data.split(b"\r\n\r\n", 1)[0] + b"\r\n"
        fields = []
        for line in head.split(b"\r\n")[:-1]:
            if line[:1] in (b" ", b"\t") and fields:
                fields[-1][1] += b"\n" + line
            elif b":" in line:
                name, value = line.split(b":", 1)
                fields.append([name, value])
        return [(n, v) for n, v in fields]

    def body(self):
        return self.data.split(b"\r\n\r\n", 1)[1] if b"\r\n\r\n" in self.data else b""

    def header(self, name):
        """The values of that name, as bytes."""
        wanted = name.lower().encode()
        return [v for n, v in self.header_lines() if n.lower() == wanted]


class Sink:
    """with Sink() as sink: … sink.port, sink.messages. `answer` may refuse: it is called with (verb, argument)
    for MAIL, RCPT and EOM and returns a reply line or None for the usual 250. `tls`: an ssl.SSLContext; STARTTLS is
    offered then."""

    def __init__(self, smtputf8=True, host="127.0.0.1", port=0, answer=None, tls=None):
        self.smtputf8, self.tls = smtputf8, tls
        self.answer = answer or (lambda verb, argument: None)
        self._messages = []
        self._lock = threading.Lock()
        self._connections = set()
        self._listener = socket.create_server(
            (host, port), backlog=256, family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def messages(self):
        with self._lock:
            return list(self._messages)

    def __len__(self):
        with self._lock:
            return len(self._messages)

    def clear(self):
        with self._lock:
            self._messages.clear()

    def wait_for(self, match, deadline=20.0, what="a message at the sink"):
        """The first message for which match(message) holds."""
        return wait_until(lambda: next((m for m in self.messages if match(m)), None), deadline, what)

    def wait_for_body(self, token, deadline=20.0):
        token = token.encode() if isinstance(token, str) else token
        return self.wait_for(lambda m: token in m.data, deadline, f"the message with {token!r} at the sink")

    def close(self):
        self._listener.close()
        with self._lock:
            open_now = list(self._connections)
        for connection in open_now:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with self._lock:
            self._connections.add(connection)
        try:
            self._converse(connection, connection.makefile("rb"))
        except OSError:
            pass
        finally:
            with self._lock:
                self._connections.discard(connection)
            connection.close()

    def _converse(self, connection, lines):
        def say(text):
            connection.sendall(text.encode() + b"\r\n")

        helo, sender, parameters, recipients = "", None, "", []
        peer = connection.getpeername()[0]
        say("220 sink.example ESMTP")
        while line := lines.readline():
            text = line.decode("utf-8", "surrogateescape").rstrip("\r\n")
            verb, _, argument = text.partition(" ")
            verb = verb.upper()
            if verb in ("EHLO", "HELO"):
                helo, sender, recipients = argument, None, []
                words = ["sink.example", "PIPELINING", "8BITMIME", "SIZE 0", "DSN", "ENHANCEDSTATUSCODES"]
                words += ["SMTPUTF8"] if self.smtputf8 else []
                words += ["STARTTLS"] if self.tls and not isinstance(connection, ssl.SSLSocket) else []
                shown = words if verb == "EHLO" else words[:1]
                say("\r\n".join(f"250{' ' if i + 1 == len(shown) else '-'}{w}" for i, w in enumerate(shown)))
            elif verb == "STARTTLS" and self.tls and not isinstance(connection, ssl.SSLSocket):
                say("220 2.0.0 go on")
                connection = self.tls.wrap_socket(connection, server_side=True)
                lines, sender, recipients = connection.makefile("rb"), None, []
            elif verb in ("MAIL", "RCPT"):
                refusal = self.answer(verb, argument)
                path = re.match(r"(?:FROM|TO):\s*<([^>]*)>\s*(.*)", argument, re.I)
                if refusal or not path:
                    say(refusal or "501 5.5.4 syntax")
                elif verb == "MAIL":
                    sender, parameters, recipients = path[1], path[2], []
                    say("250 2.1.0 ok")
                else:
                    recipients.append(path[1])
                    say("250 2.1.5 ok")
            elif verb == "DATA":
                if not recipients:
                    say("503 5.5.1 no recipients")
                    continue
                say("354 go on")
                data = self._read_data(lines)
                if data is None:
                    return
                refusal = self.answer("EOM", data)
                if not refusal:
                    with self._lock:
                        self._messages.append(
                            Received(helo, sender, parameters, recipients, data, time.monotonic(), peer))
                say(refusal or "250 2.0.0 taken")
                sender, recipients = None, []
            elif verb == "RSET":
                sender, recipients = None, []
                say("250 2.0.0 ok")
            elif verb == "QUIT":
                say("221 2.0.0 bye")
                return
            else:
                say("250 2.0.0 ok" if verb == "NOOP" else "502 5.5.2 unknown")

    @staticmethod
    def _read_data(lines):
        data = bytearray()
        while line := lines.readline():
            if line == b".\r\n":
                return bytes(data)
            data += line[1:] if line.startswith(b".") else line
        return None
