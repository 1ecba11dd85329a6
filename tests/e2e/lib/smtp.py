"""A raw SMTP client: sends exactly the bytes it is given and returns the replies as they come."""
import socket


class Reply:
    def __init__(self, lines):
        self.lines = lines
        self.code = int(lines[-1][:3]) if lines and lines[-1][:3].isdigit() else 0

    @property
    def text(self):
        return "\n".join(self.lines)

    def ok(self):
        return 200 <= self.code < 400

    def __repr__(self):
        return f"<{self.text}>"


class Closed(ConnectionError):
    pass


class Smtp:
    def __init__(self, port, host="127.0.0.1", timeout=60, helo="client.example", source=None):
        self.socket = socket.create_connection((host, port), timeout, source and (source, 0))
        self.file = self.socket.makefile("rb")
        self.banner = self.reply()
        self.ehlo = self.command(f"EHLO {helo}") if helo else None

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode("utf-8", "surrogateescape"))

    def reply(self):
        lines = []
        while True:
            line = self.file.readline()
            if not line:
                raise Closed("the server closed the connection")
            lines.append(line.decode("utf-8", "replace").rstrip("\r\n"))
            if line[3:4] != b"-":
                return Reply(lines)

    def command(self, line):
        self.send(line if isinstance(line, bytes) else line + "\r\n")
        return self.reply()

    def data(self, message):
        """The bytes behind DATA, dots doubled, and the final dot; the final reply."""
        self.send(stuffed(message))
        return self.reply()

    def message(self, sender, recipients, message, parameters=""):
        """One transaction. The reply that decided: the first refusal, or the one to the final dot."""
        reply = self.command(f"MAIL FROM:<{sender}>{' ' + parameters if parameters else ''}")
        if not reply.ok():
            return reply
        for recipient in recipients:
            reply = self.command(f"RCPT TO:<{recipient}>")
            if not reply.ok():
                return reply
        reply = self.command("DATA")
        return self.data(message) if reply.code == 354 else reply

    def quit(self):
        try:
            self.command("QUIT")
        except OSError:
            pass
        self.close()

    def close(self):
        self.file.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def stuffed(message):
    """With dots doubled, a line end at the end and the final dot."""
    if not message.endswith(b"\r\n"):
        message += b"\r\n"
    if message.startswith(b"."):
        message = b"." + message
    return message.replace(b"\r\n.", b"\r\n..") + b".\r\n"


def send_one(port, sender, recipients, message, parameters="", **options):
    """One message on a connection of its own; the deciding reply."""
    with Smtp(port, **options) as client:
        reply = client.message(sender, recipients, message, parameters)
        client.quit()
        return reply
