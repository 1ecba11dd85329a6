"""Load for the custody tests: senders that write every answer into a ledger, and what the receiver saw of it."""
import collections
import json
import random
import re
import threading

from smtp import Smtp
from wait import wait_until

AHEAD = 30


def message(token, chance):
    body = f"token {token}\r\n" * chance.randint(1, 60)
    return (f"From: <app@example.net>\r\nTo: <u@example.org>\r\nSubject: {token}\r\n"
            f"Message-ID: <{token}@example.net>\r\nDate: Tue, 24 Nov 2026 08:00:00 +0000\r\n\r\n{body}").encode()


class Copies:
    """Who got which message how often, and when; reads each message of the sink once."""

    def __init__(self, sink):
        self.sink, self.read, self.lock = sink, 0, threading.Lock()
        self.seen = collections.defaultdict(list)

    def now(self):
        with self.lock:
            if len(self.sink) > self.read:
                fresh = self.sink.messages[self.read:]
                self.read += len(fresh)
                for m in fresh:
                    token = re.search(rb"\r\nSubject: (t\d+x\d+)\r\n", b"\r\n" + m.data)[1].decode()
                    for recipient in m.recipients:
                        self.seen[token, recipient].append(m.at)
            return self.seen


class Sender(threading.Thread):
    """Sends until told to stop; every answer goes into the ledger. Waits while it is far ahead of the deliveries,
    so that most kills meet some under way and the end comes soon."""

    def __init__(self, number, port, ledger, copies, seed):
        super().__init__(daemon=True)
        self.number, self.port, self.ledger, self.copies = number, port, ledger, copies
        self.accepted = []
        self.refused = []  # connections that nobody took
        self.chance = random.Random(seed * 1000 + number)
        self.stopping = threading.Event()
        self.expected = {}

    def run(self):
        count = 0
        while not self.stopping.is_set():
            try:
                with Smtp(self.port, timeout=20) as client:
                    for _ in range(self.chance.randint(1, 30)):
                        if self.stopping.is_set():
                            return
                        while self.accepted and not self.stopping.is_set() and self.ahead() > AHEAD:
                            self.stopping.wait(0.02)
                        count += 1
                        token = f"t{self.number}x{count}"
                        recipients = [f"{token}.{i}@site{self.chance.randint(0, 9)}.example"
                                      for i in range(self.chance.choice((1, 1, 1, 2, 3)))]
                        self.expected[token] = recipients
                        code = 0
                        try:
                            code = client.message("app@example.net", recipients, message(token, self.chance)).code
                            if code == 250:
                                self.accepted += [(token, r) for r in recipients]
                        finally:
                            self.ledger.answered(token, code)
            except OSError as error:
                if isinstance(error, ConnectionRefusedError):
                    self.refused.append(error)
                self.stopping.wait(0.02)

    def ahead(self):
        seen = self.copies.now()
        self.accepted = [k for k in self.accepted if k not in seen]
        return len(self.accepted)


def terminal_events(relay, results):
    """Per (message, recipient) the ids of its final events; and how many lines were not whole."""
    path = relay.folder / "events.jsonl"
    final, ids, broken = collections.defaultdict(set), {}, 0
    for line in (path.read_bytes().split(b"\n")[:-1] if path.exists() else []):
        try:
            event = json.loads(line)
        except ValueError:
            broken += 1
            continue
        same = ids.setdefault(event["event_id"], event)
        if same != event:
            results.check("an event id is used once", False, f"{same} and {event}")
        if event["event"] in ("delivered", "bounced", "expired", "removed"):
            final[event["queue_id"], event["recipient"]].add(event["event_id"])
    return final, ids, broken


def under_load(relay, sink, ledger, senders, seed, trouble):
    """Runs trouble() while that many senders work, then lets everything accepted be delivered. What was offered, what
    was accepted, both as (token, recipient); who got what when; the senders."""
    copies = Copies(sink)
    hands = [Sender(i, relay.port, ledger, copies, seed) for i in range(senders)]
    for hand in hands:
        hand.start()
    trouble()
    for hand in hands:
        hand.stopping.set()
    for hand in hands:
        hand.join(60)
    expected = {t: r for hand in hands for t, r in hand.expected.items()}
    wanted = {(t, r) for t in ledger.accepted() for r in expected[t]}
    try:
        wait_until(lambda: all(k in copies.now() for k in wanted), 180, "delivery of everything accepted")
    except AssertionError:
        pass
    return expected, wanted, copies.now(), hands
