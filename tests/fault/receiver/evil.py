"""Receiving servers on real sockets that do one thing wrong each: phase × action, as phase_action.md names them."""
import select
import selectors
import socket
import ssl
import struct
import threading

SHORT_OF_AN_END = 1000  # bytes of a message after which a server strikes "in the middle"
DRIP = 0.002            # seconds between two bytes
NOISE = bytes((i * 37 + 128) % 256 for i in range(62)) + b"\r\n"
ALERT = b"\x15\x03\x03\x00\x02\x02\x28"
RIGHT = {
    "greeting": b"220 evil.example ESMTP\r\n", "STARTTLS": b"220 2.0.0 go\r\n", "AUTH": b"235 2.7.0 in\r\n",
    "MAIL": b"250 2.1.0 ok\r\n", "RCPT": b"250 2.1.5 ok\r\n", "DATA": b"354 go on\r\n", "dot": b"250 2.0.0 taken\r\n",
    "RSET": b"250 2.0.0 ok\r\n", "QUIT": b"221 2.0.0 bye\r\n",
}
# After whose reply the early one goes out.
BEFORE = {"EHLO": "greeting", "STARTTLS": "EHLO", "AUTH": "EHLO-TLS", "MAIL": "EHLO-TLS", "RCPT": "MAIL", "DATA": "RCPT",
          "body": "DATA", "QUIT": "dot", "RSET": "RCPT"}
WRONG = {
    "2xx": b"250 2.0.0 fine\r\n", "3xx": b"334 more\r\n", "4xx": b"451 4.7.1 later\r\n", "5xx": b"554 5.7.1 no\r\n",
    "garbage": NOISE, "no-code": b"hello there\r\n", "mixed": b"250-one\r\n550 two\r\n", "NUL": b"250 O\0K\r\n",
    "long-line": b"250 " + b"x" * (1 << 20) + b"\r\n",
}
GOES_ON = ("2xx", "3xx", "4xx", "5xx")  # the conversation, after the wrong reply


class Gone(OSError):
    """This side ends the conversation."""


class Wire:
    """The bytes of one conversation, in clear or in TLS. TLS goes through memory, so that records can be cut."""

    def __init__(self, connection):
        self.socket, self.tls, self.inbox = connection, None, b""
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, data, gap=None):
        """gap: every byte in a segment of its own, so many seconds apart."""
        if self.tls:
            self.tls.write(data)
            data = self.outgoing.read()
        self.send_raw(data, gap)

    def send_raw(self, data, gap=None):
        if gap is None:
            self.socket.sendall(data)
            return
        for byte in data:
            self.socket.sendall(bytes([byte]))
            threading.Event().wait(gap)

    def receive(self):
        """Some bytes; empty when the other side is gone."""
        if self.inbox:
            data, self.inbox = self.inbox, b""
            return data
        while True:
            if self.tls:
                try:
                    return self.tls.read(65536)
                except ssl.SSLWantReadError:
                    pass
                except ssl.SSLError:
                    return b""
            data = self.socket.recv(65536)
            if not self.tls or not data:
                return data
            self.incoming.write(data)

    def line(self):
        text = b""
        while b"\r\n" not in text:
            more = self.receive()
            if not more:
                return None
            text += more
        line, self.inbox = text.split(b"\r\n", 1)
        return line.decode("utf-8", "replace")

    def secure(self, context, gap=None):
        """The handshake; False when it came to nothing."""
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.incoming.write(self.inbox)
        self.inbox = b""
        tls = context.wrap_bio(self.incoming, self.outgoing, server_side=True)
        while True:
            try:
                tls.do_handshake()
                self.send_raw(self.outgoing.read(), gap)
                self.tls = tls
                return True
            except ssl.SSLWantReadError:
                self.send_raw(self.outgoing.read(), gap)
                data = self.socket.recv(65536)
                if not data:
                    return False
                self.incoming.write(data)
            except ssl.SSLError:
                return False

    def trickle(self, count):
        """So many bytes as they come, one at a time; receive() has them afterwards."""
        for _ in range(count):
            byte = self.socket.recv(1)
            if self.tls:
                self.incoming.write(byte)
            else:
                self.inbox += byte

    def leave(self):
        """FIN, and not RST: what still comes is read."""
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            return
        self.drain()

    def drain(self):
        try:
            while self.socket.recv(65536):
                pass
        except OSError:
            pass

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


class Server:
    """What one address does, and what came of it. An empty phase: it behaves."""

    def __init__(self, phase="", action="", pipelining=True):
        self.phase, self.action, self.pipelining = phase, action, pipelining
        self.sessions = 0
        self.struck = 0    # sessions in which it did its wrong thing
        self.silent = 0    # sessions in which it says nothing right now
        self.taken = []    # (recipients, in TLS) of each message answered 2xx after its end
        self.at_mail = 0   # sessions that have come to MAIL
        self.may_go_on = threading.Event()  # past the first MAIL; only the row RSET waits for it
        self.lock = threading.Lock()

    def note(self, what, by=1):
        with self.lock:
            setattr(self, what, getattr(self, what) + by)


class Session:
    """One conversation. What returns a bool says whether it goes on as if nothing had been."""

    def __init__(self, connection, server, context):
        self.wire, self.server, self.context = Wire(connection), server, context
        self.done = self.secure = self.refused = False
        self.skip = ""
        self.recipients = []

    def run(self):
        try:
            if self.at("connect"):
                self.act(RIGHT["greeting"])
                raise Gone
            on = self.answer("greeting", RIGHT["greeting"])
            while on and (line := self.wire.line()) is not None:
                on = self.command(line)
        except Gone:
            self.wire.leave()
        except OSError:
            pass
        else:  # nobody hangs up before the other side has
            self.wire.drain()
        self.wire.socket.close()

    def at(self, phase):
        return self.server.phase == phase and not self.done

    def strikes(self):
        self.done = True
        self.server.note("struck")

    def command(self, line):
        verb = line.split(" ", 1)[0].split(":")[0].upper()
        if verb == "EHLO":
            words = (["PIPELINING"] if self.server.pipelining else []) + ["AUTH PLAIN" if self.secure else "STARTTLS"]
            reply = "".join(f"250-{w}\r\n" for w in ["evil.example", *words]) + "250 8BITMIME\r\n"
            return self.answer("EHLO-TLS" if self.secure else "EHLO", reply.encode())
        if verb == "STARTTLS":
            return self.start_tls()
        if verb == "AUTH":
            return self.answer("AUTH", RIGHT["AUTH"])
        if verb == "MAIL":
            self.recipients = []
            self.server.note("at_mail")
            if self.server.phase == "RSET":
                self.server.may_go_on.wait(60)
            self.refused = self.at("MAIL") and self.server.action in ("4xx", "5xx")
            return self.answer("MAIL", RIGHT["MAIL"])
        if verb == "RCPT":
            address = line[line.index("<") + 1:line.index(">")]
            if address.startswith("nobody"):
                return self.refuse(b"550 5.1.1 nobody\r\n", "RCPT" if address.startswith("nobody-two") else "")
            if self.refused:
                return self.say(b"503 5.5.1 no MAIL\r\n")
            if not self.recipients:
                self.recipients = [address]
                return self.say(RIGHT["RCPT"])
            if not (self.at("RCPT") and self.server.action in ("4xx", "5xx")):
                self.recipients.append(address)
            return self.answer("RCPT", RIGHT["RCPT"])
        if verb == "DATA":
            if not self.recipients:
                return self.refuse(b"554 5.5.1 no valid recipients\r\n", "DATA")
            return self.answer("DATA", RIGHT["DATA"]) and self.body()
        if verb == "RSET":
            return self.answer("RSET", RIGHT["RSET"])
        if verb == "QUIT":
            self.answer("QUIT", RIGHT["QUIT"])
            return False
        return self.say(b"500 5.5.2 what\r\n")

    def refuse(self, reply, phase):
        """The last reply before RSET takes the early one to RSET along."""
        last = "DATA" if self.server.pipelining else "RCPT"
        if self.at("RSET") and self.server.action == "early" and phase == last:
            self.strikes()
            self.skip = "RSET"
            reply += RIGHT["RSET"]
        return self.say(reply)

    def start_tls(self):
        action = self.server.action
        if self.at("handshake") and action == "early":
            self.strikes()
            self.wire.send(b"220 go\r\n250-AUTH PLAIN\r\n250 OK\r\n")
            return False
        wrong = self.at("STARTTLS") and action not in ("bare-LF", "split", "drip", "early")
        if not self.answer("STARTTLS", RIGHT["STARTTLS"]):
            return False
        if wrong:  # not followed by a handshake
            return True
        gap = None
        if self.at("handshake"):
            if action not in ("split", "drip"):
                self.wire.receive()  # the client's hello: before it, this would be the cell `early`
                self.act(b"250 OK\r\n")
                return False
            self.strikes()
            gap = 0 if action == "split" else DRIP
        self.secure = self.wire.secure(self.context, gap)
        if self.secure and self.at("EHLO-TLS") and self.server.action == "early":
            self.strikes()
            self.skip = "EHLO-TLS"
            return self.say(b"250-evil.example\r\n250-PIPELINING\r\n250 8BITMIME\r\n")
        return self.secure

    def body(self):
        """Reads to the final dot. What it keeps of the message is only enough to see the end."""
        action, size, end = self.server.action, 0, b"\r\n"
        if self.at("body") and action == "drip":
            return self.keep_silent()  # a byte a second would take as long as the client has patience
        while not end.endswith(b"\r\n.\r\n"):
            if size > SHORT_OF_AN_END and self.at("body") and action != "split":
                if not self.act(b"250 2.0.0 taken\r\n"):
                    return False
            elif size > SHORT_OF_AN_END and self.at("dot") and action == "early":
                self.strikes()
                self.skip = "dot"
                self.say(RIGHT["dot"])
            elif size > SHORT_OF_AN_END and self.at("body"):
                self.strikes()
                self.wire.trickle(SHORT_OF_AN_END)
            data = self.wire.receive()
            if not data:
                return False
            size += len(data)
            end = (end + data)[-5:]
        if not self.at("dot") or action in ("2xx", "drip", "bare-LF", "split"):
            with self.server.lock:
                self.server.taken.append((list(self.recipients), self.secure))
        return self.answer("dot", RIGHT["dot"])

    def answer(self, phase, right):
        """The reply that is due, or what the plan wants in its place."""
        if self.skip == phase:
            self.skip = ""
            return True
        action = self.server.action
        if self.at(phase) and action != "early":
            return self.act(right)
        if self.at("greeting") and phase == "greeting":
            self.strikes()  # nothing can come before it
        early = self.server.phase
        if action == "early" and not self.done and early not in ("RSET", "dot") and BEFORE.get(early) == phase:
            self.strikes()
            self.skip = early
            right += {"EHLO": b"250-evil.example\r\n250-STARTTLS\r\n250 8BITMIME\r\n"}.get(early) or RIGHT.get(early, b"250 2.0.0 ok\r\n")
        return self.say(right)

    def act(self, right):
        action = self.server.action
        self.strikes()
        if action in WRONG:
            self.wire.send(WRONG[action])
            return action in GOES_ON
        if action == "421":
            self.wire.send(b"421 4.3.2 closing\r\n")
            raise Gone
        if action == "FIN":
            raise Gone
        if action == "RST":
            self.wire.reset()
            raise Gone
        if action == "stall":
            return self.keep_silent()
        if action == "endless":
            while True:
                self.wire.send(b"250-and so on\r\n" * 64)
        if action == "alert":
            self.wire.send_raw(ALERT)
            raise Gone
        if action == "bare-LF":
            return self.say(right.replace(b"\r", b""))
        self.wire.send(right, 0 if action == "split" else DRIP)
        return True

    def keep_silent(self):
        if not self.done:
            self.strikes()
        self.server.note("silent")
        try:
            # It reads no more either, until the other side is gone.
            gone = select.poll()
            gone.register(self.wire.socket, select.POLLRDHUP)
            gone.poll()
            return False
        finally:
            self.server.note("silent", -1)

    def say(self, data):
        self.wire.send(data)
        return True


class Servers:
    """One server per address, all on one port. heal(): from now on, everybody behaves."""

    def __init__(self, port, certificate):
        self.port, self.healed = port, False
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate)
        self.selector = selectors.DefaultSelector()
        self.filling = []
        threading.Thread(target=self._accept, daemon=True).start()

    def add(self, address, server):
        if (server.phase, server.action) == ("connect", "RST"):
            server.struck = 1  # nobody listens
            return
        deaf = (server.phase, server.action) == ("connect", "stall")
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Little room: a client cannot have sent a whole message before it hears what is said in the middle of it.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind((address, self.port))
        listener.listen(0 if deaf else 64)
        if not deaf:
            self.selector.register(listener, selectors.EVENT_READ, server)
            return
        # A full queue that nobody empties: the kernel does not answer any further SYN.
        server.struck = 1
        self.filling.append(listener)
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex((address, self.port))
            self.filling.append(filler)

    def heal(self):
        self.healed = True

    def _accept(self):
        while True:
            for key, _ in self.selector.select(0.2):
                connection, _ = key.fileobj.accept()
                server = key.data
                server.note("sessions")
                session = Session(connection, server, self.context)
                session.done = self.healed
                threading.Thread(target=session.run, daemon=True).start()
