"""Senders that keep a ledger, while something is done to the milter."""
import random
import threading

from ledger import Ledger
from smtp import Smtp


class Load:
    """with Load(port) as load: … afterwards load.ledger and load.tokens(). Half of the senders keep their connection
    for many messages, half of them make one for each; each message has a Subject that must be mended."""

    def __init__(self, port, senders=6, seed=1):
        self.port, self.senders = port, senders
        self.ledger = Ledger()
        self.problems = []
        self._random = random.Random(seed)
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(i,), daemon=True) for i in range(senders)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        for thread in self._threads:
            thread.join(60)

    def sent(self):
        return sum(self.ledger.codes().values())

    def _send(self, number):
        client, count = None, 0
        while not self._ended.is_set():
            token = f"load-{number}-{count}-end"
            count += 1
            try:
                client = client or Smtp(self.port, timeout=60)
                reply = client.message("app@example.com", ["x@dest.example"], message(token))
                self.ledger.answered(token, reply.code)
                keep = number % 2 == 0 and reply.code == 250
            except OSError:
                self.ledger.answered(token, 0)
                keep = False
            if client and not keep:
                client.close()
                client = None
        if client:
            client.close()


def message(token):
    return (f"From: app@example.com\r\nTo: x@dest.example\r\nSubject: Grüße {token}\r\n"
            f"Date: Tue, 24 Nov 2026 08:15:30 +0000\r\nMessage-ID: <{token}@example.com>\r\n\r\n{token}\r\n").encode()


def check(load, sink, postfix):
    """Nothing that was answered 250 is lost, and nothing passed without being mended."""
    postfix.wait_empty(60)
    arrived = {}
    for m in sink.messages:
        arrived.setdefault(m.body().strip().decode(), []).append(m)
    lost = load.ledger.lost(arrived)
    assert not lost, f"{len(lost)} lost, such as {sorted(lost)[:3]}"
    unmended = [t for t, copies in arrived.items() if any(b"=?UTF-8?" not in m.header("Subject")[0] for m in copies)]
    assert not unmended, f"{len(unmended)} passed unmended, such as {unmended[:3]}"
    twice = [t for t, copies in arrived.items() if len(copies) > 1]
    assert not twice, f"{len(twice)} arrived twice, such as {twice[:3]}"
    refused = {code: n for code, n in load.ledger.codes().items() if code >= 500}
    assert not refused, f"refused for good: {refused}"
