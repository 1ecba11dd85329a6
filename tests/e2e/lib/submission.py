"""A mail program that logs in: STARTTLS or TLS from the start, then AUTH PLAIN. The server's certificate is a
self-signed one, so it is not checked."""
import base64
import ssl

from smtp import Smtp


def _context():
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class Submission(Smtp):
    def __init__(self, host, user, password, port=587, helo="laptop.example", source=None, timeout=60):
        """AssertionError when the login is refused."""
        self.wrapped = port == 465
        super().__init__(port, host, timeout, helo=None, source=source)
        if not self.wrapped:
            self.command(f"EHLO {helo}")
            reply = self.command("STARTTLS")
            assert reply.code == 220, f"STARTTLS: {reply}"
            self._encrypt()
        self.ehlo = self.command(f"EHLO {helo}")
        plain = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
        reply = self.command(f"AUTH PLAIN {plain}")
        assert reply.code == 235, f"login of {user}: {reply}"

    def reply(self):
        if self.wrapped and not isinstance(self.socket, ssl.SSLSocket):
            self._encrypt()
        return super().reply()

    def _encrypt(self):
        self.file.close()
        self.socket = _context().wrap_socket(self.socket)
        self.file = self.socket.makefile("rb")
