"""Submits a scenario's messages to a relay: stage after stage, over a fixed number of connections that stay open."""
import asyncio
import socket
import time

TRIES = 50
REPLY_TIMEOUT = 120


class Refused(Exception):
    pass


class Submission:
    """One connection to the relay; opened again when it breaks."""

    def __init__(self, port, size):
        self.port, self.body = port, (b"x" * 70 + b"\r\n") * max(1, (size - 300) // 72) + b".\r\n"
        self.reader = self.writer = None

    async def _replies(self, number, wanted=b"23"):
        for _ in range(number):
            while (line := await asyncio.wait_for(self.reader.readline(), REPLY_TIMEOUT))[3:4] == b"-":
                pass
            if not line or line[0] not in wanted:
                raise Refused(f"the relay said {line!r}")

    async def _open(self):
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await self._replies(1)
        self.writer.write(b"EHLO load.example\r\n")
        await self._replies(1)

    async def send(self, name, sender, recipient, headers):
        """Returns when the relay has taken the message; Refused when it does not after many tries."""
        began = time.monotonic()
        for attempt in range(TRIES):
            try:
                if self.writer is None:
                    await self._open()
                self.writer.write(f"MAIL FROM:<{sender}>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n".encode())
                await self._replies(3)
                more = "".join(f"{field}: {value}\r\n" for field, value in headers.items())
                self.writer.write(
                    f"From: Sender <{sender}>\r\nTo: <{recipient}>\r\nSubject: {name}\r\n"
                    f"Message-ID: <{name}@{sender.rpartition('@')[2]}>\r\nDate: Tue, 24 Nov 2026 00:00:00 +0000\r\n"
                    f"X-Bench-Sent: {began:.6f}\r\n{more}\r\n".encode() + self.body)
                await self._replies(1)
                return
            except (OSError, Refused, asyncio.TimeoutError) as trouble:
                self.close()
                if attempt + 1 == TRIES:
                    raise Refused(f"{name}: {trouble}") from None
                await asyncio.sleep(0.2)

    def close(self):
        if self.writer:
            self.writer.close()
        self.writer = None


async def submit(scenario, names, port, connections, size):
    """Submits the named batches to the relay; returns the seconds that each stage took."""
    took = []
    for number, jobs in enumerate(scenario.stages(names)):
        began, todo = time.monotonic(), iter(jobs)

        async def work():
            line = Submission(port, size)
            recipients = {}
            for batch, i in todo:
                if batch["name"] not in recipients:
                    recipients[batch["name"]] = scenario.recipients(batch)
                await line.send(f"{batch['name']}-{i}", scenario.sender(batch, i), recipients[batch["name"]][i],
                                batch["headers"])
            line.close()
        # A later stage is one person after the other: one connection, in order.
        await asyncio.gather(*(work() for _ in range(connections if number == 0 else 1)))
        took.append(round(time.monotonic() - began, 3))
    return took
